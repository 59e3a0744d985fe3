//! The front as a whole: opened before the machine, started with its door, stopped after it.

use crate::app::App;
use crate::connection::Shared;
use crate::error::FrontError;
use crate::gate::Gate;
use crate::in_flight::InFlight;
use crate::listen::{self, check_files, check_reach};
use crate::openapi;
use crate::places::Places;
use crate::routes::{self, Route};
use crate::serve;
use crate::sockets;
use crate::tls::Tls;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tve_config::{Config, Server};
use tve_runtime::{Door, Veto};

/// An open listener with what is to be served on it.
pub struct Site {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    server: Server,
    insecure_open: bool,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Site {
    /// Refuses what would be less safe than it looks, reads the certificate and opens the listener:
    /// `inherited` from a service manager, else on `listen`, else on `server.listen`, else on
    /// 127.0.0.1:5000. `insecure_open` allows to listen beyond loopback without login or TLS.
    ///
    /// # Errors
    /// [`FrontError`], a sentence with the value and what to do.
    pub fn open(
        config: &Config,
        listen: Option<SocketAddr>,
        inherited: Option<std::net::TcpListener>,
        insecure_open: bool,
    ) -> Result<Self, FrontError> {
        let asked = listen.or(config.server.listen);
        if let Some(address) = asked {
            check_reach(address, config, insecure_open)?;
        }
        let tls = check_files(config)?;
        let address = asked.unwrap_or(SocketAddr::from(listen::DEFAULT_LISTEN));
        let listener = listen::listener(address, inherited, config, insecure_open)?;
        let address =
            listener.local_addr().map_err(|source| FrontError::Listen { address, source })?;
        Ok(Self { listener, address, tls, server: config.server.clone(), insecure_open })
    }

    /// What this front would refuse to start with.
    pub fn veto(&self) -> Veto {
        let insecure_open = self.insecure_open;
        Box::new(move |config| {
            let reach = match config.server.listen {
                Some(address) => check_reach(address, config, insecure_open),
                None => Ok(()),
            };
            reach.and_then(|()| check_files(config).map(|_| ())).map_err(|error| error.to_string())
        })
    }
}

/// A running front. [`Front::stop`] ends it.
pub struct Front {
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Front {
    /// Serves `door` on `site`.
    pub fn start(site: Site, door: Door) -> Self {
        let Site { listener, address, tls, server, .. } = site;
        let labels = Route::TABLE.iter().map(|row| row.path).collect();
        let app = Arc::new(App::new(door, labels, openapi::document));
        let (stop, on_stop) = watch::channel(false);
        let (socket_service, io) = sockets::service(Arc::clone(&app));
        let sessions = socket_service.sessions();
        let evicted = Arc::clone(&app);
        let places = Places::new(move || evicted.metrics.connection_refused());
        let shared = Arc::new(Shared {
            in_flight: InFlight::new(),
            router: routes::router(Arc::clone(&app), server.www.as_deref()),
            gate: Gate::new(&server),
            sockets: socket_service,
            has_files: server.www.is_some(),
            app: Arc::clone(&app),
        });
        let tasks = vec![
            tokio::spawn(serve::serve(listener, tls.clone(), shared, places, on_stop.clone())),
            tokio::spawn(sockets::broadcast(app, io, sessions, on_stop)),
        ];
        Self { address, tls, stop, tasks }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether clients must speak TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads certificate and key again. A connection that is open keeps what it has; so does
    /// everybody when the new files are faulty, which is logged.
    pub async fn reload_tls(&self) {
        let Some(tls) = self.tls.clone() else {
            tracing::info!("there is nothing to read again: server.tls is not set");
            return;
        };
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("new connections use the certificate as it is now"),
            Ok(Err(error)) => tracing::error!(%error, "the old certificate stays in use"),
            Err(error) => tracing::error!(%error, "the old certificate stays in use"),
        }
    }

    /// Lets open requests finish, within 0.3 s, and ends.
    pub async fn stop(self) {
        // True for every receiver, also for one that looks later.
        self.stop.send_replace(true);
        for task in self.tasks {
            // A task that was cut off has nothing left to do.
            let _ = task.await;
        }
    }
}
