//! What lies in the data folder: run files, incidents, the audit journal.

use super::{Door, read_on_thread};
use crate::refused::ServiceError;
use std::fs::File;
use std::io;
use std::path::Path;
use tve_control::{Refusal, RefusalCode};
use tve_recorder::RunList;

pub(super) fn unreadable(error: &io::Error) -> ServiceError {
    tracing::warn!(%error, "the data folder cannot be read");
    Refusal::with(
        RefusalCode::DiskFailed,
        format!("the data folder cannot be read: {error}; check the disk of the data folder"),
    )
    .into()
}

/// Runs what reads or writes the data folder.
pub(super) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ServiceError> {
    read_on_thread(work).await?.map_err(|error| unreadable(&error))
}

impl Door {
    /// How many run files there are, and those of one page, counted from 0.
    ///
    /// # Errors
    /// 503 when the folder cannot be read; the same goes for the others.
    pub async fn runs(&self, page: usize) -> Result<RunList, ServiceError> {
        let folder = self.0.data_dir.clone();
        on_disk(move || tve_recorder::list_runs(&folder, page)).await
    }

    /// How many incident files there are, and those of one page, counted from 0.
    ///
    /// # Errors
    /// As above.
    pub async fn incidents(&self, page: usize) -> Result<RunList, ServiceError> {
        let folder = self.0.data_dir.clone();
        on_disk(move || tve_recorder::list_incidents(&folder, page)).await
    }

    /// A run file and its length in bytes; `None` when there is none of that name.
    ///
    /// # Errors
    /// As above.
    pub async fn open_run(&self, name: String) -> Result<Option<(File, u64)>, ServiceError> {
        self.open(name, tve_recorder::open_run).await
    }

    /// An incident file and its length in bytes; `None` when there is none of that name.
    ///
    /// # Errors
    /// As above.
    pub async fn open_incident(&self, name: String) -> Result<Option<(File, u64)>, ServiceError> {
        self.open(name, tve_recorder::open_incident).await
    }

    async fn open(
        &self,
        name: String,
        open: fn(&Path, &str) -> io::Result<(File, u64)>,
    ) -> Result<Option<(File, u64)>, ServiceError> {
        let folder = self.0.data_dir.clone();
        on_disk(move || match open(&folder, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        })
        .await
    }

    /// A page of `size` lines of the audit journal, newest first, counted from 0.
    ///
    /// # Errors
    /// As above.
    pub async fn audit_page(&self, page: u64, size: u64) -> Result<tve_audit::Page, ServiceError> {
        let folder = self.0.data_dir.join(tve_audit::FOLDER);
        on_disk(move || tve_audit::page(&folder, page, size)).await
    }
}
