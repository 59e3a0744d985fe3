//! Which machine is driven, and how the service is reached.

use crate::field::{Choice, Leniency, Nullable, Scalar, Shape, choice};
use crate::issue::{shown, unknown};
use crate::section::section;
use serde_json::{Value, json};
use std::net::SocketAddr;

choice! {
    /// The machine that is driven.
    pub enum HardwareKind {
        /// The simulator.
        Sim = "sim",
        /// The Raspberry Pi's pins.
        Rpi = "rpi",
    }
}

section! {
    /// Which machine is driven.
    pub struct HardwareSection / HardwareSectionPatch : Copy {
        /// The machine; null leaves it to the command line.
        kind: Option<HardwareKind> = None, Nullable(Choice);
    }
}

/// Files of the certificate chain and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Path of the certificate chain.
    pub cert: String,
    /// Path of the private key.
    pub key: String,
}

section! {
    /// How the service is reached.
    pub struct Server / ServerPatch {
        /// Address and port to listen on; null means 127.0.0.1:5000.
        listen: Option<SocketAddr> = None, Nullable(Address);
        /// Host names that are this machine, besides IP addresses and its own name.
        hosts: Vec<String> = Vec::new(), Texts(TextKind::Host);
        /// Origins of foreign web pages that may call, as `scheme://host[:port]`.
        allowed_origins: Vec<String> = Vec::new(), Texts(TextKind::Origin);
        /// Folder of the operator panel's files; null serves a page of links.
        www: Option<String> = None, Nullable(PathText);
        /// Certificate and key files; null serves plain HTTP.
        tls: Option<Tls> = None, Nullable(TlsFiles);
    }
}

/// `IP:port`.
struct Address;

impl Scalar<SocketAddr> for Address {
    fn parse(&self, value: &Value, _: Leniency) -> Result<SocketAddr, String> {
        value.as_str().and_then(|s| s.parse().ok()).ok_or_else(|| {
            format!("must be an address with port such as \"127.0.0.1:5000\", not {}", shown(value))
        })
    }

    fn print(&self, value: &SocketAddr) -> Value {
        json!(value.to_string())
    }

    fn describe(&self) -> Shape {
        Shape::new("text", "IP address and port".to_owned(), "", json!({"type": "string"}))
    }
}

/// Longest path in bytes that Linux opens.
const PATH_BYTES: usize = 4096;

/// A path of the file system.
struct PathText;

impl Scalar<String> for PathText {
    fn parse(&self, value: &Value, _: Leniency) -> Result<String, String> {
        match value.as_str() {
            Some(s) if !s.is_empty() && s.len() < PATH_BYTES && !s.contains(char::is_control) => {
                Ok(s.to_owned())
            }
            _ => Err(format!("must be a path, not {}", shown(value))),
        }
    }

    fn print(&self, value: &String) -> Value {
        json!(value)
    }

    fn describe(&self) -> Shape {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": PATH_BYTES - 1});
        Shape::new("text", "path".to_owned(), "", schema)
    }
}

/// `{cert, key}`.
struct TlsFiles;

impl Scalar<Tls> for TlsFiles {
    fn parse(&self, value: &Value, how: Leniency) -> Result<Tls, String> {
        let map = value
            .as_object()
            .ok_or_else(|| format!("must be {{cert, key}} or null, not {}", shown(value)))?;
        let known = ["cert", "key"];
        if let Some(key) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(unknown(&format!("key \"{}\"", crate::issue::printable(key)), key, &known));
        }
        let file = |key: &str| {
            let value = map.get(key).ok_or_else(|| format!("needs {key}, a path"))?;
            PathText.parse(value, how).map_err(|reason| format!("{key} {reason}"))
        };
        Ok(Tls { cert: file("cert")?, key: file("key")? })
    }

    fn print(&self, value: &Tls) -> Value {
        json!({"cert": value.cert, "key": value.key})
    }

    fn describe(&self) -> Shape {
        let path = PathText.describe().schema;
        let schema = json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["cert", "key"],
            "properties": {"cert": path, "key": path},
        });
        Shape::new("{cert, key}", "paths of PEM files".to_owned(), "", schema)
    }
}

/// What the texts of a list are.
#[derive(Clone, Copy)]
enum TextKind {
    /// A host name, without port.
    Host,
    /// `scheme://host[:port]`.
    Origin,
}

impl TextKind {
    fn check(self, text: &str) -> Result<(), &'static str> {
        let host = match self {
            Self::Host => text,
            Self::Origin => {
                let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
                let rest = rest.ok_or("must begin with http:// or https://")?;
                match rest.rsplit_once(':') {
                    Some((host, port)) if !rest.ends_with(']') => {
                        port.parse::<u16>().map_err(|_| "must end with a port number, or none")?;
                        host
                    }
                    _ => rest,
                }
            }
        };
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if bare.is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()) {
            return Ok(());
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || host.len() > HOST_BYTES || !host.chars().all(legal) {
            return Err("must name one host, without wildcard, path or spaces");
        }
        Ok(())
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Host => "host name",
            Self::Origin => "origin",
        }
    }
}

/// Longest host name of DNS in bytes.
const HOST_BYTES: usize = 253;
/// Longest list: more is a mistake, and each request compares against it.
const MAX_TEXTS: usize = 64;

/// A list of texts.
struct Texts(TextKind);

impl Scalar<Vec<String>> for Texts {
    fn parse(&self, value: &Value, _: Leniency) -> Result<Vec<String>, String> {
        let kind = self.0.name();
        let list = value
            .as_array()
            .filter(|list| list.len() <= MAX_TEXTS)
            .ok_or_else(|| format!("must be a list of at most {MAX_TEXTS} {kind}s"))?;
        list.iter()
            .map(|item| {
                let text = item
                    .as_str()
                    .ok_or_else(|| format!("each {kind} must be a text, not {}", shown(item)))?;
                match self.0.check(text) {
                    Ok(()) => Ok(text.to_owned()),
                    Err(reason) => Err(format!("{kind} {} {reason}", shown(item))),
                }
            })
            .collect()
    }

    fn print(&self, value: &Vec<String>) -> Value {
        json!(value)
    }

    fn describe(&self) -> Shape {
        let schema = json!({"type": "array", "maxItems": MAX_TEXTS, "items": {"type": "string"}});
        Shape::new("list of texts", format!("{}s", self.0.name()), "", schema)
    }
}
