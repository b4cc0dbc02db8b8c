//! When the coordinator listens to the broker: while it is sure that it is the coordinator. Whoever has taken its place consumes from the same queues, and what this one takes
//! and cannot make durable would be kept from that one. Not here: what is done with what is heard.

use crate::archive::Sure;
use std::future::Future;
use std::sync::Arc;
use tidemill_transport::{Broker, BrokerError, Consumer, Queue};
use tokio_util::sync::CancellationToken;

/// A queue, and when to listen to it.
#[derive(Debug)]
pub(crate) struct Ear {
    broker: Arc<dyn Broker>,
    queue: Queue,
    window: u32,
    sure: Sure,
    token: CancellationToken,
    consumer: Consumer,
}

impl Ear {
    /// Subscribes.
    pub(crate) async fn open(
        broker: &Arc<dyn Broker>,
        (queue, window): (Queue, u32),
        sure: &Sure,
        token: &CancellationToken,
    ) -> Result<Self, BrokerError> {
        Ok(Self {
            consumer: broker.consume(&queue, window).await?,
            broker: Arc::clone(broker),
            queue,
            window,
            sure: sure.clone(),
            token: token.clone(),
        })
    }

    /// Has this work consume, until it ends by itself. While the coordinator is not sure there is none, and what it has not acknowledged is in the queue again; afterwards it
    /// begins anew.
    pub(crate) async fn hear<W>(self, work: impl Fn(Consumer) -> W) -> Result<(), BrokerError>
    where
        W: Future<Output = Result<(), BrokerError>>,
    {
        let Self {
            broker,
            queue,
            window,
            mut sure,
            token,
            mut consumer,
        } = self;
        loop {
            tokio::select! {
                ended = work(consumer) => return ended,
                () = sure.lost() => {}
            }
            let again = async {
                sure.wait().await;
                broker.consume(&queue, window).await
            };
            match token.run_until_cancelled(again).await {
                Some(subscribed) => consumer = subscribed?,
                None => return Ok(()),
            }
        }
    }
}
