//! The bytes of a tiny index, pinned: what `docs/formats/auxdb.md` explains is what the code writes and reads.

use std::path::Path;

use aux_core::version::Scheme;
use aux_core::{Class, Ecosystem, Score};

use super::{AdvisoryKey, Facts, Index, compile};
use crate::identity::Stance;
use crate::triage::{self, Status, Triage};
use crate::{Affected, Part, Product, Record, VersionRange};

const TINY: &[u8] = include_bytes!("../../tests/vectors/tiny.auxdb");

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

/// Two advisories and one decision of each kind.
fn tiny() -> Vec<u8> {
    let mut curl = Record::new("CVE-2017-7407");
    curl.published = "2017-04-03T20:59:00Z".parse().ok();
    curl.score = Score::from_tenths(24);
    let mut affected = Affected::new(Product::cpe(Part::Application, "haxx", "curl"), Scheme::Generic);
    affected.versions = vec![VersionRange::before("7.54.0")];
    curl.affected.push(affected);
    let mut lodash = Record::new("CVE-2021-23337");
    lodash.aliases.insert("GHSA-35jh-r3h4-6jhm".to_owned());
    let package = Product::Package { ecosystem: Ecosystem::new("npm"), name: "lodash".to_owned() };
    let mut affected = Affected::new(package, Scheme::Semver);
    affected.versions = vec![VersionRange::before("4.17.21")];
    lodash.affected.push(affected);
    let mut decisions = Triage::default();
    assert_eq!(triage::read("tiny.toml", DECISIONS, &mut decisions), []);
    let facts = Facts { serial: 7, built: "2021-02-15T00:00:00Z".parse().unwrap() };
    compile(vec![curl, lodash], &decisions, &facts)
}

/// As `xxd` prints it.
fn dump(bytes: &[u8]) -> String {
    let line = |(number, sixteen): (usize, &[u8])| {
        let pairs: Vec<String> =
            sixteen.chunks(2).map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
        let shown: String =
            sixteen.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }).collect();
        format!("{:08x}: {:<39}  {shown}\n", number * 16, pairs.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

#[test]
fn the_bytes_of_a_tiny_index_stay_the_same() {
    let written = tiny();
    assert!(
        written == TINY,
        "the format changed: raise VERSION, replace tests/vectors/tiny.auxdb and its page's dump with\n{}",
        dump(&written)
    );
}

#[test]
fn the_page_of_the_format_shows_these_very_bytes() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/auxdb.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&dump(TINY)), "docs/formats/auxdb.md should hold\n{}", dump(TINY));
}

#[test]
fn the_tiny_index_answers_every_kind_of_question() {
    let index = Index::open(TINY).unwrap();
    assert_eq!((index.facts().serial, index.advisories_count()), (7, 2));
    let curl = index.key_of("CVE-2017-7407").unwrap();
    let advisory = index.advisory(curl).unwrap();
    assert_eq!((advisory.class, advisory.published.unwrap().to_string()), (Class::Routine, "2017-04-03".to_owned()));
    assert_eq!(index.key_of("GHSA-35jh-r3h4-6jhm"), Some(AdvisoryKey::of("CVE-2021-23337")));
    let [block] = &index.products_named("curl")[..] else { panic!("one product is called curl") };
    assert_eq!((block.product.as_str(), block.stance), ("a:haxx:curl", Stance::Affirmed));
    assert_eq!(block.entries().next().unwrap().versions[0].to_string(), "< 7.54.0");
    assert_eq!(index.package(&Ecosystem::new("npm"), "lodash").unwrap().entries().count(), 1);
    let names = index.names(&Ecosystem::NIX, "curlfull");
    assert_eq!((names[0].product, names[1].product, names[1].stance), ("a:haxx:curl", "*:curl", Stance::Denied));
    let said = &index.statements(&Ecosystem::NIX, "curl")[0];
    assert_eq!((said.advisory, said.status, said.author, said.expires), (curl, Status::NotAffected, "team", None));
    assert_eq!(index.fixes(&Ecosystem::NIX, "curl")[0].channel, Some("nixos-17.03"));
}

#[test]
fn a_flipped_byte_anywhere_is_refused() {
    for position in 0..TINY.len() {
        let mut file = TINY.to_vec();
        file[position] ^= 0x10;
        assert!(Index::open(&file).is_err(), "byte {position}");
    }
}

#[test]
fn a_file_cut_or_grown_anywhere_is_refused() {
    for length in 0..TINY.len() {
        assert!(Index::open(&TINY[..length]).is_err(), "{length} bytes");
    }
    assert!(Index::open(&[TINY, b"\0"].concat()).is_err());
}
