//! Compiles records and the team's decisions into an index. The same inputs give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use aux_core::naming::fold;
use jiff::Timestamp;

use super::bytes::{put_text, put_varint};
use super::entry::{day_number, put_advisory, put_entry, put_range};
use super::key::AdvisoryKey;
use super::table::TableWriter;
use super::{HEADER_BYTES, MAGIC, SECTIONS, Section, VERSION, package_key};
use crate::cpe::Part;
use crate::identity::{self, Stance};
use crate::ranges;
use crate::record::{Affected, Product, Record};
use crate::triage::{ChannelFix, Identity, Statement, Triage};

/// What a feed says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub serial: u64,
    /// The day it was compiled as of, or the newest change in its sources; never the clock.
    pub built: Timestamp,
}

/// A product's entries, by advisory.
type Blocks<'r> = BTreeMap<&'r Product, Vec<(AdvisoryKey, &'r Affected)>>;

/// Compiles an index from merged records, one a vulnerability.
pub fn compile(mut records: Vec<Record>, triage: &Triage, facts: &Facts) -> Vec<u8> {
    classify(&mut records, triage);
    ranges::fold_points(&mut records);
    let mut sections: [Vec<u8>; SECTIONS] = Default::default();
    let mut put = |section: Section, bytes| {
        if let Some(slot) = sections.get_mut(section as usize) {
            *slot = bytes;
        }
    };
    put(Section::Facts, facts_table(facts, records.len()));
    put(Section::Advisories, advisories(&records));
    put(Section::Aliases, aliases(&records));
    let blocks = blocks(&records);
    put(Section::Products, products(&blocks, triage));
    put(Section::Packages, packages(&blocks));
    put(Section::Names, names(triage));
    let own = OwnIds::of(&records);
    put(Section::Statements, statements(triage, &own));
    put(Section::Fixes, fixes(triage, &own));
    assemble(&sections)
}

pub(super) fn assemble(sections: &[Vec<u8>; SECTIONS]) -> Vec<u8> {
    let mut body = Vec::new();
    for section in sections {
        body.extend_from_slice(&(section.len() as u64).to_le_bytes());
    }
    for section in sections {
        body.extend_from_slice(section);
    }
    let mut file = Vec::with_capacity(HEADER_BYTES + body.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&u32::try_from(SECTIONS).unwrap_or_default().to_le_bytes());
    file.extend_from_slice(blake3::hash(&body).as_bytes());
    file.extend_from_slice(&body);
    file
}

fn classify(records: &mut [Record], triage: &Triage) {
    let mut classes = BTreeMap::new();
    for entry in &triage.classes {
        for id in &entry.ids {
            classes.insert(id.as_str(), entry.class);
        }
    }
    for record in records {
        let spoken = std::iter::once(&record.id).chain(&record.aliases).find_map(|id| classes.get(id.as_str()));
        if let Some(class) = spoken {
            record.class = *class;
        }
    }
}

fn table(entries: BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut writer = TableWriter::default();
    for (key, value) in entries {
        writer.push(&key, &value);
    }
    writer.finish()
}

fn facts_table(facts: &Facts, advisories: usize) -> Vec<u8> {
    let pairs = [
        ("advisories", advisories.to_string()),
        ("built", facts.built.to_string()),
        ("serial", facts.serial.to_string()),
    ];
    table(pairs.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value.into_bytes())).collect())
}

fn advisories(records: &[Record]) -> Vec<u8> {
    table(records.iter().map(|record| (AdvisoryKey::of(&record.id).bytes().to_vec(), put_advisory(record))).collect())
}

fn aliases(records: &[Record]) -> Vec<u8> {
    let pairs = records.iter().flat_map(|record| record.aliases.iter().map(move |alias| (alias, &record.id)));
    table(pairs.map(|(alias, id)| (alias.as_bytes().to_vec(), AdvisoryKey::of(id).bytes().to_vec())).collect())
}

fn blocks(records: &[Record]) -> Blocks<'_> {
    let mut blocks = Blocks::new();
    for record in records.iter().filter(|record| !record.withdrawn) {
        let key = AdvisoryKey::of(&record.id);
        for entry in &record.affected {
            if !matches!(entry.product, Product::Cpe { part: Part::Hardware, .. }) {
                blocks.entry(&entry.product).or_default().push((key, entry));
            }
        }
    }
    blocks
}

fn block(entries: &[(AdvisoryKey, &Affected)], bytes: &mut Vec<u8>) {
    let mut sorted: Vec<&(AdvisoryKey, &Affected)> = entries.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    let mut previous = 0;
    for (key, entry) in sorted {
        put_entry(bytes, previous, *key, entry);
        previous = key.number();
    }
}

fn products(blocks: &Blocks<'_>, triage: &Triage) -> Vec<u8> {
    let named: BTreeSet<Product> = blocks.keys().map(|product| (*product).clone()).collect();
    let stances = identity::by_rule(&named, &triage.vendors);
    let mut entries = BTreeMap::new();
    for (product, affected) in blocks {
        let Some(stance) = stances.get(*product) else { continue };
        let mut bytes = vec![stance.as_byte()];
        block(affected, &mut bytes);
        entries.insert(product_key(product), bytes);
    }
    table(entries)
}

/// `folded product NUL part:vendor:product`: all claimants of a name stand together.
fn product_key(product: &Product) -> Vec<u8> {
    [fold(product.name()).as_bytes(), b"\0", product.to_string().as_bytes()].concat()
}

fn packages(blocks: &Blocks<'_>) -> Vec<u8> {
    let mut merged: BTreeMap<Vec<u8>, Vec<(AdvisoryKey, &Affected)>> = BTreeMap::new();
    for (product, affected) in blocks {
        if let Product::Package { ecosystem, name } = product {
            merged.entry(package_key(ecosystem.as_str(), &fold(name))).or_default().extend(affected);
        }
    }
    let encode = |affected: Vec<_>| {
        let mut bytes = Vec::new();
        block(&affected, &mut bytes);
        bytes
    };
    table(merged.into_iter().map(|(key, affected)| (key, encode(affected))).collect())
}

fn names(triage: &Triage) -> Vec<u8> {
    let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for identity in &triage.identities {
        for name in &identity.names {
            put_identity(entries.entry(package_key(identity.ecosystem.as_str(), &fold(name))).or_default(), identity);
        }
    }
    table(entries)
}

/// Each decision: stance, product (`*:name` for every other vendor), reason.
fn put_identity(bytes: &mut Vec<u8>, identity: &Identity) {
    for product in &identity.affirm {
        bytes.push(Stance::Affirmed.as_byte());
        put_text(bytes, &product.to_string());
        put_text(bytes, &identity.reason);
    }
    for denial in &identity.deny {
        bytes.push(Stance::Denied.as_byte());
        match &denial.product {
            Some(product) => put_text(bytes, &product.to_string()),
            None => put_text(bytes, &format!("*:{}", fold(&denial.name))),
        }
        put_text(bytes, &identity.reason);
    }
}

/// The id a record goes by, whichever of its names a decision was written with.
struct OwnIds<'r>(BTreeMap<&'r str, &'r str>);

impl<'r> OwnIds<'r> {
    fn of(records: &'r [Record]) -> Self {
        let aliases = |record: &'r Record| record.aliases.iter().map(|alias| (alias.as_str(), record.id.as_str()));
        Self(records.iter().flat_map(aliases).collect())
    }

    fn key(&self, id: &str) -> u64 {
        AdvisoryKey::of(self.0.get(id).copied().unwrap_or(id)).number()
    }
}

fn statements(triage: &Triage, own: &OwnIds<'_>) -> Vec<u8> {
    let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for statement in &triage.statements {
        if let Product::Package { ecosystem, name } = &statement.package {
            put_statement(entries.entry(package_key(ecosystem.as_str(), &fold(name))).or_default(), statement, own);
        }
    }
    table(entries)
}

fn put_statement(bytes: &mut Vec<u8>, statement: &Statement, own: &OwnIds<'_>) {
    for id in &statement.ids {
        put_varint(bytes, own.key(id));
        bytes.push(statement.status.as_byte());
        put_range(bytes, &statement.versions);
        put_varint(bytes, day_number(statement.date).unwrap_or_default());
        put_varint(bytes, statement.expires.and_then(day_number).map_or(0, |day| day + 1));
        put_text(bytes, statement.channel.as_deref().unwrap_or_default());
        put_text(bytes, statement.justification.as_deref().unwrap_or_default());
        put_text(bytes, &statement.author);
        put_text(bytes, &statement.reason);
    }
}

fn fixes(triage: &Triage, own: &OwnIds<'_>) -> Vec<u8> {
    let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for fix in &triage.fixes {
        if let Product::Package { ecosystem, name } = &fix.package {
            put_fix(entries.entry(package_key(ecosystem.as_str(), &fold(name))).or_default(), fix, own);
        }
    }
    table(entries)
}

fn put_fix(bytes: &mut Vec<u8>, fix: &ChannelFix, own: &OwnIds<'_>) {
    for id in &fix.ids {
        put_varint(bytes, own.key(id));
        put_text(bytes, fix.channel.as_deref().unwrap_or_default());
        put_text(bytes, &fix.version);
        put_text(bytes, fix.revision.as_deref().unwrap_or_default());
    }
}
