//! The lists: for each what its items are called, what they are ordered by when nobody says, what tells them apart, and by which fields one may order them. A
//! new list is one line here.

use super::key::Key;
use tidemill_protocol::api::{
    ArtifactView, AssetView, AuditEntry, CommentView, ComputeTargetView, DatastoreView, DraftView,
    ExperimentView, JoinTokenView, MailingView, MetricView, MomentView, ProjectView, QueueView, RunSummary,
    ScheduleView, SecretView, TeamView, TokenView, VersionView, WebhookView, WorkerView,
};
use tidemill_protocol::artifact::TreeEntry;
use tidemill_protocol::delivery::Delivery;
use tidemill_protocol::project::is_default_project;
use tidemill_protocol::schedule::Firing;

/// The name of a field by which a list can be ordered: that of the field in its items.
pub(in crate::api) type Field = &'static str;

/// The order of a run's steps, which their artifacts and metrics follow.
pub(super) const PLAN: Field = "plan";

/// How much of a list is answered.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct Bounds {
    /// Items on a page when nobody says how many.
    pub(in crate::api) default: usize,
    /// Items on a page at most.
    pub(in crate::api) max: usize,
    /// Whether the list is never whole. These lists are older than the others: they still take the cursors that they gave, which were the names of items.
    pub(in crate::api) is_always_paged: bool,
    /// Whether more than `max` means `max`, as clients of these older lists expect.
    pub(in crate::api) is_lenient: bool,
    /// Whether it is read in one direction only.
    pub(in crate::api) is_one_way: bool,
}

impl Bounds {
    /// Of a list that is whole when no page is asked for.
    const WHOLE: Self = Self {
        default: 50,
        max: 1_000,
        is_always_paged: false,
        is_lenient: false,
        is_one_way: false,
    };

    /// Of one that always comes in pages.
    const fn pages(default: usize, max: usize) -> Self {
        Self {
            default,
            max,
            is_always_paged: true,
            is_lenient: true,
            is_one_way: false,
        }
    }

    /// Of one that is read from its beginning on.
    const fn one_way(default: usize, max: usize) -> Self {
        let mut bounds = Self::pages(default, max);
        bounds.is_one_way = true;
        bounds
    }
}

/// What there are lists of.
pub(in crate::api) trait Listed {
    /// What the items are called.
    const WHAT: &'static str;
    /// The order when none is asked for.
    const DEFAULT: &'static str;
    /// What they can be ordered by.
    const FIELDS: &'static [Field];
    /// How many at once.
    const BOUNDS: Bounds;
    /// The field in which `search` looks, if there is one.
    const SEARCHED: Option<&'static str>;
}

/// Items that say themselves where they stand.
pub(in crate::api) trait Keyed: Listed {
    /// The key by one of the fields.
    fn key(&self, field: Field) -> Key<'static>;
    /// What tells an item from others with the same key.
    fn id(&self) -> Key<'static>;
    /// Whether this text, in small letters, is in the field in which is searched.
    fn has(&self, text: &str) -> bool;
}

/// One list a line: the view, what its items are called, the order when none is asked for, the fields that tell items apart, the field in which `search`
/// looks, and after the semicolon the fields by which one may order; after an arrow an order that only the handler knows.
macro_rules! lists {
    ($($view:ty: $what:literal, $default:literal, by ($($id:ident),+), in ($($searched:ident)?); $($field:ident),+ $(=> $rank:ident)?;)+) => {$(
        impl Listed for $view {
            const WHAT: &'static str = $what;
            const DEFAULT: &'static str = $default;
            const FIELDS: &'static [Field] = &[$(stringify!($field),)+ $($rank)?];
            const BOUNDS: Bounds = Bounds::WHOLE;
            const SEARCHED: Option<&'static str> = searched!($($searched)?);
        }

        impl Keyed for $view {
            fn key(&self, field: Field) -> Key<'static> {
                $(if field == stringify!($field) {
                    return Key::of(&self.$field);
                })+
                Key::Nothing
            }

            fn id(&self) -> Key<'static> {
                Key::joined([$(Key::of(&self.$id)),+])
            }

            fn has(&self, text: &str) -> bool {
                holds!(self, text, $($searched)?)
            }
        }
    )+};
}

macro_rules! searched {
    () => {
        None
    };
    ($field:ident) => {
        Some(stringify!($field))
    };
}

macro_rules! holds {
    ($view:expr, $text:expr,) => {{
        let _ = $text;
        true
    }};
    ($view:expr, $text:expr, $field:ident) => {
        Key::of(&$view.$field).holds($text)
    };
}

lists! {
    ArtifactView: "artifacts", "plan", by (step, output), in (step); step, output => PLAN;
    CommentView: "comments", "number", by (number), in (text); number, at, by;
    DatastoreView: "datastores", "name", by (name), in (name); name, kind, set_at, set_by;
    Delivery: "deliveries", "-sequence", by (sequence), in (about); sequence, at, tries;
    DraftView: "drafts", "name", by (name), in (name); name, created_at, created_by, changed_at, changed_by;
    Firing: "firings", "-at", by (nominal, cause), in (); at, nominal;
    JoinTokenView: "join tokens", "-created_at", by (id), in (); created_at, created_by, status, expires_at, worker;
    MailingView: "mailings", "name", by (name), in (name); name, created_at, created_by;
    MetricView: "metrics", "plan", by (tracked_run, key), in (key); key, step, points => PLAN;
    MomentView: "moments", "nominal", by (nominal), in (); nominal, at;
    QueueView: "queues", "target", by (target), in (target); target, backlog, dispatched, running, workers, oldest_age_ms;
    ScheduleView: "schedules", "name", by (name), in (name); name, created_at, created_by, next_at;
    SecretView: "secrets", "name", by (name), in (name); name, set_at, set_by, version;
    TeamView: "teams", "name", by (name), in (name); name, created_at, created_by;
    TokenView: "tokens", "-created_at", by (id), in (subject); created_at, created_by, subject, scope, status, expires_at, last_used_at;
    WebhookView: "webhooks", "name", by (name), in (name); name, created_at, created_by;
    WorkerView: "workers", "id", by (id), in (id); id, status, host, last_heard_at, slots, slots_used;
}

/// The same for lists whose items are not made before they are chosen, or whose order is their own.
macro_rules! chosen {
    ($($view:ty: $what:literal, $default:literal, $bounds:expr, in ($($searched:ident)?); $($field:ident),+;)+) => {$(
        impl Listed for $view {
            const WHAT: &'static str = $what;
            const DEFAULT: &'static str = $default;
            const FIELDS: &'static [Field] = &[$(stringify!($field)),+];
            const BOUNDS: Bounds = $bounds;
            const SEARCHED: Option<&'static str> = searched!($($searched)?);
        }
    )+};
}

chosen! {
    AssetView: "assets", "name", Bounds::pages(50, 1_000), in (name); name, created_at, created_by, versions;
    AuditEntry: "entries", "sequence", Bounds::one_way(200, 2_000), in (); sequence;
    ComputeTargetView: "compute targets", "name", Bounds::pages(50, 1_000), in (name); name, slots_free;
    ExperimentView: "experiments", "name", Bounds::pages(50, 1_000), in (name); name, created_at, runs;
    ProjectView: "projects", "name", Bounds::WHOLE, in (name); name, created_at, created_by;
    RunSummary: "runs", "-submitted_at", Bounds::pages(50, 1_000), in (display_name); submitted_at, finished_at, display_name, status;
    TreeEntry: "files", "path", Bounds::pages(200, 10_000), in (); path, size_bytes;
    VersionView: "versions", "-created_at", Bounds::pages(50, 1_000), in (); created_at, created_by, version, stage;
}

impl Keyed for ProjectView {
    fn key(&self, field: Field) -> Key<'static> {
        match field {
            // `default` comes first.
            "name" if is_default_project(&self.name) => Key::Text("".into()),
            "created_at" => Key::of(&self.created_at),
            "created_by" => Key::of(&self.created_by),
            _ => Key::of(&self.name),
        }
    }

    fn id(&self) -> Key<'static> {
        Key::of(&self.name)
    }

    fn has(&self, text: &str) -> bool {
        Key::of(&self.name).holds(text)
    }
}
