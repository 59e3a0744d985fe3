//! Password hashes: argon2id, and the `scrypt:` and `pbkdf2:sha256:` strings of werkzeug that
//! configurations from the field hold.

use argon2::password_hash::PasswordHasher as _;
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, Version};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Most memory that checking a password may take, bytes: a fourth of the smallest Raspberry Pi.
const MEMORY: u64 = 256 << 20;

/// Most rounds of PBKDF2: some ten times what is usual, seconds of a Raspberry Pi.
const ROUNDS: u32 = 10_000_000;

/// Most passes over the memory, and most lanes.
const PASSES: u32 = 64;

/// Why a stored hash cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashFault {
    /// It does not have the form that its beginning promises.
    #[error("is a damaged password hash; run `tve hash-password` and put its output here")]
    Damaged,
    /// It would take more memory or time than this machine has to spare.
    #[error(
        "costs more than 256 MiB, 64 passes or 10000000 rounds to check; \
         run `tve hash-password` and put its output here"
    )]
    TooCostly,
}

enum How {
    Argon2id(Params),
    Scrypt(scrypt::Params),
    Pbkdf2 { rounds: u32 },
}

/// What a password is compared with, parsed once at the start.
pub struct PasswordHash {
    how: How,
    salt: Vec<u8>,
    expected: Vec<u8>,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.how {
            How::Argon2id(_) => "argon2id",
            How::Scrypt(_) => "scrypt",
            How::Pbkdf2 { .. } => "pbkdf2",
        };
        // Hashes stay out of logs.
        f.debug_struct("PasswordHash").field("how", &how).finish_non_exhaustive()
    }
}

impl PasswordHash {
    /// Reads a stored hash.
    ///
    /// # Errors
    /// When it is damaged, or so costly that checking it would be an attack on the machine.
    pub fn parse(text: &str) -> Result<Self, HashFault> {
        if text.starts_with("$argon2id$") {
            return Self::argon2id(text);
        }
        let mut parts = text.split('$');
        let (Some(method), Some(salt), Some(digest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HashFault::Damaged);
        };
        let how = werkzeug_method(method)?;
        let expected = hex::decode(digest).map_err(|_| HashFault::Damaged)?;
        let length = if matches!(how, How::Scrypt(_)) { 64 } else { 32 };
        if salt.is_empty() || expected.len() != length {
            return Err(HashFault::Damaged);
        }
        Ok(Self { how, salt: salt.as_bytes().to_vec(), expected })
    }

    fn argon2id(text: &str) -> Result<Self, HashFault> {
        let hash = phc::PasswordHash::new(text).map_err(|_| HashFault::Damaged)?;
        let params = Params::try_from(&hash).map_err(|_| HashFault::Damaged)?;
        let current = hash.version == Some(Version::V0x13.into());
        let (Some(salt), Some(output), true) = (hash.salt, hash.hash, current) else {
            return Err(HashFault::Damaged);
        };
        let memory = u64::from(params.m_cost()) * 1024;
        if memory > MEMORY || params.t_cost() > PASSES || params.p_cost() > PASSES {
            return Err(HashFault::TooCostly);
        }
        Ok(Self {
            how: How::Argon2id(params),
            salt: salt.to_vec(),
            expected: output.as_bytes().to_vec(),
        })
    }

    /// A hash that no password fits, to spend the usual time on users who do not exist.
    pub fn nobody() -> Self {
        Self { how: How::Argon2id(Params::DEFAULT), salt: vec![0; 16], expected: vec![0; 32] }
    }

    /// The argon2id string of `password`: 19 MiB, 2 passes, 1 lane, as OWASP advises.
    ///
    /// # Errors
    /// When argon2 refuses the password, which only one of 4 GiB makes it do.
    pub fn make(password: &str, salt: [u8; 16]) -> Result<String, argon2::password_hash::Error> {
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
        Ok(argon.hash_password_with_salt(password.as_bytes(), &salt)?.to_string())
    }

    /// Whether `password` is the one. Takes tens to hundreds of milliseconds of one core, so it
    /// belongs on a thread that serves nobody else.
    pub fn verify(&self, password: &str) -> bool {
        let password = password.as_bytes();
        let mut computed = vec![0; self.expected.len()];
        let done = match &self.how {
            How::Argon2id(params) => {
                let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
                argon.hash_password_into(password, &self.salt, &mut computed).is_ok()
            }
            How::Scrypt(params) => {
                scrypt::scrypt(password, &self.salt, params, &mut computed).is_ok()
            }
            How::Pbkdf2 { rounds } => {
                pbkdf2::pbkdf2_hmac::<Sha256>(password, &self.salt, *rounds, &mut computed);
                true
            }
        };
        done && bool::from(computed.ct_eq(&self.expected))
    }
}

/// `scrypt:N:r:p` or `pbkdf2:sha256:ROUNDS`.
fn werkzeug_method(method: &str) -> Result<How, HashFault> {
    let parts: Vec<&str> = method.split(':').collect();
    let number = |text: &str| text.parse::<u32>().map_err(|_| HashFault::Damaged);
    match parts[..] {
        ["scrypt", n, r, p] => {
            let (n, r, p) = (number(n)?, number(r)?, number(p)?);
            if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
                return Err(HashFault::Damaged);
            }
            let memory = u64::from(n).saturating_mul(u64::from(r)).saturating_mul(128);
            if memory > MEMORY || p > PASSES {
                return Err(HashFault::TooCostly);
            }
            let params = scrypt::Params::new(n.trailing_zeros() as u8, r, p);
            params.map(How::Scrypt).map_err(|_| HashFault::Damaged)
        }
        ["pbkdf2", "sha256", rounds] => match number(rounds)? {
            0 => Err(HashFault::Damaged),
            rounds if rounds > ROUNDS => Err(HashFault::TooCostly),
            rounds => Ok(How::Pbkdf2 { rounds }),
        },
        _ => Err(HashFault::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by werkzeug 3.1.9, `generate_password_hash`.
    const WERKZEUG: [(&str, &str); 4] = [
        (
            "extrude me",
            "scrypt:32768:8:1$oqC5y8LPJWX2UsnD$270bb1cfb67c552cf246202b759bb4deb1223fe0cf5d74dee4b545\
             98031dc2eb1cfe4ad9f97bce9379d8fe338d273a7424f8681afe9852dc38d1fb346f07b8cd",
        ),
        (
            "Grüße, Maschine",
            "scrypt:32768:8:1$ANLh6azVwyhLC811$3abc9b56dc5c4a2a15f1309f7bda9ca5182dded5498869b56eed1f\
             8c87d64dca152636667c88096c54a12727b134b4d5d62999def75d8421463ad6cbf8419433",
        ),
        (
            "s",
            "scrypt:1024:8:1$Sf63CYE8ThOz4i88$a177829dfa06bca7c2e750dc6d3b3bd48d2d5124bf784e0ed263c10\
             230826cba809ed99e937097e9a61c6a3ee4c06c602712447f1075e3a471afd92fbdeeea5a",
        ),
        (
            "extrude me",
            "pbkdf2:sha256:1000$fEEJ9KDqLE1setyh$33d8b5f8a351bee550eac2d6ddcba30fa9c5e011404a5ab7bf25\
             9a18a997c1ba",
        ),
    ];

    #[test]
    fn hashes_made_by_werkzeug_fit_their_password_and_no_other() {
        for (password, text) in WERKZEUG {
            let hash = PasswordHash::parse(text).unwrap();
            assert!(hash.verify(password), "{text}");
            assert!(!hash.verify(&format!("{password} ")), "{text}");
            assert!(!hash.verify(""), "{text}");
        }
    }

    #[test]
    fn a_made_hash_is_argon2id_with_its_own_salt_and_fits_its_password() {
        let text = PasswordHash::make("extrude me", [7; 16]).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        assert_ne!(text, PasswordHash::make("extrude me", [8; 16]).unwrap());
        let hash = PasswordHash::parse(&text).unwrap();
        assert!(hash.verify("extrude me") && !hash.verify("Extrude me"));
    }

    #[test]
    fn a_hash_of_the_reference_implementation_fits() {
        // printf password | argon2 somesalt -id -t 2 -k 256 -p 1 -l 32, from its test vectors.
        let text = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$\
                    nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert!(PasswordHash::parse(text).unwrap().verify("password"));
    }

    #[test]
    fn damaged_and_costly_hashes_are_told_apart_at_the_start() {
        let digest = "00".repeat(64);
        for text in [
            "",
            "scrypt:",
            "scrypt:32768:8:1$salt",
            &format!("scrypt:32768:8:1$salt${}", "0".repeat(127)),
            &format!("scrypt:32768:8:1$salt${}", "+f".repeat(64)),
            &format!("scrypt:32767:8:1$salt${digest}"),
            &format!("scrypt:0:8:1$salt${digest}"),
            &format!("scrypt:32768:0:1$salt${digest}"),
            &format!("scrypt:32768:8:1$${digest}"),
            &format!("pbkdf2:sha256:0$salt${}", "00".repeat(32)),
            &format!("pbkdf2:sha1:1000$salt${}", "00".repeat(32)),
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
            "$argon2id$",
        ] {
            assert_eq!(PasswordHash::parse(text).unwrap_err(), HashFault::Damaged, "{text}");
        }
        for text in [
            &format!("scrypt:4194304:8:1$salt${digest}"),
            &format!("scrypt:1024:8:65$salt${digest}"),
            &format!("pbkdf2:sha256:10000001$salt${}", "00".repeat(32)),
            "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ] {
            assert_eq!(PasswordHash::parse(text).unwrap_err(), HashFault::TooCostly, "{text}");
        }
    }

    #[test]
    fn no_password_fits_nobody() {
        assert!(!PasswordHash::nobody().verify(""));
    }
}
