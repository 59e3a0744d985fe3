//! Who the users are when the configuration cannot be read.
//!
//! A torn `config.json` must not turn the login off. So the last good section `security` is kept in
//! a file of its own in the data folder. It is written at every good start and with every change, also
//! where logins are disabled: a folder that has been used and has no such file has lost it, and then
//! nobody knows who may do what.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use tve_config::{Security, security_of};

const FILE: &str = "security.json";

/// What is known of who may do what.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Identity {
    /// The section `security` in force.
    Known(Security),
    /// Nothing: everybody is refused all but stops.
    Lost,
}

impl Identity {
    /// The section that stands in for what is not known.
    pub(crate) fn security(&self) -> Security {
        match self {
            Self::Known(security) => security.clone(),
            Self::Lost => Security { enabled: true, protect_reads: true, ..Security::default() },
        }
    }

    /// Of a configuration file that is refused: its own section, where that can be read, else the last
    /// good one of `folder`. `torn` is the text of the file, as far as there is one.
    pub(crate) fn without(torn: Option<&str>, folder: &Path) -> Self {
        if let Some(security) = torn.and_then(security_of) {
            return Self::Known(security);
        }
        match fs::read_to_string(folder.join(FILE)) {
            Ok(text) => match kept(&text) {
                Some(security) => Self::Known(security),
                None => Self::Lost,
            },
            // A folder that no service has used has nothing to lose, unless the file itself speaks of
            // it.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && !folder.join(tve_audit::FOLDER).exists()
                    && torn.is_some_and(|text| !text.contains("security")) =>
            {
                Self::Known(Security::default())
            }
            Err(_) => Self::Lost,
        }
    }

    /// Where there is no configuration file: the last good section, or none if there never was one.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        match fs::read_to_string(folder.join(FILE)) {
            Ok(text) => kept(&text).map_or(Self::Lost, Self::Known),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Self::Known(Security::default())
            }
            Err(_) => Self::Lost,
        }
    }
}

/// The section that a file of ours holds.
fn kept(text: &str) -> Option<Security> {
    let whole = serde_json::from_str::<serde_json::Value>(text).ok()?;
    whole.get("security").and_then(|_| security_of(text))
}

/// Keeps `security` as the last good one. Where that cannot be written the old one is taken away: it
/// would say what is true no more.
pub(crate) fn remember(folder: &Path, security: &Security) {
    let path = folder.join(FILE);
    let text = serde_json::json!({"security": security.to_json()}).to_string() + "\n";
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return;
    }
    if let Err(error) = replace(folder, &path, &text) {
        // Removing needs no room; where even that fails, the disk is at fault as a whole.
        let _ = fs::remove_file(&path);
        let path = path.display();
        tracing::error!(%path, %error, "the users of today are not kept beside the configuration");
    }
}

fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    // Made with mode 0600.
    let mut temporary = tempfile::Builder::new().prefix(".security-").tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled() -> Security {
        Security { enabled: true, ..Security::default() }
    }

    #[test]
    fn what_is_remembered_stands_in_for_a_torn_file_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let torn = |text| Identity::without(text, folder.path());
        let open = Identity::Known(Security::default());
        for (text, identity) in [
            (Some(""), open.clone()),
            (Some("{\"z1\": "), open.clone()),
            (Some("{\"security\": {\"ena"), Identity::Lost),
            (None, Identity::Lost),
            (Some(r#"{"z1": 7}"#), open.clone()),
            (Some(r#"{"z1": 7, "security": {"enabled": true}}"#), Identity::Known(enabled())),
            (Some(r#"{"security": {"enabled": 7}}"#), Identity::Lost),
        ] {
            assert_eq!(torn(text), identity, "{text:?}");
        }
        assert_eq!(Identity::of_folder(folder.path()), open);
        remember(folder.path(), &enabled());
        for text in [Some(""), Some("{\"security\": {\"ena"), None] {
            assert_eq!(torn(text), Identity::Known(enabled()), "{text:?}");
        }
        assert_eq!(Identity::of_folder(folder.path()), Identity::Known(enabled()));
        fs::write(folder.path().join(FILE), "{}").unwrap();
        assert_eq!(torn(Some("")), Identity::Lost);
        assert_eq!(Identity::of_folder(folder.path()), Identity::Lost);
        fs::remove_file(folder.path().join(FILE)).unwrap();
        fs::create_dir(folder.path().join(tve_audit::FOLDER)).unwrap();
        assert_eq!(torn(Some("")), Identity::Lost, "a folder that was used has lost it");
    }

    #[test]
    fn where_the_new_users_cannot_be_kept_the_old_ones_are_not_either() {
        let folder = tempfile::tempdir().unwrap();
        remember(folder.path(), &enabled());
        let path = folder.path().join(FILE);
        fs::remove_file(&path).unwrap();
        // A folder of that name cannot be replaced, by root neither.
        fs::create_dir(&path).unwrap();
        remember(folder.path(), &Security::default());
        assert_eq!(Identity::without(Some(""), folder.path()), Identity::Lost);
    }
}
