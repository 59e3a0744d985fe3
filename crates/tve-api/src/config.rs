//! The configuration over HTTP, and the audit journal.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Reply of `PUT /api/config` and `POST /api/config/restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigChanged {
    /// Always `true`.
    pub success: bool,
    /// Tag of the configuration that is in force now, for the next `If-Match`.
    pub etag: String,
    /// Dotted paths of the keys that changed.
    pub changed: Vec<String>,
    /// Those of them that take effect at the next start.
    pub restart_needed: Vec<String>,
}

/// Body of `POST /api/config/restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestoreRequest {
    /// Number of a generation, from 1.
    #[schema(minimum = 1)]
    pub generation: u32,
}

/// Body of `POST /api/config/confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfirmRequest {
    /// The code that the refusal of the change has told.
    pub code: String,
}

/// A file that saving has replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigGeneration {
    /// 1 for the newest, up to 10.
    pub generation: u32,
    /// Size in bytes.
    pub size: u64,
    /// When it was written, seconds since the Unix epoch.
    pub modified: f64,
}

/// Reply of `GET /api/config/generations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ConfigGenerations {
    /// Always `true`.
    pub success: bool,
    /// Newest first.
    pub generations: Vec<ConfigGeneration>,
}

/// Reply of `GET /api/audit`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// Always `true`.
    pub success: bool,
    /// Page of `lines`, from 0.
    pub page: u64,
    /// Lines on all pages.
    pub total: u64,
    /// Lines of the journal, newest first, 200 a page.
    #[schema(value_type = Vec<Object>)]
    pub lines: Vec<Box<serde_json::value::RawValue>>,
}
