//! The registry of models as MLflow's clients know it. Registered models are the models of the catalog, so what is registered here is there for pipelines too; only
//! a model that has no version yet is kept beside it. A version's files are those that were there when it was registered.

mod add;
pub(super) mod contents;
pub(super) mod models;
mod shown;
pub(super) mod versions;
