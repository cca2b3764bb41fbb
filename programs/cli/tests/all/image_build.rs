//! `aux image plan` and `aux image build`: a branch of our own, resolved, fetched, checked and written down.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use aux_core::hexadecimal;
use sha2::{Digest as _, Sha512};

use crate::corpora::in_ci;
use crate::world::{World, skipped, text_of};

/// A package as `pkg_create` makes one: its list first, then its files.
pub(crate) struct Made {
    name: &'static str,
    depends: &'static [&'static str],
    files: Vec<(&'static str, Entry)>,
}

impl Made {
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.name == name
    }
}

pub(crate) enum Entry {
    File(u32, &'static str),
    Link(&'static str),
}

pub(crate) fn made(name: &'static str, depends: &'static [&'static str], files: Vec<(&'static str, Entry)>) -> Made {
    Made { name, depends, files }
}

fn tar_of(package: &Made) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let listed = text_of(package.files.iter().map(|(path, _)| (*path).to_owned()));
    let contents = format!("@name {}\n@cwd /opt/local\n{listed}", package.name);
    let mut metadata =
        vec![("+CONTENTS", contents), ("+COMMENT", "A package\n".to_owned()), ("+DESC", "Text\n".to_owned())];
    metadata.push(("+BUILD_INFO", "OPSYS=SunOS\n".to_owned()));
    let header = |path: &str, size: usize, mode: u32| {
        let mut header = tar::Header::new_gnu();
        // Written by hand, because the builder refuses the hostile names we want.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(size as u64);
        header.set_mode(mode);
        header.set_mtime(1);
        header
    };
    for (path, text) in &metadata {
        let mut header = header(path, text.len(), 0o644);
        header.set_cksum();
        tar.append(&header, text.as_bytes()).unwrap();
    }
    for (path, entry) in &package.files {
        match entry {
            Entry::File(mode, text) => {
                let mut header = header(path, text.len(), *mode);
                header.set_cksum();
                tar.append(&header, text.as_bytes()).unwrap();
            }
            Entry::Link(target) => {
                let mut header = header(path, 0, 0o777);
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name(target).unwrap();
                header.set_cksum();
                tar.append(&header, std::io::empty()).unwrap();
            }
        }
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Writes packages and their summary into `packages/`.
pub(crate) fn repository(world: &World, packages: &[Made]) {
    let mut summary = String::new();
    for package in packages {
        let bytes = tar_of(package);
        let sum = hexadecimal(&Sha512::digest(&bytes));
        let depends = text_of(package.depends.iter().map(|pattern| format!("DEPENDS={pattern}")));
        let _ = write!(
            summary,
            "PKGNAME={0}\n{1}COMMENT=A package\nLICENSE=mit\nFILE_NAME={0}.tgz\nFILE_SIZE={2}\nFILE_CKSUM=sha512 {sum}\n\n",
            package.name,
            depends.trim_start(),
            bytes.len()
        );
        world.bytes(&format!("packages/{}.tgz", package.name), &bytes);
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(summary.as_bytes()).unwrap();
    world.bytes("packages/pkg_summary.gz", &packed.finish().unwrap());
}

pub(crate) fn packages() -> Vec<Made> {
    vec![
        made(
            "openssl-1.0.2p",
            &[],
            vec![("lib/libssl.so.1", Entry::File(0o644, "ssl")), ("lib/libssl.so", Entry::Link("libssl.so.1"))],
        ),
        made("curl-7.61.1", &["openssl>=1.0.2"], vec![("bin/curl", Entry::File(0o755, "curl"))]),
        made("sudo-1.8.26", &[], vec![("bin/sudo", Entry::File(0o4511, "sudo"))]),
    ]
}

pub(crate) const LIST: &str = "# $NetBSD: pkg-vulnerabilities,v 1.100 2018/12/20 10:00:00 tez Exp $\n#FORMAT 1.1.0\n\
    openssl<1.0.2p\tdenial-of-service\thttps://nvd.example/CVE-2018-0732\n\
    curl<7.62\theap-overflow\thttps://nvd.example/CVE-2018-16839\n";

/// A world with a branch, a specification and the image of last month.
pub(crate) fn world() -> World {
    let world = World::empty();
    repository(&world, &packages());
    world.file("list", LIST);
    world.file(
        "spec.toml",
        &format!(
            "name = \"origin\"\nbranch = \"2018Q4\"\nversion = \"18.4\"\npackages = [\"curl\", \"sudo\"]\n\
             setuid = [\"opt/local/bin/sudo\"]\nrepository = \"file://{}\"\n[policy]\nnow = \"now\"\ncadence_days = 30\n",
            world.path("packages").display()
        ),
    );
    world.file(
        "origin.pkgs.json",
        r#"{"name": "origin", "built": "2018-12-01T00:00:00Z", "pkgsrc": ["curl-7.61.1", "openssl-1.0.2o", "gone-1.0"]}"#,
    );
    world
}

pub(crate) const BUILD: &str = "image build spec.toml --output out --at 2018-12-24T10:20:30Z --as-of 2018-12-24";
pub(crate) const IMAGE: &str = "origin-18.4.20181224102030";

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut queue = vec![folder.to_owned()];
    while let Some(next) = queue.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                queue.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_plan_says_what_would_change_and_whether_it_is_worth_it() {
    let mut world = world();
    let plan = "image plan spec.toml --vulnerabilities list --as-of 2018-12-24 --current origin.pkgs.json";
    world.show(plan);
    world.show(&format!("{plan} --json"));
    world.file(
        "now.pkgs.json",
        r#"{"built": "2018-12-01T00:00:00Z", "pkgsrc": ["curl-7.61.1", "openssl-1.0.2p", "sudo-1.8.20"]}"#,
    );
    world.show("image plan spec.toml --vulnerabilities list --as-of 2018-12-24 --current now.pkgs.json");
    world.show("image plan spec.toml --vulnerabilities list --as-of 2019-01-10 --current now.pkgs.json");
    world.show("image plan spec.toml --vulnerabilities list --as-of 2019-02-10 --current now.pkgs.json");
    world.show("image plan spec.toml");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn the_same_inputs_give_the_same_image_in_every_form() {
    let world = world();
    let said = world.run(&format!("{BUILD} --vulnerabilities list --current origin.pkgs.json"));
    assert_eq!(said.code, Some(0), "{}", said.shown());
    let first = files(&world.path("out"));
    // Again it is there already; elsewhere it is the same.
    assert_eq!(world.run(&format!("{BUILD} --vulnerabilities list --current origin.pkgs.json")).code, Some(0));
    let elsewhere = BUILD.replace("--output out", "--output again");
    world.run(&format!("{elsewhere} --vulnerabilities list --current origin.pkgs.json"));
    assert!(first == files(&world.path("again")));
    let read = |end: &str| {
        let bytes = &first[&format!("{IMAGE}/{IMAGE}.{end}")];
        serde_json::from_slice::<serde_json::Value>(bytes).unwrap()
    };
    assert_eq!(read("pkgs.json")["pkgsrc"], serde_json::json!(["openssl-1.0.2p", "sudo-1.8.26", "curl-7.61.1"]));
    assert_eq!(read("audit.json")["summary"]["findings"], 1);
    assert_eq!(read("changelog.json")["fixed"][0]["ids"][0], "CVE-2018-0732");
    assert_eq!(read("sbom.json")["components"][0]["purl"], "pkg:pkgsrc/openssl@1.0.2p");
    assert_eq!(read("manifest.json")["files"][0]["compression"], "gzip");
    let packed = &first[&format!("{IMAGE}/{IMAGE}.tar.gz")];
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    let mut listing = String::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, mode) = (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap());
        let link = entry.link_name().unwrap().map(|to| format!(" -> {}", to.display())).unwrap_or_default();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let _ = writeln!(listing, "{mode:04o} {} {path}{link}", bytes.len());
    }
    // What was built can be audited from any of its lists.
    let again = world.run(&format!(
        "image audit out/{IMAGE}/{IMAGE}.pkgs.json out/{IMAGE}/{IMAGE}.sbom.json --vulnerabilities list --as-of 2018-12-24 \
         --summary 2018Q4=packages/pkg_summary.gz --fail-on none"
    ));
    assert_eq!(again.code, Some(0), "{}", again.shown());
    insta::assert_snapshot!(format!("{}\n{listing}\n{}", said.shown(), again.shown()));
}

#[test]
fn an_oci_layout_is_what_the_specification_says_and_what_umoci_takes() {
    let world = world();
    assert_eq!(world.run(BUILD).code, Some(0));
    let layout = files(&world.path(&format!("out/{IMAGE}/oci")));
    let index: serde_json::Value = serde_json::from_slice(&layout["index.json"]).unwrap();
    let blob = |descriptor: &serde_json::Value| {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
        let bytes = layout[&format!("blobs/sha256/{digest}")].clone();
        let found = hexadecimal(&sha2::Sha256::digest(&bytes));
        assert_eq!((found, descriptor["size"].as_u64()), (digest, Some(bytes.len() as u64)));
        bytes
    };
    let manifest: serde_json::Value = serde_json::from_slice(&blob(&index["manifests"][0])).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
    let mut layer = Vec::new();
    flate2::read::GzDecoder::new(blob(&manifest["layers"][0]).as_slice()).read_to_end(&mut layer).unwrap();
    let found = hexadecimal(&sha2::Sha256::digest(&layer));
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{found}"));
    let place = world.path(&format!("out/{IMAGE}/oci"));
    let bundle = world.path("bundle");
    peer("umoci", &["unpack", "--rootless", "--image", &format!("{}:18.4.20181224102030", place.display())], &bundle);
    let copied = world.path("copied");
    peer(
        "skopeo",
        &["--insecure-policy", "copy", &format!("oci:{}", place.display())],
        Path::new(&format!("dir:{}", copied.display())),
    );
}

/// Runs a real program on the layout; a visible skip where it is not here.
#[expect(clippy::disallowed_methods, reason = "the peer is a program")]
fn peer(program: &str, arguments: &[&str], last: &Path) {
    let Ok(output) = Command::new(program).args(arguments).arg(last).output() else {
        assert!(!in_ci(), "{program} is missing");
        return skipped(&format!("no {program} here; `apt-get install -y {program}` brings it"));
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn packages_that_are_not_what_they_should_be_stop_everything() {
    let mut world = world();
    let build = |world: &mut World, what: &str| {
        let said = world.run(BUILD);
        assert_eq!(said.code, Some(2), "{what}: {}", said.shown());
        assert!(!world.path("out").join(IMAGE).exists(), "{what}");
        world.transcribe(what, &format!("\n{}", said.shown()));
    };
    for (what, package) in [
        ("a path that escapes", made("curl-7.61.1", &[], vec![("../../etc/passwd", Entry::File(0o644, "x"))])),
        ("a link that escapes", made("curl-7.61.1", &[], vec![("bin/curl", Entry::Link("../../../../etc"))])),
        ("a surprise", made("curl-7.61.1", &[], vec![("bin/curl", Entry::File(0o4755, "x"))])),
        ("a file of another", made("curl-7.61.1", &["sudo-[0-9]*"], vec![("bin/sudo", Entry::File(0o4511, "x"))])),
        (
            "a way through a link",
            made("curl-7.61.1", &["openssl-[0-9]*"], vec![("lib/libssl.so/x", Entry::File(0o644, "x"))]),
        ),
        ("a circle", made("curl-7.61.1", &["curl-needs-[0-9]*"], vec![])),
        ("a need", made("curl-7.61.1", &["nothing>=1"], vec![])),
    ] {
        let mut all: Vec<Made> = packages().into_iter().filter(|other| other.name != package.name).collect();
        all.push(package);
        all.push(made("curl-needs-1.0", &["curl-[0-9]*"], vec![]));
        repository(&world, &all);
        build(&mut world, what);
    }
    repository(&world, &packages());
    let curl = std::fs::read(world.path("packages/curl-7.61.1.tgz")).unwrap();
    world.bytes("packages/curl-7.61.1.tgz", &curl[..curl.len() - 1]);
    build(&mut world, "a package that is cut short");
    let mut flipped = curl.clone();
    flipped[20] ^= 1;
    world.bytes("packages/curl-7.61.1.tgz", &flipped);
    build(&mut world, "a package with another checksum");
    std::fs::remove_file(world.path("packages/curl-7.61.1.tgz")).unwrap();
    build(&mut world, "a package that is not there");
    world.bytes("packages/curl-7.61.1.tgz", &curl);
    let summary = std::fs::read(world.path("packages/pkg_summary.gz")).unwrap();
    world.bytes("packages/pkg_summary.gz", &summary[..summary.len() - 9]);
    build(&mut world, "a summary that is cut short");
    insta::assert_snapshot!(world.transcript());
}

#[test]
fn packages_come_from_a_real_web_server_too() {
    let world = world();
    let Some(nginx) = crate::feed_server::nginx(&world) else { return };
    for (path, bytes) in files(&world.path("packages")) {
        world.bytes(&format!("team/public/{path}"), &bytes);
    }
    let spec = std::fs::read_to_string(world.path("spec.toml")).unwrap();
    let start = spec.find("file://").unwrap();
    let end = start + spec[start..].find('"').unwrap();
    world.file("spec.toml", &format!("{}http://127.0.0.1:{}/{}", &spec[..start], nginx.port, &spec[end..]));
    let said = world.run(BUILD);
    assert_eq!(said.code, Some(0), "{}", said.shown());
    std::fs::remove_file(world.path("team/public/sudo-1.8.26.tgz")).unwrap();
    let said = world.run(&BUILD.replace("10:20:30", "11:20:30"));
    assert!(said.code == Some(2) && said.stderr.contains("404"), "{}", said.shown());
}

#[test]
fn a_network_that_is_gone_half_way_leaves_nothing_and_the_next_run_makes_the_same_image() {
    let world = world();
    let files = files(&world.path("packages"));
    let is_cut = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let cut = std::sync::Arc::clone(&is_cut);
    let server = crate::http_server::HttpServer::start(move |request| {
        let Some(bytes) = files.get(request.path.trim_start_matches('/')) else {
            return crate::http_server::Answer::new(404);
        };
        let mut answer = crate::http_server::Answer::ok(bytes.clone());
        if cut.load(std::sync::atomic::Ordering::SeqCst) && request.path.contains("curl") {
            answer.cut_after = Some(bytes.len() / 2);
        }
        answer
    });
    assert_eq!(world.run(BUILD).code, Some(0));
    let spec = std::fs::read_to_string(world.path("spec.toml")).unwrap();
    let repository = format!("file://{}", world.path("packages").display());
    world.file("spec.toml", &spec.replace(&repository, &server.url("/")));
    let elsewhere = BUILD.replace("--output out", "--output again");
    let said = world.run(&elsewhere);
    assert!(said.code == Some(2) && said.stderr.contains("curl-7.61.1"), "{}", said.shown());
    assert!(
        said.stderr.contains("before the body did") && said.stderr.contains("nothing was written"),
        "{}",
        said.shown()
    );
    assert!(!world.path("again").exists() || std::fs::read_dir(world.path("again")).unwrap().next().is_none());
    is_cut.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(world.run(&elsewhere).code, Some(0));
    assert!(self::files(&world.path("again")) == self::files(&world.path("out")));
    // Nobody listens any more.
    drop(server);
    let said = world.run(&BUILD.replace("10:20:30", "11:20:30"));
    assert!(said.code == Some(2) && said.stderr.contains("cannot be reached"), "{}", said.shown());
}
