//! `tidemill runs tag`, `runs describe` and `runs comment`: what people say of a run after its submission.

use crate::args::{RunsCommentArgs, RunsDescribeArgs, RunsTagArgs};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::humane;
use crate::session::Session;
use tidemill_protocol::api::{CommentView, DescribeRunRequest, RunSummary};

/// Sets and removes tags.
pub(super) async fn tag(session: &mut Session, client: &Client, args: RunsTagArgs) -> Result<(), Failure> {
    let set = args.tags.into_iter().map(|tag| (tag.name, Some(tag.value)));
    let request = DescribeRunRequest {
        tags: set
            .chain(args.remove.into_iter().map(|name| (name, None)))
            .collect(),
        ..DescribeRunRequest::default()
    };
    let user = session.settings.user.clone();
    let run = client.describe_run(&args.run, &request, &user).await?;
    session.printer.one(&run, id, |printer, run| {
        let tags: Vec<String> = run
            .tags
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let tags = if tags.is_empty() {
            "no tags".to_owned()
        } else {
            tags.join(" ")
        };
        printer.line(format_args!("run {}  {tags}", humane::short_run(&run.id)))
    })
}

/// Changes name and text.
pub(super) async fn describe(
    session: &mut Session,
    client: &Client,
    args: RunsDescribeArgs,
) -> Result<(), Failure> {
    let request = DescribeRunRequest {
        display_name: args.name,
        description: args.text,
        ..DescribeRunRequest::default()
    };
    let user = session.settings.user.clone();
    let run = client.describe_run(&args.run, &request, &user).await?;
    session.printer.one(&run, id, |printer, run| {
        printer.line(format_args!(
            "described run {}  {}",
            humane::short_run(&run.id),
            run.display_name
        ))
    })
}

/// Comments, changes a comment or removes one.
pub(super) async fn comment(
    session: &mut Session,
    client: &Client,
    args: RunsCommentArgs,
) -> Result<(), Failure> {
    let user = session.settings.user.clone();
    if let Some(number) = args.remove {
        client.remove_comment(&args.run, number, &user).await?;
        return session.printer.one(
            &serde_json::json!({ "removed": number }),
            |_| number.to_string(),
            |printer, _| printer.line(format_args!("removed comment {number}")),
        );
    }
    let text = args.text.unwrap_or_default();
    let (comment, done) = match args.edit {
        Some(number) => {
            let place = (args.run.as_str(), number);
            (client.edit_comment(place, text, &user).await?, "edited")
        }
        None => (client.comment(&args.run, text, &user).await?, "added"),
    };
    let number = |comment: &CommentView| comment.number.to_string();
    session.printer.one(&comment, number, |printer, comment| {
        printer.line(format_args!(
            "{done} comment {} of {}",
            comment.number, comment.by
        ))
    })
}

fn id(run: &RunSummary) -> String {
    run.id.to_string()
}
