//! The socket's threads: one accepts connections, one reads the requests of each. The newest connection is the daemon's; an older one is closed.

use super::event::Event;
use super::message::{Request, SOCKET, read_frame};
use std::fs::Permissions;
use std::io::{self, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

/// A daemon that does not read for this long has its connection closed; it will make another and be told everything again.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// Listens in the current folder.
pub(super) fn listen(events: SyncSender<Event>) -> io::Result<()> {
    match std::fs::remove_file(SOCKET) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(SOCKET)?;
    std::fs::set_permissions(SOCKET, Permissions::from_mode(0o600))?;
    thread::Builder::new().name("accept".into()).spawn(move || {
        for (number, stream) in (1_u64..).zip(listener.incoming()) {
            let Ok(stream) = stream else { continue };
            if serve(stream, number, &events).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

fn serve(stream: UnixStream, number: u64, events: &SyncSender<Event>) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let writer = stream.try_clone()?;
    let closed = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    events.send(Event::Connected { number, writer }).map_err(closed)?;
    let events = events.clone();
    thread::Builder::new().name("read".into()).spawn(move || {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(requests)) = read_frame::<Request>(&mut reader) {
            if events.send(Event::Requests(requests)).is_err() {
                return;
            }
        }
        drop(events.send(Event::Disconnected { number }));
    })?;
    Ok(())
}
