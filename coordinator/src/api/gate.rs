//! The gate: every request passes here before any handler sees it. It finds out who asks and what the route needs, and lets nothing through that the table of
//! needs does not declare. Who asks is handed on to the handlers as [`Caller`]; that what was let through ends with their right is for [`Standing`].

use super::error::{ApiError, no_such_method, no_such_resource};
use super::in_time::unless_hindered;
use super::local::{Whence, is_local};
use super::needs::{Found, Need, Needs};
use super::record::{self, Kind};
use super::signed;
use super::standing::Standing;
use super::via::{OverTls, Via};
use crate::access::{AttemptTokens, Caller, Presented, Purpose};
use crate::archive::Asker;
use crate::handle::CoordinatorHandle;
use crate::tracking::own_experiment_id;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tidemill_protocol::access::Scope;
use tidemill_protocol::api::{AuditEntry, ErrorCode};
use tidemill_protocol::proof::{self, RequestProof};
use tidemill_protocol::time::Millis;

/// What is typed when a token is wanted.
const SHOW_A_TOKEN: &str = "`tidemill login URL` keeps a token for this address; programs send the header `Authorization: Bearer tmk_…`";
/// What is typed when a token is not good any more.
const ANOTHER_TOKEN: &str = "ask for a new one (`tidemill token create`) and give it to `tidemill login URL`";
/// What is typed when a join token is not good any more.
const ANOTHER_JOIN_TOKEN: &str = "ask for a new one: `tidemill worker token create`";

/// What is typed when an attempt's token is not good any more.
const ATTEMPT_TOKEN_ENDS: &str =
    "a step logs while it runs and for some minutes after; others show a token of their own";
/// How long after its end an attempt may log what it still has in hand.
const LOGS_AFTER_ITS_END: Millis = Millis::from_secs(5 * 60);

/// When to come back after the audit log could not be written.
const UNWRITABLE_RETRY: Millis = Millis::from_secs(5);

/// Lets a request through to its handler, or answers it.
pub(super) async fn pass(
    State((handle, needs)): State<(CoordinatorHandle, Arc<Needs>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = admit(&handle, &needs, &mut request).await;
    let (caller, needed) = match admitted {
        Ok(admitted) => admitted,
        Err(refused) => {
            let entry = record::entry(&request, handle.inner.clock.now());
            let entry = record::with_token(entry, shown_token(request.headers()));
            return refuse(&handle, entry, refused).await;
        }
    };
    let entry = match record::kind(&request, &caller, needed) {
        Kind::Question => None,
        kind => {
            let entry = record::entry(&request, handle.inner.clock.now());
            Some((kind, record::by(entry, &caller)))
        }
    };
    let standing = Standing::of(&caller, &handle);
    request.extensions_mut().insert(caller);
    let request = request.map(|body| standing.incoming(body));
    let response = match entry {
        None => next.run(request).await,
        Some((Kind::Change, entry)) => change(&handle, entry, request, next).await,
        Some((_, entry)) => {
            let response = next.run(request).await;
            let entry = record::answered(entry, &response, false);
            handle.inner.audit.count(entry).await;
            response
        }
    };
    standing.outgoing(response)
}

/// Makes a change that is announced in the audit log before, and concluded there after.
async fn change(handle: &CoordinatorHandle, entry: AuditEntry, request: Request, next: Next) -> Response {
    let Ok(ticket) = handle.inner.audit.announce(entry).await else {
        let message = "the audit log cannot be written, so nothing may be changed";
        return ApiError::new(ErrorCode::Unavailable, message)
            .hint("the coordinator's own log says why; is the disk of its state folder full?")
            .retry_after(UNWRITABLE_RETRY)
            .into_response();
    };
    let response = next.run(request).await;
    let outcome = record::answered(ticket.entry(), &response, false);
    ticket.conclude(outcome).await;
    response
}

/// Answers somebody who may not do this, and notes who has no right.
async fn refuse(handle: &CoordinatorHandle, entry: AuditEntry, refused: Refused) -> Response {
    let response = refused.error.into_response();
    let is_about_rights = matches!(
        response.status(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    );
    if is_about_rights {
        let entry = match &refused.caller {
            Some(caller) => record::by(entry, caller),
            None => entry,
        };
        let entry = record::answered(entry, &response, true);
        handle.inner.audit.count(entry).await;
    }
    response
}

/// Why somebody is not let through, and who that is, where it is known.
struct Refused {
    error: ApiError,
    caller: Option<Box<Caller>>,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error, caller: None }
    }
}

/// Who asks, if they may, and the scope that this needed.
async fn admit(
    handle: &CoordinatorHandle,
    needs: &Needs,
    request: &mut Request,
) -> Result<(Caller, Option<Scope>), Refused> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let found = needs.find(request.method(), path);
    if found == Found::Need(Need::Open) {
        return Ok((Caller::Nobody, None));
    }
    let caller = identify(handle, request, &found).await?;
    if caller == Caller::Nobody {
        return Err(ApiError::new(ErrorCode::Unauthorized, "this needs a token")
            .hint(SHOW_A_TOKEN)
            .into());
    }
    match found {
        Found::Need(Need::Shown(keys)) if keys.admit(&caller) => Ok((caller, keys.scope)),
        Found::Need(Need::Shown(keys)) => Err(Refused {
            error: too_weak(&caller, keys.scope),
            caller: Some(Box::new(caller)),
        }),
        Found::Need(Need::Open) => Ok((caller, None)),
        Found::NoSuchMethod => Err(no_such_method().into()),
        Found::NoSuchPath => Err(no_such_resource().into()),
    }
}

fn too_weak(caller: &Caller, needed: Option<Scope>) -> ApiError {
    let forbidden = |message: String| ApiError::new(ErrorCode::Forbidden, message);
    match (caller.scope(), needed) {
        (None, _) => forbidden(format!("this is not for {}", caller.name())).hint(SHOW_A_TOKEN),
        (Some(_), None) => forbidden("this is for workers only".to_owned()),
        (Some(has), Some(needed)) => forbidden(format!(
            "this needs the scope {needed}; the token of {} has {has}",
            caller.name()
        ))
        .hint(format!(
            "somebody with an admin token can make one that may: `tidemill token create --scope {needed}`"
        )),
    }
}

/// Who asks.
async fn identify(
    handle: &CoordinatorHandle,
    request: &mut Request,
    found: &Found,
) -> Result<Caller, ApiError> {
    let via = request.extensions().get::<Via>().copied();
    let shown = bearer(request.headers());
    let is_attempt = matches!(shown, Shown::Token(text) if AttemptTokens::is_one(text));
    if matches!(via, Some(Via::Steps(_))) && !is_attempt {
        return Ok(Caller::Nobody);
    }
    let proof = match shown {
        Shown::Proof(text) => text.parse::<RequestProof>().map_err(|error| error.to_string()),
        _ if via == Some(Via::InProcess) => return Ok(Caller::Operator),
        Shown::Token(text) if is_attempt => return by_attempt_token(handle, via, text).await,
        Shown::Nothing => return without_token(handle, via, request),
        Shown::Token(text) => return by_token(handle, via, text),
        Shown::Other => Err("the Authorization header is not `Bearer` and one token".to_owned()),
    };
    let proof = proof.map_err(|message| {
        let refusal = ApiError::new(ErrorCode::Unauthorized, message).hint(SHOW_A_TOKEN);
        failed(handle, via, refusal)
    })?;
    let is_for_workers = matches!(found, Found::Need(Need::Shown(keys)) if keys.worker);
    if !is_for_workers {
        // Nothing is verified, so nothing is said of who asks.
        return Err(ApiError::new(ErrorCode::Forbidden, "this is not for workers"));
    }
    signed::verify(handle, request, proof)
        .await
        .map_err(|refusal| failed(handle, via, refusal))
}

/// While there was never a token, programs of this machine may do everything, and nobody else anything.
fn without_token(
    handle: &CoordinatorHandle,
    via: Option<Via>,
    request: &Request,
) -> Result<Caller, ApiError> {
    let is_near = matches!(via, Some(Via::Port(peer)) if peer.ip().to_canonical().is_loopback());
    if !is_near || handle.access().is_closed() {
        return Ok(Caller::Nobody);
    }
    let whence = Whence {
        method: request.method(),
        headers: request.headers(),
        is_tls: request.extensions().get::<OverTls>().is_some(),
    };
    if is_local(whence) {
        return Ok(Caller::Local);
    }
    let refusal = ApiError::new(ErrorCode::Forbidden, "only programs on this machine are served");
    Err(refusal.hint("address the coordinator as localhost or 127.0.0.1; a page of another address, whatever its machine, shows a token"))
}

fn by_token(handle: &CoordinatorHandle, via: Option<Via>, text: &str) -> Result<Caller, ApiError> {
    let refuse = |message: String, hint: &str| {
        failed(
            handle,
            via,
            ApiError::new(ErrorCode::Unauthorized, message).hint(hint),
        )
    };
    let shown = Presented::read(text).map_err(|error| refuse(error.to_string(), SHOW_A_TOKEN))?;
    if handle.inner.guard.is_operator(&shown) {
        return Ok(Caller::Operator);
    }
    let now = handle.inner.clock.now();
    if shown.purpose() == Purpose::Join {
        let durable = handle.inner.roster.durable();
        let token = durable.enrolment.check(&shown, now);
        let token = token.map_err(|refusal| refuse(refusal.to_string(), ANOTHER_JOIN_TOKEN))?;
        return Ok(Caller::Joining {
            token: token.id.clone(),
        });
    }
    let access = handle.access();
    let token = access
        .check(&shown, now)
        .map_err(|refusal| refuse(refusal.to_string(), ANOTHER_TOKEN))?;
    handle.inner.guard.note_use(&token.id, now);
    Ok(Caller::Token {
        id: token.id.clone(),
        subject: token.subject.clone(),
        kind: token.kind,
        project: token.project.clone(),
        scope: token.scope,
        expires_at: token.expires_at,
    })
}

/// The process of an attempt, while it lives and a little longer.
async fn by_attempt_token(
    handle: &CoordinatorHandle,
    via: Option<Via>,
    text: &str,
) -> Result<Caller, ApiError> {
    let refuse = |message: &str| {
        let refusal = ApiError::new(ErrorCode::Unauthorized, message).hint(ATTEMPT_TOKEN_ENDS);
        failed(handle, via, refusal)
    };
    let read = handle.inner.attempt_tokens.read(text);
    let (id, token) = read.ok_or_else(|| refuse("this is no token of an attempt"))?;
    let now = handle.inner.clock.now();
    let found = handle.look(move |sight| {
        let run = sight.engine.run(id.run)?;
        let place = usize::try_from(id.attempt.checked_sub(1)?).ok()?;
        let attempt = run.step(id.step)?.attempts().get(place)?;
        let lives = attempt
            .end()
            .is_none_or(|end| now.since(end.at) <= LOGS_AFTER_ITS_END);
        (lives && attempt.token() == token).then(|| own_experiment_id(run.plan().experiment.as_str()))
    });
    let found = unless_hindered(handle, Asker::Machine, found).await?;
    let experiment = found.ok_or_else(|| refuse("the attempt is over"))?;
    Ok(Caller::Attempt { id, experiment })
}

/// A failed attempt: the refusal, or after too many of them the wish to be left alone.
fn failed(handle: &CoordinatorHandle, via: Option<Via>, refusal: ApiError) -> ApiError {
    let from = match via {
        Some(Via::Port(peer) | Via::Steps(peer)) => peer.ip(),
        // Nobody vouches for these: they share one place in the table.
        Some(Via::InProcess) | None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    match handle
        .inner
        .guard
        .note_failure(from, handle.inner.clock.monotonic())
    {
        None => refusal,
        Some(wait) => ApiError::new(
            ErrorCode::TooManyRequests,
            "too many failed attempts from this address",
        )
        .retry_after(wait)
        .hint("wait, then show a good token: those are never made to wait"),
    }
}

/// What a request shows.
enum Shown<'a> {
    Nothing,
    Token(&'a str),
    /// What a worker signed.
    Proof(&'a str),
    Other,
}

fn shown_token(headers: &HeaderMap) -> Option<&str> {
    match bearer(headers) {
        Shown::Token(text) => Some(text),
        Shown::Nothing | Shown::Proof(_) | Shown::Other => None,
    }
}

fn bearer(headers: &HeaderMap) -> Shown<'_> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Shown::Nothing;
    };
    if values.next().is_some() {
        return Shown::Other;
    }
    let words = value.to_str().ok();
    match words.and_then(|text| Some((text, text.split_once(' ')?))) {
        Some((_, (scheme, token))) if scheme.eq_ignore_ascii_case("bearer") => Shown::Token(token.trim()),
        Some((text, (scheme, _))) if scheme.eq_ignore_ascii_case(proof::SCHEME) => Shown::Proof(text),
        _ => Shown::Other,
    }
}
