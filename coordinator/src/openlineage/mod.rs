//! `OpenLineage` events out: what becomes of runs and steps, told to a service that the operator named, such as Marquez. A part beside the driver: it reads what is durable,
//! waits for nobody, and where the service is away for long, events are left out and counted, never runs.

mod dataset;
mod event;
mod moment;
mod part;

pub(crate) use part::run_openlineage;

/// Who tells.
const PRODUCER: &str = concat!(
    "https://github.com/tidemill/tidemill/tree/",
    env!("CARGO_PKG_VERSION")
);

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLineageConfig {
    /// The service: an http or https address, with the path of its endpoint, or without for `/api/v1/lineage`.
    pub url: String,
    /// Under which namespace jobs, and data that have no place of their own, are told.
    pub namespace: String,
}
