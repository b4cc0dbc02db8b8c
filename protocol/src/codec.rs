//! MessagePack as the house writes it: named fields (so that fields can be added), full consumption on reading (rmp-serde alone accepts
//! trailing bytes), a depth limit against nesting bombs.

use serde::{Serialize, de::DeserializeOwned};

/// Deepest nesting that [`decode`] follows.
pub const DEPTH_MAX: usize = 64;

/// Bytes that are not the expected value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes are no MessagePack, or not of this type.
    #[error("malformed message")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// A whole value was read and bytes were left over.
    #[error("{0} bytes follow the message")]
    Trailing(usize),
    /// The value has a canonical form, and these bytes are another one.
    #[error("not in canonical form")]
    NotCanonical,
}

/// Encodes a value with named fields.
///
/// # Panics
/// When the value cannot be represented (a map key that is no scalar): our types have none.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("our types are representable in MessagePack")
}

/// Decodes a value that fills `bytes` exactly.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = rmp_serde::Deserializer::new(bytes);
    deserializer.set_max_depth(DEPTH_MAX);
    let value = T::deserialize(&mut deserializer)?;
    let rest = deserializer.get_ref().len();
    if rest == 0 {
        Ok(value)
    } else {
        Err(DecodeError::Trailing(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_survives_the_round_trip() {
        let value = vec![("a".to_owned(), 1_u64)];
        assert_eq!(decode::<Vec<(String, u64)>>(&encode(&value)).unwrap(), value);
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&7_u8);
        bytes.push(0);
        assert!(matches!(decode::<u8>(&bytes), Err(DecodeError::Trailing(1))));
    }

    #[test]
    fn hostile_bytes_are_refused_without_a_panic() {
        let claimed_four_gibibytes = [0xc6, 0xff, 0xff, 0xff, 0xff, 0];
        assert!(decode::<serde_bytes::ByteBuf>(&claimed_four_gibibytes).is_err());
        assert!(decode::<serde_json::Value>(&vec![0x91; 100_000]).is_err());
        assert!(decode::<String>(&[0xa1, 0xff]).is_err(), "invalid UTF-8");
    }
}
