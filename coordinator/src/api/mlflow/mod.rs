//! MLflow's REST API beside ours, so that its clients log to this coordinator: the same paths, bodies and errors. Each file is about one resource; what is kept is
//! the tracking ledger's.

mod artifacts;
mod asked;
mod change;
mod experiments;
mod fault;
mod find;
mod history;
mod logging;
mod models;
mod partial;
mod parts;
mod place;
mod reach;
mod registry;
mod runs;
mod search;
mod seek;
mod shapes;

use crate::handle::CoordinatorHandle;
use axum::Extension;
use axum::extract::DefaultBodyLimit;
use registry::{models as registered_models, versions};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest order to put a file together: it names each of its parts.
const ORDER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The routes whose bodies are files, and those by which a file comes in parts.
pub(super) fn contents() -> OpenApiRouter<CoordinatorHandle> {
    // Not among those that must be answered within a minute: a file of many parts is copied when it is complete.
    let in_parts = OpenApiRouter::new()
        .routes(routes!(parts::create))
        .routes(routes!(parts::complete))
        .routes(routes!(parts::abort))
        .layer(DefaultBodyLimit::max(ORDER_BYTES_MAX));
    OpenApiRouter::new()
        .routes(routes!(artifacts::get, artifacts::put, artifacts::delete))
        .routes(routes!(parts::put))
        .merge(in_parts)
        .layer(Extension(partial::Uploads::default()))
}

/// The routes of this protocol.
pub(super) fn routes() -> OpenApiRouter<CoordinatorHandle> {
    OpenApiRouter::new()
        .routes(routes!(experiments::create))
        .routes(routes!(experiments::get))
        .routes(routes!(experiments::get_by_name))
        .routes(routes!(experiments::search, experiments::search_by_query))
        .routes(routes!(experiments::update))
        .routes(routes!(experiments::delete))
        .routes(routes!(experiments::restore))
        .routes(routes!(experiments::set_tag))
        .routes(routes!(experiments::delete_tag))
        .routes(routes!(runs::create))
        .routes(routes!(runs::get))
        .routes(routes!(runs::update))
        .routes(routes!(runs::delete))
        .routes(routes!(runs::restore))
        .routes(routes!(search::runs))
        .routes(routes!(logging::log_metric))
        .routes(routes!(logging::log_parameter))
        .routes(routes!(logging::log_batch))
        .routes(routes!(logging::set_tag))
        .routes(routes!(logging::delete_tag))
        .routes(routes!(logging::log_model))
        .routes(routes!(logging::log_inputs))
        .routes(routes!(logging::log_outputs))
        .routes(routes!(history::get))
        .routes(routes!(history::charts))
        .routes(routes!(artifacts::list_of_run))
        .routes(routes!(artifacts::list))
        .routes(routes!(artifacts::server_info))
        .routes(routes!(models::create))
        .routes(routes!(models::get, models::finish, models::delete))
        .routes(routes!(models::set_tags))
        .routes(routes!(models::delete_tag))
        .routes(routes!(models::log_params))
        .routes(routes!(models::search))
        .routes(routes!(models::list_artifacts))
        .merge(registered())
}

/// The routes of the registry.
fn registered() -> OpenApiRouter<CoordinatorHandle> {
    OpenApiRouter::new()
        .routes(routes!(registered_models::create))
        .routes(routes!(registered_models::get))
        .routes(routes!(registered_models::update))
        .routes(routes!(registered_models::rename))
        .routes(routes!(registered_models::delete))
        .routes(routes!(registered_models::search))
        .routes(routes!(
            registered_models::latest,
            registered_models::latest_by_body
        ))
        .routes(routes!(registered_models::set_tag))
        .routes(routes!(registered_models::delete_tag))
        .routes(routes!(
            registered_models::set_alias,
            registered_models::alias,
            registered_models::unalias
        ))
        .routes(routes!(versions::create))
        .routes(routes!(versions::get))
        .routes(routes!(versions::update))
        .routes(routes!(versions::delete))
        .routes(routes!(versions::search))
        .routes(routes!(versions::download_uri))
        .routes(routes!(versions::stage))
        .routes(routes!(versions::set_tag))
        .routes(routes!(versions::delete_tag))
}
