//! Moments and lengths of time as plain numbers. There is no `now` here: clocks live in the shells.

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// A moment: milliseconds since the Unix epoch, UTC.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// A length of time in milliseconds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// The length that many seconds have; saturates at the largest representable length.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// The same length as the standard library writes it.
    pub const fn to_duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl Add for Millis {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl Timestamp {
    /// Time passed since `earlier`; zero when `earlier` lies later (clocks may step back).
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Millis> for Timestamp {
    type Output = Self;

    fn add(self, length: Millis) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Self;

    fn sub(self, length: Millis) -> Self {
        Self(self.0.saturating_sub(length.0))
    }
}

/// A source of time. The shells hold the real one and pass it down; tests hold their own.
pub trait Clock: std::fmt::Debug + Send + Sync + 'static {
    /// Wall time: for display, alarms and expiry dates. May step.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start that never steps back: for leases and lengths.
    fn monotonic(&self) -> Millis;
}
