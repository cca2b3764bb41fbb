//! Which licences a rule takes, by the names and the grammar of SPDX (specification 2.3, annex D).

use std::collections::BTreeSet;

use spdx::{Expression, LicenseReq, ParseMode};

/// The names of the list as they stand there, those among them that were given up included; no guesses.
const MODE: ParseMode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };
/// No expression has more bytes.
const EXPRESSION_BYTES_MAX: usize = 4 << 10;

/// Names of licences, each with or without an exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Licence {
    /// Only these, where any are named.
    allow: BTreeSet<String>,
    deny: BTreeSet<String>,
}

impl Licence {
    /// Reads both lists; the error says what is wrong with them.
    pub(crate) fn new(allow: Option<&[String]>, deny: Option<&[String]>) -> Result<Self, String> {
        let names = |texts: Option<&[String]>| texts.unwrap_or_default().iter().map(|text| one(text)).collect();
        let (allowed, denied): (Result<BTreeSet<_>, _>, Result<BTreeSet<_>, _>) = (names(allow), names(deny));
        let (allowed, denied) = (allowed?, denied?);
        if allow.is_some() && allowed.is_empty() {
            return Err("`allow` is empty, so that it could never hold".to_owned());
        }
        if allowed.is_empty() && denied.is_empty() {
            return Err("`licence` names neither `allow` nor `deny`".to_owned());
        }
        if let Some(both) = allowed.intersection(&denied).next() {
            return Err(format!("`{both}` is both allowed and denied"));
        }
        Ok(Self { allow: allowed, deny: denied })
    }

    /// Whether one may choose among the licences of an expression so that all one must take are taken here; the error is about
    /// the expression itself.
    pub(crate) fn takes(&self, expression: &str) -> Result<bool, String> {
        Ok(parse(expression)?.evaluate(|licence| self.takes_one(licence)))
    }

    /// Those of an expression that are not taken.
    pub(crate) fn against(&self, expression: &str) -> Vec<String> {
        let Ok(parsed) = parse(expression) else { return Vec::new() };
        let against = parsed.requirements().filter(|one| !self.takes_one(&one.req));
        against.map(|one| one.req.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A name without an exception is that licence with any: exceptions only permit more. One with an exception is nearer to
    /// what is asked, and counts before it.
    fn takes_one(&self, licence: &LicenseReq) -> bool {
        let (whole, plain) = (licence.to_string(), licence.license.to_string());
        let (is_named, is_allowed) = (self.allow.contains(&whole), self.allow.contains(&plain));
        if self.deny.contains(&whole) || self.deny.contains(&plain) && !is_named {
            return false;
        }
        self.allow.is_empty() || is_named || is_allowed
    }
}

fn parse(expression: &str) -> Result<Expression, String> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(format!("it has more than {EXPRESSION_BYTES_MAX} bytes"));
    }
    Expression::parse_mode(expression, MODE).map_err(|error| error.reason.to_string())
}

/// A name, as the list writes it.
fn one(text: &str) -> Result<String, String> {
    let parsed = parse(text).map_err(|reason| format!("`{text}` is no licence of the SPDX list: {reason}"))?;
    let mut all = parsed.requirements();
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one.req.to_string()),
        _ => Err(format!("`{text}` is more than one licence; name each")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allow: &[&str], deny: &[&str]) -> Licence {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (allow, deny) = (owned(allow), owned(deny));
        Licence::new(Some(&*allow).filter(|names| !names.is_empty()), Some(&*deny)).unwrap()
    }

    #[test]
    fn one_may_choose_where_or_stands_and_must_take_all_where_and_stands() {
        let rule = rule(&["MIT", "Apache-2.0", "LicenseRef-ours"], &[]);
        for (expression, is_taken) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("MIT AND GPL-3.0-only", false),
            ("(GPL-3.0-only OR MIT) AND (Apache-2.0 OR BSD-3-Clause)", true),
            ("GPL-3.0-only OR MIT AND BSD-3-Clause", false),
            ("GPL-3.0-only AND MIT OR Apache-2.0", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("LicenseRef-ours", true),
            ("LicenseRef-theirs", false),
        ] {
            assert_eq!(rule.takes(expression), Ok(is_taken), "{expression}");
        }
        assert_eq!(rule.against("GPL-3.0-only OR (MIT AND BSD-3-Clause)"), ["BSD-3-Clause", "GPL-3.0-only"]);
    }

    #[test]
    fn what_is_denied_is_so_with_an_exception_too_unless_that_is_named() {
        let denied = rule(&[], &["GPL-2.0-only", "AGPL-3.0-or-later"]);
        for (expression, is_taken) in [
            ("MIT", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
            ("GPL-2.0-only OR MIT", true),
            ("AGPL-3.0-or-later", false),
            // Each name is one licence: what may be had later is another.
            ("GPL-2.0-or-later", true),
        ] {
            assert_eq!(denied.takes(expression), Ok(is_taken), "{expression}");
        }
        let named = rule(&["MIT", "GPL-2.0-only WITH Classpath-exception-2.0"], &["GPL-2.0-only"]);
        assert_eq!(named.takes("GPL-2.0-only WITH Classpath-exception-2.0"), Ok(true));
        assert_eq!(named.takes("GPL-2.0-only"), Ok(false));
        assert_eq!(named.takes("GPL-2.0-only WITH GCC-exception-2.0"), Ok(false));
    }

    #[test]
    fn what_is_no_expression_is_said_and_not_guessed() {
        let rule = rule(&["MIT"], &[]);
        for expression in ["", "mit license", "Expat", "MIT OR", "(MIT", "MIT WITH Apache-2.0", "MIT / ISC", "unfree"] {
            assert!(rule.takes(expression).is_err(), "{expression}");
        }
        assert!(rule.takes(&"MIT OR ".repeat(1_000)).unwrap_err().contains("bytes"));
    }

    #[test]
    fn lists_that_mean_nothing_are_refused() {
        let new = |allow: Option<&[&str]>, deny: Option<&[&str]>| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            Licence::new(allow.map(owned).as_deref(), deny.map(owned).as_deref()).unwrap_err()
        };
        assert!(new(None, None).contains("neither"));
        assert!(new(Some(&[]), Some(&["MIT"])).contains("never hold"));
        assert!(new(Some(&["MIT"]), Some(&["MIT"])).contains("both"));
        assert!(new(Some(&["MIT OR ISC"]), None).contains("more than one"));
        assert!(new(None, Some(&["GPL"])).contains("no licence of the SPDX list"));
    }
}
