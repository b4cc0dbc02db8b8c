//! Lengths of time and amounts of memory, as people write them.

use tidemill_protocol::time::Millis;

/// Longest timeout or pause: ten years.
const DURATION_MS_MAX: f64 = 10.0 * 365.0 * 86_400_000.0;

/// `90`, `1.5h`, `1h30m`, `250ms`.
pub(super) fn duration(text: &str) -> Option<Millis> {
    let text = text.trim();
    let total = match text.parse::<f64>() {
        Ok(seconds) => Some(seconds * 1000.0),
        Err(_) => with_units(text),
    }?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    (total > 0.0 && total <= DURATION_MS_MAX).then(|| Millis(total.round() as u64))
}

/// The milliseconds of numbers with units, one behind the other.
fn with_units(text: &str) -> Option<f64> {
    let mut total = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let unit = match unit {
            "ms" => 1.0,
            "s" | "sec" => 1000.0,
            "m" | "min" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        rest = after.trim_start();
    }
    Some(total)
}

/// `1024`, `512MiB`, `16GB`, `4g`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "ki" | "kib" => 1 << 10,
        "m" | "mb" => 1_000_000,
        "mi" | "mib" => 1 << 20,
        "g" | "gb" => 1_000_000_000,
        "gi" | "gib" => 1 << 30,
        "t" | "tb" => 1_000_000_000_000,
        "ti" | "tib" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read() {
        for (text, ms) in [
            ("90", 90_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1.5h", 5_400_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(duration(text), Some(Millis(ms)), "{text}");
        }
        for bad in ["", "0", "-1", "x", "1x", "h", "1e300", "nan"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn amounts_of_memory_are_read() {
        assert_eq!(bytes("512MiB"), Some(512 << 20));
        assert_eq!(bytes("16GB"), Some(16_000_000_000));
        assert_eq!(bytes("1 zebra"), None);
        assert_eq!(bytes("99999999999999T"), None);
    }
}
