//! CPE 2.3 names as formatted strings (NIST IR 7695, section 6.2).

use std::borrow::Cow;

/// What kind of thing a CPE names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Application,
    OperatingSystem,
    Hardware,
}

impl Part {
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "a" => Some(Self::Application),
            "o" => Some(Self::OperatingSystem),
            "h" => Some(Self::Hardware),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "a",
            Self::OperatingSystem => "o",
            Self::Hardware => "h",
        }
    }
}

/// The attributes of a CPE name that matching looks at, still escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpe<'a> {
    pub part: Part,
    pub vendor: &'a str,
    pub product: &'a str,
    pub version: &'a str,
    pub update: &'a str,
    pub software_edition: &'a str,
    pub target_software: &'a str,
}

impl<'a> Cpe<'a> {
    /// `None` for anything but a complete `cpe:2.3:` formatted string.
    pub fn read(text: &'a str) -> Option<Self> {
        let mut fields = Fields { rest: Some(text.strip_prefix("cpe:2.3:")?) };
        let cpe = Self {
            part: Part::read(fields.next()?)?,
            vendor: fields.next()?,
            product: fields.next()?,
            version: fields.next()?,
            update: fields.next()?,
            software_edition: {
                let (_edition, _language) = (fields.next()?, fields.next()?);
                fields.next()?
            },
            target_software: fields.next()?,
        };
        let (_hardware, _other) = (fields.next()?, fields.next()?);
        (fields.next().is_none() && !cpe.vendor.is_empty() && !cpe.product.is_empty()).then_some(cpe)
    }

    /// Version and update as one string, `1.0.2` + `beta1` → `1.0.2-beta1`; `None` when the name leaves it open (`*`, `-`).
    pub fn full_version(&self) -> Option<String> {
        if matches!(self.version, "*" | "-" | "") {
            return None;
        }
        let mut version = unescape(self.version).into_owned();
        if !matches!(self.update, "*" | "-" | "") {
            version.push('-');
            version.push_str(&unescape(self.update));
        }
        Some(version)
    }
}

/// The fields between colons that no backslash precedes.
pub(crate) fn fields(text: &str) -> impl Iterator<Item = &str> {
    Fields { rest: Some(text) }
}

struct Fields<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        let bytes = rest.as_bytes();
        let mut index = 0;
        while let Some(byte) = bytes.get(index) {
            match byte {
                b'\\' => index += 2,
                b':' => {
                    self.rest = rest.get(index + 1..);
                    return rest.get(..index);
                }
                _ => index += 1,
            }
        }
        self.rest = None;
        Some(rest)
    }
}

/// Drops the backslashes that quote punctuation.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_string_is_read_with_its_escapes() {
        let cpe = Cpe::read(r"cpe:2.3:a:webkitgtk:webkitgtk\+:2.4.1:rc\:1:*:*:*:node.js:*:*").unwrap();
        assert_eq!((cpe.part, cpe.vendor, cpe.target_software), (Part::Application, "webkitgtk", "node.js"));
        assert_eq!(unescape(cpe.product), "webkitgtk+");
        assert_eq!(cpe.full_version().unwrap(), "2.4.1-rc:1");
    }

    #[test]
    fn open_versions_name_none_and_broken_names_are_refused() {
        assert_eq!(Cpe::read("cpe:2.3:o:linux:linux_kernel:-:*:*:*:*:*:*:*").unwrap().full_version(), None);
        for text in
            ["", "cpe:/a:x:y", "cpe:2.3:a:x:y", "cpe:2.3:q:x:y:1:*:*:*:*:*:*:*", "cpe:2.3:a:x:y:1:*:*:*:*:*:*:*:*"]
        {
            assert_eq!(Cpe::read(text), None, "{text}");
        }
    }
}
