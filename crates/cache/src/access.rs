//! Who may do what: tokens, their rights, and the answer to one question.

use std::collections::BTreeMap;
use std::fmt;

use aux_nix::Sha256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64_URL};
use jiff::Timestamp;

use crate::names::{Pattern, SpaceName};

/// What a token begins with, so that it is recognised where it leaked.
const PREFIX: &str = "aux_";
/// Longest header that may carry a token, bytes.
const HEADER_BYTES_MAX: usize = 4_096;

/// One thing a token may do. Every other right brings `Read` along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    Read,
    Push,
    Promote,
    Admin,
}

impl Right {
    pub const ALL: [Self; 4] = [Self::Read, Self::Push, Self::Promote, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Push => "push",
            Self::Promote => "promote",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == text)
    }

    fn includes(self, wanted: Self) -> bool {
        self == wanted || self == Self::Admin || wanted == Self::Read
    }
}

/// The secret of a token. It has no `Debug` and is shown once.
pub struct Secret(String);

impl Secret {
    /// Made of 32 random bytes.
    pub fn new(random: &[u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", BASE64_URL.encode(random)))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it. It has 256 random bits, so one round of SHA-256 is enough.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

/// What the server keeps of a token's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    fn of(secret: &str) -> Self {
        Self(Sha256::of(secret.as_bytes()).0)
    }

    /// Of the token that a header `Authorization` carries: `Bearer TOKEN`, or `Basic` with the token as password.
    pub fn of_header(value: &str) -> Option<Self> {
        if value.len() > HEADER_BYTES_MAX {
            return None;
        }
        let (scheme, rest) = value.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return rest.starts_with(PREFIX).then(|| Self::of(rest));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        // RFC 7617, section 2: the user name ends at the first colon.
        let decoded = String::from_utf8(BASE64.decode(rest).ok()?).ok()?;
        let (_, password) = decoded.split_once(':')?;
        password.starts_with(PREFIX).then(|| Self::of(password))
    }
}

/// A token as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub number: i64,
    pub label: String,
    /// The one cache or view it is for; all where there is none.
    pub space: Option<SpaceName>,
    pub rights: Vec<Right>,
    /// Which store paths it may push or promote; all where there is none.
    pub names: Option<Pattern>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
}

impl Token {
    pub fn id(&self) -> String {
        format!("t{}", self.number)
    }

    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// Who sent a request, as far as a valid token tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// No token at all.
    Anonymous,
    /// A token that is unknown, expired or revoked.
    Unknown,
    Known(Box<Token>),
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    #[error("no valid token")]
    Unauthorized,
    #[error("the token does not give the right")]
    Forbidden,
}

impl Caller {
    /// Whether the caller may do something with a cache, or, where none is named, with the server as a whole.
    pub fn may(&self, right: Right, space: Option<&SpaceName>) -> Result<(), AccessError> {
        let Self::Known(token) = self else { return Err(AccessError::Unauthorized) };
        let is_there = token.space.is_none() || token.space.as_ref() == space;
        let has_right = token.rights.iter().any(|has| has.includes(right));
        if is_there && has_right { Ok(()) } else { Err(AccessError::Forbidden) }
    }

    /// Whether the caller's token is also for a store path of this name.
    pub fn may_name(&self, name: &str) -> Result<(), AccessError> {
        match self {
            Self::Known(token) if token.names.as_ref().is_some_and(|names| !names.fits(name)) => {
                Err(AccessError::Forbidden)
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous | Self::Unknown => formatter.write_str("anonymous"),
            Self::Known(token) => formatter.write_str(&token.id()),
        }
    }
}

/// All tokens, by what is kept of their secrets.
#[derive(Debug, Default)]
pub struct Tokens(BTreeMap<TokenHash, Token>);

impl Tokens {
    pub fn new(tokens: impl IntoIterator<Item = (TokenHash, Token)>) -> Self {
        Self(tokens.into_iter().collect())
    }

    /// Whether the token of a number opens anything now.
    pub fn is_valid(&self, number: i64, now: Timestamp) -> bool {
        self.0.values().any(|token| token.number == number && token.is_valid(now))
    }

    pub fn caller(&self, header: Option<&str>, now: Timestamp) -> Caller {
        let Some(header) = header else { return Caller::Anonymous };
        let found = TokenHash::of_header(header).and_then(|hash| self.0.get(&hash));
        match found.filter(|token| token.is_valid(now)) {
            Some(token) => Caller::Known(Box::new(token.clone())),
            None => Caller::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(rights: &[Right], space: Option<&str>) -> Token {
        Token {
            number: 1,
            label: "x".into(),
            space: space.map(|name| SpaceName::parse(name).unwrap()),
            rights: rights.to_vec(),
            names: Pattern::parse("lib*"),
            created: Timestamp::UNIX_EPOCH,
            expires: Timestamp::from_second(100).ok(),
            revoked: None,
        }
    }

    #[test]
    fn a_token_is_found_by_bearer_and_by_netrcs_password_and_ends_at_its_time() {
        let secret = Secret::new(&[7; 32]);
        let tokens = Tokens::new([(secret.hash(), token(&[Right::Push], None))]);
        let at = |second| Timestamp::from_second(second).unwrap();
        let basic = |user: &str| format!("Basic {}", BASE64.encode(format!("{user}:{}", secret.expose())));
        for header in
            [format!("Bearer {}", secret.expose()), format!("bearer  {}", secret.expose()), basic("x"), basic("")]
        {
            assert!(matches!(tokens.caller(Some(&header), at(99)), Caller::Known(_)), "{header}");
            assert_eq!(tokens.caller(Some(&header), at(100)), Caller::Unknown);
        }
        for header in ["", "Bearer", "Bearer aux_", "Basic !", "Basic eA==", "Digest x"] {
            assert_eq!(tokens.caller(Some(header), at(0)), Caller::Unknown, "{header}");
        }
        assert_eq!(tokens.caller(None, at(0)), Caller::Anonymous);
    }

    #[test]
    fn a_right_is_for_its_cache_and_its_names() {
        let (a, b) = (SpaceName::parse("a").unwrap(), SpaceName::parse("b").unwrap());
        let caller = Caller::Known(Box::new(token(&[Right::Push], Some("a"))));
        assert_eq!(caller.may(Right::Push, Some(&a)), Ok(()));
        assert_eq!(caller.may(Right::Read, Some(&a)), Ok(()));
        assert_eq!(caller.may(Right::Promote, Some(&a)), Err(AccessError::Forbidden));
        assert_eq!(caller.may(Right::Push, Some(&b)), Err(AccessError::Forbidden));
        assert_eq!(caller.may(Right::Read, None), Err(AccessError::Forbidden));
        assert_eq!(Caller::Anonymous.may(Right::Read, Some(&a)), Err(AccessError::Unauthorized));
        assert_eq!(caller.may_name("libx"), Ok(()));
        assert_eq!(caller.may_name("x"), Err(AccessError::Forbidden));
        let admin = Caller::Known(Box::new(token(&[Right::Admin], None)));
        assert!(
            Right::ALL.into_iter().all(|right| admin.may(right, None).is_ok() && admin.may(right, Some(&b)).is_ok())
        );
    }
}
