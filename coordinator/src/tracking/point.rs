//! One point of a metric, and which of two is the later one.

use serde::{Deserialize, Serialize};
use tidemill_protocol::number::Number;

/// One point of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// When: milliseconds since 1970, by the client's clock.
    pub time: i64,
    /// At which step.
    pub step: i64,
    /// What.
    pub value: Number,
}

impl Point {
    /// Whether clients take this one for later than another: by step, then by time, then by value.
    pub fn is_after(&self, other: &Self) -> bool {
        let place = |point: &Self| (point.step, point.time);
        match place(self).cmp(&place(other)) {
            std::cmp::Ordering::Equal => self.value.0.total_cmp(&other.value.0).is_ge(),
            order => order.is_gt(),
        }
    }
}
