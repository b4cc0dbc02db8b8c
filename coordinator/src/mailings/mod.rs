//! Mailings: ends of runs and steps told to people by e-mail, through the mail server of the coordinator's settings. Who is told when, from where in the journal and how
//! often stands in `notifications`; here is the ledger with the spelling of its facts, what a letter says, and how it gets to the server.

mod decide;
mod excerpt;
mod fact;
mod letter;
mod sending;
mod smtp;
mod state;

pub use fact::MailingFact;
pub(crate) use sending::test;
pub(crate) use smtp::Mailer;
pub use smtp::{SmtpConfig, SmtpLogin, SmtpPassword, SmtpSecurity};
pub use state::Mailings;
