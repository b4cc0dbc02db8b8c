//! Names in a pipeline file that a client has this coordinator read: answered from its own catalog and datastores, as the client would be if it asked.

use crate::api::error::ApiError;
use crate::driver::Sight;
use crate::handle::CoordinatorHandle;
use crate::specs;
use crate::views;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidemill_language::{Answer, Known, Wanted};
use tidemill_protocol::api::VersionView;
use tidemill_protocol::catalog::{AssetBody, AssetKind, AssetRef, LATEST};

/// What each name means.
pub(in crate::api) async fn answers(
    handle: &CoordinatorHandle,
    wanted: BTreeSet<Wanted>,
) -> Result<Vec<(Wanted, Answer)>, ApiError> {
    let looked = handle.look(move |sight| {
        let found = wanted.into_iter().map(|wanted| {
            let answer = answer(sight, &wanted);
            (wanted, answer)
        });
        found.collect::<Vec<_>>()
    });
    let mut answers = looked.await?;
    for (_, answer) in &mut answers {
        if let Answer::Known(known) = answer
            && let AssetBody::Component(body) = &known.view.body
        {
            known.spec = Some(Arc::new(specs::read(&handle.inner.store, &body.spec).await?));
        }
    }
    Ok(answers)
}

fn answer(sight: &Sight<'_>, wanted: &Wanted) -> Answer {
    let unknown = Answer::Unknown { advice: None };
    match wanted {
        Wanted::Asset { kind, asset } => version(sight, *kind, asset).map_or(unknown, |view| {
            let known = Known { view, spec: None };
            Answer::Known(Box::new(known))
        }),
        Wanted::Datastore(name) => {
            let found = sight.ledgers.datastores.get(name);
            found.map_or(unknown, |kept| {
                Answer::Datastore(Box::new(kept.definition.clone()))
            })
        }
    }
}

fn version(sight: &Sight<'_>, kind: AssetKind, reference: &AssetRef) -> Option<VersionView> {
    let (name, asset) = sight.ledgers.catalog.named(kind, &reference.name)?;
    let latest = LATEST.parse().expect("a label by its grammar");
    let found = asset.resolve(reference.wanted.as_ref().unwrap_or(&latest))?;
    Some(views::version_view((kind, name, asset), found))
}
