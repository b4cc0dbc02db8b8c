//! Who asks: what the gate found out about a request, for handlers and for the audit log.

use super::state::{Access, Refusal};
use std::borrow::Cow;
use tidemill_protocol::access::{Scope, SubjectKind, TokenId};
use tidemill_protocol::ids::{AttemptId, WorkerId};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Whoever may use the state folder, in this process or by the secret that lies in it: may do everything.
    Operator,
    /// Somebody on this machine, while there was never a token: may do everything.
    Local,
    /// The holder of a token.
    Token {
        /// The token.
        id: TokenId,
        /// Whose it is.
        subject: String,
        /// What its subject is.
        kind: SubjectKind,
        /// The only project that it is for.
        project: Option<Name>,
        /// What it may do.
        scope: Scope,
        /// Until when.
        expires_at: Option<Timestamp>,
    },
    /// An enrolled worker, which signed the request with its own key: may use only what is declared for workers.
    Worker {
        /// The worker.
        id: WorkerId,
    },
    /// Whoever has a join token: may enrol a worker by it and do nothing else.
    Joining {
        /// The token.
        token: TokenId,
    },
    /// The process of an attempt, by the token that it was given: may log, and look at what is in its experiment.
    Attempt {
        /// The attempt.
        id: AttemptId,
        /// The id of its experiment.
        experiment: String,
    },
    /// Nobody that we know; may use only what is open to everybody.
    Nobody,
}

impl Caller {
    /// What they may do; none for nothing.
    pub(crate) fn scope(&self) -> Option<Scope> {
        match self {
            Self::Operator | Self::Local => Some(Scope::Admin),
            Self::Token { scope, .. } => Some(*scope),
            Self::Worker { .. } | Self::Joining { .. } | Self::Attempt { .. } | Self::Nobody => None,
        }
    }

    /// The token that they showed.
    pub(crate) fn token(&self) -> Option<&TokenId> {
        match self {
            Self::Token { id, .. } => Some(id),
            Self::Joining { token } => Some(token),
            Self::Operator | Self::Local | Self::Worker { .. } | Self::Attempt { .. } | Self::Nobody => None,
        }
    }

    /// The only project that they may start and change runs in.
    pub(crate) fn bound_to(&self) -> Option<&Name> {
        match self {
            Self::Token { project, .. } => project.as_ref(),
            Self::Operator
            | Self::Local
            | Self::Worker { .. }
            | Self::Joining { .. }
            | Self::Attempt { .. }
            | Self::Nobody => None,
        }
    }

    /// Whether nothing that can still happen takes their right away.
    pub(crate) const fn is_lasting(&self) -> bool {
        // What a worker asks for is short, and whole before it could be taken away.
        matches!(
            self,
            Self::Operator | Self::Worker { .. } | Self::Joining { .. } | Self::Attempt { .. } | Self::Nobody
        )
    }

    /// Why they may not go on with what they began, if so.
    pub(crate) fn refusal(&self, access: &Access, now: Timestamp) -> Option<Refusal> {
        match self {
            Self::Operator
            | Self::Worker { .. }
            | Self::Joining { .. }
            | Self::Attempt { .. }
            | Self::Nobody => None,
            Self::Local => access.is_closed().then_some(Refusal::Closed),
            Self::Token { id, .. } => access
                .token(id)
                .map_or(Some(Refusal::Unknown), |token| token.refusal(now)),
        }
    }

    /// In whose name they act: a token's subject cannot be talked over, others say who they are.
    pub(crate) fn acts_as(&self, said: Option<String>) -> Option<String> {
        match self {
            Self::Token { subject, .. } => Some(subject.clone()),
            Self::Worker { .. } | Self::Joining { .. } => Some(self.name().into_owned()),
            // Clients say who started them; that the attempt logged stands beside it.
            Self::Attempt { .. } => said.or_else(|| Some(self.name().into_owned())),
            Self::Operator | Self::Local | Self::Nobody => said,
        }
    }

    /// Whether they may end or retry a run that this one submitted.
    pub(crate) fn may_end_run_of(&self, submitted_by: &str) -> bool {
        match self {
            Self::Token { subject, scope, .. } => *scope >= Scope::Operator || subject == submitted_by,
            Self::Operator | Self::Local => true,
            Self::Worker { .. } | Self::Joining { .. } | Self::Attempt { .. } | Self::Nobody => false,
        }
    }

    /// The word for them in the audit log and in messages.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Operator => "operator of the state folder".into(),
            Self::Local => "anybody on this machine".into(),
            Self::Token { subject, .. } => subject.into(),
            Self::Worker { id } => format!("worker {id}").into(),
            Self::Joining { .. } => "a worker that joins".into(),
            Self::Attempt { id, .. } => format!("attempt {id}").into(),
            Self::Nobody => "nobody".into(),
        }
    }
}
