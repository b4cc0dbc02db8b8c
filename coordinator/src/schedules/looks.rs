//! What the last looks at files came to, for whoever asks. Forgotten at the end of the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::api::LookView;
use tidemill_protocol::name::Name;

/// The last look of each schedule that watches files.
pub(crate) type Looks = Arc<BTreeMap<Name, LookView>>;
