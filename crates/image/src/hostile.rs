//! Damaged lists, makefiles, catalogs and packages end in an answer or an error, never in a panic or outside the image.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use std::collections::BTreeSet;

use damage::{every_form, every_text};

use crate::build::unpack;
use crate::make::{Makefile, Text};
use crate::pins::{Pins, dockerfile, flake, jenkins, tools};
use crate::spec::import;
use crate::{Catalog, Gate, Spec, Summary, VulnerabilityList};

#[test]
fn damaged_summaries_and_lists_are_read_or_refused() {
    every_form("image_summary", &|bytes| {
        if let Ok(summary) = Summary::read(bytes) {
            for package in summary.packages() {
                assert!(summary.named(&package.name).contains(package));
            }
            drop(summary.superseding("a", "1"));
        }
    });
    every_form("pkg_vulnerabilities", &|bytes| {
        if let Ok(list) = VulnerabilityList::read(bytes, None) {
            drop(list.matching("a", "1"));
        }
    });
}

#[test]
fn damaged_makefiles_are_evaluated_and_given_back_as_they_were() {
    every_form("image_make", &|bytes| {
        let text = Text::read(bytes);
        let read = |_: &str| Some(text.clone());
        let makefile = Makefile::evaluate("Makefile", &read, "SunOS");
        for name in ["BASE_IMAGE_UUID", "NODE_PREBUILT_IMAGE", "A"] {
            drop((makefile.worth(name), makefile.sources(name)));
        }
        assert!(makefile.assignments.iter().all(|one| text.text.get(one.start..one.end).is_some()));
        assert_eq!(text.bytes_of(&text.text), bytes);
    });
}

#[test]
fn pins_of_damaged_files_stand_where_they_say() {
    every_text("image_pins", &|text| {
        let mut pins = Pins::default();
        dockerfile::find("x", text, &mut pins);
        flake::find("x", text, &mut pins);
        jenkins::find("x", text, &mut pins);
        tools::find("x", text, &mut pins);
        assert!(pins.pins.iter().all(|pin| text.get(pin.span.clone()).is_some()));
        assert!(tools::maps(text).iter().all(|map| text.get(..map.end).is_some()));
    });
}

#[test]
fn damaged_catalogs_and_specifications_are_read_or_refused() {
    every_text("image_catalog", &|text| {
        if let Ok(catalog) = Catalog::read(text) {
            for image in catalog.images() {
                assert_eq!(catalog.named(&image.uuid).as_ref(), Ok(&image));
                drop((catalog.behind(&image.uuid), image.jenkins_version(), image.family()));
            }
        }
        let imported = import(text.as_bytes()).unwrap_or_default();
        assert!(imported.iter().all(|one| Spec::read(&one.text).is_ok_and(|spec| spec.name == one.name)));
        drop((Spec::read(text), Gate::read(text)));
    });
}

#[test]
fn nothing_of_a_damaged_package_leaves_the_image() {
    every_form("image_build", &|bytes| {
        if let Ok(unpacked) = unpack("a-1", bytes, "opt/local", &BTreeSet::new()) {
            assert!(unpacked.nodes.keys().all(|path| path.starts_with("opt/local/") && !path.contains("/../")));
        }
    });
}
