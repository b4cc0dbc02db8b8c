//! A metric's value: any 64-bit float, also one that is no number. Compared by its bits, so that what holds it can be compared; written as text where JSON has no
//! number for it.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A metric's value.
#[derive(Clone, Copy)]
pub struct Number(pub f64);

impl Number {
    /// Reads what protocol buffers write into JSON: a number as text, or one of the three words.
    pub fn parse(text: &str) -> Option<Self> {
        let value = match text {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            text => text.parse().ok()?,
        };
        Some(Self(value))
    }

    /// The word for a value that JSON has no number for.
    const fn word(self) -> Option<&'static str> {
        if self.0.is_nan() {
            Some("NaN")
        } else if self.0.is_infinite() {
            Some(if self.0 > 0.0 { "Infinity" } else { "-Infinity" })
        } else {
            None
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Number {}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.word() {
            Some(word) => f.write_str(word),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.word() {
            Some(word) if serializer.is_human_readable() => serializer.serialize_str(word),
            _ => serializer.serialize_f64(self.0),
        }
    }
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or one of the texts NaN, Infinity and -Infinity")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a metric is a float; JSON writes whole ones without a point"
    )]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a metric is a float; JSON writes whole ones without a point"
    )]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        Number::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn every_value_survives_both_formats() {
        for value in [0.0, -0.0, 0.1, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let number = Number(value);
            let json = serde_json::to_string(&number).unwrap();
            let read: Number = serde_json::from_str(&json).unwrap();
            assert_eq!(read, number, "{json}");
            let read: Number = codec::decode(&codec::encode(&number)).unwrap();
            assert_eq!(read, number);
        }
    }

    #[test]
    fn numbers_come_as_numbers_and_as_text() {
        for text in ["3", "\"3\"", "3.0"] {
            assert_eq!(
                serde_json::from_str::<Number>(text).unwrap(),
                Number(3.0),
                "{text}"
            );
        }
        assert!(serde_json::from_str::<Number>("\"three\"").is_err());
        assert!(serde_json::from_str::<Number>("true").is_err());
    }
}
