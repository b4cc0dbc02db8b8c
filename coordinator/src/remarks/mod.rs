//! Remarks: what people say of a run after they submitted it (its name, its text, its tags, comments), and who said it; a ledger like the catalog. The plan stays
//! what it was; what is said lies over it. Pure. Goes with the run.

mod decide;
mod fact;
mod state;

pub use decide::{
    Author, COMMENT_BYTES_MAX, COMMENTS_PER_RUN_MAX, Described, RemarkCommand, RemarkRejection,
};
pub use fact::RemarkFact;
pub use state::{Change, Comment, Remarks, RunRemarks};
