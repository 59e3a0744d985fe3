//! The incident file: magic, header in JSON, segments, SHA-256 of all before it.
//!
//! ```text
//! "TVEBOX1\n" | u32 length | header (JSON) | segment | segment | ... | SHA-256 (32 bytes)
//! segment: u32 configuration | u8 continues | u64 began µs | u32 length | state
//!                                                          | u32 length | records
//! ```
//! Numbers are little-endian. The header holds each configuration once, without users and keys.

use super::kept::Kept;
use super::{IncidentError, Trigger};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;
use tve_config::Config;
use tve_units::Micros;

const MAGIC: &[u8; 8] = b"TVEBOX1\n";
const CHECKSUM: usize = 32;
/// The number of the layout: that of the file, of its records, and of the state in front of each
/// segment. A build reads its own alone; `layout.rs` sees when one of them changes.
pub(super) const FORMAT: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`FORMAT`]; files from before it had a number have none.
    #[serde(default)]
    pub(super) format: u32,
    /// The service that recorded, for people: another one may decide otherwise.
    pub(super) version: String,
    /// What raised the incident, oldest first.
    pub(super) alarms: Vec<HeaderAlarm>,
    pub(super) configs: Vec<Value>,
    pub(super) segments: u32,
}

/// An alarm of the incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct HeaderAlarm {
    pub(super) code: String,
    /// Seconds since the start of the machine.
    pub(super) at: f64,
    /// Seconds since the Unix epoch.
    pub(super) wall: f64,
}

/// What the controller decides by; users, keys and addresses are none of it.
fn config_json(config: &Config) -> Value {
    let mut value = config.to_public_json();
    if let Some(sections) = value.as_object_mut() {
        sections.remove("security");
        sections.remove("server");
    }
    value
}

/// The file of these segments.
pub(super) fn compose(segments: &[&Kept], alarms: &[Trigger]) -> io::Result<Vec<u8>> {
    let mut configs: Vec<Arc<Config>> = Vec::new();
    let mut indices = Vec::new();
    for segment in segments {
        let known = configs.iter().position(|c| Arc::ptr_eq(c, &segment.config));
        indices.push(known.unwrap_or(configs.len()));
        if known.is_none() {
            configs.push(Arc::clone(&segment.config));
        }
    }
    let header = Header {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        alarms: alarms
            .iter()
            .map(|alarm| HeaderAlarm {
                code: alarm.code.name().into(),
                at: alarm.at.secs(),
                wall: alarm.wall.secs(),
            })
            .collect(),
        configs: configs.iter().map(|c| config_json(c)).collect(),
        segments: segments.len() as u32,
    };
    let header = serde_json::to_vec(&header)?;
    let mut bytes = MAGIC.to_vec();
    put_block(&mut bytes, &header);
    for (segment, index) in segments.iter().zip(indices) {
        bytes.extend_from_slice(&(index as u32).to_le_bytes());
        bytes.push(u8::from(segment.continues));
        bytes.extend_from_slice(&segment.began.get().to_le_bytes());
        let (state, records) = segment.bytes.split_at(segment.state_len.min(segment.bytes.len()));
        put_block(&mut bytes, state);
        put_block(&mut bytes, records);
    }
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    Ok(bytes)
}

fn put_block(into: &mut Vec<u8>, block: &[u8]) {
    into.extend_from_slice(&(block.len() as u32).to_le_bytes());
    into.extend_from_slice(block);
}

/// A segment of a file.
pub(super) struct Part<'a> {
    pub(super) config: Config,
    pub(super) continues: bool,
    pub(super) began: Micros,
    pub(super) state: &'a [u8],
    pub(super) records: &'a [u8],
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        self.take(len)
    }
}

/// Reads a file, once its checksum is known to be right.
pub(super) fn parse(bytes: &[u8]) -> Result<(Header, Vec<Part<'_>>), IncidentError> {
    if !bytes.starts_with(MAGIC) || bytes.len() < MAGIC.len() + CHECKSUM {
        return Err(IncidentError::NoIncident);
    }
    let (body, checksum) = bytes.split_at(bytes.len() - CHECKSUM);
    if Sha256::digest(body).as_slice() != checksum {
        return Err(IncidentError::Damaged);
    }
    let mut cursor = Cursor(&body[MAGIC.len()..]);
    let header = cursor.block().ok_or(IncidentError::Unreadable("its header is cut off"))?;
    let header: Header = serde_json::from_slice(header)
        .map_err(|_| IncidentError::Unreadable("its header makes no sense"))?;
    if header.format != FORMAT {
        return Err(IncidentError::Format { found: header.format, version: header.version });
    }
    let mut configs = Vec::new();
    for value in &header.configs {
        let config = Config::parse(&value.to_string())
            .map_err(|_| IncidentError::Unreadable("its configuration is not valid"))?;
        configs.push(config);
    }
    let mut parts = Vec::new();
    for _ in 0..header.segments {
        let part = part(&mut cursor, &configs);
        parts.push(part.ok_or(IncidentError::Unreadable("a segment is cut off"))?);
    }
    Ok((header, parts))
}

fn part<'a>(cursor: &mut Cursor<'a>, configs: &[Config]) -> Option<Part<'a>> {
    let config = configs.get(cursor.u32()? as usize)?.clone();
    let continues = cursor.take(1)? != [0];
    let began = Micros::new(cursor.u64()?);
    Some(Part { config, continues, began, state: cursor.block()?, records: cursor.block()? })
}
