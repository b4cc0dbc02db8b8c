//! The room for connections: who is in, who is let in when there is none left, and who has to leave for them. A connection that we are answering is never
//! sent away; of those that only wait, the one that has waited longest leaves first, so that whoever fills the room with silent connections pushes out their
//! own.

use super::activity::Activity;
use super::limits::Limits;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The room for connections.
#[derive(Debug)]
pub(super) struct Room {
    limits: Limits,
    places: Mutex<HashMap<u64, Place>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Place {
    /// Whoever has one address of a network of version 6 has them all.
    from: IpAddr,
    activity: Arc<Activity>,
    leave: CancellationToken,
}

/// A connection's place in the room, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    id: u64,
    room: Arc<Room>,
    activity: Arc<Activity>,
    leave: CancellationToken,
}

impl Room {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            places: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// A place for a connection from this address, if need be that of another one; none when all that could leave are being answered.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Option<Seat> {
        let from = crate::access::neighbourhood(from);
        let limits = &self.limits;
        let mut places = self.lock();
        if !from.is_loopback() {
            let per_address = limits.connections_per_address_max;
            if !make_room(&mut places, per_address, |place| place.from == from) {
                return None;
            }
            let for_strangers = limits
                .connections_max
                .saturating_sub(limits.connections_kept_for_this_machine);
            if !make_room(&mut places, for_strangers, |place| !place.from.is_loopback()) {
                return None;
            }
        }
        if !make_room(&mut places, limits.connections_max, |_| true) {
            return None;
        }
        let (activity, leave) = (Arc::new(Activity::new(Instant::now())), CancellationToken::new());
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let place = Place {
            from,
            activity: Arc::clone(&activity),
            leave: leave.clone(),
        };
        places.insert(id, place);
        Some(Seat {
            id,
            room: Arc::clone(self),
            activity,
            leave,
        })
    }

    /// Sends the connection away that has waited longest: the system has no more files.
    pub(super) fn shrink(&self) {
        let mut places = self.lock();
        let fewer = places.len();
        if !make_room(&mut places, fewer, |_| true) {
            tracing::debug!("no connection can be sent away: the next answer that ends frees a file");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for one more of a kind of which there may be so many; false when none can leave.
fn make_room(
    places: &mut HashMap<u64, Place>,
    places_max: usize,
    is_of_kind: impl Fn(&Place) -> bool,
) -> bool {
    let of_kind = || places.iter().filter(|(_, place)| is_of_kind(place));
    if of_kind().count() < places_max {
        return true;
    }
    let waiting = of_kind().filter_map(|(id, place)| Some((place.activity.waiting_since()?, *id)));
    let leaving = waiting.min().and_then(|(_, id)| places.remove(&id));
    if let Some(place) = &leaving {
        place.leave.cancel();
    }
    leaving.is_some()
}

impl Seat {
    /// What the connection is doing.
    pub(super) const fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Returns when the connection has kept us waiting for too long, or somebody else needs the place.
    pub(super) async fn is_over(&self) {
        loop {
            let now = Instant::now();
            let deadline = self.activity.deadline(&self.room.limits);
            if deadline.is_some_and(|deadline| deadline <= now) {
                return;
            }
            let next = now + self.room.limits.look_every();
            tokio::select! {
                () = self.leave.cancelled() => return,
                () = sleep_until(deadline.map_or(next, |deadline| deadline.min(next))) => {}
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn room() -> Arc<Room> {
        Room::new(Limits {
            connections_max: 8,
            connections_per_address_max: 3,
            connections_kept_for_this_machine: 2,
            ..Limits::default()
        })
    }

    fn stranger(n: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, n))
    }

    fn has_to_leave(seats: &[Seat]) -> Vec<usize> {
        let leaving = seats
            .iter()
            .enumerate()
            .filter(|(_, seat)| seat.leave.is_cancelled());
        leaving.map(|(index, _)| index).collect()
    }

    #[test]
    fn an_address_that_has_its_share_loses_its_own_longest_silent_connection() {
        let room = room();
        let other = room.enter(stranger(2)).unwrap();
        let mut seats: Vec<Seat> = (0..3).map(|_| room.enter(stranger(1)).unwrap()).collect();
        seats[0].activity.begin(Instant::now());
        seats.push(room.enter(stranger(1)).unwrap());
        assert_eq!(has_to_leave(&seats), [1], "the first one is being answered");
        assert!(!other.leave.is_cancelled());
        for seat in &seats {
            seat.activity.begin(Instant::now());
        }
        assert!(room.enter(stranger(1)).is_none(), "none of them waits");
        assert!(room.enter(stranger(2)).is_some());
    }

    #[test]
    fn strangers_never_fill_the_whole_room() {
        let room = room();
        let seats: Vec<Seat> = (0..6).map(|n| room.enter(stranger(n)).unwrap()).collect();
        for seat in &seats {
            seat.activity.begin(Instant::now());
        }
        assert!(room.enter(stranger(9)).is_none());
        let near: Vec<Seat> = (0..2)
            .map(|_| room.enter(Ipv4Addr::LOCALHOST.into()).unwrap())
            .collect();
        let more = room.enter(Ipv4Addr::LOCALHOST.into());
        assert!(more.is_some(), "the silent one leaves");
        assert_eq!(has_to_leave(&near), [0]);
        assert_eq!(has_to_leave(&seats), Vec::<usize>::new());
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_has_ended() {
        let room = room();
        for _ in 0..100 {
            let seat = room.enter(stranger(1)).unwrap();
            seat.activity.begin(Instant::now());
        }
        assert_eq!(room.lock().len(), 0);
        let seats: Vec<Seat> = (0..3).map(|n| room.enter(stranger(n)).unwrap()).collect();
        room.shrink();
        assert_eq!(has_to_leave(&seats).len(), 1);
    }
}
