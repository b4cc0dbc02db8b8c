//! What was written once is read for ever: golden bytes of every fact and of every message, and golden digests of step keys. The bytes in
//! `golden/` are made once and never made again; a change that cannot read them, or that gives other keys, is a change of format and says so.

#[cfg(test)]
mod access;
#[cfg(test)]
mod api;
#[cfg(test)]
mod catalog;
#[cfg(test)]
mod datastores;
#[cfg(test)]
mod drafts;
#[cfg(test)]
mod enrolment;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod mailings;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod projects;
#[cfg(test)]
mod remarks;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod tracking;
#[cfg(test)]
mod webhooks;
