//! The one owner of sessions: makes one, watches over it, throws it away at the first sign of trouble, and makes the next, for ever. Where the broker has several
//! addresses the next session is tried at the next one.

use super::Shared;
use super::backoff::Backoff;
use super::fault::Fault;
use super::session::{Session, within};
use crate::broker::Link;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::options::ExchangeDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Event, ExchangeKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{info, warn};

const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

/// A session that lasted this long was a good one: the next trouble is met without delay.
const GOOD_SESSION: Duration = Duration::from_secs(30);

/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) async fn supervise(shared: Arc<Shared>) {
    let mut backoff = Backoff::new(BACKOFF_FIRST, BACKOFF_MAX);
    for turn in 0.. {
        if shared.closed.is_cancelled() {
            break;
        }
        let started = Instant::now();
        let opened = tokio::select! {
            opened = Session::open(&shared, turn) => opened,
            () = shared.closed.cancelled() => break,
        };
        let at = shared.addresses.shown(turn);
        let mut reason = match opened {
            Ok(session) => live(&shared, Arc::new(session), at.as_deref()).await,
            Err(Fault::Missing) => "the virtual host does not exist".to_owned(),
            Err(Fault::Refused(why) | Fault::Broken(why)) => why,
        };
        if shared.closed.is_cancelled() {
            break;
        }
        if let Some(at) = at {
            // Behind it: what a reason begins with is looked at.
            reason = format!("{reason} (at {at})");
        }
        warn!(%reason, "no connection to the broker");
        shared.link.send_replace(Link::Down(reason));
        if started.elapsed() >= GOOD_SESSION {
            backoff.reset();
        }
        tokio::select! {
            () = sleep(backoff.wait()) => {}
            () = shared.closed.cancelled() => {}
        }
    }
    shared.session.send_replace(None);
    shared.link.send_replace(Link::Down("closed".to_owned()));
}

/// The life of one session; answers what ended it.
async fn live(shared: &Shared, session: Arc<Session>, at: Option<&str>) -> String {
    // Before anything is sent, so that no alarm comes before somebody listens for it.
    let events = Events::of(&session);
    if let Err(reason) = restore(shared, &session).await {
        return reason;
    }
    // Whoever reads that the link is up finds the session there.
    shared.session.send_replace(Some(Arc::clone(&session)));
    shared.link.send_replace(Link::Up);
    info!(name = %shared.config.name, at, "connected to the broker");
    let reason = watch_over(shared, &session, events).await;
    session.fail(reason);
    shared.link.send_replace(Link::Down(session.reason()));
    shared.session.send_replace(None);
    let farewell = async {
        // Whatever they answer, the session is over.
        let _answers = futures_util::join!(
            session.publish.close(200, "going".into()),
            session.consume.close(200, "going".into())
        );
    };
    let _late = timeout(FAREWELL, farewell).await;
    session.reason()
}

/// What lapin tells of the two connections. It tells nobody, and keeps nothing, as long as nobody listens.
struct Events {
    publish: BoxStream<'static, Event>,
    consume: BoxStream<'static, Event>,
}

impl Events {
    fn of(session: &Session) -> Self {
        Self {
            publish: session.publish.events_listener().boxed(),
            consume: session.consume.events_listener().boxed(),
        }
    }
}

/// Waits for the first sign of trouble and says what it was.
async fn watch_over(shared: &Shared, session: &Session, events: Events) -> String {
    tokio::select! {
        () = shared.closed.cancelled() => "closed".to_owned(),
        () = session.dead.cancelled() => session.reason(),
        reason = heed_publisher(shared, session, events.publish) => reason,
        reason = heed_consumer(events.consume) => reason,
        reason = keep_canary(shared, session) => reason,
    }
}

/// Follows the events of the publishing connection: its end, and the broker's alarms.
async fn heed_publisher(shared: &Shared, session: &Session, mut events: BoxStream<'static, Event>) -> String {
    let alarm_over = sleep(shared.config.blocked_timeout);
    tokio::pin!(alarm_over);
    let mut blocked = false;
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(why)) => {
                    warn!(%why, "the broker takes no messages");
                    blocked = true;
                    alarm_over.as_mut().reset(Instant::now() + shared.config.blocked_timeout);
                    session.blocked.send_replace(true);
                    shared.link.send_replace(Link::Blocked(why));
                }
                Some(Event::ConnectionUnblocked) => {
                    info!("the broker takes messages again");
                    blocked = false;
                    session.blocked.send_replace(false);
                    shared.link.send_replace(Link::Up);
                }
                Some(Event::Error(error)) if ends_connection(&error) => return error.to_string(),
                Some(_) => {}
                None => return "the publishing connection ended".to_owned(),
            },
            () = &mut alarm_over, if blocked => return "the broker took no messages for too long".to_owned(),
        }
    }
}

/// Follows the events of the consuming connection. It publishes nothing, so alarms do not concern it.
async fn heed_consumer(mut events: BoxStream<'static, Event>) -> String {
    loop {
        match events.next().await {
            Some(Event::Error(error)) if ends_connection(&error) => return error.to_string(),
            Some(_) => {}
            None => return "the consuming connection ended".to_owned(),
        }
    }
}

/// lapin reports errors of single channels here too; those are met by whoever uses the channel.
fn ends_connection(error: &lapin::Error) -> bool {
    !error.is_amqp_soft_error()
}

/// Asks both connections something harmless, again and again; returns when one does not answer. lapin may pend for ever on a broken
/// connection, so silence has to be noticed here. The question on the publishing side is the topology itself, which so comes back
/// soon after somebody deleted it.
async fn keep_canary(shared: &Shared, session: &Session) -> String {
    let mut ticks = interval(shared.config.heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if let Err(Fault::Broken(reason) | Fault::Refused(reason)) = ask_consumer(shared, session).await {
            return format!("the canary on the consuming connection: {reason}");
        }
        if *session.blocked.borrow() {
            continue;
        }
        if let Err(reason) = restore(shared, session).await {
            // A connection that was blocked meanwhile is not read by the broker, and so cannot answer.
            if !*session.blocked.borrow() {
                return format!("the canary on the publishing connection: {reason}");
            }
        }
    }
}

async fn ask_consumer(shared: &Shared, session: &Session) -> Result<(), Fault> {
    within(shared.config.heartbeat, async {
        let channel = session.consume.create_channel().await?;
        let options = ExchangeDeclareOptions {
            passive: true,
            ..ExchangeDeclareOptions::default()
        };
        let exchange = shared.topology.exchange().into();
        channel
            .exchange_declare(exchange, ExchangeKind::Direct, options, FieldTable::default())
            .await
    })
    .await
}

/// Declares again what this process has declared before. A refusal concerns that queue alone.
async fn restore(shared: &Shared, session: &Session) -> Result<(), String> {
    within(shared.config.heartbeat, session.declare_exchanges(shared))
        .await
        .or_else(forgive)?;
    for queue in shared.declared() {
        session.declare(shared, &queue).await.or_else(forgive)?;
    }
    Ok(())
}

fn forgive(fault: Fault) -> Result<(), String> {
    match fault {
        Fault::Broken(reason) => Err(reason),
        Fault::Missing => Ok(()),
        Fault::Refused(why) => {
            warn!(%why, "the broker refuses a declaration");
            Ok(())
        }
    }
}
