//! `tidemill datastore …`: named places outside the store. Credentials are names of secrets; no value passes here.

use crate::args::{Caution, DatastoreAddArgs, DatastoreCommand};
use crate::asking;
use crate::client::Client;
use crate::connection::Connection;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::views;
use tidemill_protocol::api::DatastoreView;
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::Name;

/// Does what was asked.
pub(super) async fn run(session: &mut Session, command: DatastoreCommand) -> Result<Exit, Failure> {
    let connection = Connection::open(session).await?;
    let client = &connection.client;
    let outcome = match command {
        DatastoreCommand::Add(args) => add(session, client, args).await,
        DatastoreCommand::List => list(session, client).await,
        DatastoreCommand::Show(args) => show(session, client, &args.name).await,
        DatastoreCommand::Test(args) => test(session, client, &args.name).await,
        DatastoreCommand::Remove(args) => remove(session, client, &args.name, args.caution).await,
    };
    connection.close().await?;
    outcome.map(|()| Exit::Good)
}

async fn add(session: &mut Session, client: &Client, args: DatastoreAddArgs) -> Result<(), Failure> {
    let secrets = args.secrets.into_iter().map(|pair| {
        let name: Name = pair.value.parse().map_err(|_| {
            let what = format!("`{}` cannot be the name of a secret", pair.value);
            Failure::new(Exit::Usage, what)
                .help("set the value with `tidemill secret set NAME`, and give its name here")
        })?;
        Ok::<_, Failure>((pair.name, name))
    });
    let definition = Datastore {
        url: args.address,
        options: args
            .options
            .into_iter()
            .map(|pair| (pair.name, pair.value))
            .collect(),
        secrets: secrets.collect::<Result<_, _>>()?,
        description: args.description,
    };
    definition
        .check()
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let view = client.set_datastore(&args.name, &definition).await?;
    say(session, &view, "is at")
}

async fn list(session: &mut Session, client: &Client) -> Result<(), Failure> {
    let stores = client.datastores().await?;
    if stores.is_empty() && session.printer.is_for_people() {
        session.printer.note("there are no datastores");
        session
            .printer
            .help("define one with `tidemill datastore add NAME ADDRESS`");
        return Ok(());
    }
    let columns = views::datastores::columns(session.now());
    session
        .printer
        .list(&stores, &columns, |store| store.name.to_string())
}

async fn show(session: &mut Session, client: &Client, name: &Name) -> Result<(), Failure> {
    let view = client.datastore(name).await?;
    let now = session.now();
    session.printer.one(&view, id, |printer, view| {
        views::datastores::show(printer, view, now)
    })
}

async fn test(session: &mut Session, client: &Client, name: &Name) -> Result<(), Failure> {
    let tested = client.test_datastore(name).await?;
    if !tested.is_reached {
        let what = format!("the datastore {name} cannot be read from the coordinator's machine");
        return Err(Failure::new(Exit::Unreachable, what).cause(tested.message));
    }
    session.printer.one(
        &tested,
        |tested| tested.name.to_string(),
        |printer, tested| printer.line(format_args!("{}: {}", tested.name, tested.message)),
    )
}

async fn remove(
    session: &mut Session,
    client: &Client,
    name: &Name,
    caution: Caution,
) -> Result<(), Failure> {
    let view = client.datastore(name).await?;
    if caution.dry_run {
        return say(session, &view, "would be removed; it is at");
    }
    let question = format!("Remove the datastore {name}?");
    asking::confirm(&mut session.printer, caution.yes, question).await?;
    client.remove_datastore(name).await?;
    say(session, &view, "is removed; it was at")
}

fn id(view: &DatastoreView) -> String {
    view.name.to_string()
}

fn say(session: &mut Session, view: &DatastoreView, what: &str) -> Result<(), Failure> {
    session.printer.one(view, id, |printer, view| {
        printer.line(format_args!("{} {what} {}", view.name, view.definition.url))
    })
}
