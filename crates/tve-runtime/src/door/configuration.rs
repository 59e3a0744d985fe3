//! The configuration as a whole: replaced where it is the one expected, restored from an older file,
//! saved.

use super::execute::to_the_end;
use super::{Asked, Door, Service, on_thread};
use crate::access::has_admin;
use crate::door::files::unreadable;
use crate::identity;
use crate::refused::ServiceError;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, PoisonError};
use tve_config::store::{self, Generation, LoadError};
use tve_config::{Config, Difference, Role};
use tve_control::{Command, Refusal, RefusalCode};

/// Sections that are read at start alone.
const AT_START: [&str; 3] = ["hardware", "plant", "server"];

/// What the fronts have against a configuration at their next start, as a sentence.
pub type Veto = Box<dyn Fn(&Config) -> Result<(), String> + Send + Sync>;

/// Tag of a configuration: the hash of all of it, users too, in double quotes. Nobody finds a hash of a
/// password out by it: each has a salt of its own.
pub fn tag(config: &Config) -> String {
    let digest = Sha256::digest(config.to_json().to_string().as_bytes());
    format!("\"{}\"", hex::encode(&digest[..16]))
}

/// The configurations that a change may be made on: tags, or `*` for any.
#[derive(Debug, Clone)]
pub struct Expected(pub Vec<String>);

impl Expected {
    fn check(&self, config: &Config) -> Result<(), ServiceError> {
        let current = tag(config);
        if self.0.iter().any(|given| given == "*" || *given == current) {
            return Ok(());
        }
        Err(ServiceError::new(
            RefusalCode::ConfigChanged,
            format!(
                "the configuration in force is {current}; read it again and repeat the change on it"
            ),
        ))
    }
}

/// What a change has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// Tag of the configuration in force.
    pub tag: String,
    /// Paths of what is different.
    pub changed: Vec<String>,
    /// Those of them that the next start reads.
    pub restart_needed: Vec<String>,
}

impl ConfigChange {
    fn new(tag: String, changed: &[Difference]) -> Self {
        let changed: Vec<String> = changed.iter().map(|d| d.path.clone()).collect();
        let section = |path: &String| path.split(['.', '[']).next().unwrap_or_default().to_owned();
        let restart_needed = changed
            .iter()
            .filter(|path| AT_START.contains(&section(path).as_str()))
            .cloned()
            .collect();
        Self { tag, changed, restart_needed }
    }
}

impl Door {
    /// Takes the configuration of a JSON document over and saves it. What is missing in `security`
    /// stays as it is.
    ///
    /// # Errors
    /// 412 when the one in force is not expected, 400 with every fault, 403 where the role is too
    /// low, the controller's refusal, 503 when it is in force but could not be written.
    pub async fn replace_config(
        &self,
        asked: Asked,
        expected: Expected,
        document: Vec<u8>,
    ) -> Result<ConfigChange, ServiceError> {
        let service = Arc::clone(&self.0);
        to_the_end(service.change(asked, Some(expected), move |_, current| {
            let text = std::str::from_utf8(&document).map_err(|_| {
                ServiceError::new(RefusalCode::InvalidJson, "the body must be UTF-8")
            })?;
            current
                .parse_update(text)
                .map_err(|errors| ServiceError::bad_config(RefusalCode::InvalidConfig, &errors))
        }))
        .await
    }

    /// Takes an older configuration over again, 1 for the newest, and saves it.
    ///
    /// # Errors
    /// As for [`Door::replace_config`]; 404 when there is none of that number.
    pub async fn restore_config(
        &self,
        asked: Asked,
        expected: Option<Expected>,
        number: u32,
    ) -> Result<ConfigChange, ServiceError> {
        let service = Arc::clone(&self.0);
        to_the_end(service.change(asked, expected, move |service, current| {
            let mut old = service.generation(number)?;
            // Users that are gone must not come back, nor a key that is used no more.
            old.security = current.security.clone();
            old.server.tls.clone_from(&current.server.tls);
            Ok(old)
        }))
        .await
    }

    /// The files that saving has replaced, newest first.
    ///
    /// # Errors
    /// 503 when the folder cannot be read.
    pub async fn config_generations(&self) -> Result<Vec<Generation>, ServiceError> {
        let service = Arc::clone(&self.0);
        super::files::on_disk(move || store::generations(&service.config_path)).await
    }

    /// One of them, 1 for the newest.
    ///
    /// # Errors
    /// 404 when there is none of that number, 409 when it does not follow the rules of today.
    pub async fn config_generation(&self, number: u32) -> Result<Config, ServiceError> {
        let service = Arc::clone(&self.0);
        on_thread(move || service.generation(number)).await?
    }
}

impl Service {
    /// Makes a new configuration of the one in force, has it taken over and saved, and notes it.
    async fn change(
        self: Arc<Self>,
        asked: Asked,
        expected: Option<Expected>,
        make: impl FnOnce(&Self, &Config) -> Result<Config, ServiceError> + Send + 'static,
    ) -> Result<ConfigChange, ServiceError> {
        self.access.take(&asked.caller)?;
        let alone = self.configuring.lock().await;
        let before = Arc::clone(&self.newest.load().config);
        let made = {
            let (service, before, role) =
                (Arc::clone(&self), Arc::clone(&before), asked.caller.role);
            // Files may be read and a whole document is checked.
            on_thread(move || {
                if let Some(expected) = &expected {
                    expected.check(&before)?;
                }
                let new = make(&service, &before)?;
                check_role(role, &before, &new)?;
                if before.security != new.security && !has_admin(&new.security) {
                    return Err(ServiceError::new(
                        RefusalCode::InvalidConfig,
                        "security.users: leaves no user with the role admin who can log in, and \
                         nobody could change users any more",
                    ));
                }
                if before.server != new.server || before.security != new.security {
                    // The next start must not fail by what was accepted today.
                    (service.veto)(&new).map_err(|sentence| {
                        ServiceError::new(RefusalCode::InvalidConfig, sentence)
                    })?;
                }
                Ok(new)
            })
            .await
            .and_then(|made| made)
        };
        let new = match made {
            Ok(new) => new,
            Err(error) => return Err(asked.refuse(&self, error)),
        };
        let command = Command::ReplaceConfig(Box::new(new));
        if let Err(refusal) = self.configure(command, Some(&asked)).await {
            return Err(asked.refuse(&self, refusal.into()));
        }
        self.enforce_security(&before);
        let changed = self.since(&before);
        let tag = tag(&self.newest.load().config);
        drop(alone);
        let done = ConfigChange::new(tag, &changed);
        if let Err(refusal) = self.save().await {
            let error = ServiceError::from(refusal);
            asked.note(&self, error.status(), Some(error.sentence()), changed);
            return Err(error);
        }
        asked.note(&self, 200, None, changed);
        Ok(done)
    }

    /// Puts the users of today in force where they are not those of `before`.
    pub(super) fn enforce_security(&self, before: &Config) {
        let security = &self.newest.load().config.security;
        if before.security != *security {
            self.access.enforce(security);
        }
    }

    /// Writes the configuration in force to its file.
    pub(super) async fn save(self: &Arc<Self>) -> Result<(), Refusal> {
        let service = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let _one = service.saving.lock().unwrap_or_else(PoisonError::into_inner);
            // Read under the lock: of two saves the later one has the later configuration.
            let config = Arc::clone(&service.newest.load().config);
            let path = &service.config_path;
            identity::remember(&service.data_dir, &config.security);
            store::save(path, &config).map_err(|error| {
                let path = path.display();
                tracing::error!(%path, %error, "the configuration could not be saved");
                Refusal::with(
                    RefusalCode::DiskFailed,
                    format!(
                        "the configuration is in force but {path} could not be written: {error}; \
                         check the disk and save again"
                    ),
                )
            })
        });
        match task.await {
            Ok(saved) => saved.map(|_| ()),
            Err(_) => Err(Refusal::with(RefusalCode::DiskFailed, "saving was cut off; save again")),
        }
    }

    fn generation(&self, number: u32) -> Result<Config, ServiceError> {
        if !(1..=store::GENERATIONS).contains(&number) {
            return Err(no_such_generation());
        }
        store::load_generation(&self.config_path, number).map_err(|error| match error {
            LoadError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                no_such_generation()
            }
            LoadError::Read { source, .. } => unreadable(&source),
            // An older file may be from before a rule of today.
            LoadError::Invalid { errors, .. } => {
                ServiceError::bad_config(RefusalCode::OutdatedConfig, &errors)
            }
        })
    }
}

/// Who may come in, and which files are served, is for an admin to say.
fn check_role(role: Role, old: &Config, new: &Config) -> Result<(), ServiceError> {
    if role == Role::Admin || (&old.security, &old.server) == (&new.security, &new.server) {
        return Ok(());
    }
    let detail = "changing security or server needs the role admin";
    Err(ServiceError::new(RefusalCode::RoleTooLow, detail))
}

fn no_such_generation() -> ServiceError {
    ServiceError::not_found("generation of that number; GET /api/config/generations lists them")
}
