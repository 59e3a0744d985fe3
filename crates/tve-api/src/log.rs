//! The recorder: the replies of `GET /api/log` and `GET /api/incidents`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunFile {
    /// Name, to be fetched as `/api/log/{name}`.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Last write, seconds since the Unix epoch.
    pub modified: f64,
}

/// Reply of `GET /api/log`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogStatus {
    /// Always `true`.
    pub success: bool,
    /// A run is being recorded.
    pub recording: bool,
    /// The run waits for free space on the disk.
    pub suspended: bool,
    /// File of the run, once it has a row.
    pub file: Option<String>,
    /// Rows of the run.
    pub rows: u64,
    /// Rows that were lost since the service started.
    pub dropped_rows: u64,
    /// Failed writes since the service started.
    pub write_failures: u64,
    /// Last successful flush, seconds since the Unix epoch.
    pub last_flush: Option<f64>,
    /// Free space of the data folder, bytes.
    pub bytes_free: Option<u64>,
    /// Free space is under `logging.min_free_mb`.
    pub disk_low: bool,
    /// Writing fails at present.
    pub failed: bool,
    /// Page of `files`, from 0.
    pub page: u64,
    /// How many run files there are on all pages.
    pub total: u64,
    /// Run files, newest first, 200 a page.
    pub files: Vec<RunFile>,
}

/// Reply of `GET /api/incidents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentList {
    /// Always `true`.
    pub success: bool,
    /// Page of `files`, from 0.
    pub page: u64,
    /// How many incident files there are on all pages.
    pub total: u64,
    /// Incident files, newest first, 200 a page; to be fetched as `/api/incidents/{name}`.
    pub files: Vec<RunFile>,
}
