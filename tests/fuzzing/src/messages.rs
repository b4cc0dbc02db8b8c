//! What travels over the broker: envelopes and the messages in them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::LazyLock;
use tidemill_protocol::codec;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::{
    Audience, Control, Heartbeat, Kind, LogChunk, ReportBatch, SignerKey, StepTask, TrustedKeys, open,
    open_from_worker, open_set_aside, open_unsigned, seal, seal_unsigned,
};

const KINDS: [Kind; 5] = [
    Kind::Task,
    Kind::Control,
    Kind::Reports,
    Kind::Heartbeat,
    Kind::Log,
];
const NOW: Timestamp = Timestamp(1_000);
const LATER: Timestamp = Timestamp(2_000);

/// The coordinator's key, which the bytes of the fuzzer never hold.
static KEY: LazyLock<SignerKey> = LazyLock::new(|| SignerKey::from_seed(&[7; 32]));

/// Opens any bytes as an envelope; seals them as a body and bends what was sealed.
///
/// # Panics
/// When a law does not hold.
pub fn envelope(data: &[u8]) {
    let keys = TrustedKeys(vec![KEY.trusted()]);
    for kind in KINDS {
        for audience in [
            Audience::target("cpu"),
            Audience::worker("w"),
            Audience::coordinator(),
        ] {
            // Signatures are a function of the key, so whatever is accepted must be what we would have signed.
            if let Ok(opened) = open(&keys, kind, audience, NOW, data) {
                let ours = seal(&KEY, kind, audience, LATER, opened.body);
                assert_eq!(ours.as_deref(), Ok(data), "a forged envelope was opened");
            }
            if let Ok(opened) = open_from_worker(&KEY.trusted(), kind, data) {
                assert!(data.ends_with(opened.body), "the body is not of the envelope");
            }
            if let Ok(opened) = open_unsigned(kind, audience, data) {
                assert!(data.ends_with(opened.body), "the body is not of the envelope");
            }
        }
    }
    if let Ok(opened) = open_set_aside(&keys, data) {
        assert!(data.ends_with(opened.body), "the body is not of the envelope");
    }
    bent(&keys, data);
}

/// A sealed body comes back; with one bit bent it does not.
fn bent(keys: &TrustedKeys, data: &[u8]) {
    let Some((place, body)) = data.split_first_chunk::<4>() else {
        return;
    };
    let kind = KINDS[usize::from(place[0]) % KINDS.len()];
    let audience = Audience::target("cpu");
    let sealed = seal(&KEY, kind, audience, LATER, body).expect("the fuzzer's bodies are short");
    let opened = open(keys, kind, audience, NOW, &sealed).map(|opened| opened.body);
    assert_eq!(opened, Ok(body), "a sealed body did not come back");
    assert!(open(keys, kind, audience, Timestamp(LATER.0 + 1), &sealed).is_err());
    let bit = u32::from_le_bytes(*place) as usize % (sealed.len() * 8);
    let mut other = sealed;
    other[bit / 8] ^= 1 << (bit % 8);
    assert!(
        open(keys, kind, audience, NOW, &other).is_err(),
        "bit {bit} does not count"
    );
}

/// Reads bytes as every message.
///
/// # Panics
/// When a law does not hold.
pub fn report(data: &[u8]) {
    if let Some(batch) = round::<ReportBatch>(data) {
        let body = codec::encode(&batch);
        let sealed = seal_unsigned(Kind::Reports, Audience::coordinator(), &body).expect("it is short");
        let opened = open_unsigned(Kind::Reports, Audience::coordinator(), &sealed);
        assert_eq!(opened.map(|opened| opened.body), Ok(body.as_slice()));
    }
    round::<Heartbeat>(data);
    round::<LogChunk>(data);
    round::<StepTask>(data);
    round::<Control>(data);
}

/// What was read is read again from how it is written, and is written in one way.
pub(crate) fn round<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let read: T = codec::decode(data).ok()?;
    let written = codec::encode(&read);
    let again: T = codec::decode(&written).expect("what we write can be read");
    assert_eq!(again, read, "it is read as something else than was written");
    assert_eq!(codec::encode(&again), written, "it is written in two ways");
    Some(read)
}
