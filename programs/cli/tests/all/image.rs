//! `aux image`: the split of findings by what can be done, and every way in which nobody can say.

use std::io::Write as _;

use crate::corpora::corpus;
use crate::world::{Said, World};

/// The list of the corpora is of 2011-04-08.
const REAL: &str = "pkgsrc/pkg-vulnerabilities-2011";
const REAL_DAY: &str = "2011-04-20";

const LIST: &str = "# $NetBSD: pkg-vulnerabilities,v 1.100 2021/05/20 10:00:00 tez Exp $\n#FORMAT 1.1.0\n\
    openssl<1.1.1k\tdenial-of-service\thttps://nvd.example/CVE-CVE-2020-10001\n\
    zlib<1.2.12\theap-overflow\thttps://nvd.example/CVE-2020-10002\n\
    curl-[0-9]*\tunknown\thttps://nvd.example/CVE-2020-10004\n\
    python27-[0-9]*\teol\thttps://python.example/eol\n";

const IMAGE: &str = "curl-7.60.0         Client that groks URLs\nopenssl-1.1.1g      Secure Socket Layer\n\
    python27-2.7.18     Interpreted language\nzlib-1.2.11         Compression\nxz-5.2.4            Compression\n";

/// A branch's summary, whole as repositories publish it.
fn summary(packages: &str) -> String {
    let block = |package: &str| {
        let (package, supersedes) = package.split_once('@').unwrap_or((package, ""));
        let supersedes = if supersedes.is_empty() { String::new() } else { format!("SUPERSEDES={supersedes}\n") };
        format!(
            "PKGNAME={package}\n{supersedes}COMMENT=A package\nBUILD_DATE=2021-05-01 00:00:00 +0000\nCATEGORIES=misc\n\
             MACHINE_ARCH=x86_64\nOPSYS=SunOS\nOS_VERSION=5.11\nPKGPATH=misc/x\nPKGTOOLS_VERSION=20191008\nSIZE_PKG=1\n\
             DESCRIPTION=Text\n\n"
        )
    };
    packages.split_whitespace().map(block).collect()
}

fn world() -> World {
    let world = World::new();
    world.file("list", LIST).file("image.pkgs", IMAGE);
    world.file("own", &summary("curl-7.60.0nb1 openssl-1.1.1k zlib-1.2.11nb1 xz-5.2.5"));
    world.file("newer", &summary("curl-7.70 openssl-3.0 zlib-1.2.12 python37-3.7@python27-[0-9]*"));
    world
}

const AUDIT: &str = "image audit image.pkgs --vulnerabilities list --summary 2020Q4=own 2021Q1=newer";

fn audit(world: &World, more: &str) -> Said {
    world.run(&format!("{AUDIT} --as-of 2021-06-01 {more}"))
}

#[test]
fn findings_are_split_by_what_can_be_done() {
    let mut world = world();
    world.show(&format!("{AUDIT} --as-of 2021-06-01"));
    world.show(&format!("{AUDIT} --as-of 2021-06-01 --feed feed.auxdb --fail-on severity:critical+now"));
    world.show(&format!("{AUDIT} --as-of 2021-06-01 --feed feed.auxdb --json --fail-on none"));
    world.show(&format!("{AUDIT} --as-of 2021-06-01 --fail-on kev"));
    world.show(&format!("{AUDIT} --as-of 2021-06-01 --fail-on soon"));
    world.show("image audit --vulnerabilities list --summary 2020Q4=own");
    world.show("image audit image.pkgs --vulnerabilities list --summary own");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn the_gate_decides_the_exit_code() {
    let world = world();
    for (gate, code) in [
        ("fixable", 1),
        ("now", 1),
        ("rebase", 1),
        ("any", 1),
        ("eol", 1),
        ("none", 0),
        ("eol+now", 0),
        ("kev+now --feed feed.auxdb", 1),
        ("kev+rebase --feed feed.auxdb", 0),
        ("class:critical+rebase --feed feed.auxdb", 0),
    ] {
        assert_eq!(audit(&world, &format!("--fail-on {gate}")).code, Some(code), "{gate}");
    }
}

#[test]
fn a_list_behind_the_summaries_is_a_list_and_each_kind_of_list_is_read() {
    let world = world();
    world.file("pkgin", "openssl-1.1.1g;Secure Socket Layer\nxz-5.2.4;Compression\n");
    world.file("X", &summary("openssl-1.1.1g xz-5.2.4"));
    world.file("names.json", r#"["openssl-1.1.1g", "xz-5.2.4"]"#);
    world.file("manifest.json", r#"{"v": 2, "uuid": "x", "name": "base", "pkgsrc": ["openssl-1.1.1g", "xz-5.2.4"]}"#);
    for list in ["pkgin", "X", "names.json", "manifest.json"] {
        let said = world
            .run(&format!("image audit --vulnerabilities list --as-of 2021-06-01 --json --summary 2020Q4=own {list}"));
        let document = said.json();
        assert_eq!((said.code, &document["targets"][0]["packages"]), (Some(1), &2.into()), "{list}");
        assert_eq!(document["targets"][0]["findings"][0]["fixed_version"], "1.1.1k", "{list}");
    }
}

#[test]
fn whatever_cannot_be_believed_is_unknown_and_says_why() {
    let mut world = world();
    world.file("undated", LIST.split_once('\n').unwrap().1);
    world.file("cut", &LIST[..LIST.len() - 10]);
    world.file("cut-line", &LIST[..LIST.len() - 40]);
    world.file("checksum", &format!("{LIST}#CHECKSUM SHA512 {}\n", "0".repeat(128)));
    world.file("no-entries", &LIST.split_inclusive('\n').take(2).collect::<String>());
    world.file("page", "<html><body>404</body></html>\n");
    world.file("nothing.pkgs", "# nothing\n").file("empty.json", "[]").file("none.json", r#"{"pkgsrc": []}"#);
    let own = summary("curl-7.60.0nb1 openssl-1.1.1k");
    world.file("cut-summary", &own[..own.len() - 80]).file("no-summary", "");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(own.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    world.bytes("cut.gz", &packed[..packed.len() - 9]);
    let with = |images: &str, list: &str, own: &str, day: &str| {
        format!("image audit {images} --vulnerabilities {list} --summary 2020Q4={own} --as-of {day} --fail-on none -q")
    };
    let day = "2021-06-01";
    for arguments in [
        with("image.pkgs", "never-fetched", "own", day),
        with("image.pkgs", "list", "own", "2021-06-20"),
        with("image.pkgs", "undated", "own", day),
        with("image.pkgs", "cut", "own", day),
        with("image.pkgs", "cut-line", "own", day),
        with("image.pkgs", "checksum", "own", day),
        with("image.pkgs", "no-entries", "own", day),
        with("image.pkgs", "page", "own", day),
        with("nothing.pkgs", "list", "own", day),
        with("empty.json", "list", "own", day),
        with("none.json", "list", "own", day),
        with("missing.pkgs", "list", "own", day),
        with("image.pkgs", "list", "cut-summary", day),
        with("image.pkgs", "list", "no-summary", day),
        with("image.pkgs", "list", "cut.gz", day),
        with("image.pkgs", "list", "nowhere", day),
    ] {
        let said = world.run(&arguments);
        assert_eq!(said.code, Some(2), "{arguments}: {}", said.shown());
        let json = world.run(&format!("{arguments} --json"));
        assert_eq!((json.code, &json.json()["verdict"]), (Some(2), &"unknown".into()), "{arguments}");
        let problems: String = said.stdout.split("UNKNOWN").next().unwrap().to_owned();
        world.transcribe(&arguments, &problems);
    }
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_list_that_goes_back_is_refused_and_a_day_in_the_past_has_its_own_lists() {
    let world = world();
    let newer = LIST.replace("1.100 2021/05/20", "1.101 2021/05/25");
    world.file("newer-list", &newer);
    let run = |list: &str, day: &str| {
        let arguments = format!("image audit image.pkgs --vulnerabilities {list} --summary 2020Q4=own --fail-on none");
        world.run(&format!("{arguments} --as-of {day}"))
    };
    assert_eq!(run("list", "2021-06-01").code, Some(0));
    assert_eq!(run("newer-list", "2021-06-01").code, Some(0));
    let said = run("list", "2021-06-01");
    assert_eq!(said.code, Some(2), "{}", said.shown());
    assert!(said.stdout.contains("1.101 was seen before"), "{}", said.shown());
    assert_eq!(run("list", "2021-05-24").code, Some(0));
    crate::world::write(&world.outside("home/.local/state/aux/image/seen.json"), b"{}");
    let said = run("list", "2021-05-24");
    assert!(said.code == Some(2) && said.stderr.contains("seen.json"), "{}", said.shown());
}

#[test]
fn real_lists_of_images_are_judged_by_the_real_list() {
    let (Some(list), Some(images)) = (corpus(REAL), corpus("pkgsrc/triton-pkgsrc-lists-a.json")) else { return };
    let world = World::empty();
    world.file("q1", &summary("curl-7.23.1nb1 apache-2.2.19")).file("q2", &summary("apache-2.2.20 php5-apc-5.2.5.3.1"));
    world.file("old", "apache-2.2.14\nphp5-apc-3.0.1\ncurl-7.19.7\nopenssl-0.9.8lnb1\n");
    let run = |images: &str, more: &str| {
        let arguments =
            format!("image audit {images} --vulnerabilities {} --summary 2011Q1=q1 2011Q2=q2", list.display());
        world.run(&format!("{arguments} --as-of {REAL_DAY} {more}"))
    };
    let real = run(&images.display().to_string(), "--json");
    let document = real.json();
    assert!(document["targets"][0]["packages"].as_u64().unwrap() > 60);
    assert_eq!(document["list"]["signature"]["state"], "weak");
    // Some names of those lists have no version, and the list of 2011 knows none of them.
    assert_eq!(real.code, Some(0), "{}", real.shown());
    let old = run("old", "--json").json();
    let fix = |package: &str| {
        let findings = old["targets"][0]["findings"].as_array().unwrap();
        let found = findings.iter().filter(|finding| finding["package"] == package);
        found.map(|finding| finding["fix"].as_str().unwrap().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(fix("curl"), ["now".to_owned()].into());
    assert_eq!(fix("apache"), ["now".to_owned()].into());
    assert_eq!(fix("php5-apc"), ["rebase".to_owned()].into());
    assert_eq!(fix("openssl"), ["none".to_owned()].into());
    // Asked for a signature, its SHA-1 is not silently accepted, whatever the key.
    world.file("key.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n");
    let said = run("old", "--key key.asc");
    assert_eq!(said.code, Some(2));
    assert!(said.stdout.contains("too weak to prove anything"), "{}", said.shown());
}

/// Every path of keys in a document; the entries of a list share one.
pub(crate) fn keys(value: &serde_json::Value, path: &str, into: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, field) in fields {
                let path = format!("{path}.{key}");
                keys(field, &path, into);
                into.insert(path);
            }
        }
        serde_json::Value::Array(entries) => entries.iter().for_each(|entry| keys(entry, path, into)),
        _ => {}
    }
}

#[test]
fn the_examples_of_the_format_pages_have_the_keys_of_the_documents() {
    let world = World::empty();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let example = |name: &str| format!("{root}/examples/image/{name}");
    let (list, own) = (example("pkg-vulnerabilities"), example("pkg_summary-2018Q4"));
    let common = format!("--vulnerabilities {list} --summary 2018Q4={own} --as-of 2019-01-12 --json");
    for (page, command) in [
        ("image-audit", format!("image audit {} {common}", example("origin.pkgs"))),
        ("image-plan", format!("image plan {} --current {} {common}", example("origin.toml"), example("origin.pkgs"))),
        (
            "image-pins",
            format!(
                "image pins {} --catalog {} --system SunOS --json --vulnerabilities {list} --as-of 2019-01-12",
                example("component"),
                example("catalog.toml")
            ),
        ),
    ] {
        let text = std::fs::read_to_string(format!("{root}/docs/formats/{page}.md")).unwrap();
        let promised_text = text.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let (mut promised, mut written) = Default::default();
        keys(&serde_json::from_str(promised_text).unwrap(), "", &mut promised);
        keys(&world.run(&command).json(), "", &mut written);
        assert_eq!(promised, written, "{page}");
        for key in &written {
            let name = key.rsplit('.').next().unwrap();
            assert!(text.rsplit("```").next().unwrap().contains(name), "{page} does not explain {name}");
        }
    }
}

/// Runs `gpg` in a home of its own; `None` where there is none.
#[expect(clippy::disallowed_methods, reason = "the peer is a program")]
fn gpg(home: &std::path::Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = std::process::Command::new("gpg");
    command.args(["--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--homedir"]);
    let Ok(output) = command.arg(home).args(arguments).output() else {
        assert!(!crate::corpora::in_ci(), "gpg is missing");
        crate::world::skipped("no gpg here; `apt-get install -y gnupg` brings it");
        return None;
    };
    assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

#[test]
fn a_list_must_be_signed_by_the_key_that_was_asked_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world();
    let keyring = |name: &str| {
        let home = world.path(name);
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
        gpg(&home, &["--quick-generate-key", "Team <team@example.org>", "ed25519", "sign", "never"])?;
        world.bytes(&format!("{name}.asc"), &gpg(&home, &["--armor", "--export"])?);
        Some(home)
    };
    let (Some(own), Some(other)) = (keyring("own-key"), keyring("other-key")) else { return };
    let sign = |hash: &str| {
        let list = world.path("list").display().to_string();
        gpg(&own, &["--digest-algo", hash, "--output", "-", "--clearsign", &list]).unwrap()
    };
    world.bytes("signed", &sign("SHA512"));
    let signed = String::from_utf8(sign("SHA512")).unwrap();
    world.file("changed", &signed.replace("openssl<1.1.1k", "openssl<1.1.1a"));
    let verdict = |list: &str, key: &str| {
        let arguments =
            format!("image audit image.pkgs --vulnerabilities {list} --summary 2020Q4=own --as-of 2021-06-01");
        let document = world.run(&format!("{arguments} --json --fail-on none {key}")).json();
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (word(&document["verdict"]), word(&document["list"]["signature"]["state"]))
    };
    let is = |verdict: &str, signature: &str| (verdict.to_owned(), signature.to_owned());
    assert_eq!(verdict("signed", "--key own-key.asc"), is("pass", "verified"));
    assert_eq!(verdict("signed", ""), is("pass", "unchecked"));
    assert_eq!(verdict("signed", "--key other-key.asc"), is("unknown", "refused"));
    assert_eq!(verdict("changed", "--key own-key.asc"), is("unknown", "refused"));
    assert_eq!(verdict("list", "--key own-key.asc"), is("unknown", "absent"));
    for home in [own, other] {
        gpg(&home, &["--list-keys"]);
        end_agent(&home);
    }
}

/// The agent that gpg started for a home ends with it.
#[expect(clippy::disallowed_methods, reason = "the agent is a program")]
fn end_agent(home: &std::path::Path) {
    drop(std::process::Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "gpg-agent"]).output());
}

#[test]
fn summaries_come_packed_in_every_way_repositories_publish_them() {
    let world = world();
    let own = std::fs::read(world.path("own")).unwrap();
    world.bytes("own.zst", &zstd::encode_all(own.as_slice(), 3).unwrap());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&own).unwrap();
    world.bytes("own.gz", &packed.finish().unwrap());
    for program in ["bzip2", "xz"] {
        if !pack(program, &world.path("own")) {
            crate::world::skipped(&format!("no {program} here"));
        }
    }
    for name in ["own.zst", "own.gz", "own.bz2", "own.xz"].into_iter().filter(|name| world.path(name).exists()) {
        let said = audit(&world, "--json");
        let packed = world.run(&format!(
            "image audit image.pkgs --vulnerabilities list --summary 2020Q4={name} 2021Q1=newer --as-of 2021-06-01 --json"
        ));
        assert_eq!(packed.json()["targets"], said.json()["targets"], "{name}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the packer is a program")]
fn pack(program: &str, path: &std::path::Path) -> bool {
    std::process::Command::new(program).arg("--keep").arg(path).status().is_ok_and(|status| status.success())
}
