//! The bytes of a tiny index, pinned: what `docs/formats/auxdb.md` explains is what the code writes and reads.

use std::fmt::Write as _;
use std::path::Path;

use aux_core::version::Scheme;
use aux_core::{Class, Ecosystem, Score};

use super::{AdvisoryKey, Details, Facts, Index, compile, compile_details};
use crate::identity::Stance;
use crate::triage::{self, Status, Triage};
use crate::{Affected, Part, Product, Record, VersionRange};

const TINY: &[u8] = include_bytes!("../../tests/vectors/tiny.auxdb");
const TINY_DETAILS: &[u8] = include_bytes!("../../tests/vectors/tiny.auxdetails");

const DECISIONS: &str = r#"
[[identity]]
names = ["curl-full"]
affirm = ["a:haxx:curl"]
deny = ["a:*:curl"]
reason = "curl"

[[statement]]
package = "nix:curl"
ids = ["CVE-2017-7407"]
status = "not_affected"
versions = ">=7.52,<7.54"
justification = "component_not_present"
reason = "no tool"
author = "team"
date = 2017-05-01

[[class]]
ids = ["CVE-2017-7407"]
class = "routine"
reason = "local"
author = "team"
date = 2017-05-01

[[fix]]
ids = ["CVE-2017-7407"]
package = "nix:curl"
channel = "nixos-17.03"
version = "7.54.0"
reason = "update"
"#;

fn facts() -> Facts {
    Facts { serial: 7, built: "2021-02-15T00:00:00Z".parse().unwrap() }
}

/// Two advisories, one by CPE and one by package.
fn records() -> Vec<Record> {
    let mut curl = Record::new("CVE-2017-7407");
    curl.published = "2017-04-03T20:59:00Z".parse().ok();
    curl.score = Score::from_tenths(24);
    curl.title = "A read past the end".to_owned();
    curl.references = vec!["https://example.org/".to_owned()];
    let mut affected = Affected::new(Product::cpe(Part::Application, "haxx", "curl"), Scheme::Generic);
    affected.versions = vec![VersionRange::before("7.54.0")];
    curl.affected.push(affected);
    let mut lodash = Record::new("CVE-2021-23337");
    lodash.aliases.insert("GHSA-35jh-r3h4-6jhm".to_owned());
    let package = Product::Package { ecosystem: Ecosystem::new("npm"), name: "lodash".to_owned() };
    let mut affected = Affected::new(package, Scheme::Semver);
    affected.versions = vec![VersionRange::before("4.17.21")];
    lodash.affected.push(affected);
    vec![curl, lodash]
}

/// The advisories, and one decision of each kind.
pub(super) fn tiny() -> Vec<u8> {
    let mut decisions = Triage::default();
    assert_eq!(triage::read("tiny.toml", DECISIONS, &mut decisions), []);
    compile(records(), &decisions, &facts())
}

/// The same, and one advisory more.
pub(super) fn tiny_and_one_more() -> Vec<u8> {
    let mut records = records();
    let mut curl = Record::new("CVE-2017-8816");
    let mut affected = Affected::new(Product::cpe(Part::Application, "haxx", "curl"), Scheme::Generic);
    affected.versions = vec![VersionRange::before("7.57.0")];
    curl.affected.push(affected);
    records.insert(1, curl);
    let mut decisions = Triage::default();
    assert_eq!(triage::read("tiny.toml", DECISIONS, &mut decisions), []);
    compile(records, &decisions, &facts())
}

/// As `xxd` prints it.
pub(super) fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (number, sixteen) in bytes.chunks(16).enumerate() {
        let mut pairs = String::new();
        for (place, byte) in sixteen.iter().enumerate() {
            let blank = if place > 0 && place % 2 == 0 { " " } else { "" };
            write!(pairs, "{blank}{byte:02x}").unwrap();
        }
        let show = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        writeln!(text, "{:08x}: {pairs:<39}  {}", number * 16, sixteen.iter().map(show).collect::<String>()).unwrap();
    }
    text
}

fn assert_same(written: &[u8], golden: &[u8], name: &str) {
    let dump = dump(written);
    assert!(written == golden, "the format changed: raise its version, replace tests/vectors/{name} with\n{dump}");
    let extension = name.rsplit('.').next().unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/formats/{extension}.md"));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&dump), "docs/formats/{extension}.md should show\n{dump}");
}

#[test]
fn the_bytes_of_a_tiny_index_stay_the_same_and_its_page_shows_them() {
    assert_same(&tiny(), TINY, "tiny.auxdb");
}

#[test]
fn the_bytes_of_a_tiny_details_pack_stay_the_same_and_its_page_shows_them() {
    assert_same(&compile_details(&records(), &facts()), TINY_DETAILS, "tiny.auxdetails");
    let detail = Details::open(TINY_DETAILS).unwrap().find(AdvisoryKey::of("CVE-2017-7407")).unwrap().unwrap();
    assert_eq!((detail.title, detail.references), ("A read past the end", vec!["https://example.org/"]));
}

#[test]
fn the_tiny_index_answers_every_kind_of_question() {
    let index = Index::open(TINY).unwrap();
    assert_eq!((index.facts().serial, index.advisories_count()), (7, 2));
    let curl = index.key_of("cve-2017-7407").unwrap().unwrap();
    let advisory = index.advisory(curl).unwrap().unwrap();
    assert_eq!((advisory.class, advisory.published.unwrap().to_string()), (Class::Routine, "2017-04-03".to_owned()));
    assert_eq!(index.key_of("GHSA-35jh-r3h4-6jhm"), Ok(Some(AdvisoryKey::of("CVE-2021-23337"))));
    let [block] = &index.products_named("curl").unwrap()[..] else { panic!("one product is called curl") };
    assert_eq!((block.product.as_str(), block.stance), ("a:haxx:curl", Stance::Affirmed));
    assert_eq!(block.entries().next().unwrap().unwrap().versions[0].to_string(), "< 7.54.0");
    assert_eq!(index.package(&Ecosystem::new("npm"), "lodash").unwrap().unwrap().entries().count(), 1);
    let names = index.names(&Ecosystem::NIX, "curlfull").unwrap();
    assert_eq!((names[0].product, names[1].product, names[1].stance), ("a:haxx:curl", "*:curl", Stance::Denied));
    let said = &index.statements(&Ecosystem::NIX, "curl").unwrap()[0];
    assert_eq!((said.advisory, said.status, said.author, said.expires), (curl, Status::NotAffected, "team", None));
    assert_eq!(index.fixes(&Ecosystem::NIX, "curl").unwrap()[0].channel, Some("nixos-17.03"));
}

#[test]
fn a_flipped_byte_anywhere_is_refused() {
    for position in 0..TINY.len() {
        let mut file = TINY.to_vec();
        file[position] ^= 0x10;
        assert!(Index::open(&file).is_err(), "byte {position}");
    }
    for position in 0..TINY_DETAILS.len() {
        let mut file = TINY_DETAILS.to_vec();
        file[position] ^= 0x10;
        assert!(Details::open(&file).is_err(), "byte {position} of the details");
    }
}

#[test]
fn a_file_cut_or_grown_anywhere_is_refused() {
    assert!((0..TINY.len()).all(|length| Index::open(&TINY[..length]).is_err()));
    assert!((0..TINY_DETAILS.len()).all(|length| Details::open(&TINY_DETAILS[..length]).is_err()));
    assert!(Index::open(&[TINY, b"\0"].concat()).is_err());
    assert!(Details::open(&[TINY_DETAILS, b"\0"].concat()).is_err());
}
