//! Bad input: each kind is named with its file and what to do, exits 2, and is never half of a clean report.

use std::fs::{self, File};
use std::io::{Read, Write};

use serde_json::json;

use crate::corpora::in_ci;
use crate::feed_build::{gzip, tar};
use crate::fixtures::{self, HASH, store_path};
use crate::world::{World, skipped, text_of};

/// Audits a file, checks what every bad one has in common, and returns its problems.
fn refused(world: &World, target: &str) -> String {
    let said = world.run(&format!("audit {target} --feed feed.auxdb"));
    assert_eq!(said.code, Some(2), "{target}: {}", said.shown());
    assert!(said.stdout.starts_with("Not read, so not judged"), "{target}: {}", said.stdout);
    assert!(!said.stdout.contains("PASS"), "{target}: {}", said.stdout);
    assert!(said.stdout.contains(target), "the file is named: {}", said.stdout);
    let report = world.run(&format!("audit {target} --feed feed.auxdb --json")).json();
    assert_eq!(report["verdict"], "unknown", "{target}");
    let problems = report["targets"][0]["problems"].as_array().unwrap();
    text_of(
        problems
            .iter()
            .map(|one| format!("{}: {}", one["subject"].as_str().unwrap(), one["message"].as_str().unwrap())),
    )
}

#[test]
fn documents_that_cannot_be_read_say_why() {
    let world = World::new();
    let sbom = fixtures::cyclonedx();
    let drv = fixtures::derivation("zlib-1.2.11", &[], "");
    world
        .file("empty", "")
        .file("blank", " \n\n")
        .file("comment", "# nothing\n")
        .file("prose", "This is not a list.\nNot at all.\n");
    world
        .bytes("binary", b"\x7fELF\0\0")
        .file("page.html", "<!doctype html><title>404</title>")
        .file("bom.xml", "<?xml version=\"1.0\"?><bom/>");
    world.file("cut.cdx", &sbom[..sbom.len() - 9]).file("nine.cdx", &sbom.replace("1.5", "9.9"));
    world.file("twice.cdx", &sbom.replace("\"version\":\"1.1.1g\"", "\"version\":\"1.1.1g\",\"version\":\"9\""));
    world
        .file("none.cdx", r#"{"bomFormat":"CycloneDX","specVersion":"1.5"}"#)
        .file("unversioned.cdx", r#"{"bomFormat":"CycloneDX","components":[]}"#);
    world
        .file("three.spdx", &fixtures::spdx().replace("SPDX-2.3", "SPDX-3.0"))
        .file("ld.spdx", r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}"#);
    world.file("tag.spdx", "SPDXVersion: SPDX-2.3\nPackageName: zlib\n");
    world.file("ninety.lock", &fixtures::flake_lock().replace("\"version\":7", "\"version\":99"));
    world.file("ninety.drvs", r#"{"version":99,"derivations":{}}"#).file("ninety.info", r#"{"version":99,"info":{}}"#);
    world
        .file("list.json", "[]")
        .file("other.json", r#"{"some":"thing"}"#)
        .file("nvd.json", &fixtures::nvd().to_string());
    world.file("deep.json", &"[".repeat(200_000)).file("deeper.json", &"{\"components\":".repeat(100_000));
    world.file(
        "deep.cdx",
        &format!(
            "{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"components\":{}",
            "[{\"components\":".repeat(50_000)
        ),
    );
    world
        .file(&format!("{HASH}-cut-1.drv"), &drv[..drv.len() - 9])
        .file(&format!("{HASH}-open-1.drv"), &"Derive([(".repeat(50_000));
    world.bytes(
        "latin1.cdx",
        &[b"{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"components\":[{\"name\":\"caf\xe9\"}]}".as_slice()]
            .concat(),
    );
    let mut said = String::new();
    let mut names: Vec<String> =
        fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "feed.auxdb");
    names.push("nowhere".to_owned());
    names.push("github:owner/name".to_owned());
    names.sort();
    for name in names {
        said.push_str(&refused(&world, &name));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn a_bad_line_does_not_hide_the_good_ones() {
    let mut world = World::new();
    world.bytes(
        "names",
        &[
            b"openssl-1.1.1g\na-1\nb-1\nc-1\nd-1\n\xff\xfe-1\nnot a name\n".as_slice(),
            "x".repeat(100_000).as_bytes(),
            b"\n\x1b[31mred-1\n",
        ]
        .concat(),
    );
    world.show("audit names --feed feed.auxdb");
    world.show("audit names --feed feed.auxdb --allow-incomplete");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn good_and_bad_files_of_a_folder_are_both_reported() {
    let mut world = World::new();
    let drv = fixtures::derivation("zlib-1.2.11", &[], "");
    world
        .file("folder/good", "openssl-1.1.1g\n")
        .file("folder/bad.cdx", "{\"bomFormat\":")
        .file("folder/worse.drv", &drv[..40]);
    let said = world.show("audit folder --feed feed.auxdb");
    assert_eq!(said.code, Some(2));
    let said = world.show("audit folder --feed feed.auxdb --allow-incomplete");
    assert_eq!(said.code, Some(1));
    // Where nothing at all was read there is nothing to judge, allowed or not.
    let said = world.show("audit nowhere folder --feed feed.auxdb --allow-incomplete --fail-on none");
    assert_eq!(said.code, Some(2));
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn a_graph_with_a_cycle_ends() {
    let world = World::new();
    fixtures::put_derivation(&world, "drvs", "openssl-1.1.1g", &["zlib-1.2.11"], "");
    fixtures::put_derivation(&world, "drvs", "zlib-1.2.11", &["openssl-1.1.1g"], "");
    let said = world.run("audit drvs --feed feed.auxdb --json");
    let target = &said.json()["targets"][0];
    assert_eq!(target["components"], 2, "{}", said.stdout);
    let info = |name: &str, other: &str| json!({ "path": store_path(name), "narSize": 1, "references": [store_path(other), store_path(name)] });
    let infos = json!([info("openssl-1.1.1g", "zlib-1.2.11"), info("zlib-1.2.11", "openssl-1.1.1g")]);
    world.file("infos", &infos.to_string());
    assert_eq!(world.run("audit infos --feed feed.auxdb --json").json()["targets"][0]["components"], 2);
    let mut lock: serde_json::Value = serde_json::from_str(&fixtures::flake_lock()).unwrap();
    lock["nodes"]["nixpkgs"]["inputs"] = json!({ "self": "nixpkgs", "up": ["nixpkgs", "up"] });
    world.file("lock", &lock.to_string());
    assert_eq!(world.run("audit lock --feed feed.auxdb").code, Some(2));
}

#[test]
fn bombs_are_refused_by_a_named_limit() {
    let world = World::new();
    let zeros = || std::io::repeat(b'[').take(200 << 20);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut zeros(), &mut gz).unwrap();
    // Packed twice, a bomb is small enough to hide; the inner one is a file like any other.
    let bomb = gz.finish().unwrap();
    world.bytes("twice.gz", &gzip(&bomb));
    world.bytes("bomb.zst", &zstd::encode_all(zeros(), 1).unwrap());
    let packed = zstd::encode_all(std::io::repeat(b'[').take(200 << 20), 1).unwrap();
    world.bytes("bomb.tar", &tar(&[("bomb.json", &packed)]));
    for (target, limit) in
        [("bomb.zst", "UNPACK_RATIO_MAX"), ("bomb.tar", "UNPACK_RATIO_MAX"), ("twice.gz", "twice.gz")]
    {
        assert!(refused(&world, target).contains(limit), "{target}: {}", refused(&world, target));
    }
}

/// gzip cannot pack a thousandfold what xz can, so that its bombs reach the size of a document first.
#[test]
fn a_gzip_bomb_is_refused_by_the_size_of_a_document() {
    let world = World::new();
    let head = gzip(b"{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"components\":[");
    let member = gzip(&vec![b' '; 64 << 20]);
    let mut bomb = head;
    (0..17).for_each(|_| bomb.extend_from_slice(&member));
    assert!(bomb.len() < 2 << 20, "{} bytes", bomb.len());
    world.bytes("bomb.cdx.json.gz", &bomb);
    let said = refused(&world, "bomb.cdx.json.gz");
    assert!(said.contains("1073741824"), "{said}");
}

#[test]
fn an_xz_bomb_is_refused_by_its_ratio() {
    let world = World::new();
    let Some(bomb) = packed_by_xz(&vec![b'['; 200 << 20]) else { return };
    assert!(bomb.len() < 64 << 10, "{} bytes", bomb.len());
    world.bytes("bomb.json.xz", &bomb);
    let said = refused(&world, "bomb.json.xz");
    assert!(said.contains("UNPACK_RATIO_MAX"), "{said}");
    let tarred = tar(&[("inner.json.xz", &bomb)]);
    world.bytes("bombs.tar", &tarred);
    let said = refused(&world, "bombs.tar");
    assert!(said.contains("bombs.tar!inner.json.xz") && said.contains("UNPACK_RATIO_MAX"), "{said}");
}

/// By the real program, because our own encoder is not linked; `None` where it is missing.
#[expect(clippy::disallowed_methods, reason = "a real xz packs what only it can")]
fn packed_by_xz(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut command = std::process::Command::new("xz");
    command
        .args(["--compress", "--stdout", "-1"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        assert!(!in_ci(), "xz is missing; apt-get install xz-utils");
        skipped("xz is missing; apt-get install xz-utils");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        Some(child.wait_with_output().unwrap().stdout)
    })
}

#[test]
fn a_document_beyond_its_limit_is_refused_and_a_stream_is_not() {
    let world = World::new();
    // A sparse file: zeros without end, of which nothing is kept.
    let file = File::create(world.path("huge.cdx")).unwrap();
    (&file).write_all(b"{\"bomFormat\":\"CycloneDX\",").unwrap();
    file.set_len(3 << 30).unwrap();
    let said = refused(&world, "huge.cdx");
    assert!(said.contains("binary") || said.contains("1073741824"), "{said}");
    // Text all through, so that only its size is wrong: 1 GiB of blanks, packed well below the ratio of a bomb.
    let mut blanks = zstd::Encoder::new(Vec::new(), 1).unwrap();
    blanks.write_all(b"{\"bomFormat\":\"CycloneDX\",").unwrap();
    let noise: Vec<u8> = (0..1_u32 << 20)
        .map(|number| if number.wrapping_mul(2_654_435_761) >> 29 == 0 { b'\n' } else { b' ' })
        .collect();
    for _ in 0..1025 {
        blanks.write_all(&noise).unwrap();
    }
    world.bytes("large.cdx", &blanks.finish().unwrap());
    let said = refused(&world, "large.cdx");
    assert!(
        said.contains("DOCUMENT_BYTES_MAX") || said.contains("1073741824") || said.contains("UNPACK_RATIO_MAX"),
        "{said}"
    );
}

#[test]
fn packed_files_that_were_cut_or_changed_are_refused() {
    let world = World::new();
    let list = "openssl-1.1.1g\nzlib-1.2.11\n".repeat(50);
    let gz = gzip(list.as_bytes());
    let zst = {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(list.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for (name, packed) in [("list.gz", &gz), ("list.zst", &zst)] {
        let sound = world.bytes(name, packed).run(&format!("audit {name} --feed feed.auxdb"));
        assert_eq!(sound.code, Some(1), "{}", sound.shown());
        for cut in [packed.len() - 1, packed.len() - 6, packed.len() / 2, 12] {
            world.bytes(name, &packed[..cut]);
            refused(&world, name);
        }
        let mut changed = packed.clone();
        let place = changed.len() - 3;
        changed[place] ^= 0x10;
        world.bytes(name, &changed);
        refused(&world, name);
    }
}

#[test]
fn an_archive_cannot_reach_out_of_itself() {
    let world = World::new();
    let list: &[u8] = b"openssl-1.1.1g\n";
    for (name, inner) in [("up.tar", "../evil"), ("deep.tar", "a/../../evil"), ("root.tar", "/etc/evil")] {
        world.bytes(name, &tar(&[(inner, list), ("good", list)]));
        assert!(refused(&world, name).contains("leaves the archive"), "{name}");
        let report = world.run(&format!("audit {name} --feed feed.auxdb --json")).json();
        assert_eq!(report["targets"][0]["components"], 1, "the good file is still judged");
        assert!(!world.outside("evil").exists() && !world.path("evil").exists());
    }
    let mut links = tar::Builder::new(Vec::new());
    for (kind, name) in [(tar::EntryType::Symlink, "link"), (tar::EntryType::Link, "hard")] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        links.append_link(&mut header, name, "/etc/passwd").unwrap();
    }
    world.bytes("links.tar", &links.into_inner().unwrap());
    let said = refused(&world, "links.tar");
    assert!(!said.contains("root:"), "{said}");
    let whole = tar(&[("good", list), ("more", list)]);
    for cut in [600, 1024, whole.len() - 1024] {
        world.bytes("cut.tar", &whole[..cut]);
        refused(&world, "cut.tar");
    }
}

#[test]
fn a_folder_of_links_that_lead_in_circles_ends() {
    let world = World::new();
    world.file("folder/list", "openssl-1.1.1g\n");
    std::os::unix::fs::symlink(world.path("folder"), world.path("folder/again")).unwrap();
    std::os::unix::fs::symlink("nowhere", world.path("folder/dangling")).unwrap();
    let said = world.run("audit folder --feed feed.auxdb --json");
    assert_eq!(said.json()["targets"][0]["components"], 1, "{}", said.stdout);
    assert_eq!(said.code, Some(2), "a link that leads nowhere is a file that could not be read");
}
