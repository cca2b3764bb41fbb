//! Reads an index in place: exact look-ups, nothing copied that is not asked for.

use aux_core::{Ecosystem, naming::fold};
use jiff::Timestamp;
use jiff::civil::Date;

use super::bytes::Reader;
use super::entry::{Advisory, Entry, day, read_advisory, read_entry, read_range};
use super::key::AdvisoryKey;
use super::table::Table;
use super::write::Facts;
use super::{HEADER_BYTES, MAGIC, SECTIONS, Section, VERSION, package_key};
use crate::identity::Stance;
use crate::record::{Product, VersionRange};
use crate::triage::Status;

/// Why a file is not an index one can believe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    #[error("not an advisory index (it does not begin with the index's magic bytes)")]
    Foreign,
    #[error("the index has format version {found}; this program reads version {VERSION}")]
    Version { found: u32 },
    #[error("the index is cut short or added to: {found} bytes where {wanted} are announced")]
    Truncated { found: usize, wanted: u64 },
    #[error("the index is damaged: its checksum does not match")]
    Checksum,
    #[error("the index is damaged: section {section} does not decode")]
    Section { section: &'static str },
}

/// Something in a checked file that does not decode: it was made by a program that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of the index does not decode")]
pub struct Damaged;

/// A checked index over borrowed bytes.
pub struct Index<'a> {
    facts: Facts,
    advisories_count: usize,
    tables: [Table<'a>; SECTIONS],
}

impl std::fmt::Debug for Index<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Index({:?}, {} advisories)", self.facts, self.advisories_count)
    }
}

/// A product's or package's entries, decoded as they are walked.
#[derive(Debug, Clone)]
pub struct Block<'a> {
    /// The product as text, `a:haxx:curl` or `npm/lodash`.
    pub product: String,
    /// Towards a package of the same folded name, by rule.
    pub stance: Stance,
    entries: &'a [u8],
}

/// A decision of the team about what a name is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<'a> {
    pub stance: Stance,
    /// The product as text; `*:folded name` stands for every vendor that is not affirmed.
    pub product: &'a str,
    pub reason: &'a str,
}

/// A statement of the team about a package and an advisory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<'a> {
    pub advisory: AdvisoryKey,
    pub status: Status,
    pub versions: VersionRange<&'a str>,
    pub date: Date,
    pub expires: Option<Date>,
    pub channel: &'a str,
    pub justification: &'a str,
    pub author: &'a str,
    pub reason: &'a str,
}

/// A fixed version the team has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed<'a> {
    pub advisory: AdvisoryKey,
    /// `None`: upstream only.
    pub channel: Option<&'a str>,
    pub version: &'a str,
    pub revision: Option<&'a str>,
}

impl<'a> Index<'a> {
    /// Checks magic, version, length and checksum before anything is read.
    pub fn open(file: &'a [u8]) -> Result<Self, IndexError> {
        let (header, body) =
            file.split_at_checked(HEADER_BYTES).ok_or(if MAGIC.starts_with(file) || file.starts_with(&MAGIC) {
                IndexError::Truncated { found: file.len(), wanted: HEADER_BYTES as u64 }
            } else {
                IndexError::Foreign
            })?;
        let (magic, header) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(IndexError::Foreign);
        }
        let mut numbers = header.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap_or_default()));
        let (version, sections) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        if version != VERSION || sections as usize != SECTIONS {
            return Err(IndexError::Version { found: version });
        }
        let wanted =
            announced_length(body).ok_or(IndexError::Truncated { found: file.len(), wanted: HEADER_BYTES as u64 })?;
        if wanted != body.len() as u64 {
            return Err(IndexError::Truncated {
                found: file.len(),
                wanted: wanted.saturating_add(HEADER_BYTES as u64),
            });
        }
        if header.get(8..) != Some(blake3::hash(body).as_bytes().as_slice()) {
            return Err(IndexError::Checksum);
        }
        Self::from_body(body)
    }

    fn from_body(body: &'a [u8]) -> Result<Self, IndexError> {
        let bad = |section| IndexError::Section { section };
        let (lengths, mut rest) = body.split_at_checked(SECTIONS * 8).ok_or(bad("lengths"))?;
        let mut tables = [Table::read(&[0, 0, 0, 0]).ok_or(bad("empty"))?; SECTIONS];
        for (table, length) in tables.iter_mut().zip(lengths.chunks_exact(8)) {
            let length =
                usize::try_from(u64::from_le_bytes(length.try_into().unwrap_or_default())).unwrap_or(usize::MAX);
            let (section, after) = rest.split_at_checked(length).ok_or(bad("lengths"))?;
            *table = Table::read(section).ok_or(bad("offsets"))?;
            rest = after;
        }
        let fact = |name: &str| {
            let [facts, ..] = &tables;
            facts.find(name.as_bytes()).ok()?.and_then(|value| std::str::from_utf8(value).ok())
        };
        let read = || {
            let facts =
                Facts { serial: fact("serial")?.parse().ok()?, built: fact("built")?.parse::<Timestamp>().ok()? };
            Some((facts, fact("advisories")?.parse().ok()?))
        };
        let (facts, advisories_count) = read().ok_or(bad("facts"))?;
        Ok(Self { facts, advisories_count, tables })
    }

    pub(super) fn table(&self, section: Section) -> Table<'a> {
        let [facts, advisories, aliases, products, packages, names, statements, fixes] = self.tables;
        match section {
            Section::Facts => facts,
            Section::Advisories => advisories,
            Section::Aliases => aliases,
            Section::Products => products,
            Section::Packages => packages,
            Section::Names => names,
            Section::Statements => statements,
            Section::Fixes => fixes,
        }
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// How many advisories it holds.
    pub fn advisories_count(&self) -> usize {
        self.advisories_count
    }

    pub fn advisory(&self, key: AdvisoryKey) -> Result<Option<Advisory<'a>>, Damaged> {
        let Some(value) = self.table(Section::Advisories).find(&key.bytes())? else { return Ok(None) };
        read_advisory(key, value).map(Some).ok_or(Damaged)
    }

    /// The key of an id, be it the advisory's own or an alias. A CVE id may be written in any case.
    pub fn key_of(&self, id: &str) -> Result<Option<AdvisoryKey>, Damaged> {
        let id = id.trim();
        for id in [id, &id.to_ascii_uppercase()] {
            let own = AdvisoryKey::of(id);
            if self.table(Section::Advisories).find(&own.bytes())?.is_some() {
                return Ok(Some(own));
            }
            if let Some(key) = self.table(Section::Aliases).find(id.as_bytes())? {
                let key = u64::from_be_bytes(key.try_into().map_err(|_| Damaged)?);
                return Ok(Some(AdvisoryKey::from_number(key)));
            }
        }
        Ok(None)
    }

    /// Every product whose folded name is `folded`, with its stance by rule.
    pub fn products_named(&self, folded: &str) -> Result<Vec<Block<'a>>, Damaged> {
        let prefix = [folded.as_bytes(), b"\0"].concat();
        let claims = self.table(Section::Products).with_prefix(&prefix)?;
        claims.into_iter().map(|(key, value)| product_block(&key, value).ok_or(Damaged)).collect()
    }

    /// A product by its text, `a:haxx:curl`.
    pub fn product(&self, product: &str) -> Result<Option<Block<'a>>, Damaged> {
        let Some(named) = Product::read(product) else { return Ok(None) };
        let key = [fold(named.name()).as_bytes(), b"\0", product.as_bytes()].concat();
        let Some(value) = self.table(Section::Products).find(&key)? else { return Ok(None) };
        product_block(&key, value).map(Some).ok_or(Damaged)
    }

    /// The entries of records that speak of this very ecosystem.
    pub fn package(&self, ecosystem: &Ecosystem, folded: &str) -> Result<Option<Block<'a>>, Damaged> {
        let entries = self.table(Section::Packages).find(&package_key(ecosystem.as_str(), folded))?;
        let product = || format!("{ecosystem}/{folded}");
        Ok(entries.map(|entries| Block { product: product(), stance: Stance::Affirmed, entries }))
    }

    /// What the team decided a name is called.
    pub fn names(&self, ecosystem: &Ecosystem, folded: &str) -> Result<Vec<Known<'a>>, Damaged> {
        self.walk(Section::Names, ecosystem, folded, |reader| {
            Some(Known { stance: Stance::from_byte(reader.byte()?)?, product: reader.text()?, reason: reader.text()? })
        })
    }

    /// What the team stated about a package.
    pub fn statements(&self, ecosystem: &Ecosystem, folded: &str) -> Result<Vec<Said<'a>>, Damaged> {
        self.walk(Section::Statements, ecosystem, folded, |reader| {
            Some(Said {
                advisory: AdvisoryKey::from_number(reader.varint()?),
                status: Status::from_byte(reader.byte()?)?,
                versions: read_range(reader)?,
                date: day(reader.varint()?)?,
                expires: match reader.varint()? {
                    0 => None,
                    number => Some(day(number - 1)?),
                },
                channel: reader.text()?,
                justification: reader.text()?,
                author: reader.text()?,
                reason: reader.text()?,
            })
        })
    }

    /// Fixed versions of a package in channels.
    pub fn fixes(&self, ecosystem: &Ecosystem, folded: &str) -> Result<Vec<Fixed<'a>>, Damaged> {
        self.walk(Section::Fixes, ecosystem, folded, |reader| {
            Some(Fixed {
                advisory: AdvisoryKey::from_number(reader.varint()?),
                channel: Some(reader.text()?).filter(|channel| !channel.is_empty()),
                version: reader.text()?,
                revision: Some(reader.text()?).filter(|revision| !revision.is_empty()),
            })
        })
    }

    /// Decodes everything there is; a look-up decodes only what it is asked for.
    pub fn check(&self) -> Result<(), Damaged> {
        for entry in self.table(Section::Advisories).entries() {
            let (key, value) = entry?;
            let key = u64::from_be_bytes(key.as_slice().try_into().map_err(|_| Damaged)?);
            read_advisory(AdvisoryKey::from_number(key), value).ok_or(Damaged)?;
        }
        // No advisory has this key, so that everything is walked and nothing found.
        self.products_of(AdvisoryKey::from_number(u64::MAX))?;
        for section in [Section::Names, Section::Statements, Section::Fixes] {
            for entry in self.table(section).entries() {
                let (key, _) = entry?;
                let (ecosystem, name) =
                    std::str::from_utf8(&key).ok().and_then(|key| key.split_once('/')).ok_or(Damaged)?;
                let ecosystem = Ecosystem::new(ecosystem);
                match section {
                    Section::Names => drop(self.names(&ecosystem, name)?),
                    Section::Statements => drop(self.statements(&ecosystem, name)?),
                    _ => drop(self.fixes(&ecosystem, name)?),
                }
            }
        }
        Ok(())
    }

    /// Every product and package that names the advisory: a walk over the whole index, for people who ask about one.
    pub fn products_of(&self, advisory: AdvisoryKey) -> Result<Vec<(String, Entry<'a>)>, Damaged> {
        let mut found = Vec::new();
        for entry in self.table(Section::Products).entries() {
            let (key, value) = entry?;
            product_block(&key, value).ok_or(Damaged)?.name(advisory, &mut found)?;
        }
        for entry in self.table(Section::Packages).entries() {
            let (key, entries) = entry?;
            let product = String::from_utf8_lossy(&key).into_owned();
            Block { product, stance: Stance::Affirmed, entries }.name(advisory, &mut found)?;
        }
        Ok(found)
    }

    fn walk<T>(
        &self,
        section: Section,
        ecosystem: &Ecosystem,
        folded: &str,
        each: impl Fn(&mut Reader<'a>) -> Option<T>,
    ) -> Result<Vec<T>, Damaged> {
        let value = self.table(section).find(&package_key(ecosystem.as_str(), folded))?.unwrap_or_default();
        let mut reader = Reader::new(value);
        let mut found = Vec::new();
        while !reader.is_empty() {
            found.push(each(&mut reader).ok_or(Damaged)?);
        }
        Ok(found)
    }
}

fn announced_length(body: &[u8]) -> Option<u64> {
    let lengths = body.get(..SECTIONS * 8)?;
    let mut total = lengths.chunks_exact(8).map(|length| u64::from_le_bytes(length.try_into().unwrap_or_default()));
    total.try_fold(SECTIONS as u64 * 8, u64::checked_add)
}

fn product_block<'a>(key: &[u8], value: &'a [u8]) -> Option<Block<'a>> {
    let product = key.iter().position(|byte| *byte == 0).and_then(|nul| key.get(nul + 1..))?;
    let (stance, entries) = value.split_first()?;
    Some(Block { product: std::str::from_utf8(product).ok()?.to_owned(), stance: Stance::from_byte(*stance)?, entries })
}

impl<'a> Block<'a> {
    /// Adds the entries that name the advisory.
    fn name(&self, advisory: AdvisoryKey, found: &mut Vec<(String, Entry<'a>)>) -> Result<(), Damaged> {
        for entry in self.entries() {
            let entry = entry?;
            if entry.advisory == advisory {
                found.push((self.product.clone(), entry));
            }
        }
        Ok(())
    }

    /// Its entries in the order of their advisories; an entry that does not decode is the last item.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, Damaged>> + use<'a> {
        let mut reader = Reader::new(self.entries);
        let mut previous = 0;
        let mut is_over = false;
        std::iter::from_fn(move || {
            if is_over || reader.is_empty() {
                return None;
            }
            let entry = read_entry(&mut reader, previous);
            match &entry {
                Some(entry) => previous = entry.advisory.number(),
                None => is_over = true,
            }
            Some(entry.ok_or(Damaged))
        })
    }
}
