//! The status page as people have it before them: in a real Chromium, light and dark, narrow and wide, by keys alone, and
//! as a screen reader speaks it.

use std::path::Path;

use serde_json::json;

use crate::browser::Browser;
use crate::feed::publish;
use crate::pushing::Made;
use crate::views::{POLICY, verdict};
use crate::world::World;

const TAB: char = '\u{e004}';
/// The contrast that text of normal size must have (WCAG 2.2, success criterion 1.4.3).
const CONTRAST: &str = "4.5";

/// A server whose view serves what became affected, and refused something.
fn world() -> World {
    let mut world = World::new();
    world.kill();
    publish(&world.path("feed.auxdb"), &["other:thing"]);
    let feed = world.path("feed.auxdb");
    world.start(&["--feed", feed.to_str().unwrap()]);
    world.api("PUT", "views/vetted/policy", &json!({ "policy": POLICY }));
    let token = world.token("staging", &["push"]);
    let openssl = Made::new("openssl-1.1.1g", "openssl");
    let server = Made::new("web-server-1.0", "server").needs(&openssl);
    let debugging = Made::new("web-server-1.0-debug", "debugging");
    for path in [&openssl, &server, &debugging] {
        path.push(&world, &token);
    }
    for path in [&server, &debugging] {
        world.api("POST", "views/vetted/promote", &json!({ "paths": [path.base] }));
    }
    world.ask(&format!("GET /staging/{}.narinfo", server.hash), &token, b"");
    publish(&world.path("feed.auxdb"), &["openssl:openssl"]);
    verdict(&world, "fail");
    world
}

/// Every text whose contrast with the ground of the page is too small, by the formula of WCAG 2.2.
fn faint(browser: &Browser) -> serde_json::Value {
    let script = r"(() => {
        const light = color => color.match(/[\d.]+/g).slice(0, 3).map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
            .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
        const ground = light(getComputedStyle(document.body).backgroundColor);
        return [...document.body.querySelectorAll('*')].filter(one => one.textContent.trim())
            .map(one => [one.textContent, light(getComputedStyle(one).color)])
            .map(([text, ink]) => [text, (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05)])
            .filter(([, contrast]) => contrast < LEAST);
    })()";
    browser.ask(&script.replace("LEAST", CONTRAST))
}

#[test]
fn the_status_page_is_seen_read_aloud_and_walked_through_by_keys() {
    let world = world();
    let Some(browser) = Browser::new(&world.path("profile")) else { return };
    // A browser sends what netrc sends; it has asked for it after the answer 401.
    browser.open(&format!("http://reader:{}@{}/", world.admin, world.listen));
    assert_eq!(browser.ask("document.title"), "Binary cache");

    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("status-page");
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for width in [320, 1280] {
            browser.resize(width, 800);
            assert_eq!(faint(&browser), json!([]), "{scheme}");
            let overhang = browser.ask("document.documentElement.scrollWidth - window.innerWidth");
            assert!(overhang.as_i64().unwrap() <= 0, "{overhang} pixels stand out at a width of {width}");
            let picture = browser.picture(&pictures.join(format!("{scheme}-{width}.png")));
            assert!(picture.len() > 10_000, "{} bytes are no picture of this page", picture.len());
        }
        grounds.push(browser.ask("getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(grounds[0], grounds[1]);

    let spoken = browser.spoken();
    for (role, name) in [
        ("main", ""),
        ("navigation", "Views"),
        ("heading", "Binary cache"),
        ("heading", "View vetted"),
        ("link", "vetted: fail"),
        ("table", "Caches and views"),
        ("table", "Affected now in vetted"),
        ("table", "Refused of late in vetted"),
        ("columnheader", "Advisory"),
        ("rowheader", "staging"),
    ] {
        assert!(spoken.contains(&(role.to_owned(), name.to_owned())), "no {role} {name:?} in {spoken:#?}");
    }
    let text = browser.ask("document.body.innerText");
    assert!(
        text.as_str().unwrap().contains("CVE-2021-10001") && text.as_str().unwrap().contains("its name fits *-debug")
    );

    // What can be scrolled or followed is reached in the order it is read, and is seen to be reached.
    let mut reached = Vec::new();
    for _ in 0..4 {
        browser.press(TAB);
        reached
            .push(browser.ask("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"));
        assert_eq!(browser.ask("getComputedStyle(document.activeElement).outlineStyle"), "solid");
    }
    let order = ["Caches and views", "vetted: fail", "Affected now in vetted", "Refused of late in vetted"];
    assert_eq!(reached, order);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
