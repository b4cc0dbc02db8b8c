//! The pipeline language: pipeline files become a self-contained [`PipelineSpec`] ([`load`]), and a spec with parameters becomes a
//! [`Plan`](tidemill_protocol::plan::Plan) ([`plan`]).
//!
//! * [`load`] runs where the files are ([`load_from`] where a client has told of them). It reads the pipeline, its components and environments, resolves registered names through the
//!   [`Workspace`], and reports every problem at once, each with its place. What it cannot know (the digests of local folders) it lists
//!   as [`LocalSource`]s; [`Loaded::finish`] takes them in.
//! * [`plan`] runs where the coordinator is. It is pure, trusts nothing that the spec says about itself, binds parameters, expands nested
//!   pipelines and gives the engine its list of steps.
//! * [`schema`] describes the file format for editors.
//!
//! Nothing here prints, reads the environment or talks to a network.

mod diagnostic;
mod expression;
mod fields;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod literal;
mod load;
mod order;
mod plan;
mod schema;
mod shelf;
mod shell;
mod workspace;
mod yaml;

pub use diagnostic::{Code, Diagnostic, Problems, Severity};
pub use files::{Disk, Files, SourceKind, SourceRole};
pub use load::{
    Loaded, LoadedSchedule, LocalSource, Reading, ScheduledJob, SourceId, load, load_environment, load_from,
    load_schedule, read, read_component, read_component_from, read_from,
};
pub use plan::{PlanRequest, check, check_component, plan};
pub use schema::schema;
pub use shelf::{Need, Shelf, Sought};
pub use tidemill_protocol::spec::PipelineSpec;
pub use workspace::{Answer, Known, Wanted, Workspace};
pub use yaml::yaml_to_json;
