//! Who says what comes over the bus. A message of an enrolled worker is verified before a byte of it is parsed; whether one without a key is believed is the
//! roster's rule. What is refused changes nothing, is counted, and is written to the audit log.

use crate::driver::Trespass;
use crate::handle::CoordinatorHandle;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use tidemill_protocol::api::{AuditDecision, AuditEntry};
use tidemill_protocol::codec::{self, DecodeError};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, WorkerId};
use tidemill_protocol::wire::{
    Audience, EnvelopeError, Heartbeat, Kind, LogChunk, ReportBatch, open_from_worker, open_unsigned,
    signer_of,
};
use tidemill_transport::Delivery;
use tidemill_transport::class::Sender;

/// What a worker says, and in whose name.
pub(super) trait Said: DeserializeOwned {
    /// The kind of envelope that it comes in.
    const KIND: Kind;
    /// The word for it in the audit log, where others have the method of a request.
    const WORD: &'static str;

    /// The worker that it names, if it names one.
    fn worker(&self) -> Option<&WorkerId>;
}

impl Said for ReportBatch {
    const KIND: Kind = Kind::Reports;
    const WORD: &'static str = "REPORT";

    fn worker(&self) -> Option<&WorkerId> {
        Some(&self.worker)
    }
}

impl Said for Heartbeat {
    const KIND: Kind = Kind::Heartbeat;
    const WORD: &'static str = "HEARTBEAT";

    fn worker(&self) -> Option<&WorkerId> {
        Some(&self.worker)
    }
}

impl Said for LogChunk {
    const KIND: Kind = Kind::Log;
    const WORD: &'static str = "LOG";

    fn worker(&self) -> Option<&WorkerId> {
        None
    }
}

/// Why what came over the bus is nobody's word.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unheard {
    /// Not an envelope for us, or the signature does not fit.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// Not a message.
    #[error(transparent)]
    Message(#[from] DecodeError),
    /// Nobody has signed it, and only enrolled workers are believed.
    #[error("nobody has signed it, and only enrolled workers are believed")]
    Unsigned,
    /// Signed with a key that nobody enrolled has.
    #[error("it is signed with a key of which nobody is known")]
    UnknownKey,
    /// It names an enrolled worker that has not signed it.
    #[error("it is in the name of worker {named}, which has not signed it")]
    NotSigned {
        /// The worker.
        named: WorkerId,
    },
    /// It names another worker than the one that has signed it.
    #[error("worker {signer} has signed it in the name of worker {named}")]
    OtherName {
        /// Who has signed.
        signer: WorkerId,
        /// Who is named.
        named: WorkerId,
    },
    /// The broker does not vouch for the worker that it names.
    #[error("it is in the name of worker {named}, for which its user on the broker does not speak")]
    OtherUser {
        /// The worker.
        named: WorkerId,
    },
    /// The broker knows nobody who may have sent it.
    #[error("its user on the broker is no worker's")]
    Stranger,
}

/// What was heard from somebody who may say it.
pub(super) struct Heard<T> {
    /// What.
    pub(super) message: T,
    /// Whether nothing of it counts, because its worker is quarantined.
    pub(super) is_quarantined: bool,
}

/// Reads a message, if whoever sent it may say so.
pub(super) fn hear<T: Said>(handle: &CoordinatorHandle, delivery: &Delivery) -> Result<Heard<T>, Unheard> {
    let roster = &handle.inner.roster;
    let signer = signer_of(T::KIND, &delivery.bytes)?;
    let owner = signer.and_then(|id| roster.owner_of(id));
    if owner.is_none() && roster.is_required(handle.access().is_closed()) {
        return Err(signer.map_or(Unheard::Unsigned, |_| Unheard::UnknownKey));
    }
    let opened = match &owner {
        Some((_, key)) => open_from_worker(key, T::KIND, &delivery.bytes)?,
        None => open_unsigned(T::KIND, Audience::coordinator(), &delivery.bytes)?,
    };
    let message: T = codec::decode(opened.body)?;
    let signer = owner.map(|(worker, _)| worker);
    if let Some(named) = message.worker() {
        check_name(handle, delivery, signer.as_ref(), named)?;
    } else if delivery.sender == Sender::Stranger {
        return Err(Unheard::Stranger);
    }
    let speaker = message.worker().or(signer.as_ref());
    let is_quarantined = speaker.is_some_and(|worker| roster.is_quarantined(worker));
    Ok(Heard {
        message,
        is_quarantined,
    })
}

fn check_name(
    handle: &CoordinatorHandle,
    delivery: &Delivery,
    signer: Option<&WorkerId>,
    named: &WorkerId,
) -> Result<(), Unheard> {
    let owned = || named.clone();
    match signer {
        Some(signer) if signer != named => Err(Unheard::OtherName {
            signer: signer.clone(),
            named: owned(),
        }),
        None if handle.inner.roster.key_of(named).is_some() => Err(Unheard::NotSigned { named: owned() }),
        _ if !delivery.sender.may_be(named) => Err(Unheard::OtherUser { named: owned() }),
        _ => Ok(()),
    }
}

/// Counts what was refused and writes it to the audit log, which counts what comes in masses.
pub(super) async fn note_unheard<T: Said>(handle: &CoordinatorHandle, delivery: &Delivery, why: &Unheard) {
    tracing::debug!(%why, what = T::WORD, sender = ?delivery.sender, "refused what came over the bus");
    handle.inner.metrics.reports_refused.add(1);
    note::<T>(handle, delivery, named_in(why), why.to_string()).await;
}

/// Writes to the audit log what a worker reported on a compute target that it may not serve; the driver has counted it.
pub(super) async fn note_trespass(
    handle: &CoordinatorHandle,
    delivery: &Delivery,
    worker: &WorkerId,
    trespass: &Trespass,
) {
    let Trespass {
        attempt,
        target,
        reports,
    } = trespass;
    tracing::warn!(%worker, %attempt, %target, reports, "a worker reported on a compute target that it may not serve");
    let more = match reports - 1 {
        0 => String::new(),
        more => format!(" and {more} more of the same message"),
    };
    let why = format!("worker {worker} may not serve the compute target {target}: attempt {attempt}{more}");
    note::<ReportBatch>(handle, delivery, Some(worker), why).await;
}

/// The same of a quarantined worker.
pub(super) async fn note_quarantined<T: Said>(
    handle: &CoordinatorHandle,
    delivery: &Delivery,
    worker: &WorkerId,
) {
    handle.inner.metrics.reports_refused.add(1);
    let why = format!("worker {worker} is quarantined");
    note::<T>(handle, delivery, Some(worker), why).await;
}

/// Writes to the audit log what was set aside among the tasks: of which attempt, if it is a task of ours at all.
pub(super) async fn note_letter(
    handle: &CoordinatorHandle,
    delivery: &Delivery,
    attempt: Option<&AttemptId>,
    why: String,
) {
    let ids = attempt.map(|attempt| ("attempt".to_owned(), attempt.to_string()));
    write_down(handle, delivery, ("TASK", ids), why).await;
}

async fn note<T: Said>(
    handle: &CoordinatorHandle,
    delivery: &Delivery,
    worker: Option<&WorkerId>,
    why: String,
) {
    let ids = worker.map(|worker| ("worker".to_owned(), worker.to_string()));
    write_down(handle, delivery, (T::WORD, ids), why).await;
}

async fn write_down(
    handle: &CoordinatorHandle,
    delivery: &Delivery,
    (word, ids): (&str, Option<(String, String)>),
    why: String,
) {
    let from = match &delivery.sender {
        Sender::Anybody => "the broker".to_owned(),
        Sender::Class(class) => format!("the broker, class {}", class.as_str()),
        Sender::Stranger => "the broker, a stranger".to_owned(),
    };
    let entry = AuditEntry {
        sequence: 0,
        at: handle.inner.clock.now(),
        decision: AuditDecision::Refused,
        of: None,
        who: "nobody".to_owned(),
        token: None,
        scope: None,
        from,
        method: word.to_owned(),
        route: None,
        ids: ids.into_iter().collect::<BTreeMap<_, _>>(),
        status: None,
        why: Some(why),
        request_id: None,
        count: None,
        previous: Digest::from_bytes([0; 32]),
    };
    handle.inner.audit.count(entry).await;
}

fn named_in(why: &Unheard) -> Option<&WorkerId> {
    match why {
        Unheard::NotSigned { named } | Unheard::OtherName { named, .. } | Unheard::OtherUser { named } => {
            Some(named)
        }
        Unheard::Envelope(_)
        | Unheard::Message(_)
        | Unheard::Unsigned
        | Unheard::UnknownKey
        | Unheard::Stranger => None,
    }
}
