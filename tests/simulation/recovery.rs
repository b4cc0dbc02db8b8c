//! A coordinator that lost its disk comes back from an archive that lagged behind, and takes over what its workers committed meanwhile.

use crate::active::Around;
use crate::coverage::Sight;
use crate::disk::{Disk, decode};
use tidemill_engine::{Command, Engine, Event, Fleet, FleetSettings, audit};

/// The disk with what could be had from the store.
pub(crate) fn recover(with: &mut Around<'_>) -> Result<Disk, String> {
    let mut disk = Disk::default();
    disk.follow(with.store.archive.records());
    let mut engine = disk.replay();
    let known: Vec<Event> = disk.durable().iter().map(|record| decode(record)).collect();
    with.oracle.forget_all_but(&known)?;
    // Nobody takes tasks while nobody serves.
    let settings = FleetSettings {
        unserved_max: 0,
        ..FleetSettings::default()
    };
    let fleet = Fleet::new(settings, crate::coordinator::monotonic(with.tick), &engine);
    let mut facts = Facts {
        engine: &mut engine,
        disk: &mut disk,
    };
    facts.settle(with, &fleet)?;
    for found in with.store.found() {
        let command = Command::AdoptResult(Box::new(found));
        match facts.engine.decide(with.now, &command) {
            Ok(events) => {
                with.seen.see(if events.len() > 1 {
                    Sight::AdoptedAnUnknownAttempt
                } else {
                    Sight::AdoptedAKnownAttempt
                });
                facts.apply(with, &events)?;
                facts.settle(with, &fleet)?;
            }
            Err(_) => with.seen.see(Sight::NotAdopted),
        }
    }
    disk.settle();
    Ok(disk)
}

struct Facts<'a> {
    engine: &'a mut Engine,
    disk: &'a mut Disk,
}

impl Facts<'_> {
    fn apply(&mut self, with: &mut Around<'_>, events: &[Event]) -> Result<(), String> {
        for event in events {
            self.engine.apply(event, &mut Vec::new());
            audit(self.engine).map_err(|violation| format!("after {:?}: {violation}", event.fact))?;
            self.disk.append(event);
            with.oracle.durable(event)?;
        }
        Ok(())
    }

    /// Whatever the state itself calls for.
    fn settle(&mut self, with: &mut Around<'_>, fleet: &Fleet) -> Result<(), String> {
        loop {
            let events = self.engine.next(with.now, fleet, 100);
            if events.is_empty() {
                return Ok(());
            }
            self.apply(with, &events)?;
        }
    }
}
