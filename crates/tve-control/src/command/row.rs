//! What a row of the table of commands consists of, and the macro that makes the table of the rows.
//!
//! ```text
//!        name, endpoint ─▶ kind ─▶ right ─▶ authorised? ─▶ parameters ─▶ Command ─▶ controller
//! a row: "SET_RELAY", control       operator                relay, state   SetRelay
//! ```
//!
//! The rows stand in `rows.rs`. Parser, roles, effects, audit, OpenAPI, the generated pages and the
//! generators of random requests read them. A kind without name, right, effect, parameters or a way
//! to make its command does not compile, nor does a [`Command`] that belongs to no kind.

use super::Command;
use super::spec::{Param, Spec};
use crate::refusal::{Refusal, RefusalCode};
use serde_json::{Map, Value};
use std::borrow::Cow;
use tve_machine::{Name, Right};

/// Where in the API a command comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// POST /api/control, by name.
    Control,
    /// POST /api/gpio, by name.
    Gpio,
    /// A route of its own, whose body is the value.
    Route(&'static str),
    /// Nowhere: it is made within the service.
    Inside,
}

/// What a command does to the machine and its configuration.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// Acts on the machine until something else is asked for.
    Acts,
    /// Can only bring the machine closer to rest.
    Calms,
    /// Is a setpoint, and calms where that holds: at zero.
    CalmsAtZero(fn(&Command) -> bool),
    /// May change the configuration in force.
    Configures,
    /// Writes the configuration in force to its file.
    Saves,
    /// Both.
    ConfiguresAndSaves,
}

impl Effect {
    /// Whether it may change the configuration in force.
    pub const fn configures(self) -> bool {
        match self {
            Self::Configures | Self::ConfiguresAndSaves => true,
            Self::Reads | Self::Acts | Self::Calms | Self::CalmsAtZero(_) | Self::Saves => false,
        }
    }

    /// Whether the configuration in force is written to its file afterwards.
    pub const fn saves(self) -> bool {
        match self {
            Self::Saves | Self::ConfiguresAndSaves => true,
            Self::Reads | Self::Acts | Self::Calms | Self::CalmsAtZero(_) | Self::Configures => {
                false
            }
        }
    }

    /// Whether `command`, whose effect this is, can only bring the machine closer to rest.
    pub(super) fn calms(self, command: &Command) -> bool {
        match self {
            Self::Calms => true,
            Self::CalmsAtZero(is_zero) => is_zero(command),
            Self::Reads
            | Self::Acts
            | Self::Configures
            | Self::Saves
            | Self::ConfiguresAndSaves => false,
        }
    }

    /// In a word or two, for the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Acts => "acts",
            Self::Calms => "calms",
            Self::CalmsAtZero(_) => "acts, calms at zero",
            Self::Configures => "configures",
            Self::Saves => "saves",
            Self::ConfiguresAndSaves => "configures and saves",
        }
    }
}

/// What the table says of a command without its parameters.
#[derive(Debug, Clone, Copy)]
pub struct CommandRow {
    /// Name on the wire.
    pub name: &'static str,
    /// Where it comes in.
    pub endpoint: Endpoint,
    /// What somebody needs who sends it.
    pub right: Right,
    /// What it does.
    pub effect: Effect,
    /// What it is for, in a sentence.
    pub doc: &'static str,
}

/// The value of a command as it came.
pub(super) type Args<'a> = Option<&'a Map<String, Value>>;

/// The members of a value that comes in at `endpoint`.
pub(super) fn args(endpoint: Endpoint, value: Option<&Value>) -> Result<Args<'_>, Refusal> {
    const SENTENCE: &str = "the value must be an object";
    match (value, endpoint) {
        (None | Some(Value::Null), _) => Ok(None),
        (Some(Value::Object(map)), _) => Ok(Some(map)),
        (_, Endpoint::Control) => Err(Refusal::invalid("value", SENTENCE)),
        (_, Endpoint::Gpio) => Err(Refusal::with(RefusalCode::InvalidPinOrValue, SENTENCE)),
        (_, Endpoint::Route(_) | Endpoint::Inside) => {
            Err(Refusal::with(RefusalCode::InvalidBody, "the body must be an object"))
        }
    }
}

/// Refuses a key that is none of these names: what it asks for would be done to nothing.
pub(super) fn only<'n>(
    args: Args<'_>,
    names: impl Iterator<Item = &'n Name> + Clone,
) -> Result<(), Refusal> {
    let foreign = |key: &&String| !names.clone().any(|name| name.as_str() == key.as_str());
    let Some(key) = args.and_then(|args| args.keys().find(foreign)) else { return Ok(()) };
    let known: Vec<&str> = names.map(Name::as_str).collect();
    let known = known.join(", ");
    Err(Refusal::invalid(key, format!("the value has a key that is none of {known}")))
}

/// Reads the parameter at `key`.
pub(super) fn take<S: Spec>(spec: &S, args: Args<'_>, key: &str) -> Result<S::Value, Refusal> {
    spec.read(args.and_then(|args| args.get(key)), key)
}

pub(super) fn describe(
    spec: &impl Spec,
    key: impl Into<Cow<'static, str>>,
    doc: &'static str,
) -> Param {
    Param { key: key.into(), doc: doc.trim_ascii(), shape: spec.shape() }
}

macro_rules! commands {
    (of $names:ident; $(
        $(#[doc = $doc:literal])+
        $kind:ident $name:literal ($endpoint:expr, $right:expr, $effect:expr)
        [$($is:pat)?] $parameters:tt $(=> $make:expr)?;
    )+) => {
        /// The kinds of commands, one for each row of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CommandKind { $($(#[doc = $doc])+ $kind,)+ }

        impl CommandKind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// What the table says of it.
            pub const fn row(self) -> &'static CommandRow {
                match self {$(
                    Self::$kind => const {
                        &CommandRow {
                            name: $name,
                            endpoint: $endpoint,
                            right: $right,
                            effect: $effect,
                            doc: concat!($($doc),+).trim_ascii(),
                        }
                    },
                )+}
            }

            /// Its parameters on a machine of these names, in the order in which they are checked.
            pub fn parameters(self, $names: &Names) -> Vec<Param> {
                match self { $(Self::$kind => commands!(@describe $names $parameters),)+ }
            }

            /// Whether its value is never looked at.
            pub const fn ignores_value(self) -> bool {
                match self { $(Self::$kind => commands!(@ignores $parameters),)+ }
            }

            /// Whether its value has no other keys than its parameters.
            pub const fn is_closed(self) -> bool {
                match self { $(Self::$kind => commands!(@closed $parameters),)+ }
            }

            /// The command of this kind that `value` asks for on a machine of these names; a missing
            /// or null value counts as `{}`.
            ///
            /// # Errors
            /// What is wrong with the value; `UNKNOWN_COMMAND` for what is made within the service.
            pub fn parse(
                self,
                value: Option<&Value>,
                $names: &Names,
            ) -> Result<Command, Refusal> {
                match self {$(
                    Self::$kind => commands!(@parse self, value, $names $parameters $(=> $make)?),
                )+}
            }
        }

        impl Command {
            /// The row that the command belongs to.
            pub const fn kind(&self) -> CommandKind {
                match self { $($($is => CommandKind::$kind,)?)+ }
            }
        }
    };
    // One key for each zone, by its name.
    (@describe $names:ident { $(#[doc = $doc:literal])+ each $key:ident: $spec:expr, }) => {
        $names.zones.iter().map(|key| describe(&$spec, key.to_string(), concat!($($doc),+))).collect()
    };
    (@describe $names:ident { $($(#[doc = $doc:literal])+ $key:ident: $spec:expr,)* }) => {
        vec![$(describe(&$spec, stringify!($key), concat!($($doc),+)),)*]
    };
    (@describe $names:ident $other:ident) => {
        Vec::new()
    };
    (@ignores anything) => {
        true
    };
    (@ignores $other:tt) => {
        false
    };
    (@closed { $(#[doc = $doc:literal])+ each $key:ident: $spec:expr, }) => {
        true
    };
    (@closed $other:tt) => {
        false
    };
    (@parse $self:ident, $value:ident, $names:ident {} => $make:expr) => {
        args($self.row().endpoint, $value).map(|_| $make)
    };
    (@parse $self:ident, $value:ident, $names:ident {
        $(#[doc = $doc:literal])+ each $key:ident: $spec:expr,
    } => $make:expr) => {{
        let args = args($self.row().endpoint, $value)?;
        only(args, $names.zones.iter())?;
        let mut $key = PerZone::new($names.zones.len());
        for (zone, name) in $names.zones.entries() {
            $key[zone] = take(&$spec, args, name.as_str())?;
        }
        Ok($make)
    }};
    (@parse $self:ident, $value:ident, $names:ident {
        $($(#[doc = $doc:literal])+ $key:ident: $spec:expr,)*
    } => $make:expr) => {{
        let args = args($self.row().endpoint, $value)?;
        $(let $key = take(&$spec, args, stringify!($key))?;)*
        Ok($make)
    }};
    // The value is never looked at.
    (@parse $self:ident, $value:ident, $names:ident anything => $make:expr) => {
        Ok($make)
    };
    (@parse $self:ident, $value:ident, $names:ident inside) => {
        Err(RefusalCode::UnknownCommand.into())
    };
}
pub(super) use commands;
