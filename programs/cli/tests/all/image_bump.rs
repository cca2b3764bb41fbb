//! `aux image pins` and `aux image bump` over repositories that the real git made.

use std::process::Command;
use std::time::Instant;

use crate::world::{Said, World, skipped};

const OLD: &str = "a9368831-958e-432d-a031-f8ce6768d190";
const NEW: &str = "59ba2e5e-976f-4e09-8aac-a4a7ef0395f5";
const OLD_NODE: &str = "c2c31b00-1d60-11e9-9a77-ff9f06554b0f";
const NEW_NODE: &str = "5417ab20-3156-11ea-8b19-2b66f5e7a439";
const OLD_AGENT: &str = "29b70133-1e97-47d9-a4c1-e4b2ee1a1451";
const NEW_AGENT: &str = "23a48c86-8b59-4629-a2f1-5dac3cba09b1";
const TO: &str = "--to triton-origin-x86_64-19.4.0 --catalog catalog.toml";

#[expect(clippy::disallowed_methods, reason = "repositories are made and read by the programs people use")]
fn program(name: &str) -> Command {
    Command::new(name)
}

/// A world with a catalog and build tools; `None` where there is no git.
fn world() -> Option<World> {
    let world = World::empty();
    if program("git").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "git is missing");
        skipped("no git here; `apt-get install -y git` brings it");
        return None;
    }
    world.file(
        "catalog.toml",
        &format!(
            r#"[[images]]
name = "minimal-64-lts"
version = "18.4.0"
uuid = "{OLD_NODE}"
branch = "2018Q4"
published = 2019-01-21
channels = ["release"]

[[images]]
name = "triton-origin-x86_64-18.4.0"
version = "master-20190410T193647Z-g982b0ce"
uuid = "{OLD}"
branch = "2018Q4"
origin = "{OLD_NODE}"
published = 2019-04-10
channels = ["release"]

[[images]]
name = "minimal-64-lts"
version = "19.4.0"
uuid = "{NEW_NODE}"
branch = "2019Q4"
published = 2020-01-10
channels = ["release"]

[[images]]
name = "triton-origin-x86_64-19.4.0"
version = "master-20200130T200825Z-gbb45b8d"
uuid = "{NEW}"
branch = "2019Q4"
origin = "{NEW_NODE}"
published = 2020-01-30
channels = ["release"]

[maps.JENKINS_AGENT_MAP]
"{NEW}" = "{NEW_AGENT}"
"{OLD}" = "{OLD_AGENT}"
"#
        ),
    );
    let map = |name: &str, value: &str| format!("declare -A {name}=(\n    [{OLD}]={value}\n)\n\n");
    let script = map("PKGSRC_MAP", "2018Q4")
        + &map("SDC_MAP", "triton-origin-x86_64-18.4.0@master-20190410T193647Z-g982b0ce")
        + &map("JENKINS_AGENT_MAP", OLD_AGENT)
        + "PKGSRC_PKGS_2018Q4=\"\n    grep\"\nPKGSRC_PKGS_2019Q4=\"\n    grep\"\n";
    world.file("eng/tools/validate-buildenv.sh", &format!("#!/bin/bash\n{script}"));
    commit(&world, "eng");
    Some(world)
}

fn git(world: &World, folder: &str, arguments: &[&str]) -> String {
    let mut command = program("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]).args(arguments);
    command.current_dir(world.path(folder)).env("HOME", world.outside("home")).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_AUTHOR_DATE", "2020-01-01T00:00:00Z").env("GIT_COMMITTER_DATE", "2020-01-01T00:00:00Z");
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(world: &World, folder: &str) {
    git(world, folder, &["init", "--quiet", "--template=", "--initial-branch=master", "."]);
    git(world, folder, &["add", "--all"]);
    git(world, folder, &["commit", "--quiet", "-m", "first"]);
}

/// A component as they are: makefile, Jenkinsfile and the submodule of the build tools.
fn component(world: &World, name: &str) {
    let tools = git(world, "eng", &["rev-parse", "HEAD"]);
    world.file(
        &format!("{name}/Makefile"),
        &format!(
            "NAME = {name}\n# This image is triton-origin-x86_64-18.4.0\nBASE_IMAGE_UUID = {OLD}\n\
             NODE_PREBUILT_IMAGE={OLD_NODE}\nBUILDIMAGE_PKGSRC =\n\nprint-%:\n\t@echo '$*=$($*)'\n"
        ),
    );
    world.file(&format!("{name}/Jenkinsfile"), "label joyCommonLabels(image_ver: '18.4.0')\n");
    world.file(&format!("{name}/.gitmodules"), "[submodule \"deps/eng\"]\n\tpath = deps/eng\n\turl = ../eng\n");
    git(world, name, &["init", "--quiet", "--template=", "--initial-branch=master", "."]);
    // As a clone has it that did not fetch its submodules.
    std::fs::create_dir_all(world.path(&format!("{name}/deps/eng"))).unwrap();
    git(world, name, &["update-index", "--add", "--cacheinfo", &format!("160000,{tools},deps/eng")]);
    git(world, name, &["add", "Makefile", "Jenkinsfile", ".gitmodules"]);
    git(world, name, &["commit", "--quiet", "-m", "first"]);
}

fn run(world: &World, arguments: &str) -> Said {
    let mut command = world.command(arguments);
    world.finish(command.env("PATH", "/usr/local/bin:/usr/bin:/bin"))
}

/// What a person sees, with ids of commits left out.
fn shown(said: &Said) -> String {
    let ids = said.shown();
    let is_id = |word: &str| word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    ids.split_inclusive([' ', '\n'])
        .map(|word| if is_id(word.trim()) { word.replace(word.trim(), "[ID]") } else { word.to_owned() })
        .collect()
}

#[test]
fn a_coupled_change_becomes_a_branch_of_each_repository_and_a_second_run_changes_nothing() {
    let Some(world) = world() else { return };
    component(&world, "vmapi");
    component(&world, "dirty");
    world.file("dirty/Makefile", "NAME = mine\n");
    world.file("plain/Makefile", "all:\n");
    let repositories = "vmapi dirty plain eng";
    let planned = run(&world, &format!("image bump {repositories} {TO} --dry-run"));
    assert_eq!(git(&world, "vmapi", &["branch", "--format=%(refname:short)"]), "master");
    let first = run(&world, &format!("image bump {repositories} {TO}"));
    let branch = "image/triton-origin-x86_64-19.4.0";
    let tools = git(&world, "eng", &["rev-parse", branch]);
    assert_eq!(git(&world, "vmapi", &["rev-parse", &format!("{branch}:deps/eng")]), tools);
    assert_eq!(git(&world, "vmapi", &["status", "--porcelain", "--ignore-submodules"]), "");
    assert_eq!(git(&world, "vmapi", &["symbolic-ref", "--short", "HEAD"]), "master");
    let diff = git(&world, "vmapi", &["diff", "--submodule=short", "master", branch, "--", "Makefile", "Jenkinsfile"]);
    let second = run(&world, &format!("image bump {repositories} {TO} --json"));
    let states: Vec<String> = second.json()["repositories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {} {}", one["path"], one["state"], one["changed"]))
        .collect();
    assert_eq!(git(&world, "eng", &["rev-parse", branch]), tools);
    insta::assert_snapshot!(format!("{}\n{}\n{diff}\n\n{}", shown(&planned), shown(&first), states.join("\n")));
    // Merged, there is nothing left to do, and no branch is looked at.
    for folder in ["eng", "vmapi"] {
        git(&world, folder, &["merge", "--quiet", "--ff-only", branch]);
    }
    git(&world, "dirty", &["checkout", "--quiet", "Makefile"]);
    let third = run(&world, &format!("image bump vmapi eng {TO} --json"));
    assert!(
        third.json()["repositories"].as_array().unwrap().iter().all(|one| one["state"] == "current"),
        "{}",
        third.stdout
    );
    assert_eq!(third.code, Some(0));
    // The one that was left alone is taken up again.
    let resumed = run(&world, &format!("image bump dirty vmapi eng {TO}"));
    assert!(resumed.code == Some(0) && resumed.stdout.contains("dirty: bumped on branch"), "{}", resumed.shown());
    // Somebody else's work on the branch stays.
    git(&world, "dirty", &["checkout", "--quiet", branch]);
    git(&world, "dirty", &["commit", "--quiet", "--allow-empty", "-m", "mine"]);
    git(&world, "dirty", &["checkout", "--quiet", "master"]);
    let taken = run(&world, &format!("image bump dirty eng {TO}"));
    assert!(taken.code == Some(1) && taken.stdout.contains("holds something"), "{}", taken.shown());
}

#[test]
fn patches_apply_and_leave_the_repositories_as_they_were() {
    let Some(world) = world() else { return };
    component(&world, "vmapi");
    let objects = |world: &World| git(world, "vmapi", &["count-objects", "-v"]);
    let before = objects(&world);
    // The build tools come first: their patch becomes a commit whose name nobody knows yet.
    let first = run(&world, &format!("image bump vmapi eng {TO} --patch-dir patches"));
    assert!(first.code == Some(1) && first.stdout.contains("apply their patch"), "{}", first.shown());
    let patch = |name: &str| world.path(&format!("patches/{name}.patch")).display().to_string();
    git(&world, "eng", &["am", "--quiet", &patch("eng")]);
    let second = run(&world, &format!("image bump vmapi eng {TO} --patch-dir patches"));
    assert_eq!((second.code, objects(&world)), (Some(0), before), "{}", second.shown());
    git(&world, "vmapi", &["apply", "--check", &patch("vmapi")]);
    git(&world, "vmapi", &["am", "--quiet", &patch("vmapi")]);
    assert_eq!(git(&world, "vmapi", &["rev-parse", "HEAD:deps/eng"]), git(&world, "eng", &["rev-parse", "HEAD"]));
    let makefile = git(&world, "vmapi", &["show", "HEAD:Makefile"]);
    assert!(makefile.contains(&format!(
        "# This image is triton-origin-x86_64-19.4.0\nBASE_IMAGE_UUID = {NEW}\nNODE_PREBUILT_IMAGE={NEW_NODE}\n"
    )));
    let third = run(&world, &format!("image bump vmapi eng {TO} --patch-dir patches"));
    assert!(third.stdout.contains("2 with nothing to do"), "{}", third.shown());
}

#[test]
fn what_stops_a_repository_is_said_and_it_stays_untouched() {
    let Some(world) = world() else { return };
    for name in ["nul", "packages", "newer", "unborn", "alone"] {
        component(&world, name);
    }
    let change = |name: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(world.path(&format!("{name}/Makefile"))).unwrap();
        world.file(&format!("{name}/Makefile"), &text.replace(from, to));
        git(&world, name, &["commit", "--quiet", "-am", "second"]);
    };
    change("nul", "NAME", "\0NAME");
    change("packages", "PKGSRC =", "PKGSRC = haproxy-1.8.4");
    change("newer", "BASE_IMAGE_UUID = a9368831", "BASE_IMAGE_UUID = $(shell cat uuid) # a9368831");
    world.file("fresh/Makefile", "all:\n");
    git(&world, "fresh", &["init", "--quiet", "."]);
    let said = run(&world, &format!("image bump nul packages newer fresh eng {TO}"));
    let alone = run(&world, &format!("image bump alone {TO}"));
    let wrong = [
        run(&world, "image bump alone --to nothing --catalog catalog.toml"),
        run(&world, "image bump nowhere --to nothing --catalog nowhere.toml"),
        run(&world, &format!("image bump alone {TO} --branch ../x")),
    ];
    for name in ["nul", "packages", "newer", "alone"] {
        assert_eq!(git(&world, name, &["for-each-ref", "--format=%(refname)"]), "refs/heads/master", "{name}");
    }
    let wrong: String = wrong.iter().map(Said::shown).collect();
    insta::assert_snapshot!(format!("{}\n{}\n{wrong}", shown(&said), shown(&alone)));
}

#[test]
fn seventy_five_repositories_are_read_and_bumped_in_seconds() {
    let Some(world) = world() else { return };
    let names: Vec<String> = (0..75).map(|number| format!("component{number:02}")).collect();
    component(&world, "component00");
    // Copies, since making each with git takes longer than what is measured.
    for name in names.iter().skip(1) {
        let copied = program("cp").arg("-r").arg(world.path("component00")).arg(world.path(name)).status().unwrap();
        assert!(copied.success());
    }
    let all = names.join(" ");
    let began = Instant::now();
    let pins = run(&world, &format!("image pins {all} --catalog catalog.toml --json"));
    let read = began.elapsed();
    let document = pins.json();
    assert_eq!(pins.code, Some(0));
    for repository in document["repositories"].as_array().unwrap() {
        assert_eq!(repository["answers"]["BASE_IMAGE_UUID"], OLD);
    }
    let began = Instant::now();
    let bumped = run(&world, &format!("image bump {all} eng {TO}"));
    let took = began.elapsed();
    assert!(
        bumped.stdout.ends_with("76 repositories: 76 bumped, 0 with nothing to do, 0 left alone\n"),
        "{}",
        bumped.shown()
    );
    skipped_if_slow(read.as_secs_f64(), took.as_secs_f64());
}

/// The targets are one second and ten; a machine that six people share may take longer, which is no failure of the code.
#[expect(clippy::print_stderr, reason = "a figure is for whoever looks")]
fn skipped_if_slow(read: f64, took: f64) {
    eprintln!("75 repositories: pins {read:.2} s, bump {took:.2} s");
    assert!(read < 10.0 && took < 60.0, "pins {read} s, bump {took} s");
}

#[test]
fn pins_are_listed_with_what_they_name_and_what_make_says() {
    let Some(world) = world() else { return };
    component(&world, "vmapi");
    world.file("docker/Dockerfile", &format!("FROM registry.example/origin@sha256:{}\n", "0".repeat(64)));
    world.file("strange/Makefile", "BASE_IMAGE_UUID = $(shell cat image)\n");
    let said = run(&world, "image pins vmapi docker eng strange --catalog catalog.toml");
    insta::assert_snapshot!(shown(&said));
    if let Ok(output) = program("make").args(["-s", "print-BASE_IMAGE_UUID"]).current_dir(world.path("vmapi")).output()
    {
        let made = String::from_utf8(output.stdout).unwrap();
        assert!(said.stdout.contains(&format!("make says {made}")), "{made}");
    }
}

/// The first example of a page under docs/formats.
pub(crate) fn page(name: &str) -> serde_json::Value {
    pages(name).remove(0)
}

/// Every example of a page.
pub(crate) fn pages(name: &str) -> Vec<serde_json::Value> {
    let path = format!("{}/../../docs/formats/{name}.md", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let examples = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    examples.map(|example| serde_json::from_str(example).unwrap()).collect()
}

/// The example images and the component that pins one of them, as a repository.
fn example() -> Option<World> {
    let world = world()?;
    let folder = format!("{}/../../examples/image", env!("CARGO_MANIFEST_DIR"));
    let copied = program("cp").args(["-r", &format!("{folder}/.")]).arg(world.path("")).status().unwrap();
    assert!(copied.success());
    commit(&world, "component");
    Some(world)
}

#[test]
fn the_pages_of_pins_and_bumps_show_what_is_written() {
    let Some(world) = example() else { return };
    let pins = "image pins component --catalog catalog.toml --system SunOS --vulnerabilities pkg-vulnerabilities --as-of 2019-01-12";
    let said = run(&world, &format!("{pins} --json"));
    assert_eq!((said.code, said.json()), (Some(0), page("image-pins")), "{}", said.stdout);
    let shown = run(&world, pins);
    assert!(shown.stdout.contains("exposes 2 findings that origin-x86_64-19.1.0@"), "{}", shown.shown());
    // What nobody can say is said, and is not nothing.
    let catalog = std::fs::read_to_string(world.path("catalog.toml")).unwrap();
    world.file("without.toml", &catalog.replace("packages = \"origin-19.1.0.pkgs\"\n", ""));
    world.file("gone.toml", &catalog.replace("origin-19.1.0.pkgs", "gone.pkgs"));
    for catalog in ["without.toml", "gone.toml"] {
        let said = run(&world, &pins.replace("catalog.toml", catalog));
        assert!(said.code == Some(2) && said.stdout.contains("nobody can say what it exposes"), "{}", said.shown());
    }
    let old = run(&world, &pins.replace("2019-01-12", "2019-06-12"));
    assert!(old.code == Some(2) && old.stdout.contains("days old"), "{}", old.shown());
    let said = run(&world, "image bump component --to origin-x86_64-19.1.0 --catalog catalog.toml --json");
    let mut expected = page("image-bump");
    expected["repositories"][0]["commit"] = said.json()["repositories"][0]["commit"].clone();
    assert_eq!((said.code, said.json()), (Some(0), expected), "{}", said.stdout);
    let refused =
        run(&world, "image bump component --to origin-x86_64-19.1.0 --catalog catalog.toml --channel dev --dry-run");
    assert!(refused.code == Some(1) && refused.stdout.contains("must share one"), "{}", refused.shown());
}

#[test]
fn an_old_description_of_images_becomes_specifications_once() {
    let mut world = World::empty();
    world.file(
        "images.json",
        r#"[{"namePrefix": "origin-multiarch", "desc": "Base", "origin": {"uuid": "1ad363ec-3b83-11e8-8521-2f68a4a34d5d", "version": "18.1.0"},
            "pkgsrc": ["curl-7.59.0", "gsed-4.4", "patch"]}]"#,
    );
    world.show("image import images.json --output specs");
    let text = std::fs::read_to_string(world.path("specs/origin-multiarch.toml")).unwrap();
    world.transcribe("cat specs/origin-multiarch.toml", &text);
    world.show("image import images.json --output specs");
    world.file("broken.json", "[{");
    world.show("image import broken.json --output other");
    assert!(!world.path("other").exists());
    insta::assert_snapshot!(world.transcript());
}
