//! What a campaign has seen. A counter that stays at zero means that the simulation does not exercise what it claims to.

use std::collections::BTreeMap;

macro_rules! sights {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Something that must be seen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Sight { $($(#[$doc])* $name,)* }

        impl Sight {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

sights! {
    CoordinatorDied,
    CoordinatorFroze,
    DiskFull,
    DiskLost,
    SyncFailed,
    RefusedForWantOfRoom,
    StoreAway,
    ArchiveAnswerLost,
    WaitedForTheArchive,
    SilentWhileUnsure,
    TookOver,
    OldCoordinatorEnded,
    SupersededJournalReplaced,
    AdoptedAKnownAttempt,
    AdoptedAnUnknownAttempt,
    NotAdopted,
    Disowned,
    SweptGarbage,
    SweptInPieces,
    SweptByAnOldCoordinator,
    SweepGivenUp,
    UploadTookAWhile,
    SweptOldCheckpoint,
    TailLost,
    TailKeptInPart,
    StartedFromSnapshot,
    TaskDropped,
    TaskRepeated,
    MessageDelayed,
    QueueWiped,
    BrokerAway,
    ClockSteppedBack,
    ClockWasAhead,
    HostDied,
    DaemonRestarted,
    Partitioned,
    HeardNothing,
    SupervisorDied,
    CommittedByAnother,
    SecondClaimFenced,
    StopByReview,
    CommitWithoutClaim,
    StaleReportRefused,
    StaleSuccessRefused,
    LeaseRanOut,
    AttemptPreempted,
    CheckpointSaved,
    ContinuedFromACheckpoint,
    ResumedInThePause,
    ResumedOverAReplacement,
    ResumedByItsResult,
    ReplacementLeft,
    FencedByAReplacement,
    DeadLettered,
    GivenBack,
    RetriedByPolicy,
    RetriedAfterCrash,
    StepFailed,
    StepReused,
    ReusedAcrossRuns,
    ReusedBelowARepeatedStep,
    StepFollowed,
    FollowerTookOver,
    SkippedByCondition,
    SkippedAfterFailure,
    RunCancelled,
    RunCancelledTwice,
    RunningAttemptStopped,
    QueuedAttemptStopped,
    RunStoppedAtFailure,
    FinallyRanAfterTheEnd,
    RunRetried,
    RetriedRunSucceeded,
    StepsAdded,
    QuotaSet,
    QuotaTakenAway,
    HeldBackByAQuota,
    QuotaFilled,
    ForcedRerun,
    KindWithoutExecutor,
    RunForgotten,
    SubmissionRepeated,
    OutstandingRepeated,
}

/// How often each was seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coverage(BTreeMap<Sight, u64>);

impl Coverage {
    pub(crate) fn see(&mut self, sight: Sight) {
        *self.0.entry(sight).or_default() += 1;
    }

    pub(crate) fn has(&self, sight: Sight) -> bool {
        self.0.contains_key(&sight)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (sight, count) in &other.0 {
            *self.0.entry(*sight).or_default() += count;
        }
    }

    pub(crate) fn missing(&self) -> Vec<Sight> {
        Sight::ALL
            .iter()
            .copied()
            .filter(|sight| !self.0.contains_key(sight))
            .collect()
    }
}
