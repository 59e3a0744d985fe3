//! A whole new configuration against the one in force: what it leaves out, and what it changes.

use crate::issue::ConfigErrors;
use crate::{Config, Leniency, Security, strict_json};
use serde_json::{Map, Value};

impl Config {
    /// Read a whole document that takes the place of this configuration, as strictly as a file.
    ///
    /// [`Config::to_public_json`] hides users, limits and the path of the private key, so a document
    /// that was made from it must not lose them: what is missing in `security` stays as it is, and a
    /// `server.tls` without `key` keeps the key. Every other missing key takes its default, as in a
    /// file.
    ///
    /// # Errors
    /// Every fault that was found, with its path.
    pub fn parse_update(&self, text: &str) -> Result<Self, ConfigErrors> {
        let mut value = strict_json::parse(text).map_err(ConfigErrors)?;
        if let Value::Object(document) = &mut value {
            self.complete(document);
        }
        Self::from_value(&value)
    }

    fn complete(&self, document: &mut Map<String, Value>) {
        let security = document.entry("security").or_insert_with(|| Value::Object(Map::new()));
        if let (Value::Object(given), Value::Object(own)) = (security, self.security.to_json()) {
            for (key, value) in own {
                given.entry(key).or_insert(value);
            }
        }
        if let (Some(tls), Some(Value::Object(server))) =
            (&self.server.tls, document.get_mut("server"))
            && let Some(Value::Object(given)) = server.get_mut("tls")
        {
            given.entry("key").or_insert_with(|| tls.key.clone().into());
        }
    }
}

/// The section `security` of a file's text, whatever is wrong with the rest of it; that of a whole file
/// which does not give one is the default. `None` where it cannot be read.
pub fn security_of(text: &str) -> Option<Security> {
    let value = strict_json::parse(text).ok()?;
    let mut security = Security::default();
    if let Some(section) = value.as_object()?.get("security") {
        let mut errors = Vec::new();
        let patch = Security::patch_from(section.as_object()?, Leniency::Strict, "", &mut errors);
        if !errors.is_empty() {
            return None;
        }
        security.apply(&patch);
    }
    Some(security)
}

/// One key that differs between two configurations.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Dotted path of the key.
    pub path: String,
    /// Its value before; null when it was not there.
    pub old: Value,
    /// Its value afterwards; null when it is gone.
    pub new: Value,
}

/// Every key that differs, in the order of the file. Holds secrets as they are.
pub fn differences(old: &Config, new: &Config) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), old.to_json(), new.to_json(), &mut found);
    found
}

fn compare(path: String, old: Value, new: Value, found: &mut Vec<Difference>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(mut old), Value::Object(new)) => {
            for (key, new) in new {
                let old = old.remove(&key).unwrap_or(Value::Null);
                compare(below(&key), old, new, found);
            }
            for (key, old) in old {
                compare(below(&key), old, Value::Null, found);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (i, (old, new)) in old.into_iter().zip(new).enumerate() {
                compare(format!("{path}[{i}]"), old, new, found);
            }
        }
        (old, new) => found.push(Difference { path, old, new }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, Tls, User};
    use serde_json::json;

    fn secured() -> Config {
        let mut config = Config::embedded();
        let user = User { hash: "$argon2id$v=19$x".into(), role: Role::Admin };
        config.security.users.insert("ann".into(), user);
        config.security.enabled = true;
        config.security.limits.burst = 7;
        config.server.tls = Some(Tls { cert: "/c.pem".into(), key: "/k.pem".into() });
        config
    }

    #[test]
    fn what_a_client_was_shown_and_sends_back_changes_nothing() {
        let config = secured();
        let shown = config.to_public_json();
        assert_eq!(config.parse_update(&shown.to_string()).unwrap(), config);
        let mut without = shown;
        without.as_object_mut().unwrap().remove("security");
        assert_eq!(config.parse_update(&without.to_string()).unwrap(), config);
    }

    #[test]
    fn a_document_is_refused_whole_with_every_path() {
        let mut shown = secured().to_public_json();
        shown["z1"]["kp"] = json!(-1);
        shown["safety"]["max_tarhet"] = json!(1);
        let faults = secured().parse_update(&shown.to_string()).unwrap_err();
        let paths: Vec<_> = faults.0.iter().map(|issue| issue.path.as_str()).collect();
        assert_eq!(paths, ["safety.max_tarhet", "z1.kp"]);
        for text in ["[]", "7", "{", ""] {
            assert!(secured().parse_update(text).is_err(), "{text}");
        }
    }

    #[test]
    fn users_are_read_from_a_file_that_is_wrong_elsewhere_and_from_none_that_is_torn() {
        let own = secured().security;
        let file = json!({"z1": "hot", "security": own.to_json()}).to_string();
        assert_eq!(security_of(&file), Some(own));
        assert_eq!(security_of(r#"{"zz": 1}"#), Some(Security::default()));
        for text in [
            &file[..file.len() - 1],
            "",
            "[]",
            r#"{"security": null}"#,
            r#"{"security": {"enabled": true, "enabled": false}}"#,
            r#"{"security": {"enabled": true, "users": {"ann": "plain"}}}"#,
        ] {
            assert_eq!(security_of(text), None, "{text}");
        }
    }

    #[test]
    fn differences_name_each_key_with_both_values() {
        let old = secured();
        let mut new = old.clone();
        new.z1.kp += 1.0;
        new.server.tls = None;
        new.sensors[2].enabled = !old.sensors[2].enabled;
        let found = differences(&old, &new);
        let paths: Vec<_> = found.iter().map(|d| d.path.as_str()).collect();
        assert_eq!(paths.len(), 3, "{paths:?}");
        assert!(paths.contains(&"z1.kp") && paths.contains(&"server.tls"), "{paths:?}");
        assert!(paths.iter().any(|p| p.starts_with("sensors") && p.ends_with("enabled")));
        let gain = found.iter().find(|d| d.path == "z1.kp").unwrap();
        assert_eq!((&gain.old, &gain.new), (&json!(old.z1.kp), &json!(new.z1.kp)));
        assert_eq!(differences(&old, &old), []);
    }
}
