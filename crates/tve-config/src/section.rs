//! The macro from which a section's struct, defaults, patch, parsing and documentation come.

use crate::field::{Descriptor, Shape};
use crate::issue::{Issue, shown};
use serde_json::{Map, Value, json};
use std::marker::PhantomData;

/// The keys of a section, for the documentation.
pub(crate) trait Section {
    /// Keys that are accepted without being fields.
    const ALSO: &'static [&'static str];
    fn fields() -> Vec<Descriptor>;
}

/// A section inside another, patched key by key.
pub(crate) struct Sub<S>(PhantomData<S>);

/// A section inside another.
pub(crate) const fn sub<S>() -> Sub<S> {
    Sub(PhantomData)
}

impl<S: Section> Sub<S> {
    /// For the documentation.
    pub(crate) fn shape() -> Shape {
        let fields = S::fields();
        let schema = object_schema(&fields, S::ALSO);
        Shape { fields, also: S::ALSO, ..Shape::new("object", String::new(), "", schema) }
    }
}

/// Run `check`, and put `key` before the paths of what it finds. Paths are made for faults
/// only: a command between two ticks rechecks the whole configuration.
pub(crate) fn below(key: &str, errors: &mut Vec<Issue>, check: impl FnOnce(&mut Vec<Issue>)) {
    let old = errors.len();
    check(errors);
    for issue in &mut errors[old..] {
        issue.path = format!("{key}.{}", issue.path);
    }
}

/// The members of a JSON object, or an issue.
pub(crate) fn object<'a>(
    value: &'a Value,
    path: &str,
    errors: &mut Vec<Issue>,
) -> Option<&'a Map<String, Value>> {
    let map = value.as_object();
    if map.is_none() {
        errors.push(Issue::new(path, format!("must be an object, not {}", shown(value))));
    }
    map
}

/// JSON Schema of an object with exactly `fields`, all optional, and the keys of `also`.
pub(crate) fn object_schema(fields: &[Descriptor], also: &[&str]) -> Value {
    let also = also.iter().map(|key| ((*key).to_owned(), json!({"type": "number"})));
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = field.shape.schema.clone();
            if let Value::Object(members) = &mut schema {
                members.insert("description".into(), json!(field.doc));
                if field.shape.fields.is_empty() {
                    members.insert("default".into(), field.default.clone());
                }
            }
            (field.key.to_owned(), schema)
        })
        .chain(also)
        .collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

macro_rules! patch_type {
    ($ty:ty) => {
        $ty
    };
    ($ty:ty, $patch:ty) => {
        $patch
    };
}
pub(crate) use patch_type;

/// Defines a section: `key: type = default, spec;` per key.
///
/// `as P` gives the patch a type of its own; `derived [..]` names keys that are shown but not
/// set, so they are accepted and ignored; `then f` lets `f` read keys of another shape, and
/// `shown f` lets `f` take keys out of what is written.
macro_rules! section {
    (
        $(#[doc = $sdoc:literal])+
        pub struct $name:ident / $patch:ident $(: $extra:ident)? $(, derived [$($derived:literal),+])? $(, then $then:path)? $(, shown $shown:path)? {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $ty:ty $(as $pty:ty)? = $default:expr, $spec:expr;
            )+
        }
    ) => {
        $(#[doc = $sdoc])+
        #[derive(Debug, Clone, PartialEq $(, $extra)?)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = ""]
                #[doc = concat!("Default `", stringify!($default), "`; accepted: `", stringify!($spec), "`.")]
                pub $field: $ty,
            )+
        }

        #[doc = concat!("Changes to a [`", stringify!($name), "`]: what is `None` stays.")]
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $patch {
            $(
                #[doc = concat!("New [`", stringify!($name), "::", stringify!($field), "`].")]
                pub $field: Option<$crate::section::patch_type!($ty $(, $pty)?)>,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            /// Read the changes that `map` asks for; faults go to `errors` with their path below
            /// `path`, and their keys stay `None`.
            pub fn patch_from(
                map: &serde_json::Map<String, serde_json::Value>,
                how: $crate::Leniency,
                path: &str,
                errors: &mut Vec<$crate::Issue>,
            ) -> $patch {
                let mut patch = $patch::default();
                for (key, value) in map {
                    let path = $crate::issue::join(path, key);
                    match key.as_str() {
                        $(
                            stringify!($field) => {
                                patch.$field = $crate::field::Spec::<
                                    $ty,
                                    $crate::section::patch_type!($ty $(, $pty)?),
                                >::read(&$spec, value, how, &path, errors);
                            }
                        )+
                        $($($derived)|+ => {})?
                        _ => {
                            let known = [$(stringify!($field)),+];
                            let reason = $crate::issue::unknown("key", key, &known);
                            errors.push($crate::Issue::new(path, reason));
                        }
                    }
                }
                $($then(map, how, path, errors, &mut patch);)?
                patch
            }

            /// Make the changes of `patch`. Rules between keys are checked by
            /// [`Config::validate`](crate::Config::validate).
            pub fn apply(&mut self, patch: &$patch) {
                $(
                    if let Some(new) = &patch.$field {
                        $crate::field::Spec::<
                            $ty,
                            $crate::section::patch_type!($ty $(, $pty)?),
                        >::merge(&$spec, &mut self.$field, new);
                    }
                )+
            }

            /// Whether a file could hold these values, each by itself.
            pub(crate) fn recheck(&self, errors: &mut Vec<$crate::Issue>) {
                $(
                    $crate::field::Spec::<
                        $ty,
                        $crate::section::patch_type!($ty $(, $pty)?),
                    >::recheck(&$spec, &self.$field, stringify!($field), errors);
                )+
            }

            /// Every key with its value, as the file holds it.
            pub fn to_json(&self) -> serde_json::Value {
                let mut map = serde_json::Map::new();
                $(
                    map.insert(
                        stringify!($field).to_owned(),
                        $crate::field::Spec::<
                            $ty,
                            $crate::section::patch_type!($ty $(, $pty)?),
                        >::write(&$spec, &self.$field),
                    );
                )+
                $($shown(self, &mut map);)?
                serde_json::Value::Object(map)
            }
        }

        // Per section instead of generic: the compiler then sees that no scalar spec overlaps.
        impl $crate::field::Spec<$name, $patch> for $crate::section::Sub<$name> {
            fn read(
                &self,
                value: &serde_json::Value,
                how: $crate::Leniency,
                path: &str,
                errors: &mut Vec<$crate::Issue>,
            ) -> Option<$patch> {
                let map = $crate::section::object(value, path, errors)?;
                Some($name::patch_from(map, how, path, errors))
            }
            fn merge(&self, current: &mut $name, patch: &$patch) {
                current.apply(patch);
            }
            fn write(&self, value: &$name) -> serde_json::Value {
                value.to_json()
            }
            fn shape(&self) -> $crate::field::Shape {
                Self::shape()
            }
            fn recheck(&self, value: &$name, key: &str, errors: &mut Vec<$crate::Issue>) {
                $crate::section::below(key, errors, |errors| value.recheck(errors));
            }
        }

        impl $crate::section::Section for $name {
            const ALSO: &'static [&'static str] = &[$($($derived),+)?];
            fn fields() -> Vec<$crate::field::Descriptor> {
                let default = Self::default();
                vec![$(
                    $crate::field::Descriptor {
                        key: stringify!($field),
                        doc: concat!($($doc),+).trim(),
                        default: $crate::field::Spec::<
                            $ty,
                            $crate::section::patch_type!($ty $(, $pty)?),
                        >::write(&$spec, &default.$field),
                        shape: $crate::field::Spec::<
                            $ty,
                            $crate::section::patch_type!($ty $(, $pty)?),
                        >::shape(&$spec),
                    },
                )+]
            }
        }
    };
}
pub(crate) use section;
