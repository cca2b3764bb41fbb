//! One normalized record per vulnerability, whatever source it came from.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use aux_core::version::{self, Scheme};
use aux_core::{Class, Ecosystem, Score};
use jiff::Timestamp;

use crate::cpe::{self, Part};

/// A vulnerability as one or several sources describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: String,
    /// Who says so; of a merged record the one that ranks first.
    pub source: Source,
    pub aliases: BTreeSet<String>,
    pub published: Option<Timestamp>,
    pub modified: Option<Timestamp>,
    pub score: Option<Score>,
    /// Listed by CISA as exploited.
    pub kev: bool,
    pub class: Class,
    /// Rejected or withdrawn by its source: it affects nothing and is kept to say so.
    pub withdrawn: bool,
    pub affected: Vec<Affected>,
    /// Prose and links, for the details pack.
    pub title: String,
    pub references: Vec<String>,
}

impl Record {
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            source: Source::Unnamed,
            aliases: BTreeSet::new(),
            published: None,
            modified: None,
            score: None,
            kev: false,
            class: Class::Unclassified,
            withdrawn: false,
            affected: Vec::new(),
            title: String::new(),
            references: Vec::new(),
        }
    }
}

/// Where a record came from, in the order in which their scores are believed.
///
/// NVD scores every CVE by one rule; a CNA scores its own product, an aggregator passes on what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Nvd,
    Cve5,
    Osv,
    Pkgsrc,
    /// Made by hand or read back from an index.
    Unnamed,
}

/// A product and the versions of it that are affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    pub product: Product,
    pub scheme: Scheme,
    pub platform: Platform,
    /// Products of which one must be present too, when the advisory says "running on" or "together with".
    pub together_with: Vec<Product>,
    /// Empty: the source names no version, so nobody can tell.
    pub versions: Vec<VersionRange>,
    /// A pkgsrc pattern, which decides instead of `versions`.
    pub pattern: Option<String>,
    /// Versions that fix it, as the source says.
    pub fixed: Vec<String>,
}

impl Affected {
    pub fn new(product: Product, scheme: Scheme) -> Self {
        Self {
            product,
            scheme,
            platform: Platform::Any,
            together_with: Vec::new(),
            versions: Vec::new(),
            pattern: None,
            fixed: Vec::new(),
        }
    }
}

/// What an advisory calls the thing it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// A CPE 2.3 part, vendor and product, unescaped and lower case.
    Cpe { part: Part, vendor: String, product: String },
    /// A package of an ecosystem.
    Package { ecosystem: Ecosystem, name: String },
}

impl Product {
    pub fn cpe(part: Part, vendor: impl Into<String>, product: impl Into<String>) -> Self {
        Self::Cpe { part, vendor: vendor.into(), product: product.into() }
    }

    /// The inverse of `Display`: `a:haxx:curl` or `npm/lodash`.
    pub fn read(text: &str) -> Option<Self> {
        let mut fields = cpe::fields(text);
        if let (Some(part), Some(vendor), Some(product), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
            && let Some(part) = Part::read(part)
        {
            let (vendor, product) = (cpe::unescape(vendor), cpe::unescape(product));
            return (!vendor.is_empty() && !product.is_empty()).then(|| Self::cpe(part, vendor, product));
        }
        let (ecosystem, name) = text.split_once('/')?;
        (!ecosystem.is_empty() && !name.is_empty())
            .then(|| Self::Package { ecosystem: Ecosystem::new(ecosystem), name: name.to_owned() })
    }

    /// The bare name: what a package of another ecosystem may be called too.
    pub fn name(&self) -> &str {
        match self {
            Self::Cpe { product, .. } => product,
            Self::Package { name, .. } => name,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpe { part, vendor, product } => {
                let quoted = |text: &str| text.replace('\\', "\\\\").replace(':', "\\:");
                write!(formatter, "{}:{}:{}", part.as_str(), quoted(vendor), quoted(product))
            }
            Self::Package { ecosystem, name } => write!(formatter, "{ecosystem}/{name}"),
        }
    }
}

/// Where an affected product must run for the advisory to apply, folded from CPE's `target_sw` and AND conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    Any,
    /// Linux or Unix, which is what we audit.
    Unix,
    /// Windows, macOS, phones, appliances: not here.
    Foreign,
    /// A library of a language: the package must be one of that language's.
    Language(Language),
    /// A plugin of another program (`WordPress`, Jenkins, a browser): only a package named as its plugin can be meant.
    Plugin,
    /// A paid edition beside a free one of the same name; package sets carry the free one.
    PaidEdition,
}

impl Platform {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Unix => "unix",
            Self::Foreign => "foreign",
            Self::Plugin => "plugin",
            Self::PaidEdition => "paid-edition",
            Self::Language(language) => language.as_str(),
        }
    }
}

impl Language {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Ruby => "ruby",
            Self::Perl => "perl",
            Self::Rust => "rust",
            Self::Php => "php",
            Self::Java => "java",
            Self::Go => "go",
            Self::Lua => "lua",
            Self::Haskell => "haskell",
        }
    }
}

/// Languages that CPE's `target_sw` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    Node,
    Python,
    Ruby,
    Perl,
    Rust,
    Php,
    Java,
    Go,
    Lua,
    Haskell,
}

/// A set of versions in one piece; both bounds open means every version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionRange<S = String> {
    pub low: Bound<S>,
    pub high: Bound<S>,
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound<S = String> {
    Open,
    Including(S),
    Excluding(S),
}

impl<S: AsRef<str>> Bound<S> {
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Open => None,
            Self::Including(version) | Self::Excluding(version) => Some(version.as_ref()),
        }
    }
}

impl VersionRange {
    pub const ALL: Self = Self { low: Bound::Open, high: Bound::Open };

    /// Exactly one version.
    pub fn exactly(version: impl Into<String>) -> Self {
        let version = version.into();
        Self { low: Bound::Including(version.clone()), high: Bound::Including(version) }
    }

    /// Every version before the one that fixed it.
    pub fn before(version: impl Into<String>) -> Self {
        Self { low: Bound::Open, high: Bound::Excluding(version.into()) }
    }

    /// Reads `>=1.0,<2.0`, `=1.2`, `<3` or `*`. Each bound may stand once: of two, nobody knows which was meant.
    pub fn read(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::ALL);
        }
        let mut range = Self::ALL;
        for piece in text.split(',').map(str::trim) {
            let operator = piece.find(|c: char| !matches!(c, '<' | '>' | '=')).unwrap_or(piece.len());
            let (operator, version) = piece.split_at(operator);
            let version = version.trim().to_owned();
            if !version::is_orderable(&version) {
                return None;
            }
            let (sets_low, sets_high) = match operator {
                "<" | "<=" => (false, true),
                ">" | ">=" => (true, false),
                "=" | "==" | "" => (true, true),
                _ => return None,
            };
            if (sets_low && range.low != Bound::Open) || (sets_high && range.high != Bound::Open) {
                return None;
            }
            match operator {
                "<" => range.high = Bound::Excluding(version),
                "<=" => range.high = Bound::Including(version),
                ">" => range.low = Bound::Excluding(version),
                ">=" => range.low = Bound::Including(version),
                _ => range = Self::exactly(version),
            }
        }
        Some(range)
    }
}

impl<S: AsRef<str>> VersionRange<S> {
    pub fn is_exact(&self) -> bool {
        matches!((&self.low, &self.high), (Bound::Including(low), Bound::Including(high)) if low.as_ref() == high.as_ref())
    }

    /// Whether it holds `version`; `None` where the order does not say.
    pub fn holds(&self, scheme: Scheme, version: &str) -> Option<bool> {
        let ordering = |bound: &str| version::compare(scheme, version, bound);
        let above = match &self.low {
            Bound::Open => true,
            Bound::Including(low) => ordering(low.as_ref())?.is_ge(),
            Bound::Excluding(low) => ordering(low.as_ref())?.is_gt(),
        };
        let below = match &self.high {
            Bound::Open => true,
            Bound::Including(high) => ordering(high.as_ref())?.is_le(),
            Bound::Excluding(high) => {
                let ordering = ordering(high.as_ref())?;
                if ordering.is_lt() && is_name_of(scheme, version, high.as_ref()) {
                    return None;
                }
                ordering.is_lt()
            }
        };
        Some(above && below)
    }
}

/// Whether `version` may be how upstream names the release `bound` itself; see
/// [`version::unnumbered_prerelease_of`].
fn is_name_of(scheme: Scheme, version: &str, bound: &str) -> bool {
    let base = if scheme == Scheme::Generic { version::unnumbered_prerelease_of(version) } else { None };
    base.is_some_and(|base| version::compare(scheme, base, bound) == Some(Ordering::Equal))
}

impl<S: AsRef<str> + fmt::Display> fmt::Display for VersionRange<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.low, &self.high) {
            (Bound::Open, Bound::Open) => formatter.write_str("every version"),
            (Bound::Including(low), Bound::Including(high)) if low.as_ref() == high.as_ref() => {
                write!(formatter, "= {low}")
            }
            (low, high) => {
                match low {
                    Bound::Open => {}
                    Bound::Including(version) => write!(formatter, ">= {version}")?,
                    Bound::Excluding(version) => write!(formatter, "> {version}")?,
                }
                if !matches!(low, Bound::Open) && !matches!(high, Bound::Open) {
                    formatter.write_str(", ")?;
                }
                match high {
                    Bound::Open => Ok(()),
                    Bound::Including(version) => write!(formatter, "<= {version}"),
                    Bound::Excluding(version) => write!(formatter, "< {version}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_print_and_read_back() {
        for text in ["a:haxx:curl", "o:linux:linux_kernel", r"a:cpan:file\:\:temp", r"a:x\\:y\\\:", "npm/@scope/name"] {
            assert_eq!(Product::read(text).unwrap().to_string(), text);
        }
        for text in ["", "a:", "a::x", "a:x", "curl", "/x", r"a:x:\"] {
            assert_eq!(Product::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_holds_what_it_says_and_admits_what_it_cannot_order() {
        let range: VersionRange =
            VersionRange { low: Bound::Including("1.0".into()), high: Bound::Excluding("1.2".into()) };
        assert_eq!(range.to_string(), ">= 1.0, < 1.2");
        let holds = |version| range.holds(Scheme::Generic, version);
        assert_eq!(
            [holds("1.0"), holds("1.1.9"), holds("1.2"), holds("0.9")],
            [Some(true), Some(true), Some(false), Some(false)]
        );
        assert_eq!(holds("unstable-2020-01-01"), None);
        assert_eq!([holds("1.2alpha"), holds("1.2rc1")], [None, Some(true)], "1.2alpha may be what upstream calls 1.2");
        assert_eq!(VersionRange::ALL.holds(Scheme::Generic, "unstable-2020-01-01"), Some(true));
        assert!(VersionRange::exactly("1").is_exact());
    }
}
