//! The coordinator's refusals as failures of a command: which exit code each has, and what to type next.

use crate::exit::Exit;
use crate::failure::Failure;
use axum::http::StatusCode;
use tidemill_protocol::api::{ErrorBody, ErrorCode};

/// Longest body of a refusal that is read.
pub(super) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest piece of an answer that is not ours (a proxy's page) that is shown.
const FOREIGN_CHARS_MAX: usize = 200;

/// Reads a refusal.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Failure {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(body) else {
        return foreign(status, body);
    };
    let mut failure = Failure::new(exit(body.code, status), body.message.clone()).code(word(body.code));
    failure.help.extend(body.hint);
    failure = failure.problems(body.problems);
    if matches!(body.code, ErrorCode::Internal | ErrorCode::Unknown) && !body.request_id.is_empty() {
        failure = failure.help(format!(
            "the coordinator's log says more under request {}",
            body.request_id
        ));
    }
    failure
}

/// The same with what to type at this address: which token is wanted, or what became of the one that was shown.
pub(super) fn advise(mut failure: Failure, status: StatusCode, url: &str, shows_token: bool) -> Failure {
    if status == StatusCode::UNAUTHORIZED {
        failure.help.clear();
        let help = if shows_token {
            format!("get another one and keep it: tidemill login {url}")
        } else {
            format!("keep a token for this coordinator: tidemill login {url}")
        };
        failure = failure
            .help(help)
            .help("programs take it from $TIDEMILL_TOKEN or --token-file");
    }
    failure
}

/// An answer that no coordinator of ours would give.
pub(super) fn unexpected(what: &str) -> Failure {
    Failure::new(Exit::Failure, format!("the coordinator gave {what}"))
}

fn foreign(status: StatusCode, body: &[u8]) -> Failure {
    let text: String = String::from_utf8_lossy(body)
        .chars()
        .take(FOREIGN_CHARS_MAX)
        .collect();
    let failure = Failure::new(
        exit(ErrorCode::Unknown, status),
        format!("the address answered {status}"),
    );
    let failure = if text.trim().is_empty() {
        failure
    } else {
        failure.cause(text.trim().to_owned())
    };
    failure.help("is this the address of a tidemill coordinator?")
}

fn word(code: ErrorCode) -> String {
    let value = serde_json::to_value(code).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

const fn exit(code: ErrorCode, status: StatusCode) -> Exit {
    match code {
        ErrorCode::BadRequest | ErrorCode::InvalidPipeline => Exit::Usage,
        ErrorCode::NotFound => Exit::NotFound,
        ErrorCode::Ambiguous | ErrorCode::Conflict => Exit::Conflict,
        ErrorCode::Unauthorized | ErrorCode::Forbidden => Exit::Denied,
        ErrorCode::TooManyRequests => Exit::Unreachable,
        ErrorCode::Unavailable => Exit::Unreachable,
        _ => match status.as_u16() {
            401 | 403 => Exit::Denied,
            404 => Exit::NotFound,
            409 | 412 => Exit::Conflict,
            502..=504 => Exit::Unreachable,
            _ => Exit::Failure,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_exit_code_and_keeps_its_hint() {
        let body = serde_json::json!({"code": "not_found", "message": "no such run", "hint": "list them"});
        let failure = read(StatusCode::NOT_FOUND, body.to_string().as_bytes());
        assert_eq!(failure.exit, Exit::NotFound);
        assert_eq!(
            (failure.code.as_str(), failure.what.as_str()),
            ("not_found", "no such run")
        );
        assert_eq!(failure.help, ["list them"]);
    }

    #[test]
    fn the_page_of_a_proxy_is_told_apart_and_cut() {
        let failure = read(StatusCode::BAD_GATEWAY, "x".repeat(5000).as_bytes());
        assert_eq!(failure.exit, Exit::Unreachable);
        assert_eq!(failure.causes[0].len(), FOREIGN_CHARS_MAX);
    }

    #[test]
    fn a_code_of_a_newer_coordinator_is_judged_by_its_status() {
        let body = serde_json::json!({"code": "moon_phase", "message": "not tonight"});
        assert_eq!(
            read(StatusCode::CONFLICT, body.to_string().as_bytes()).exit,
            Exit::Conflict
        );
    }
}
