//! Real processes over RabbitMQ: a coordinator and workers of different compute types, artifacts in an S3 server or a folder; each is killed,
//! drained and started again while runs go on.

#[cfg(test)]
mod checkpoint;
mod examples;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod forced;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod operation;
mod partition;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod settings_file;
#[cfg(test)]
mod standby;
#[cfg(test)]
mod submission;
#[cfg(test)]
mod tls;
