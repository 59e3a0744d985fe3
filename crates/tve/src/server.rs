//! The service: its runtime and its fronts, started and stopped in the order that keeps the machine
//! safe.

use crate::systemd;
use std::net::SocketAddr;
use std::ops::Deref;
use tve_http::{Front, FrontError, Site};
use tve_runtime::{Options, Prepared, Runtime};

/// A start that failed, or a control thread that ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Of the machine or what stands around it.
    #[error(transparent)]
    Runtime(#[from] tve_runtime::StartError),
    /// Of what clients see.
    #[error(transparent)]
    Front(#[from] FrontError),
    /// Of the socket that a service manager passed.
    #[error("the socket of the service manager cannot be used: {0}")]
    Inherited(std::io::Error),
}

/// The service before it runs.
#[derive(Debug)]
pub struct Server;

/// A running service. Dropping it turns every output off; [`Running::stop`] does so in order.
#[derive(Debug)]
pub struct Running {
    runtime: Runtime,
    front: Front,
}

impl Server {
    /// Boots recorder, control thread and HTTP, in that order. Returns when the service answers.
    ///
    /// A configuration file that is wrong does not stop the service: it stays up in CONFIG_FAULT
    /// with every output locked and the faults in `state.config_errors`.
    ///
    /// # Errors
    /// [`StartError`], a sentence with the value and what to do.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let (listen, insecure_open) = (options.listen, options.insecure_open);
        let prepared = Prepared::new(options)?;
        // Nobody has to be told of a machine that then cannot be reached.
        let inherited = systemd::inherited_listener().map_err(StartError::Inherited)?;
        let site = Site::open(prepared.config(), listen, inherited, insecure_open)?;
        let watchdog =
            systemd::watchdog_period().map(|period| (period, systemd::feed_watchdog as fn()));
        let runtime = prepared.start(watchdog, site.veto()).await?;
        let front = Front::start(site, runtime.door());
        Ok(Running { runtime, front })
    }
}

impl Deref for Running {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        &self.runtime
    }
}

impl Running {
    /// Where the service listens.
    pub fn addr(&self) -> SocketAddr {
        self.front.addr()
    }

    /// Whether clients must speak TLS.
    pub fn is_tls(&self) -> bool {
        self.front.is_tls()
    }

    /// Reads certificate and key again; open connections keep what they have.
    pub async fn reload_tls(&self) {
        self.front.reload_tls().await;
    }

    /// Waits until the control thread has ended by itself, which only a fault makes it do.
    pub async fn failed(&mut self) -> StartError {
        self.runtime.failed().await.into()
    }

    /// Stops in order: motors ramp down and outputs go off, clients are let go, files are written.
    /// The machine takes 2 s at most; a disk that does not answer gets what is left of 2.9 s in all.
    ///
    /// # Errors
    /// When the control thread had panicked.
    pub async fn stop(self) -> Result<(), StartError> {
        systemd::stopping();
        let stopping = self.runtime.halt().await;
        self.front.stop().await;
        Ok(stopping.finish().await?)
    }
}
