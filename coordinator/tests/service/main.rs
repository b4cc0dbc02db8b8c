//! The coordinator as a whole, without a port and without a process to run: requests go through the router, the bus is the one in memory, and a scripted worker
//! speaks the wire. One file per area.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod access;
mod archive;
mod artifacts;
mod assets;
mod audit;
mod azure;
mod datastores;
mod docs;
mod drafts;
mod durability;
mod edge;
mod enrolment;
mod faults;
mod fleet;
mod folders;
mod harness;
mod hostile;
mod keys;
mod lineage;
mod lists;
mod load;
mod log_events;
mod logs;
mod named_outputs;
mod openlineage;
mod pipelines;
mod plans;
mod port;
mod projects;
mod quarantine;
mod queue_events;
mod reference;
mod registry;
mod remarks;
mod resources;
mod revisions;
mod runs;
mod schedules;
mod scopes;
mod secrets;
mod standing;
mod strangers;
mod streams;
mod sweep;
mod tokens;
mod tracking;
mod unsure;
mod watches;
mod webhooks;
mod worker;
