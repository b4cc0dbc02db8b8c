//! Ports for servers that tests start.

use std::net::{Ipv4Addr, TcpListener};

/// Ports of the loopback that were free a moment ago, all different. Another process may take one; the server that was to have it then says so and the test
/// fails.
///
/// # Panics
/// When there are none.
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners =
        [(); COUNT].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free"));
    listeners.map(|listener| {
        listener
            .local_addr()
            .expect("a bound socket has an address")
            .port()
    })
}
