//! The REST API: a list of routes that one can read aloud, and the description that is generated from it. Handlers are in the file of their resource.
//! The same router is served on a port ([`serve`]) and called in process by the command line.

mod archives;
mod artifacts;
mod assemble;
mod assets;
mod audit;
mod azure;
mod blob;
mod bodies;
mod charts;
mod compute_targets;
mod conditional;
mod contents;
mod datastores;
mod describe;
mod dialect;
mod docs;
mod drafts;
mod enrolment;
mod error;
mod events;
mod experiments;
mod fleet;
#[cfg(feature = "fuzzing")]
mod fuzzing;
mod gate;
mod headers;
mod health;
mod held;
mod in_time;
mod intake;
mod keyed;
mod lineage;
mod listing;
mod load;
mod local;
mod logs;
mod mailings;
mod mlflow;
mod needs;
mod plans;
mod projects;
mod queue_events;
mod record;
mod remarks;
mod revision;
mod runs;
mod schedules;
mod secrets;
mod select;
mod serve;
mod signed;
mod standing;
mod steps;
mod streams;
mod subscriptions;
mod sweep;
mod tokens;
mod tree_files;
mod via;
mod webhooks;

#[cfg(feature = "fuzzing")]
pub use fuzzing::query as fuzz_query;
pub use serve::{Api, Certificates, Limits, ServeConfig, ServeError, TlsError, serve};
pub(crate) use via::{OverTls, Via};

use crate::handle::CoordinatorHandle;
use axum::extract::DefaultBodyLimit;
use axum::{Extension, Router, middleware};
use bodies::Bodies;
use describe::Description;
use needs::Needs;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest body of a submission: a pipeline of 10,000 steps needs a few MiB.
const SUBMISSION_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest body of anything else that is parsed.
const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What starts published pipelines, by hand and by itself, and who is told how it ended.
fn starting() -> OpenApiRouter<CoordinatorHandle> {
    OpenApiRouter::new()
        .routes(routes!(assets::start))
        .routes(routes!(azure::pipeline))
        .routes(routes!(azure::by_name))
        .routes(routes!(azure::by_id))
        .routes(routes!(azure::by_id_and_version))
        .routes(routes!(azure::show))
        .routes(routes!(azure::call))
        .routes(routes!(azure::show_job))
        .routes(routes!(drafts::list))
        .routes(routes!(drafts::start))
        .routes(routes!(drafts::publish))
        .routes(routes!(schedules::list))
        .routes(routes!(schedules::show, schedules::set, schedules::remove))
        .routes(routes!(schedules::pause))
        .routes(routes!(schedules::resume))
        .routes(routes!(schedules::next))
        .routes(routes!(schedules::firings))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::show, webhooks::set, webhooks::remove))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::pause))
        .routes(routes!(webhooks::resume))
        .routes(routes!(webhooks::try_out))
        .routes(routes!(mailings::list))
        .routes(routes!(mailings::show, mailings::set, mailings::remove))
        .routes(routes!(mailings::deliveries))
        .routes(routes!(mailings::pause))
        .routes(routes!(mailings::resume))
        .routes(routes!(mailings::try_out))
}

fn routes() -> OpenApiRouter<CoordinatorHandle> {
    let submissions = OpenApiRouter::new()
        .routes(routes!(runs::submit, runs::list))
        .routes(routes!(plans::plan))
        .routes(routes!(load::load))
        .routes(routes!(contents::put_together))
        .routes(routes!(assets::add, assets::versions))
        .routes(routes!(drafts::show, drafts::set, drafts::edit, drafts::remove))
        .layer(DefaultBodyLimit::max(SUBMISSION_BYTES_MAX))
        .layer(middleware::from_fn_with_state(
            Bodies::new(),
            bodies::wait_for_room,
        ));
    let answers = OpenApiRouter::new()
        .routes(routes!(runs::show, runs::delete, remarks::describe))
        .routes(routes!(remarks::comments, remarks::comment))
        .routes(routes!(remarks::show, remarks::edit, remarks::remove))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(runs::diff))
        .routes(routes!(charts::list))
        .routes(routes!(charts::chart))
        .routes(routes!(steps::show))
        .routes(routes!(steps::explain))
        .routes(routes!(artifacts::of_run))
        .routes(routes!(tree_files::list_files))
        .routes(routes!(artifacts::missing))
        .routes(routes!(contents::missing_contents))
        .routes(routes!(assets::list))
        .routes(routes!(assets::show, assets::describe))
        .routes(routes!(
            assets::show_version,
            assets::describe_version,
            assets::remove_version
        ))
        .routes(routes!(assets::label, assets::unlabel))
        .merge(starting())
        .merge(comparing())
        .routes(routes!(datastores::list))
        .routes(routes!(datastores::test))
        .routes(routes!(datastores::set, datastores::show, datastores::remove))
        .merge(operating())
        .merge(mlflow::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let long = OpenApiRouter::new()
        .routes(routes!(sweep::sweep))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    let contents = OpenApiRouter::new()
        .routes(routes!(artifacts::put_blob, artifacts::get_blob))
        .routes(routes!(contents::put_content))
        .routes(routes!(artifacts::put_tree, artifacts::get_tree))
        .merge(mlflow::contents())
        .routes(routes!(tree_files::get_file))
        .routes(routes!(archives::archive))
        .layer(Extension(archives::Places::new()))
        .layer(DefaultBodyLimit::disable());
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(
            submissions
                .merge(answers)
                .merge(watching())
                .layer(middleware::from_fn(in_time::answer)),
        )
        .merge(long.merge(contents).layer(middleware::from_fn(in_time::begin)))
        .merge(service())
}

/// What runs that are to be compared have in common, and what was made of what.
fn comparing() -> OpenApiRouter<CoordinatorHandle> {
    OpenApiRouter::new()
        .routes(routes!(experiments::list, experiments::create))
        .routes(routes!(
            experiments::show,
            experiments::describe,
            experiments::delete
        ))
        .routes(routes!(experiments::restore))
        .routes(routes!(lineage::show))
}

/// Answers that last as long as what they show.
fn watching() -> OpenApiRouter<CoordinatorHandle> {
    OpenApiRouter::new()
        .routes(routes!(events::watch))
        .routes(routes!(logs::read))
        .routes(routes!(audit::export))
        .routes(routes!(queue_events::watch))
        .layer(Extension(queue_events::Board::default()))
        .layer(middleware::from_fn(streams::take_a_place))
}

/// The service itself, which says how it is in any case.
fn service() -> OpenApiRouter<CoordinatorHandle> {
    OpenApiRouter::new()
        .routes(routes!(health::coordinator))
        .routes(routes!(health::openapi_json))
        .routes(routes!(docs::begin))
        .routes(routes!(docs::file))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
}

/// Machines and rights.
fn operating() -> OpenApiRouter<CoordinatorHandle> {
    OpenApiRouter::new()
        .routes(routes!(fleet::workers))
        .routes(routes!(fleet::drain))
        .routes(routes!(fleet::preempt))
        .routes(routes!(fleet::resume))
        .routes(routes!(enrolment::enrol))
        .routes(routes!(enrolment::own))
        .routes(routes!(enrolment::quarantine))
        .routes(routes!(enrolment::release))
        .routes(routes!(enrolment::remove))
        .routes(routes!(enrolment::create, enrolment::list))
        .routes(routes!(enrolment::revoke))
        .routes(routes!(fleet::queues))
        .routes(routes!(compute_targets::list))
        .routes(routes!(compute_targets::show))
        .merge(people())
        .routes(routes!(tokens::whoami))
        .routes(routes!(tokens::create, tokens::list))
        .routes(routes!(tokens::revoke))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::show, secrets::set, secrets::remove))
        .routes(routes!(secrets::give))
        .routes(routes!(audit::list))
}

/// Who works together, and on what.
fn people() -> OpenApiRouter<CoordinatorHandle> {
    OpenApiRouter::new()
        .routes(routes!(projects::list))
        .routes(routes!(projects::show, projects::set, projects::remove))
        .routes(routes!(projects::set_role))
        .routes(routes!(projects::set_quota))
        .routes(routes!(projects::teams))
        .routes(routes!(projects::team, projects::set_team, projects::remove_team))
}

/// The whole API. Whoever serves it puts the way of each request, [`Via`], among its extensions; a request without one is nobody's.
pub(crate) fn router(handle: &CoordinatorHandle) -> Router {
    let (router, _) = routes().split_for_parts();
    let gate = (handle.clone(), Arc::new(Needs::of(&described())));
    router
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(handle.clone(), conditional::heed))
        .layer(middleware::from_fn_with_state(handle.clone(), keyed::once))
        .layer(middleware::from_fn_with_state(gate, gate::pass))
        .layer(middleware::from_fn(error::finish))
        .layer(middleware::from_fn(headers::set))
        .layer(Extension(handle.inner.reach.clone()))
        .with_state(handle.clone())
}

/// The description of the API with its paths as the router writes them.
fn described() -> utoipa::openapi::OpenApi {
    let (_, mut description) = routes().split_for_parts();
    env!("CARGO_PKG_VERSION").clone_into(&mut description.info.version);
    describe::add_keys(&mut description);
    describe::add_revisions(&mut description);
    describe::add_refusals(&mut description);
    describe::name_operations(&mut description);
    description
}

/// The description of the API, as `docs/reference/openapi.json` holds it.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut description = described();
    describe::write_paths_plainly(&mut description);
    description
}
