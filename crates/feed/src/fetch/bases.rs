//! Where each source is published, and how to say otherwise.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aux_io::http::{Url, UrlError};

/// An address that can be replaced, by a mirror or a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// The folder of yearly NVD files.
    Nvd,
    /// NVD's CVE API 2.0.
    NvdApi,
    /// The folder of ecosystems.
    Osv,
    Kev,
    Pkgsrc,
    /// The newest release of the CVE list, as GitHub's API describes it.
    Cve5,
}

impl Base {
    pub const ALL: [Self; 6] = [Self::Nvd, Self::NvdApi, Self::Osv, Self::Kev, Self::Pkgsrc, Self::Cve5];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nvd => "nvd",
            Self::NvdApi => "nvd-api",
            Self::Osv => "osv",
            Self::Kev => "kev",
            Self::Pkgsrc => "pkgsrc",
            Self::Cve5 => "cve5",
        }
    }

    fn published(self) -> &'static str {
        match self {
            Self::Nvd => "https://nvd.nist.gov/feeds/json/cve/2.0/",
            Self::NvdApi => "https://services.nvd.nist.gov/rest/json/cves/2.0",
            Self::Osv => "https://osv-vulnerabilities.storage.googleapis.com/",
            Self::Kev => "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
            Self::Pkgsrc => "https://cdn.netbsd.org/pub/NetBSD/packages/vulns/pkg-vulnerabilities.gz",
            Self::Cve5 => "https://api.github.com/repos/CVEProject/cvelistV5/releases/latest",
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Base {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|base| base.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is no source's address; there are {names}")
        })
    }
}

/// The addresses of one fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bases(BTreeMap<Base, Url>);

impl Bases {
    pub fn replace(&mut self, base: Base, url: Url) {
        self.0.insert(base, url);
    }

    pub(super) fn of(&self, base: Base) -> Result<Url, UrlError> {
        self.0.get(&base).cloned().map_or_else(|| Url::parse(base.published()), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_address_is_a_url_over_tls() {
        for base in Base::ALL {
            assert!(Bases::default().of(base).unwrap().is_https(), "{base}");
            assert_eq!(base.as_str().parse::<Base>().unwrap(), base);
        }
    }
}
