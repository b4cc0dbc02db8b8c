//! A network between parts of a cluster that fails on demand: what the transport's tests use for one connection, for whole daemons.

use std::net::SocketAddr;
use std::time::Duration;
use tidemill_transport::contract::{FaultProxy, Flow};
use tokio::runtime::Runtime;

/// A network path to one server. It breaks with the value.
#[derive(Debug)]
pub struct Wire {
    proxy: Option<FaultProxy>,
    runtime: Option<Runtime>,
}

impl Wire {
    /// A path to this port of the loopback that works for now.
    ///
    /// # Panics
    /// When no port is free.
    pub fn to(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let proxy = runtime
            .block_on(FaultProxy::start(format!("127.0.0.1:{port}")))
            .expect("a port is free");
        Self {
            proxy: Some(proxy),
            runtime: Some(runtime),
        }
    }

    fn proxy(&self) -> &FaultProxy {
        self.proxy.as_ref().expect("it is there until the drop")
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.proxy().address()
    }

    /// Ends its connections and refuses new ones until [`Self::mend`].
    pub fn cut(&self) {
        self.proxy().refuse(true);
        self.proxy().cut();
    }

    /// Lets nothing through, without a sign to either end, until [`Self::mend`].
    pub fn hold(&self) {
        self.proxy().to_broker(Flow::Hold);
        self.proxy().to_client(Flow::Hold);
    }

    /// Lets nothing come back, while what is sent still arrives, until [`Self::mend`].
    pub fn hold_answers(&self) {
        self.proxy().to_client(Flow::Hold);
    }

    /// Lets every piece of data through late by this much, either way, until [`Self::mend`].
    pub fn slow_down(&self, late_by: Duration) {
        self.proxy().to_broker(Flow::Delay(late_by));
        self.proxy().to_client(Flow::Delay(late_by));
    }

    /// Lets no more than so many bytes a second through, either way, those of all connections together, until [`Self::mend`].
    pub fn throttle(&self, bytes_per_second: u64) {
        self.proxy().to_broker(Flow::Rate(bytes_per_second));
        self.proxy().to_client(Flow::Rate(bytes_per_second));
    }

    /// Ends its connections and leads new ones to another port of the loopback, as a balancer does.
    pub fn lead_to(&self, port: u16) {
        self.proxy().lead_to(format!("127.0.0.1:{port}"));
        self.proxy().cut();
    }

    /// Ends its connections; new ones are welcome.
    pub fn reset(&self) {
        self.proxy().cut();
    }

    /// Everything passes again.
    pub fn mend(&self) {
        self.proxy().refuse(false);
        self.proxy().to_broker(Flow::Pass);
        self.proxy().to_client(Flow::Pass);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Its tasks end inside of the runtime that they belong to.
            let entered = runtime.enter();
            drop(self.proxy.take());
            drop(entered);
            runtime.shutdown_background();
        }
    }
}
