//! The catalog over REST: assets and their versions, and the published pipelines that one can start. What a request names is turned into a command for the
//! ledger here; what is kept, and what is refused, the ledger decides.

mod browse;
mod change;
mod names;
mod publish;
mod source;

pub(super) use browse::{list, show, show_version, versions};
pub(super) use change::{add, add_version, describe, describe_version, label, remove_version, unlabel};
pub(super) use names::answers;
pub(super) use publish::start;
pub(super) use source::resolve;

// What `routes!` looks for beside each handler.
pub(super) use browse::{__path_list, __path_show, __path_show_version, __path_versions};
pub(super) use change::{
    __path_add, __path_describe, __path_describe_version, __path_label, __path_remove_version, __path_unlabel,
};
pub(super) use publish::__path_start;

use super::error::ApiError;
use crate::catalog::{Asset, AssetVersion, CatalogRejection};
use crate::driver::Sight;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::catalog::{AssetKind, Version};
use tidemill_protocol::name::Name;

impl From<CatalogRejection> for ApiError {
    fn from(rejection: CatalogRejection) -> Self {
        use CatalogRejection as R;
        let code = match &rejection {
            R::UnknownAsset { .. } | R::UnknownVersion { .. } | R::UnknownLabel { .. } => ErrorCode::NotFound,
            R::Changed { .. } => ErrorCode::PreconditionFailed,
            R::VersionTaken(_) | R::LabelTaken(_) | R::NameTaken { .. } | R::TooMany(_) => {
                ErrorCode::Conflict
            }
            R::OtherKind(_) | R::TooLong(_) | R::NotStaged(_) | R::ReplacesNothing(_) => {
                ErrorCode::BadRequest
            }
        };
        let error = Self::new(code, rejection.to_string());
        match rejection {
            R::VersionTaken(_) => error.hint("leave the version out to add the next one"),
            R::Changed { .. } => error.hint("look again, then decide again"),
            R::NameTaken { .. } => {
                error.hint("a name that was given up goes on to mean its asset; choose another")
            }
            R::NotStaged(_) => error.hint("labels point at versions of everything"),
            R::ReplacesNothing(_) => error.hint("leave `archive_existing` out"),
            _ => error,
        }
    }
}

/// The asset that a request names, with the name that it has now.
fn asset<'a>(sight: &Sight<'a>, kind: AssetKind, name: &'a Name) -> Result<(&'a Name, &'a Asset), ApiError> {
    let found = sight.ledgers.catalog.named(kind, name);
    found.ok_or_else(|| {
        CatalogRejection::UnknownAsset {
            kind,
            name: name.clone(),
        }
        .into()
    })
}

/// The version that a request names, itself or by a label.
fn version<'a>(
    (kind, name, asset): (AssetKind, &Name, &'a Asset),
    wanted: &Version,
) -> Result<(&'a Version, &'a AssetVersion), ApiError> {
    asset.resolve(wanted).ok_or_else(|| {
        CatalogRejection::UnknownVersion {
            kind,
            name: name.clone(),
            version: wanted.clone(),
        }
        .into()
    })
}
