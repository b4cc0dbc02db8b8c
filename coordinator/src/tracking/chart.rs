//! Charts: many points become few buckets that keep the smallest, the largest and the last of what they stand for, so that no peak is lost. Pure.

use super::point::Point;
use serde::{Deserialize, Serialize};

/// What some points of a series are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The smallest step.
    #[serde(rename = "f")]
    pub first_step: i64,
    /// The largest step.
    #[serde(rename = "l")]
    pub last_step: i64,
    /// The smallest value.
    #[serde(rename = "a")]
    pub min: Point,
    /// The largest value.
    #[serde(rename = "b")]
    pub max: Point,
    /// The last point, as clients count.
    #[serde(rename = "z")]
    pub last: Point,
    /// How many points.
    #[serde(rename = "n")]
    pub count: u64,
}

impl Bucket {
    /// A bucket of one point.
    pub const fn one(point: Point) -> Self {
        Self {
            first_step: point.step,
            last_step: point.step,
            min: point,
            max: point,
            last: point,
            count: 1,
        }
    }

    /// A bucket of these points; none of none.
    pub fn of(points: &[Point]) -> Option<Self> {
        points.iter().map(|point| Self::one(*point)).reduce(Self::and)
    }

    /// Both together. What is no number is larger and smaller than nothing.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let is_smaller = |left: Point, right: Point| left.value.0 < right.value.0 || right.value.0.is_nan();
        let is_larger = |left: Point, right: Point| left.value.0 > right.value.0 || right.value.0.is_nan();
        Self {
            first_step: self.first_step.min(other.first_step),
            last_step: self.last_step.max(other.last_step),
            min: if is_smaller(other.min, self.min) {
                other.min
            } else {
                self.min
            },
            max: if is_larger(other.max, self.max) {
                other.max
            } else {
                self.max
            },
            last: if other.last.is_after(&self.last) {
                other.last
            } else {
                self.last
            },
            count: self.count + other.count,
        }
    }

    /// Whether it may hold points of these steps.
    pub const fn touches(&self, first_step: i64, last_step: i64) -> bool {
        self.first_step <= last_step && self.last_step >= first_step
    }

    /// The step that it stands for.
    const fn middle(&self) -> i64 {
        self.first_step.midpoint(self.last_step)
    }
}

/// At most so many buckets, in the order of their steps, that stand for all of these.
pub fn thin(mut buckets: Vec<Bucket>, most: usize) -> Vec<Bucket> {
    let most = most.max(1);
    buckets.sort_by_key(Bucket::middle);
    if buckets.len() <= most {
        return buckets;
    }
    let (Some(first), Some(last)) = (
        buckets.first().map(Bucket::middle),
        buckets.last().map(Bucket::middle),
    ) else {
        return buckets;
    };
    let width = i128::from(last) - i128::from(first) + 1;
    let place = |bucket: &Bucket| (i128::from(bucket.middle()) - i128::from(first)) * most as i128 / width;
    let mut thinned: Vec<(i128, Bucket)> = Vec::with_capacity(most);
    for bucket in buckets {
        let place = place(&bucket);
        match thinned.last_mut() {
            Some((last, all)) if *last == place => *all = all.and(bucket),
            _ => thinned.push((place, bucket)),
        }
    }
    thinned.into_iter().map(|(_, bucket)| bucket).collect()
}

/// The points that show these buckets: of each the smallest, the largest and the last, in the order of their steps, none twice.
pub fn points_of(buckets: &[Bucket]) -> Vec<Point> {
    let mut shown = Vec::with_capacity(3 * buckets.len());
    for bucket in buckets {
        let mut three = [bucket.min, bucket.max, bucket.last];
        three.sort_by_key(|point| (point.step, point.time));
        for point in three {
            if shown.last() != Some(&point) {
                shown.push(point);
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidemill_protocol::number::Number;

    fn point(step: i64, value: f64) -> Point {
        Point {
            time: step,
            step,
            value: Number(value),
        }
    }

    #[test]
    fn a_peak_is_never_lost() {
        let points: Vec<Bucket> = (0..100_000_i32)
            .map(|step| Bucket::one(point(step.into(), if step == 77_777 { 9.0 } else { 0.5 })))
            .collect();
        let thinned = thin(points, 200);
        assert!(thinned.len() <= 200);
        assert_eq!(thinned.iter().map(|bucket| bucket.count).sum::<u64>(), 100_000);
        assert_eq!(
            points_of(&thinned)
                .iter()
                .filter(|point| point.value == Number(9.0))
                .count(),
            1
        );
        assert_eq!(thinned.last().unwrap().last.step, 99_999);
    }

    #[test]
    fn what_is_no_number_hides_none() {
        let both = Bucket::one(point(0, f64::NAN)).and(Bucket::one(point(1, 2.0)));
        assert_eq!((both.min.value, both.max.value), (Number(2.0), Number(2.0)));
        let both = Bucket::one(point(0, 2.0)).and(Bucket::one(point(1, f64::NAN)));
        assert_eq!((both.min.value, both.max.value), (Number(2.0), Number(2.0)));
    }

    proptest! {
        #[test]
        fn thinning_keeps_the_count_the_order_and_the_extremes(
            values in prop::collection::vec((any::<i64>(), -1e9_f64..1e9), 1..300), most in 1_usize..50,
        ) {
            let buckets: Vec<Bucket> = values.iter().map(|(step, value)| Bucket::one(point(*step, *value))).collect();
            let thinned = thin(buckets.clone(), most);
            prop_assert!(thinned.len() <= most.max(1) || buckets.len() <= most);
            prop_assert_eq!(thinned.iter().map(|bucket| bucket.count).sum::<u64>(), values.len() as u64);
            let lowest = values.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
            prop_assert!(thinned.iter().any(|bucket| bucket.min.value == Number(lowest)));
            prop_assert!(thinned.windows(2).all(|pair| pair[0].first_step <= pair[1].first_step));
        }
    }
}
