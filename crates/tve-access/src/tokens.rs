//! Bearer tokens: made, listed, revoked, checked.
//!
//! A token is 256 random bits, so it can be kept as a plain SHA-256: there is nothing to guess
//! that a slow hash would make slower, and each request can afford to check it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tve_config::Role;

/// How a token begins, so that people and secret scanners know one when they see it.
const PREFIX: &str = "tve_";

/// Longest name of a token in bytes.
const NAME_BYTES: usize = 64;

/// Longest life of a token in days: ten years.
const MAX_DAYS: u32 = 3650;

/// Most tokens: each request with one compares with all of them.
const MAX_TOKENS: usize = 256;

const DAY_S: u64 = 86_400;

/// Why a token could not be made, found or read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each variant says what its fields are")]
pub enum TokenFault {
    #[error(
        "the name of a token must have 1 to {NAME_BYTES} letters, digits or \"-_.\", not {0:?}"
    )]
    Name(String),
    #[error("a token named {0} exists already; revoke it or choose another name")]
    Taken(String),
    #[error("a token lives 1 to {MAX_DAYS} days, not {0}")]
    Days(u32),
    #[error("there are {MAX_TOKENS} tokens already; revoke some")]
    Full,
    #[error("there is no token named {0}; `tve token list` shows them")]
    Unknown(String),
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// When a token expires that was seen to have.
const ENDED: u64 = 0;

/// What is known of a token: all but the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Unique name, which stands for the user.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// When it was made, seconds since 1970.
    pub created: u64,
    /// From when on it is refused, seconds since 1970; 0 once that time was seen to be over.
    pub expires: u64,
    hash: [u8; 32],
}

/// A token as the file holds it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    role: String,
    created: u64,
    expires: u64,
    /// SHA-256 of the token, base64url.
    sha256: String,
}

/// What a presented token is.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// In force.
    Good(&'a Token),
    /// Was good until its time was over.
    Expired,
    /// Never made here, or revoked.
    Unknown,
}

/// Every token in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenBook {
    tokens: Vec<Token>,
}

impl TokenBook {
    /// Reads the text of a token file.
    ///
    /// # Errors
    /// [`TokenFault::Damaged`] with the place.
    pub fn parse(text: &str) -> Result<Self, TokenFault> {
        let rows: Vec<Row> =
            serde_json::from_str(text).map_err(|e| TokenFault::Damaged(e.to_string()))?;
        let tokens = rows.into_iter().map(|row| {
            let damaged = |what: &str| TokenFault::Damaged(format!("{what} of {:?}", row.name));
            let role = Role::from_name(&row.role).ok_or_else(|| damaged("the role"))?;
            let hash = URL_SAFE_NO_PAD.decode(&row.sha256).ok().and_then(|h| h.try_into().ok());
            let hash = hash.ok_or_else(|| damaged("the hash"))?;
            Ok(Token { role, hash, created: row.created, expires: row.expires, name: row.name })
        });
        Ok(Self { tokens: tokens.collect::<Result<_, _>>()? })
    }

    /// The text of a token file.
    pub fn to_text(&self) -> String {
        let row = |token: &Token| Row {
            name: token.name.clone(),
            role: token.role.name().to_owned(),
            created: token.created,
            expires: token.expires,
            sha256: URL_SAFE_NO_PAD.encode(token.hash),
        };
        let rows: Vec<Row> = self.tokens.iter().map(row).collect();
        // Texts and numbers always have a JSON form.
        serde_json::to_string_pretty(&rows).unwrap_or_default() + "\n"
    }

    /// Every token, in the order of making.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter()
    }

    /// Makes a token from 256 random bits at `now` (seconds since 1970), to live `days`. Returns
    /// the token, which is nowhere else to be had again.
    ///
    /// # Errors
    /// When the name is taken or none, the life is too long, or there are too many.
    pub fn create(
        &mut self,
        name: &str,
        role: Role,
        days: u32,
        now: u64,
        secret: [u8; 32],
    ) -> Result<String, TokenFault> {
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(legal) {
            return Err(TokenFault::Name(name.to_owned()));
        }
        if !(1..=MAX_DAYS).contains(&days) {
            return Err(TokenFault::Days(days));
        }
        // One that has expired gives its name free.
        self.tokens.retain(|t| t.name != name || t.expires > now);
        if self.tokens.iter().any(|t| t.name == name) {
            return Err(TokenFault::Taken(name.to_owned()));
        }
        if self.tokens.len() >= MAX_TOKENS {
            return Err(TokenFault::Full);
        }
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        self.tokens.push(Token {
            name: name.to_owned(),
            role,
            created: now,
            expires: now + u64::from(days) * DAY_S,
            hash: Sha256::digest(&text).into(),
        });
        Ok(text)
    }

    /// Forgets a token.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn revoke(&mut self, name: &str) -> Result<(), TokenFault> {
        let before = self.tokens.len();
        self.tokens.retain(|t| t.name != name);
        if self.tokens.len() == before {
            return Err(TokenFault::Unknown(name.to_owned()));
        }
        Ok(())
    }

    /// Whether a token has expired at `now` (seconds since 1970) and is not known to have.
    pub fn has_expired(&self, now: u64) -> bool {
        self.tokens.iter().any(|t| t.expires <= now && t.expires != ENDED)
    }

    /// Ends those that have expired at `now` (seconds since 1970) for good: a clock that goes back
    /// revives none.
    pub fn end_expired(&mut self, now: u64) {
        self.tokens.iter_mut().filter(|t| t.expires <= now).for_each(|t| t.expires = ENDED);
    }

    /// Ends those that have ended in `known`.
    pub fn end_as(&mut self, known: &Self) {
        let ended = |t: &Token| known.tokens.iter().any(|k| k.hash == t.hash && k.expires == ENDED);
        self.tokens.iter_mut().filter(|t| ended(t)).for_each(|t| t.expires = ENDED);
    }

    /// What `presented` is at `now` (seconds since 1970).
    pub fn check(&self, presented: &str, now: u64) -> Verdict<'_> {
        let hash: [u8; 32] = Sha256::digest(presented).into();
        match self.tokens.iter().find(|t| bool::from(t.hash.ct_eq(&hash))) {
            Some(token) if token.expires > now => Verdict::Good(token),
            Some(_) => Verdict::Expired,
            None => Verdict::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn book() -> (TokenBook, String) {
        let mut book = TokenBook::default();
        let token = book.create("grafana", Role::Viewer, 30, NOW, [9; 32]).unwrap();
        (book, token)
    }

    #[test]
    fn a_token_is_good_until_its_last_day_is_over_and_no_longer() {
        let (book, token) = book();
        assert!(token.starts_with("tve_") && token.len() == 47, "{token}");
        let end = NOW + 30 * DAY_S;
        assert!(matches!(book.check(&token, end - 1), Verdict::Good(t) if t.name == "grafana"));
        assert_eq!(book.check(&token, end), Verdict::Expired);
        assert_eq!(book.check("tve_x", NOW), Verdict::Unknown);
        assert_eq!(book.check("", NOW), Verdict::Unknown);
    }

    #[test]
    fn a_token_that_has_expired_is_not_revived_by_a_clock_that_goes_back() {
        let (mut book, token) = book();
        let (fresh, end) = (book.clone(), NOW + 30 * DAY_S);
        assert!(!book.has_expired(end - 1) && book.has_expired(end));
        book.end_expired(end - 1);
        assert_eq!(book, fresh);
        book.end_expired(end);
        assert!(!book.has_expired(end));
        assert_eq!(book.check(&token, NOW), Verdict::Expired);
        assert_eq!(TokenBook::parse(&book.to_text()).unwrap().check(&token, NOW), Verdict::Expired);
        // Nor by a file that could not be written.
        let mut read = fresh;
        read.end_as(&book);
        assert_eq!(read.check(&token, NOW), Verdict::Expired);
    }

    #[test]
    fn a_revoked_token_is_unknown() {
        let (mut book, token) = book();
        book.revoke("grafana").unwrap();
        assert_eq!(book.check(&token, NOW), Verdict::Unknown);
        assert_eq!(book.revoke("grafana"), Err(TokenFault::Unknown("grafana".into())));
    }

    #[test]
    fn the_file_gives_the_same_book_back_and_does_not_hold_the_token() {
        let (book, token) = book();
        let text = book.to_text();
        assert_eq!(TokenBook::parse(&text).unwrap(), book);
        assert!(!text.contains(&token[4..]), "{text}");
    }

    #[test]
    fn damaged_files_say_where() {
        for text in ["", "{}", r#"[{"name":"x"}]"#, &book().0.to_text().replace("viewer", "king")] {
            assert!(matches!(TokenBook::parse(text), Err(TokenFault::Damaged(_))), "{text}");
        }
    }

    #[test]
    fn names_and_lives_have_limits_and_an_expired_name_is_free_again() {
        let (mut book, _) = book();
        let mut create = |name: &str, days, now| book.create(name, Role::Admin, days, now, [1; 32]);
        assert_eq!(create("grafana", 1, NOW), Err(TokenFault::Taken("grafana".into())));
        assert!(create("grafana", 1, NOW + 31 * DAY_S).is_ok());
        assert_eq!(create("a b", 1, NOW), Err(TokenFault::Name("a b".into())));
        assert_eq!(create("x", 0, NOW), Err(TokenFault::Days(0)));
        assert_eq!(create("x", 3651, NOW), Err(TokenFault::Days(3651)));
    }
}
