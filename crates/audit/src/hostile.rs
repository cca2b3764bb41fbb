//! Damaged waiver files end in waivers or an error with a line, never in a panic; the page's examples are read.

#[path = "../../../tests/support/damage.rs"]
mod damage;

use crate::Waivers;

#[test]
fn damaged_waivers_are_refused_with_a_line_or_read() {
    damage::every_text("waivers", &|text| {
        if let Err(error) = Waivers::default().read("x.toml", text) {
            assert!(error.subject.starts_with("x.toml:"), "{error}");
        }
    });
}

#[test]
fn the_page_of_waivers_shows_files_that_read() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats/waivers.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2, "ours and a whitelist");
    for block in blocks {
        Waivers::default().read("waivers.md", block).unwrap();
    }
}
