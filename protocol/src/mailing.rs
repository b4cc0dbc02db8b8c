//! The words of mailings: which ends of runs and steps are told to which people by e-mail. Kept in the journal, so readable for ever.

use crate::delivery::every_end;
use crate::name::Name;
use crate::status::{RunStatus, StepStatus};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use std::str::FromStr;

/// Longest address in bytes.
pub const ADDRESS_BYTES_MAX: usize = 254;
/// Longest part before the `@` in bytes.
const LOCAL_BYTES_MAX: usize = 64;
/// Longest label of a domain in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// What is told to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailingSpec {
    /// Who is told; each gets a mail of their own.
    pub to: Vec<EmailAddress>,
    /// Ends of runs that are told; all of them when absent, none when empty.
    #[serde(default = "every_end")]
    pub runs: Vec<RunStatus>,
    /// Ends of steps that are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepStatus>,
    /// Of this pipeline only: its own name, or that under which it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Name>,
    /// Of this experiment only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Name>,
}

/// An address such as `ada@example.org`: ASCII letters, digits and the signs that need no quotes, so nothing in it can end a line or begin another header.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct EmailAddress(String);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no e-mail address: {rule}")]
pub struct EmailAddressError {
    /// The text, cut to 80 characters.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl EmailAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EmailAddress {
    type Err = EmailAddressError;

    fn from_str(text: &str) -> Result<Self, EmailAddressError> {
        let rule = match text.split_once('@') {
            None => "it needs an `@`",
            Some(_) if text.len() > ADDRESS_BYTES_MAX => "it is longer than 254 bytes",
            Some((local, _)) if !is_local(local) => {
                "before the `@` stand at most 64 letters, digits and `!#$%&'*+-/=?^_`{|}~`, with single dots between them"
            }
            Some((_, domain)) if !is_domain(domain) => {
                "behind the `@` stands the name of a host: letters, digits and `-`, with dots between them"
            }
            Some(_) => return Ok(Self(text.to_owned())),
        };
        Err(EmailAddressError {
            text: text.chars().take(80).collect(),
            rule,
        })
    }
}

fn is_local(local: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    local.len() <= LOCAL_BYTES_MAX
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.bytes().all(is_sign))
}

fn is_domain(domain: &str) -> bool {
    domain.split('.').all(|label| {
        let fits = (1..=LABEL_BYTES_MAX).contains(&label.len());
        let bare = !label.starts_with('-') && !label.ends_with('-');
        fits && bare
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_people_have_are_taken() {
        for text in [
            "ada@example.org",
            "on-call+train@mail.example.co.uk",
            "o'neil.x@example.org",
            "root@localhost",
        ] {
            assert_eq!(text.parse::<EmailAddress>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_could_be_more_than_an_address_is_refused() {
        for text in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@example..org",
            "ada.@example.org",
            "ada@-example.org",
            "ada@example.org\r\nBcc: eve@example.org",
            "ada@example.org\n",
            "ada smith@example.org",
            "Ada <ada@example.org>",
            "ada@example.org,eve@example.org",
            "\"ada\"@example.org",
            "ada@[127.0.0.1]",
            "ad\u{e4}@example.org",
        ] {
            assert!(text.parse::<EmailAddress>().is_err(), "{text:?}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        assert!(long.parse::<EmailAddress>().is_err());
    }

    #[test]
    fn no_sign_that_ends_a_line_or_begins_a_list_gets_in_anywhere() {
        let address = "ada.x@example.org";
        for bad in (0..=127_u8).map(char::from) {
            if !(bad.is_whitespace() || bad.is_control() || "<>(),;:\"\\[]@".contains(bad)) {
                continue;
            }
            for at in 0..=address.len() {
                let mut text = address.to_owned();
                text.insert(at, bad);
                assert!(text.parse::<EmailAddress>().is_err(), "{text:?}");
            }
        }
    }
}
