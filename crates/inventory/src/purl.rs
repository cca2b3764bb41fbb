//! Package URLs: `pkg:npm/%40scope/name@1.0` into ecosystem, name and version.
//!
//! The order of steps is that of the purl specification, "How to parse a purl string in its components". Names are put
//! together the way OSV writes them, because that is what they are compared with.

use aux_core::limits::NAME_BYTES_MAX;
use aux_core::{Component, Ecosystem};

/// A package URL, decoded. Qualifiers and subpath are not kept: no advisory range speaks about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purl {
    pub ecosystem: Ecosystem,
    /// With its namespace where the ecosystem's names have one: `@scope/name`, `group:artifact`.
    pub name: String,
    /// Empty where there is none.
    pub version: String,
}

/// Why a text is no package URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PurlError {
    #[error("does not begin with pkg:")]
    Scheme,
    #[error("has no type, or one with other characters than letters, digits, '.', '+' and '-'")]
    Type,
    #[error("has no name")]
    Name,
    #[error("is longer than NAME_BYTES_MAX bytes")]
    Length,
    #[error("has a broken percent-encoding, or one that is not UTF-8")]
    Encoding,
}

/// Parses a package URL.
pub fn parse(text: &str) -> Result<Purl, PurlError> {
    if text.len() > NAME_BYTES_MAX {
        return Err(PurlError::Length);
    }
    let scheme = text.get(..4).filter(|scheme| scheme.eq_ignore_ascii_case("pkg:")).ok_or(PurlError::Scheme)?;
    let rest = text.get(scheme.len()..).unwrap_or_default();
    let rest = rest.split_once('#').map_or(rest, |(rest, _subpath)| rest);
    let rest = rest.split_once('?').map_or(rest, |(rest, _qualifiers)| rest);
    let (kind, path) = rest.trim_start_matches('/').split_once('/').ok_or(PurlError::Type)?;
    let valid = kind.starts_with(|first: char| first.is_ascii_alphabetic())
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte));
    if !valid {
        return Err(PurlError::Type);
    }
    let (path, version) = match path.rsplit_once('@') {
        // An `@` right behind a slash is npm's scope, which some writers leave unescaped.
        Some((path, version)) if !path.is_empty() && !path.ends_with('/') => (path, version),
        _ => (path, ""),
    };
    let path = path.trim_matches('/');
    let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = decode(name)?;
    if name.is_empty() {
        return Err(PurlError::Name);
    }
    let namespace = decode(namespace.trim_end_matches('/'))?;
    let kind = kind.to_ascii_lowercase();
    Ok(Purl { name: full_name(&kind, &namespace, name), ecosystem: Ecosystem::new(&kind), version: decode(version)? })
}

/// Puts namespace and name together as the ecosystem's own users write them (purl specification, "Package-URL Types").
fn full_name(kind: &str, namespace: &str, name: String) -> String {
    match kind {
        // The namespace is a distribution, a vendor or an author, not part of the name.
        "deb" | "rpm" | "apk" | "alpm" | "generic" | "cpan" | "nix" | "pkgsrc" | "conan" | "bitnami" => name,
        "pypi" => name.to_ascii_lowercase().replace(['_', '.'], "-"),
        "maven" if !namespace.is_empty() => format!("{namespace}:{name}"),
        "composer" | "github" | "bitbucket" if !namespace.is_empty() => format!("{namespace}/{name}").to_lowercase(),
        _ if !namespace.is_empty() => format!("{namespace}/{name}"),
        _ => name,
    }
}

/// Undoes percent-encoding (RFC 3986 section 2.1).
fn decode(text: &str) -> Result<String, PurlError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or(PurlError::Encoding);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).map_err(|_| PurlError::Encoding)?);
    }
    String::from_utf8(decoded).map_err(|_| PurlError::Encoding)
}

/// The component a package URL names; `origin` is the line or reference it was read from.
pub fn component(text: &str, origin: &str) -> Result<Component, PurlError> {
    let purl = parse(text)?;
    let mut component = Component::named(purl.ecosystem, purl.name, purl.version, origin);
    component.purl = Some(text.to_owned());
    Ok(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_out_as_their_ecosystem_writes_them() {
        for (text, kind, name, version) in [
            ("pkg:npm/foobar@12.3.1", "npm", "foobar", "12.3.1"),
            ("pkg:npm/%40angular/animation@12.3.1", "npm", "@angular/animation", "12.3.1"),
            ("pkg:npm/@angular/animation", "npm", "@angular/animation", ""),
            ("pkg:npm/@angular/animation@1", "npm", "@angular/animation", "1"),
            ("pkg:golang/google.golang.org/genproto@abcdedf#/x/y", "golang", "google.golang.org/genproto", "abcdedf"),
            (
                "pkg:maven/org.apache.xmlgraphics/batik-anim@1.9.1?packaging=sources",
                "maven",
                "org.apache.xmlgraphics:batik-anim",
                "1.9.1",
            ),
            ("pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie", "deb", "curl", "7.50.3-1"),
            ("pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64", "deb", "attr", "1:2.4.47-2+b1"),
            ("pkg:PYPI/Django_package@1.11.1.dev1", "pypi", "django-package", "1.11.1.dev1"),
            ("pkg://github/Package-URL/purl-Spec@244fd47", "github", "package-url/purl-spec", "244fd47"),
            ("pkg:cargo/rand", "cargo", "rand", ""),
            ("pkg:nix/openssl@3.0.13", "nix", "openssl", "3.0.13"),
            ("pkg:generic/openssl@1.1.10g?download_url=https://a.b/c@d", "generic", "openssl", "1.1.10g"),
        ] {
            let purl = parse(text).unwrap();
            assert_eq!((purl.ecosystem.as_str(), &*purl.name, &*purl.version), (kind, name, version), "{text}");
        }
    }

    #[test]
    fn what_is_no_package_url_is_refused() {
        for (text, error) in [
            ("npm/foo", PurlError::Scheme),
            ("", PurlError::Scheme),
            ("pkgé:x/y", PurlError::Scheme),
            ("pkg:npm", PurlError::Type),
            ("pkg:n_pm/x", PurlError::Type),
            ("pkg:1npm/x", PurlError::Type),
            ("pkg:npm/", PurlError::Name),
            ("pkg:npm/a%zz@1", PurlError::Encoding),
            ("pkg:npm/a%2", PurlError::Encoding),
            ("pkg:npm/a%ff", PurlError::Encoding),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!(parse(&format!("pkg:npm/{}", "x".repeat(2_000))), Err(PurlError::Length));
    }
}
