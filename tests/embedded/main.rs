//! The product in one process, through its binary: what is executed, what is reused, what a failure means, that no value becomes syntax.

#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod building;
mod builtin;
#[cfg(test)]
mod control;
#[cfg(test)]
mod datastores;
#[cfg(test)]
mod ears;
#[cfg(test)]
mod environments;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod mailings;
#[cfg(test)]
mod named;
#[cfg(test)]
mod outsiders;
#[cfg(test)]
mod parameters;
#[cfg(test)]
mod published;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod shut_in;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tracking;
#[cfg(test)]
mod users;
#[cfg(test)]
mod validate;
mod waiting;
#[cfg(test)]
mod webhooks;
