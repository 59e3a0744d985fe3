//! The `Authorization` header: what a request says about who sends it.

use crate::hash::PasswordHash;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Longest password in bytes: hashing reads all of it.
const PASSWORD_BYTES: usize = 1024;

/// Longest user name in bytes, as in the configuration.
const NAME_BYTES: usize = 64;

/// A user name and a password, both unproven.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    pub(crate) password: String,
}

impl Login {
    /// A login to be checked.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// Whether the password is that of `hash`; as slow as [`PasswordHash::verify`].
    pub fn fits(&self, hash: &PasswordHash) -> bool {
        hash.verify(&self.password)
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Passwords stay out of logs.
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What an `Authorization` header holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// There is no header.
    None,
    /// HTTP Basic.
    Basic(Login),
    /// A bearer token.
    Bearer(String),
    /// A header that is neither, or damaged.
    Malformed,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Basic(login) => login.fmt(f),
            // As good as a password.
            Self::Bearer(_) => f.write_str("Bearer"),
            Self::Malformed => f.write_str("Malformed"),
        }
    }
}

impl Credentials {
    /// Reads the bytes of the header; any bytes give an answer.
    pub fn parse(header: Option<&[u8]>) -> Self {
        let Some(header) = header else {
            return Self::None;
        };
        let Ok(header) = std::str::from_utf8(header) else {
            return Self::Malformed;
        };
        let Some((scheme, rest)) = header.trim().split_once(' ') else {
            return Self::Malformed;
        };
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            return Self::Bearer(rest.to_owned());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return basic(rest).map_or(Self::Malformed, Self::Basic);
        }
        Self::Malformed
    }
}

fn basic(encoded: &str) -> Option<Login> {
    let text = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let fits = (1..=NAME_BYTES).contains(&user.len()) && password.len() <= PASSWORD_BYTES;
    fits.then(|| Login::new(user, password))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Credentials {
        Credentials::parse(Some(text.as_bytes()))
    }

    #[test]
    fn basic_and_bearer_are_read_whatever_their_case_and_padding() {
        let anna = Credentials::Basic(Login::new("anna", "a:b"));
        for text in ["Basic YW5uYTphOmI=", "basic YW5uYTphOmI", "BASIC  YW5uYTphOmI= "] {
            assert_eq!(parse(text), anna, "{text}");
        }
        assert_eq!(parse("Bearer tve_x"), Credentials::Bearer("tve_x".into()));
        assert_eq!(Credentials::parse(None), Credentials::None);
    }

    #[test]
    fn everything_else_is_malformed() {
        let long = format!("Basic {}", BASE64.encode(format!("anna:{}", "x".repeat(1025))));
        for text in
            ["", "Basic", "Basic ", "Basic !!!", "Basic YW5uYQ==", "Basic Og==", "Digest x", &long]
        {
            assert_eq!(parse(text), Credentials::Malformed, "{text}");
        }
        assert_eq!(Credentials::parse(Some(b"Basic \xff\xfe")), Credentials::Malformed);
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        for text in ["Basic YW5uYTpzZWNyZXQ=", "Bearer secret"] {
            assert!(!format!("{:?}", parse(text)).contains("secret"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes: Vec<u8>, scheme in "(Basic|bearer|) ?") {
            let mut header = scheme.into_bytes();
            header.extend(bytes);
            Credentials::parse(Some(&header));
        }
    }
}
