//! The security team's folder of small reviewed files: identities, vendors, statements, classes, fixes.
//!
//! Each file is TOML and may hold any of `[[identity]]`, `[[vendor]]`, `[[statement]]`, `[[class]]` and `[[fix]]`.

use aux_core::{Class, Ecosystem, line_of};
use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use crate::record::{Product, VersionRange};

/// Everything the team has decided, in file order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Triage {
    pub identities: Vec<Identity>,
    pub vendors: Vec<Vendor>,
    pub statements: Vec<Statement>,
    pub classes: Vec<Classification>,
    pub fixes: Vec<ChannelFix>,
}

/// Where an entry stands, for messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// What an entry of the folder gets wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{place}: {message}")]
pub struct TriageError {
    pub place: Place,
    pub message: String,
}

/// What the packages of these names are called in advisories.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    pub place: Place,
    pub ecosystem: Ecosystem,
    pub names: Vec<String>,
    pub affirm: Vec<Product>,
    pub deny: Vec<Denial>,
    pub reason: String,
}

/// A product the package is not; `*` for the vendor means every vendor that is not affirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// `None`: every vendor.
    pub product: Option<Product>,
    /// The product's bare name.
    pub name: String,
}

/// How far a vendor's name alone makes its product the package of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor {
    pub place: Place,
    pub vendor: String,
    pub standing: Standing,
    pub reason: String,
}

/// What the team holds of a vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Its products are not what package sets carry under the same name, unless an identity affirms one.
    SetAside,
    /// It publishes many free programs under their own names.
    Plausible,
}

/// A VEX statement of the team.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    pub place: Place,
    pub package: Product,
    pub ids: Vec<String>,
    pub status: Status,
    pub versions: VersionRange,
    pub channel: Option<String>,
    pub justification: Option<String>,
    pub reason: String,
    pub author: String,
    pub date: Date,
    pub expires: Option<Date>,
}

/// VEX status words (`OpenVEX` specification, "Status Labels").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    NotAffected,
    Affected,
    Fixed,
    UnderInvestigation,
}

impl Status {
    pub fn as_byte(self) -> u8 {
        match self {
            Self::NotAffected => 0,
            Self::Affected => 1,
            Self::Fixed => 2,
            Self::UnderInvestigation => 3,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::NotAffected, Self::Affected, Self::Fixed, Self::UnderInvestigation].get(usize::from(byte)).copied()
    }
}

/// The class the team gives advisories.
#[derive(Debug, Clone, PartialEq)]
pub struct Classification {
    pub place: Place,
    pub ids: Vec<String>,
    pub class: Class,
    pub reason: String,
}

/// A fixed version, in a channel or branch or upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelFix {
    pub place: Place,
    pub ids: Vec<String>,
    pub package: Product,
    /// `None`: fixed upstream only.
    pub channel: Option<String>,
    pub version: String,
    pub revision: Option<String>,
    pub commits: Vec<String>,
}

/// Reads one file of the folder into `triage`; what is wrong with it comes back, the good entries stay.
pub fn read(file: &str, text: &str, triage: &mut Triage) -> Vec<TriageError> {
    let place = |offset: usize| Place { file: file.to_owned(), line: line_of(text, offset) };
    let document: Document = match toml::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            let place = place(error.span().map_or(0, |span| span.start));
            return vec![TriageError { place, message: error.message().to_owned() }];
        }
    };
    let mut errors = Vec::new();
    let mut check = |place: &Place, result: Result<(), String>| {
        if let Err(message) = result {
            errors.push(TriageError { place: place.clone(), message });
        }
    };
    for entry in document.identity {
        let place = place(entry.span().start);
        check(&place, identity(entry.into_inner(), &place).map(|entry| triage.identities.push(entry)));
    }
    for entry in document.vendor {
        let place = place(entry.span().start);
        check(&place, vendor(entry.into_inner(), &place).map(|entry| triage.vendors.push(entry)));
    }
    for entry in document.statement {
        let place = place(entry.span().start);
        check(&place, statement(entry.into_inner(), &place).map(|entry| triage.statements.push(entry)));
    }
    for entry in document.class {
        let place = place(entry.span().start);
        check(&place, classification(entry.into_inner(), &place).map(|entry| triage.classes.push(entry)));
    }
    for entry in document.fix {
        let place = place(entry.span().start);
        check(&place, fix(entry.into_inner(), &place).map(|entry| triage.fixes.push(entry)));
    }
    errors
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    identity: Vec<Spanned<IdentityEntry>>,
    #[serde(default)]
    vendor: Vec<Spanned<VendorEntry>>,
    #[serde(default)]
    statement: Vec<Spanned<StatementEntry>>,
    #[serde(default)]
    class: Vec<Spanned<ClassEntry>>,
    #[serde(default)]
    fix: Vec<Spanned<FixEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityEntry {
    names: Vec<String>,
    #[serde(default = "nix")]
    ecosystem: String,
    #[serde(default)]
    affirm: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    reason: String,
}

fn nix() -> String {
    "nix".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VendorEntry {
    name: String,
    stance: Standing,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementEntry {
    package: String,
    ids: Vec<String>,
    status: Status,
    #[serde(default = "any_version")]
    versions: String,
    channel: Option<String>,
    justification: Option<String>,
    reason: String,
    author: String,
    date: toml::value::Datetime,
    expires: Option<toml::value::Datetime>,
}

fn any_version() -> String {
    "*".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassEntry {
    ids: Vec<String>,
    class: String,
    reason: String,
    #[expect(dead_code, reason = "required of every decision, kept in the repository's history")]
    author: String,
    #[expect(dead_code, reason = "required of every decision, kept in the repository's history")]
    date: toml::value::Datetime,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixEntry {
    ids: Vec<String>,
    package: String,
    channel: Option<String>,
    version: String,
    revision: Option<String>,
    #[serde(default)]
    commits: Vec<String>,
    #[expect(dead_code, reason = "required of every decision, kept in the repository's history")]
    reason: String,
}

fn identity(entry: IdentityEntry, place: &Place) -> Result<Identity, String> {
    some(&entry.names, "names")?;
    said(&entry.reason, "reason")?;
    if entry.affirm.is_empty() && entry.deny.is_empty() {
        return Err("affirms and denies nothing".to_owned());
    }
    Ok(Identity {
        place: place.clone(),
        ecosystem: Ecosystem::new(&entry.ecosystem),
        names: entry.names,
        affirm: entry.affirm.iter().map(|text| product(text)).collect::<Result<_, _>>()?,
        deny: entry.deny.iter().map(|text| denial(text)).collect::<Result<_, _>>()?,
        reason: entry.reason,
    })
}

fn vendor(entry: VendorEntry, place: &Place) -> Result<Vendor, String> {
    said(&entry.name, "name")?;
    said(&entry.reason, "reason")?;
    Ok(Vendor { place: place.clone(), vendor: entry.name, standing: entry.stance, reason: entry.reason })
}

fn statement(entry: StatementEntry, place: &Place) -> Result<Statement, String> {
    const JUSTIFICATIONS: [&str; 5] = [
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    ];
    some(&entry.ids, "ids")?;
    said(&entry.reason, "reason")?;
    said(&entry.author, "author")?;
    if let Some(justification) = &entry.justification
        && !JUSTIFICATIONS.contains(&justification.as_str())
    {
        return Err(format!("justification `{justification}` is not one of VEX's: {}", JUSTIFICATIONS.join(", ")));
    }
    if entry.status == Status::NotAffected && entry.justification.is_none() {
        return Err("a not_affected statement needs a justification".to_owned());
    }
    Ok(Statement {
        place: place.clone(),
        package: package(&entry.package)?,
        ids: entry.ids,
        status: entry.status,
        versions: VersionRange::read(&entry.versions).ok_or_else(|| {
            format!("versions `{}` is not one range such as `>=1.0,<2.0`, each bound once, or `*`", entry.versions)
        })?,
        channel: entry.channel,
        justification: entry.justification,
        reason: entry.reason,
        author: entry.author,
        date: date(&entry.date)?,
        expires: entry.expires.as_ref().map(date).transpose()?,
    })
}

fn classification(entry: ClassEntry, place: &Place) -> Result<Classification, String> {
    some(&entry.ids, "ids")?;
    said(&entry.reason, "reason")?;
    let class = entry.class.parse().map_err(|error: aux_core::severity::UnknownWord| error.to_string())?;
    Ok(Classification { place: place.clone(), ids: entry.ids, class, reason: entry.reason })
}

fn fix(entry: FixEntry, place: &Place) -> Result<ChannelFix, String> {
    some(&entry.ids, "ids")?;
    said(entry.channel.as_deref().unwrap_or("upstream"), "channel")?;
    said(&entry.version, "version")?;
    Ok(ChannelFix {
        place: place.clone(),
        ids: entry.ids,
        package: package(&entry.package)?,
        channel: entry.channel,
        version: entry.version,
        revision: entry.revision,
        commits: entry.commits,
    })
}

fn some(list: &[String], what: &str) -> Result<(), String> {
    if list.is_empty() || list.iter().any(|item| item.trim().is_empty()) {
        return Err(format!("`{what}` is empty"));
    }
    Ok(())
}

fn said(text: &str, what: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err(format!("`{what}` is empty")) } else { Ok(()) }
}

/// `a:vendor:product`, escaped as in a CPE or plain, or `npm/name`.
fn product(text: &str) -> Result<Product, String> {
    Product::read(text).ok_or_else(|| format!("`{text}` is not part:vendor:product or ecosystem/name"))
}

fn denial(text: &str) -> Result<Denial, String> {
    let product = product(text)?;
    let name = product.name().to_owned();
    let everyone = matches!(&product, Product::Cpe { vendor, .. } if vendor == "*");
    Ok(Denial { product: (!everyone).then_some(product), name })
}

/// `nix:openssl` or `nix/openssl`.
fn package(text: &str) -> Result<Product, String> {
    let slashed = text.replacen(':', "/", 1);
    match Product::read(&slashed) {
        Some(package @ Product::Package { .. }) => Ok(package),
        _ => Err(format!("package `{text}` is not ecosystem:name")),
    }
}

fn date(value: &toml::value::Datetime) -> Result<Date, String> {
    let date = value.date.ok_or("a date is wanted, such as 2026-01-31")?;
    Date::new(
        i16::try_from(date.year).unwrap_or(i16::MAX),
        i8::try_from(date.month).unwrap_or(0),
        i8::try_from(date.day).unwrap_or(0),
    )
    .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[identity]]
names = ["webkitgtk"]
affirm = ['a:webkitgtk:webkitgtk\+']
deny = ["a:*:webkitgtk"]
reason = "its own releases"

[[statement]]
package = "nix:openssl"
ids = ["CVE-2016-7056"]
status = "not_affected"
versions = ">=1.0,<2.0"
justification = "component_not_present"
reason = "only Windows builds"
author = "team"
date = 2021-01-01
expires = 2030-01-01
"#;

    #[test]
    fn good_entries_are_read_with_their_place() {
        let mut triage = Triage::default();
        assert_eq!(read("x.toml", GOOD, &mut triage), []);
        assert_eq!(triage.identities[0].affirm[0].to_string(), "a:webkitgtk:webkitgtk+");
        assert_eq!(triage.identities[0].deny[0].product, None);
        assert_eq!(triage.identities[0].place.to_string(), "x.toml:2");
        assert_eq!(triage.statements[0].versions.to_string(), ">= 1.0, < 2.0");
    }

    #[test]
    fn what_is_wrong_is_said_with_file_and_line_and_the_rest_stays() {
        let mut triage = Triage::default();
        let text = format!("{GOOD}\n[[identity]]\nnames = []\naffirm = [\"a:x:y\"]\nreason = \"r\"\n");
        let errors = read("x.toml", &text, &mut triage);
        assert_eq!(errors[0].to_string(), "x.toml:19: `names` is empty");
        assert_eq!(triage.identities.len(), 1);
        let errors = read("y.toml", "[[identity]]\nname = 1\n", &mut triage);
        assert!(errors[0].to_string().starts_with("y.toml:2: unknown field `name`"), "{errors:?}");
        for wrong in [">=1,>=2", "<1,<=2", "=1,<2", ">1,=2", "=1,=1"] {
            let text = GOOD.replace(">=1.0,<2.0", wrong);
            let errors = read("w.toml", &text, &mut Triage::default());
            let says = format!("w.toml:8: versions `{wrong}` is not one range");
            assert!(errors[0].to_string().starts_with(&says), "{errors:?}");
        }
        for (wrong, says) in [("a:x", "part:vendor:product"), ("", "part:vendor")] {
            let text = format!("[[identity]]\nnames=[\"n\"]\naffirm=[\"{wrong}\"]\nreason=\"r\"\n");
            assert!(read("z.toml", &text, &mut triage)[0].message.contains(says));
        }
    }
}
