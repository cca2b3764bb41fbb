//! The coupled change, step by step, and every precondition that stops it.

use std::collections::BTreeMap;

use super::edits::{Plan, Tools};
use super::*;
use crate::pins::{Snapshot, find};

const OLD: &str = "a9368831-958e-432d-a031-f8ce6768d190";
const OLD_NODE: &str = "c2c31b00-1d60-11e9-9a77-ff9f06554b0f";
const NEW: &str = "59ba2e5e-976f-4e09-8aac-a4a7ef0395f5";
const NEW_NODE: &str = "5417ab20-3156-11ea-8b19-2b66f5e7a439";
const AGENT: &str = "23a48c86-8b59-4629-a2f1-5dac3cba09b1";
const REVISION: &str = "d4f247e89f6e10120f911e2e2d2254a050d0f732";

fn catalog() -> String {
    format!(
        "[[images]]\nname = \"minimal-64-lts\"\nversion = \"18.4.0\"\nuuid = \"{OLD_NODE}\"\nbranch = \"2018Q4\"\n\
         [[images]]\nname = \"triton-origin-x86_64-18.4.0\"\nversion = \"master-1\"\nuuid = \"{OLD}\"\nbranch = \"2018Q4\"\n\
         published = 2019-04-10\n[[images]]\nname = \"minimal-64-lts\"\nversion = \"19.4.0\"\nuuid = \"{NEW_NODE}\"\n\
         branch = \"2019Q4\"\nchannels = [\"release\"]\n[[images]]\nname = \"triton-origin-x86_64-19.4.0\"\n\
         version = \"master-2\"\nuuid = \"{NEW}\"\nbranch = \"2019Q4\"\norigin = \"{NEW_NODE}\"\npublished = 2020-01-30\n\
         channels = [\"dev\", \"release\"]\n[maps.JENKINS_AGENT_MAP]\n{NEW} = \"{AGENT}\"\n"
    )
}

fn makefile() -> String {
    format!(
        "# This image is triton-origin-x86_64-18.4.0@master-1\nBASE_IMAGE_UUID = {OLD}\n\
         ifeq ($(shell uname -s),SunOS)\n\t# minimal-64-lts@18.4.0\n\tNODE_PREBUILT_IMAGE={OLD_NODE}\nendif\n"
    )
}

fn planned(files: &[(&str, String)], catalog: &str, tools: Result<&str, &str>, summary: &str) -> Result<Plan, String> {
    let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    let has_tools = names.iter().any(|name| name == ".gitmodules");
    let submodules: BTreeMap<String, String> =
        has_tools.then(|| ("deps/eng".to_owned(), "0".repeat(40))).into_iter().collect();
    let read = |path: &str| Ok(files.iter().find(|(name, _)| *name == path).map(|(_, text)| text.as_bytes().to_vec()));
    let snapshot = Snapshot { files: &names, submodules: &submodules, read: &read };
    let catalog = Catalog::read(catalog).unwrap();
    let summary = Summary::read(summary.as_bytes()).ok();
    let image = catalog.named("triton-origin-x86_64-19.4.0").unwrap();
    let goal = Goal { image, catalog: &catalog, summary: summary.as_ref(), channel: None };
    let tools = Tools { revision: tools.map(str::to_owned).map_err(str::to_owned), knows: &|_| None };
    plan(&snapshot, &find(&snapshot, "SunOS"), &goal, &tools)
}

fn text(plan: &Plan, file: &str) -> String {
    String::from_utf8(plan.files[file].clone()).unwrap()
}

#[test]
fn everything_that_is_coupled_changes_in_its_order_and_nothing_else() {
    let files = [
        ("Makefile", makefile() + "BUILDIMAGE_PKGSRC = haproxy-1.8.4 gcc openssl-1.0.2o\n"),
        ("Jenkinsfile", "label joyCommonLabels(image_ver: '18.4.0', pi: 'x')\n".to_owned()),
        (".gitmodules", String::new()),
    ];
    let summary = "PKGNAME=haproxy-1.8.4\n\nPKGNAME=openssl-1.1.1d\n\nPKGNAME=openssl-1.0.2u\n\n";
    let plan = planned(&files, &catalog(), Ok(REVISION), summary).unwrap();
    let steps: Vec<&str> = plan.edits.iter().map(|edit| edit.step.as_str()).collect();
    assert_eq!(steps, ["tools", "images", "images", "packages", "jenkins"]);
    let expected = files[0]
        .1
        .replace("18.4.0@master-1", "19.4.0@master-2")
        .replace("lts@18.4.0", "lts@19.4.0")
        .replace(OLD, NEW)
        .replace(OLD_NODE, NEW_NODE)
        .replace("openssl-1.0.2o", "openssl-1.1.1d");
    assert_eq!(text(&plan, "Makefile"), expected);
    assert_eq!(text(&plan, "Jenkinsfile"), "label joyCommonLabels(image_ver: '19.4.0', pi: 'x')\n");
    assert_eq!(plan.submodules["deps/eng"], REVISION);
    assert_eq!(plan.notes, ["Jenkinsfile:1 pi: stays, the catalog names none"]);
}

#[test]
fn a_second_time_there_is_nothing_to_do() {
    let files = [("Makefile", makefile()), ("Jenkinsfile", "label 'image_ver:18.4.0'\n".to_owned())];
    let plan = planned(&files, &catalog(), Ok(REVISION), "").unwrap();
    let again = [("Makefile", text(&plan, "Makefile")), ("Jenkinsfile", text(&plan, "Jenkinsfile"))];
    assert_eq!(planned(&again, &catalog(), Err("none"), "").unwrap(), Plan::default());
}

#[test]
fn the_maps_of_the_build_tools_learn_the_image_once() {
    let map = |name: &str, value: &str| format!("declare -A {name}=(\n    [{OLD}]={value}\n)\n\n");
    let script = map("PKGSRC_MAP", "2018Q4") + &map("SDC_MAP", "x@1") + &map("JENKINS_AGENT_MAP", OLD_NODE);
    let name = "tools/validate-buildenv.sh";
    let plan = planned(&[(name, script.clone())], &catalog(), Err("none"), "").unwrap();
    assert!(plan.edits.iter().all(|edit| edit.step == Step::Maps), "{:?}", plan.edits);
    let changed = text(&plan, name);
    assert!(changed.contains(&format!("    [{OLD}]=2018Q4\n    [{NEW}]=2019Q4\n)\n")), "{changed}");
    assert!(changed.contains(&format!("    [{NEW}]=triton-origin-x86_64-19.4.0@master-2\n)\n")), "{changed}");
    assert!(changed.contains(&format!("    [{NEW}]={AGENT}\n)\n")), "{changed}");
    assert_eq!(planned(&[(name, changed)], &catalog(), Err("none"), "").unwrap().edits, []);
    let odd = script.replace("2018Q4\n", &format!("2018Q4\n    [{NEW}]=2018Q4\n"));
    assert!(planned(&[(name, odd)], &catalog(), Err("none"), "").unwrap_err().contains("and the catalog says 2019Q4"));
    let short = map("PKGSRC_MAP", "2018Q4");
    assert!(planned(&[(name, short)], &catalog(), Err("none"), "").unwrap_err().contains("no SDC_MAP"));
    let injected = catalog().replace("\"2019Q4\"", "\"$(x)\"");
    assert!(planned(&[(name, script.clone())], &injected, Err("none"), "").unwrap_err().contains("no map of a shell"));
    let nobody = catalog().replace(&format!("{NEW} = \"{AGENT}\""), "");
    assert!(planned(&[(name, script)], &nobody, Err("none"), "").unwrap_err().contains("JENKINS_AGENT_MAP"));
}

#[test]
fn a_missing_precondition_stops_with_its_reason() {
    let plain = || ("Makefile", makefile());
    let says = |files: &[(&str, String)], catalog: &str, wanted: &str| {
        let reason = planned(files, catalog, Err("no tools"), "PKGNAME=other-1\n\n").unwrap_err();
        assert!(reason.contains(wanted), "{wanted}: {reason}");
    };
    says(&[plain(), (".gitmodules", String::new())], &catalog(), "deps/eng: no tools");
    says(&[plain()], &catalog().replace(&format!("{NEW} = \""), &format!("{OLD} = \"")), "JENKINS_AGENT_MAP");
    says(&[plain()], &catalog().replace("[\"dev\", \"release\"]", "[\"dev\"]"), "must share one");
    says(&[plain()], &catalog().replace("2019-04-10", "2021-04-10"), "newer than");
    let alone = catalog()
        .replace(&format!("origin = \"{NEW_NODE}\"\n"), "")
        .replace("branch = \"2019Q4\"\nchannels = [\"release\"]\n", "");
    says(&[plain()], &alone, "for NODE_PREBUILT_IMAGE");
    let packages = ("Makefile", makefile() + "BUILDIMAGE_PKGSRC = stud-0.3p53nb5\n");
    says(std::slice::from_ref(&packages), &catalog(), "has no package stud");
    assert!(planned(&[packages], &catalog(), Err(""), "").unwrap_err().contains("--summary"));
    let jenkins = ("Jenkinsfile", "x(image_ver: '15.4.1')\ny(image_ver: '1.6.3')\n".to_owned());
    says(&[plain(), jenkins], &catalog(), "1.6.3, 15.4.1");
}

#[test]
fn a_label_of_another_machine_and_a_commented_pin_stay() {
    let makefile = makefile() + &format!("#BASE_IMAGE_UUID = {OLD}\n");
    let jenkins = "x(image_ver: '18.4.0')\ny(image_ver: '1.6.3')\n".to_owned();
    let plan = planned(&[("Makefile", makefile), ("Jenkinsfile", jenkins)], &catalog(), Err(""), "").unwrap();
    assert!(text(&plan, "Makefile").ends_with(&format!("#BASE_IMAGE_UUID = {OLD}\n")));
    assert_eq!(text(&plan, "Jenkinsfile"), "x(image_ver: '19.4.0')\ny(image_ver: '1.6.3')\n");
}

#[test]
fn a_digest_of_the_same_family_is_bumped() {
    let (old, new) = ("sha256:01", "sha256:02");
    let catalog = catalog()
        .replace("branch = \"2018Q4\"\npublished", &format!("branch = \"2018Q4\"\ndigest = \"{old}\"\npublished"))
        .replace("version = \"master-2\"", &format!("version = \"master-2\"\ndigest = \"{new}\""));
    let plan = planned(&[("Dockerfile", format!("FROM r.example/o@{old}\nFROM x@sha256:03\n"))], &catalog, Err(""), "");
    assert_eq!(text(&plan.unwrap(), "Dockerfile"), format!("FROM r.example/o@{new}\nFROM x@sha256:03\n"));
}

const FLAKE_OLD: &str = "1111111111111111111111111111111111111111";
const FLAKE_NEW: &str = "2222222222222222222222222222222222222222";
const HASH_NEW: &str = "sha256-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=";

fn lock() -> String {
    format!(
        "{{\n  \"nodes\": {{\n    \"origin\": {{\n      \"locked\": {{\n        \"lastModified\": 1554925007,\n        \
         \"narHash\": \"sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\n        \"owner\": \"example\",\n        \
         \"rev\": \"{FLAKE_OLD}\",\n        \"type\": \"github\"\n      }},\n      \"original\": {{ \"type\": \"github\" }}\n    }},\n    \
         \"other\": {{ \"locked\": {{ \"narHash\": \"sha256-x\", \"rev\": \"3333333333333333333333333333333333333333\" }} }},\n    \
         \"root\": {{ \"inputs\": {{ \"origin\": \"origin\", \"other\": \"other\" }} }}\n  }},\n  \"root\": \"root\",\n  \"version\": 7\n}}\n"
    )
}

fn with_flakes(new: &str) -> String {
    let old = format!("version = \"master-1\"\nflake = {{ revision = \"{FLAKE_OLD}\" }}\n");
    catalog()
        .replace("version = \"master-1\"\n", &old)
        .replace("version = \"master-2\"\n", &format!("version = \"master-2\"\n{new}\n"))
}

#[test]
fn a_flake_input_is_bumped_with_its_hash_and_refused_without_it() {
    let files = [("flake.lock", lock())];
    let new =
        format!("flake = {{ revision = \"{FLAKE_NEW}\", nar_hash = \"{HASH_NEW}\", last_modified = 1580414905 }}");
    let plan = planned(&files, &with_flakes(&new), Err("no tools"), "").unwrap();
    let text = text(&plan, "flake.lock");
    let expected = lock()
        .replace(FLAKE_OLD, FLAKE_NEW)
        .replace("sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", HASH_NEW)
        .replace("1554925007", "1580414905");
    assert_eq!(text, expected);
    assert_eq!((plan.edits.len(), plan.edits[0].step, plan.edits[0].name.as_str()), (1, Step::Flake, "origin"));
    for (new, says) in [
        (String::new(), "names no flake for"),
        (new.replace(&format!("nar_hash = \"{HASH_NEW}\", "), ""), "nix flake update origin"),
        (new.replace(", last_modified = 1580414905", ""), "no last_modified"),
    ] {
        let refused = planned(&files, &with_flakes(&new), Err("no tools"), "").unwrap_err();
        assert!(refused.contains(says) && refused.starts_with("flake.lock:8 pins origin of"), "{refused}");
    }
    // An input that no image of the family is built from is somebody else's.
    let others = [("flake.lock", lock().replace(FLAKE_OLD, &"4".repeat(40)))];
    assert_eq!(planned(&others, &with_flakes(&new), Err("no tools"), "").unwrap().edits, []);
}

#[test]
fn one_channel_holds_an_image_and_all_it_is_made_from() {
    const BELOW: &str = "fbda7200-57e7-11e9-bb3a-8b0b548fcc37";
    let refusal = |text: &str, channel: Option<&str>| {
        let catalog = Catalog::read(text).unwrap();
        let image = catalog.named("triton-origin-x86_64-19.4.0").unwrap();
        channel_refusal(&Goal { image, catalog: &catalog, summary: None, channel }).unwrap_or_default()
    };
    assert_eq!(refusal(&catalog(), None), "");
    assert_eq!(refusal(&catalog(), Some("release")), "");
    assert!(refusal(&catalog(), Some("dev")).contains("its origin minimal-64-lts@19.4.0 in channel release"));
    assert!(refusal(&catalog(), Some("staging")).contains("not in channel staging"));
    // Each pair shares a channel, and all three do not.
    let chain = catalog().replace(
        "branch = \"2019Q4\"\nchannels = [\"release\"]\n",
        &format!("branch = \"2019Q4\"\nchannels = [\"release\"]\norigin = \"{BELOW}\"\n"),
    ) + &format!("[[images]]\nname = \"below\"\nuuid = \"{BELOW}\"\nchannels = [\"dev\"]\n");
    assert!(refusal(&chain, None).contains("its origin below in channel dev"), "{}", refusal(&chain, None));
    let circle = chain
        .replace("name = \"below\"\n", &format!("name = \"below\"\norigin = \"{NEW_NODE}\"\n"))
        .replace("[\"dev\"]", "[\"release\"]");
    assert!(refusal(&circle, None).contains("made from itself"));
    assert!(
        refusal(&catalog().replace(&format!("origin = \"{NEW_NODE}\""), &format!("origin = \"{BELOW}\"")), Some("dev"))
            .contains("nobody says")
    );
}
