//! How many messages wait in queues, and how many consumers they have, by the broker's own word. Asked with a few frames of AMQP 0-9-1 of our own: a client of the product would declare
//! on its way what a trial has just taken away.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long the broker may take for one word; one that takes longer is asked again later.
const PATIENCE: Duration = Duration::from_secs(3);
/// The queues whose messages are kept, and that of signs of life.
const QUEUES: [&str; 4] = ["tasks.cpu-cluster", "reports", "dead", "heartbeats"];
/// A frame that ends as frames do, and how long one may be.
const FRAME_END: u8 = 0xce;
const FRAME_BYTES_MAX: usize = 128 * 1024;
/// Methods by their class and number.
const START: (u16, u16) = (10, 10);
const START_OK: (u16, u16) = (10, 11);
const TUNE: (u16, u16) = (10, 30);
const TUNE_OK: (u16, u16) = (10, 31);
const OPEN: (u16, u16) = (10, 40);
const OPEN_OK: (u16, u16) = (10, 41);
const CHANNEL_OPEN: (u16, u16) = (20, 10);
const CHANNEL_OPEN_OK: (u16, u16) = (20, 11);
const CHANNEL_CLOSE: (u16, u16) = (20, 40);
const CHANNEL_CLOSE_OK: (u16, u16) = (20, 41);
const DECLARE: (u16, u16) = (50, 10);
const DECLARE_OK: (u16, u16) = (50, 11);

/// Somebody who asks, and the most that was answered.
#[derive(Debug)]
pub(crate) struct Depths {
    pub(crate) deepest: u64,
    access: Option<Access>,
    prefix: String,
    stream: Option<TcpStream>,
}

#[derive(Debug)]
struct Access {
    address: String,
    user: String,
    password: String,
}

impl Access {
    /// None for a broker that speaks TLS only.
    fn read(url: &str) -> Option<Self> {
        let (credentials, address) = url.strip_prefix("amqp://")?.split_once('@')?;
        let (user, password) = credentials.split_once(':')?;
        let address = address.split('/').next()?;
        Some(Self {
            address: address.to_owned(),
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }
}

impl Depths {
    pub(crate) fn of(url: &str, prefix: &str) -> Self {
        Self {
            deepest: 0,
            access: Access::read(url),
            prefix: prefix.to_owned(),
            stream: None,
        }
    }

    /// A broker that is not there, or lets nobody in, is asked again with the next look.
    pub(crate) fn look(&mut self) {
        let Some(access) = &self.access else { return };
        let stream = match self.stream.take() {
            Some(stream) => Ok(stream),
            None => enter(access),
        };
        let answered = stream.and_then(|mut stream| {
            for queue in QUEUES {
                let name = format!("{}.{queue}", self.prefix);
                let counted = count(&mut stream, &name)?;
                self.deepest = self.deepest.max(counted.map_or(0, |counted| counted.messages));
            }
            Ok(stream)
        });
        self.stream = answered.ok();
    }
}

/// What one queue holds now; none when it is not there, or nobody is told.
pub(crate) fn ask(url: &str, queue: &str) -> Option<Counted> {
    let mut stream = enter(&Access::read(url)?).ok()?;
    count(&mut stream, queue).ok()?
}

/// What a queue has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    /// Messages that wait.
    pub(crate) messages: u64,
    /// Consumers.
    pub(crate) consumers: u64,
}

fn enter(access: &Access) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(&access.address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    await_method(&mut stream, START)?;
    let answer = format!("\0{}\0{}", access.user, access.password);
    let mut arguments = vec![0; 4];
    short(&mut arguments, "PLAIN");
    arguments.extend(u32::try_from(answer.len()).unwrap_or_default().to_be_bytes());
    arguments.extend(answer.as_bytes());
    short(&mut arguments, "en_US");
    say(&mut stream, 0, START_OK, &arguments)?;
    let mut tuned = await_method(&mut stream, TUNE)?;
    // No heartbeats: whoever asks every second needs none.
    tuned.truncate(6);
    tuned.extend([0; 2]);
    say(&mut stream, 0, TUNE_OK, &tuned)?;
    let mut host = Vec::new();
    short(&mut host, "/");
    host.extend([0; 2]);
    say(&mut stream, 0, OPEN, &host)?;
    await_method(&mut stream, OPEN_OK)?;
    open_channel(&mut stream)?;
    Ok(stream)
}

fn open_channel(stream: &mut TcpStream) -> io::Result<()> {
    say(stream, 1, CHANNEL_OPEN, &[0])?;
    await_method(stream, CHANNEL_OPEN_OK).map(drop)
}

/// What a queue has; none when there is no such queue.
fn count(stream: &mut TcpStream, queue: &str) -> io::Result<Option<Counted>> {
    let mut arguments = vec![0; 2];
    short(&mut arguments, queue);
    // Passive: it asks, and declares nothing.
    arguments.extend([1, 0, 0, 0, 0]);
    say(stream, 1, DECLARE, &arguments)?;
    let (method, arguments) = hear(stream)?;
    if method == CHANNEL_CLOSE {
        say(stream, 1, CHANNEL_CLOSE_OK, &[])?;
        open_channel(stream)?;
        return Ok(None);
    }
    let name = usize::from(*arguments.first().ok_or(io::ErrorKind::InvalidData)?);
    let counts = arguments.get(1 + name..).unwrap_or_default();
    let (counts, _) = counts.as_chunks::<4>();
    match counts {
        [messages, consumers] if method == DECLARE_OK => Ok(Some(Counted {
            messages: u32::from_be_bytes(*messages).into(),
            consumers: u32::from_be_bytes(*consumers).into(),
        })),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn short(into: &mut Vec<u8>, text: &str) {
    into.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    into.extend(text.as_bytes());
}

fn say(stream: &mut TcpStream, channel: u16, method: (u16, u16), arguments: &[u8]) -> io::Result<()> {
    let size = u32::try_from(arguments.len() + 4).unwrap_or_default();
    let mut frame = vec![1];
    frame.extend(channel.to_be_bytes());
    frame.extend(size.to_be_bytes());
    frame.extend(method.0.to_be_bytes());
    frame.extend(method.1.to_be_bytes());
    frame.extend(arguments);
    frame.push(FRAME_END);
    stream.write_all(&frame)
}

/// The next method that comes, with its arguments.
fn hear(stream: &mut TcpStream) -> io::Result<((u16, u16), Vec<u8>)> {
    loop {
        let mut head = [0; 7];
        stream.read_exact(&mut head)?;
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        if size > FRAME_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut frame = vec![0; size + 1];
        stream.read_exact(&mut frame)?;
        frame.truncate(size);
        if let (1, [a, b, c, d, arguments @ ..]) = (head[0], frame.as_slice()) {
            let method = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
            return Ok((method, arguments.to_vec()));
        }
    }
}

fn await_method(stream: &mut TcpStream, wanted: (u16, u16)) -> io::Result<Vec<u8>> {
    let (method, arguments) = hear(stream)?;
    if method == wanted {
        Ok(arguments)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}
