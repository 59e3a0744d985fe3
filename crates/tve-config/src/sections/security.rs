//! Who may do what over the network.

use crate::field::{Flag, Leniency, Named, Scalar, Shape, Spec, int};
use crate::issue::{Issue, join, shown, unknown};
use crate::section::{object, section, sub};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tve_machine::Role;

impl Named for Role {
    const NAMES: &'static [&'static str] = Role::NAMES;
    fn wire(self) -> &'static str {
        self.name()
    }
    fn find(name: &str) -> Option<Self> {
        Self::from_name(name)
    }
}

/// A user: what to compare the password with, and the role.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Password hash, beginning with one of [`HASH_PREFIXES`].
    pub hash: String,
    /// What the user may do.
    pub role: Role,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Hashes stay out of logs.
        f.debug_struct("User").field("role", &self.role).finish_non_exhaustive()
    }
}

/// How the hashes begin that can be checked.
pub const HASH_PREFIXES: [&str; 3] = ["$argon2id$", "scrypt:", "pbkdf2:sha256:"];

section! {
    /// Rate limits of a client, while security is enabled.
    pub struct Limits / LimitsPatch : Copy {
        /// Commands per second in the long run.
        commands_per_second: u32 = 20, int(1, 1000, "1/s");
        /// Commands at once.
        burst: u32 = 40, int(1, 10_000, "");
    }
}

section! {
    /// Authentication and limits.
    pub struct Security / SecurityPatch {
        /// Whether commands need a login.
        enabled: bool = false, Flag;
        /// Users by name: a password hash (role admin), or hash and role. `tve hash-password` makes hashes.
        users: BTreeMap<String, User> = BTreeMap::new(), Users;
        /// Whether reading needs a login, too.
        protect_reads: bool = false, Flag;
        /// Whether `STOP` and `EMERGENCY_STOP` need a login, too.
        stop_needs_login: bool = false, Flag;
        /// Addresses of proxies whose `X-Forwarded-For` says where a client is, and whose `X-Forwarded-Host` which host it asked for.
        trusted_proxies: Vec<IpAddr> = Vec::new(), Addresses;
        /// Rate limits of a client.
        limits: Limits as LimitsPatch = Limits::default(), sub::<Limits>();
    }
}

/// Longest list of proxies: each login looks through it.
const MAX_PROXIES: usize = 16;

/// A list of IP addresses.
struct Addresses;

impl Scalar<Vec<IpAddr>> for Addresses {
    fn parse(&self, value: &Value, _: Leniency) -> Result<Vec<IpAddr>, String> {
        let list = value
            .as_array()
            .filter(|list| list.len() <= MAX_PROXIES)
            .ok_or_else(|| format!("must be a list of at most {MAX_PROXIES} IP addresses"))?;
        let address = |item: &Value| {
            item.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
                format!("each must be an IP address such as \"127.0.0.1\", not {}", shown(item))
            })
        };
        list.iter().map(address).collect()
    }

    fn print(&self, value: &Vec<IpAddr>) -> Value {
        json!(value)
    }

    fn describe(&self) -> Shape {
        let schema = json!({
            "type": "array",
            "maxItems": MAX_PROXIES,
            "items": {"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
        });
        Shape::new("list of texts", "IP addresses".to_owned(), "", schema)
    }
}

/// Longest user name in bytes.
const NAME_BYTES: usize = 64;
/// Longest hash in bytes: far above any of the known forms.
const HASH_BYTES: usize = 1024;

/// Name to user; a patch replaces the table.
struct Users;

impl Users {
    /// The hash itself never enters a message.
    fn hash(value: &Value) -> Result<String, String> {
        let migrate = "run `tve hash-password` and put its output here";
        match value.as_str() {
            None => Err(format!("must be a password hash; {migrate}")),
            Some(hash) if hash.len() > HASH_BYTES => {
                Err(format!("is longer than {HASH_BYTES} bytes; {migrate}"))
            }
            Some(hash) => match HASH_PREFIXES.iter().find_map(|p| hash.strip_prefix(p)) {
                Some(rest) if !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic()) => {
                    Ok(hash.to_owned())
                }
                Some(_) => Err(format!("is a damaged password hash; {migrate}")),
                None => Err(format!("plain-text passwords are refused; {migrate}")),
            },
        }
    }

    fn user(value: &Value, path: &str, errors: &mut Vec<Issue>) -> Option<User> {
        let Value::Object(map) = value else {
            return match Self::hash(value) {
                Ok(hash) => Some(User { hash, role: Role::Admin }),
                Err(reason) => {
                    errors.push(Issue::new(path, reason));
                    None
                }
            };
        };
        let (mut hash, mut role) = (None, Some(Role::Admin));
        for (key, value) in map {
            let at = join(path, key);
            match key.as_str() {
                "hash" => match Self::hash(value) {
                    Ok(text) => hash = Some(text),
                    Err(reason) => errors.push(Issue::new(at, reason)),
                },
                "role" => {
                    role = value.as_str().and_then(Role::from_name);
                    if role.is_none() {
                        let names = crate::field::quoted(Role::NAMES);
                        let reason = format!("must be one of {names}, not {}", shown(value));
                        errors.push(Issue::new(at, reason));
                    }
                }
                _ => errors.push(Issue::new(at, unknown("key", key, &["hash", "role"]))),
            }
        }
        if !map.contains_key("hash") {
            errors.push(Issue::new(path, "needs a hash; run `tve hash-password`"));
        }
        Some(User { hash: hash?, role: role? })
    }
}

impl Spec<BTreeMap<String, User>> for Users {
    fn read(
        &self,
        value: &Value,
        _: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<BTreeMap<String, User>> {
        let mut users = BTreeMap::new();
        for (name, value) in object(value, path, errors)? {
            let path = join(path, name);
            // A colon ends the name in HTTP Basic.
            let legal = |c: char| !c.is_control() && c != ':';
            if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(legal) {
                let reason = format!("a user name must have 1 to {NAME_BYTES} bytes, no \":\"");
                errors.push(Issue::new(path, reason));
            } else if let Some(user) = Self::user(value, &path, errors) {
                users.insert(name.clone(), user);
            }
        }
        Some(users)
    }

    fn merge(&self, current: &mut BTreeMap<String, User>, patch: &BTreeMap<String, User>) {
        current.clone_from(patch);
    }

    fn write(&self, value: &BTreeMap<String, User>) -> Value {
        let members: Map<String, Value> = value
            .iter()
            .map(|(name, user)| {
                (name.clone(), json!({"hash": user.hash, "role": user.role.name()}))
            })
            .collect();
        Value::Object(members)
    }

    fn shape(&self) -> Shape {
        let hash = json!({"type": "string", "pattern": r"^(\$argon2id\$|scrypt:|pbkdf2:sha256:)"});
        let schema = json!({
            "type": "object",
            "additionalProperties": {"anyOf": [hash, {
                "type": "object",
                "additionalProperties": false,
                "required": ["hash"],
                "properties": {"hash": hash, "role": {"enum": Role::NAMES}},
            }]},
        });
        let range = format!("roles {}", crate::field::quoted(Role::NAMES));
        Shape::new("object of name to hash or {hash, role}", range, "", schema)
    }
}
