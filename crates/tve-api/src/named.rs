//! [`Named`]: values by names of the configuration, in the order of the machine.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// Values that are held in place, so that the replies about most machines allocate none.
const IN_PLACE: usize = 8;

/// One value for each name, such as one a sensor. It keeps the order in which it was made or read,
/// and shares its names with whoever else speaks of the same machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    names: Arc<[Box<str>]>,
    values: SmallVec<[T; IN_PLACE]>,
}

impl<T> Named<T> {
    /// One value for each of `names`; what is left over on either side goes.
    pub fn new(names: &Arc<[Box<str>]>, values: impl IntoIterator<Item = T>) -> Self {
        Self { names: Arc::clone(names), values: values.into_iter().collect() }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.names.iter().map(|name| &**name).zip(&self.values)
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.names.len().min(self.values.len())))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Reader { prefix: "", value: PhantomData })
    }
}

/// Takes those members of an object whose names begin with `prefix`.
struct Reader<T> {
    prefix: &'static str,
    value: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
        let (mut names, mut values) = (Vec::new(), SmallVec::new());
        while let Some(name) = map.next_key::<Box<str>>()? {
            if name.starts_with(self.prefix) {
                names.push(name);
                values.push(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Named { names: names.into(), values })
    }
}

/// Reads the fields beside others that are called `target_{zone}`.
pub(crate) fn targets<'de, D: Deserializer<'de>>(from: D) -> Result<Named<f64>, D::Error> {
    from.deserialize_map(Reader { prefix: "target_", value: PhantomData })
}

/// Reads the fields beside others that are called `manual_duty_{zone}`.
pub(crate) fn manual_duties<'de, D: Deserializer<'de>>(from: D) -> Result<Named<f64>, D::Error> {
    from.deserialize_map(Reader { prefix: "manual_duty_", value: PhantomData })
}

/// Reads the fields beside others that are called `heater_duty_{zone}`.
pub(crate) fn heater_duties<'de, D: Deserializer<'de>>(from: D) -> Result<Named<f64>, D::Error> {
    from.deserialize_map(Reader { prefix: "heater_duty_", value: PhantomData })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_order_in_which_they_are_read() {
        let text = r#"{"z2":1.5,"a":null,"z1":-2.0}"#;
        let named: Named<Option<f64>> = serde_json::from_str(text).unwrap();
        assert_eq!(named.get("z1"), Some(&Some(-2.0)));
        assert_eq!(named.get("b"), None);
        assert_eq!(serde_json::to_string(&named).unwrap(), text);
    }
}
