//! Every way to pin, each a small repository of our own in the real syntax.

use super::*;

const A: &str = "a9368831-958e-432d-a031-f8ce6768d190";
const B: &str = "c2c31b00-1d60-11e9-9a77-ff9f06554b0f";

fn found(files: &[(&str, &str)], submodules: &[(&str, &str)]) -> Pins {
    let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    let submodules = submodules.iter().map(|(path, revision)| ((*path).to_owned(), (*revision).to_owned())).collect();
    let read = |path: &str| Ok(files.iter().find(|(name, _)| *name == path).map(|(_, text)| text.as_bytes().to_vec()));
    find(&Snapshot { files: &names, submodules: &submodules, read: &read }, "SunOS")
}

/// `kind name=value file:line`, with `?` or `-` where it is not sure or not active; spans are checked on the way.
fn shown(files: &[(&str, &str)], submodules: &[(&str, &str)]) -> Vec<String> {
    let pins = found(files, submodules);
    assert_eq!(pins.problems, []);
    let one = |pin: &Pin| {
        if let Some((_, text)) = files.iter().find(|(name, _)| *name == pin.file) {
            let there = &text[pin.span.clone()];
            assert!(there == pin.value || (there.is_empty() && pin.value == "latest"), "{pin:?} {there}");
        }
        let mark = match pin.is_active {
            Some(true) => "",
            Some(false) => " -",
            None => " ?",
        };
        format!("{} {}={} {}:{}{mark}", pin.kind.as_str(), pin.name, pin.value, pin.file, pin.line)
    };
    pins.pins.iter().map(one).collect()
}

#[test]
fn makefiles_pin_images_and_packages() {
    let makefile = format!(
        "NAME = x\n# This image is triton-origin-x86_64-18.4.0\nBASE_IMAGE_UUID = {A}\n#BASE_IMAGE_UUID = {B}\n\
         ifeq ($(shell uname -s),SunOS)\n\tNODE_PREBUILT_IMAGE={B}\nelse\n\tNODE_PREBUILT_IMAGE={A}\nendif\n\
         BUILDIMAGE_PKGSRC = \\\n\topenssl-1.0.2o \\\n \thaproxy-1.6.2 gcc-runtime $(MORE-1)\n\
         BUILDIMAGE_PKGSRC += postgresql92-client-9.2.19 # why\n"
    );
    assert_eq!(
        shown(&[("Makefile", &makefile)], &[]),
        [
            format!("base-image BASE_IMAGE_UUID={A} Makefile:3"),
            format!("node-prebuilt NODE_PREBUILT_IMAGE={B} Makefile:6"),
            format!("node-prebuilt NODE_PREBUILT_IMAGE={A} Makefile:8 -"),
            "package BUILDIMAGE_PKGSRC=openssl-1.0.2o Makefile:11".to_owned(),
            "package BUILDIMAGE_PKGSRC=haproxy-1.6.2 Makefile:12".to_owned(),
            "package BUILDIMAGE_PKGSRC=postgresql92-client-9.2.19 Makefile:13".to_owned(),
        ]
    );
    let pins = found(&[("Makefile", &makefile)], &[]);
    assert_eq!(pins.answers["BASE_IMAGE_UUID"], Answer::Known(A.to_owned()));
    let above = &pins.pins[0].comments[0];
    assert_eq!(&makefile[above.clone()], "# This image is triton-origin-x86_64-18.4.0\n");
}

#[test]
fn a_pin_behind_another_variable_or_in_an_included_file_is_found_there() {
    let files = [
        ("Makefile", "include mk/image.mk\nBASE_IMAGE_UUID = $(ORIGIN)\n"),
        ("mk/image.mk", &format!("ORIGIN ?= {A}\n")),
    ];
    assert_eq!(shown(&files, &[]), [format!("base-image ORIGIN={A} mk/image.mk:1")]);
    let nested = [("src/Makefile", "include ../image.mk\n"), ("image.mk", &*format!("BASE_IMAGE_UUID={A}\n"))];
    assert_eq!(shown(&nested, &[]), [format!("base-image BASE_IMAGE_UUID={A} image.mk:1")]);
}

#[test]
fn makefiles_that_nobody_can_read_are_problems() {
    let uuid = format!("BASE_IMAGE_UUID = {A}\n");
    for (text, says) in [
        (format!("# a\0\n{uuid}"), "line 1 holds a NUL"),
        ("BASE_IMAGE_UUID = $(shell cat image)\n".to_owned(), "only make can know"),
        ("BASE_IMAGE_UUID = master\n".to_owned(), "no UUID"),
    ] {
        let pins = found(&[("Makefile", &text)], &[]);
        assert!(pins.problems[0].message.contains(says), "{text}: {:?}", pins.problems);
    }
    let missing = found(&[("Makefile", &format!("include deps/eng/tools/mk/Makefile.defs\n{uuid}"))], &[]);
    assert_eq!((missing.problems.len(), missing.notes.len(), missing.pins.len()), (0, 1, 1));
}

#[test]
fn dockerfiles_pin_by_digest_tag_or_not_at_all() {
    let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let dockerfile = format!(
        "# syntax=docker/dockerfile:1\nARG BASE=registry.example:5000/origin@{digest}\n\
         FROM --platform=linux/amd64 docker.example/base:18.4.0@{digest} AS build\n# FROM other@{digest}\nRUN make \\\n\
         \x20 # a comment\n  FROM\nFROM ${{BASE}} as run\nFROM build\nfrom \\\n  alpine\nFROM scratch\nFROM x:1.2\n"
    );
    assert_eq!(
        shown(&[("build/Dockerfile", &dockerfile)], &[]),
        [
            format!("dockerfile-from registry.example:5000/origin={digest} build/Dockerfile:2"),
            format!("dockerfile-from docker.example/base:18.4.0={digest} build/Dockerfile:3"),
            "dockerfile-from alpine=latest build/Dockerfile:10".to_owned(),
            "dockerfile-from x=1.2 build/Dockerfile:13".to_owned(),
        ]
    );
}

#[test]
fn jenkinsfiles_pin_in_calls_and_in_labels() {
    let text = "// image_ver: '1.0'\n/* pi: '2' */\npipeline {\n  agent {\n\
        \x20   label joyCommonLabels(image_ver: '18.4.0', pi: \"20210826T002459Z\")\n  }\n  agent {\n\
        \x20   label 'platform:true && image_ver:15.4.1 && pi:20180101T000000Z && x_image_ver:3' // image_ver:2\n  }\n\
        \x20 sh('echo http://pi.example')\n}\n";
    assert_eq!(
        shown(&[("Jenkinsfile", text)], &[]),
        [
            "jenkins-image-ver image_ver=18.4.0 Jenkinsfile:5",
            "jenkins-pi pi=20210826T002459Z Jenkinsfile:5",
            "jenkins-image-ver image_ver=15.4.1 Jenkinsfile:8",
            "jenkins-pi pi=20180101T000000Z Jenkinsfile:8",
        ]
    );
}

#[test]
fn locks_submodules_and_maps_pin_too() {
    let rev = "d4f247e89f6e10120f911e2e2d2254a050d0f732";
    let lock = format!(
        "{{\"nodes\": {{\"nixpkgs_2\": {{\"locked\": {{\"rev\": \"{rev}\"}}}}, \"root\": {{\"inputs\": \
         {{\"nixpkgs\": \"nixpkgs_2\", \"lib\": [\"nixpkgs\"]}}}}}}, \"root\": \"root\", \"version\": 7}}\n"
    );
    let modules = "[submodule \"tools\"]\n\tpath = tools\n\turl = https://git.example/joyent/eng.git\n\
                   [submodule \"other\"]\n\tpath = deps/other\n\turl = ../other\n";
    let script =
        format!("declare -A PKGSRC_MAP=(\n    # [x]=1\n    [{A}]=2018Q4\n    [{B}]=2018Q4\n)\nOTHER=(\n[x]=1\n)\n");
    let files = [("flake.lock", &*lock), (".gitmodules", modules), ("tools/validate-buildenv.sh", &script)];
    assert_eq!(
        shown(&files, &[("tools", rev), ("deps/other", rev), ("deps/eng", rev)]),
        [
            format!("submodule deps/eng={rev} deps/eng:0"),
            format!("flake-input nixpkgs={rev} flake.lock:1"),
            format!("submodule tools={rev} tools:0"),
            format!("build-tools-map PKGSRC_MAP={B} tools/validate-buildenv.sh:4"),
        ]
    );
    assert!(found(&[("flake.lock", "{")], &[]).problems[0].message.contains("JSON"));
}
