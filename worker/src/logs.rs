//! What a step has written to its output streams, once it is on the disk: what is kept of it, its last lines, and its growth for those who follow. What
//! leaves here has its secrets covered, but for what is [`Growing`], whose callers see to that.

use crate::secrets::Redaction;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tidemill_protocol::terminal;

/// How much of a stream is copied at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// The file to store as the whole of a stream: the stream itself, or, when it is longer than allowed or may hold secrets, a copy: with a line in place of the
/// middle that says what is missing, and with secrets covered. None when nothing was written, or when nobody knows what is to be covered. Blocks.
pub(crate) fn keep(path: &Path, bytes_max: u64, redaction: &Redaction) -> io::Result<Option<PathBuf>> {
    let length = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if length == 0 || matches!(redaction, Redaction::Unknown) {
        return Ok(None);
    }
    let is_short = length <= bytes_max;
    if is_short && matches!(redaction, Redaction::Nothing) {
        return Ok(Some(path.to_owned()));
    }
    let mut source = File::open(path)?;
    let kept = path.with_extension("kept");
    let mut sink = io::BufWriter::new(File::create(&kept)?);
    if is_short {
        copy(&mut source.take(length), &mut sink, redaction, true)?;
    } else {
        let half = bytes_max / 2;
        copy(&mut (&mut source).take(half), &mut sink, redaction, true)?;
        let missing = length - 2 * half;
        write!(
            sink,
            "\n[tidemill: {missing} bytes were left out here; a stream may have {bytes_max} bytes]\n"
        )?;
        source.seek(SeekFrom::Start(length - half))?;
        copy(&mut source.take(half), &mut sink, redaction, false)?;
    }
    sink.flush()?;
    Ok(Some(kept))
}

/// Covers secrets in a stream's own file, because the file stays. Blocks.
pub(crate) fn cover(path: &Path, redaction: &Redaction) -> io::Result<()> {
    match redaction {
        Redaction::Nothing => Ok(()),
        Redaction::Of(_) => match keep(path, u64::MAX, redaction)? {
            Some(covered) => std::fs::rename(covered, path),
            None => Ok(()),
        },
        Redaction::Unknown => match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

/// Copies what may be shown. `from_start` says whether the source begins where the stream does.
fn copy(
    source: &mut impl Read,
    sink: &mut impl Write,
    redaction: &Redaction,
    from_start: bool,
) -> io::Result<()> {
    let redactor = match redaction {
        Redaction::Nothing => return io::copy(source, sink).map(drop),
        Redaction::Unknown => return Ok(()),
        Redaction::Of(redactor) => redactor,
    };
    let mut cover = if from_start {
        redactor.cover()
    } else {
        redactor.cover_from_the_middle()
    };
    let (mut piece, mut shown) = (vec![0; PIECE_BYTES], Vec::new());
    loop {
        let count = source.read(&mut piece)?;
        if count == 0 {
            break;
        }
        cover.push(piece.get(..count).unwrap_or_default(), &mut shown);
        sink.write_all(&shown)?;
        shown.clear();
    }
    cover.finish(&mut shown);
    sink.write_all(&shown)
}

/// The last bytes of a file as text for people: whole lines where possible, without control characters, terminal sequences and secrets.
pub(crate) fn tail(path: &Path, bytes_max: usize, redaction: &Redaction) -> String {
    let before = match redaction {
        Redaction::Nothing => 0,
        Redaction::Of(redactor) => redactor.longest(),
        Redaction::Unknown => return String::new(),
    };
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        // Twice as much, because what is cleaned away does not count, nor what could be the end of a secret.
        let wanted = (2 * bytes_max + before) as u64;
        let from = length.saturating_sub(wanted);
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        copy(&mut file.take(wanted), &mut bytes, redaction, from == 0)?;
        Ok(bytes)
    };
    let text = clean(&read().unwrap_or_default());
    let text = text.trim_end();
    let mut from = text.len().saturating_sub(bytes_max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let (_, last) = text.split_at(from);
    match last.split_once('\n') {
        Some((_, whole_lines)) if from > 0 => whole_lines.to_owned(),
        _ => last.to_owned(),
    }
}

/// Removes terminal sequences and control characters except line ends and tabs.
fn clean(bytes: &[u8]) -> String {
    // A progress bar redraws its line: each state becomes a line of its own.
    terminal::plain(bytes).replace("\r\n", "\n").replace('\r', "\n")
}

/// A stream that grows while it is read. Opened once, so that what it had can still be read when its folder is gone.
#[derive(Debug)]
pub(crate) struct Growing {
    path: PathBuf,
    file: Option<File>,
}

impl Growing {
    /// The stream in this file, which need not be there yet.
    pub(crate) fn new(path: &Path) -> Self {
        let file = File::open(path).ok();
        Self {
            path: path.to_owned(),
            file,
        }
    }

    /// Reads a piece from an offset on; skips what was given back to the file system. Answers the offset of the piece, empty at the end.
    pub(crate) fn piece(&mut self, offset: u64, bytes_max: usize) -> io::Result<(u64, Vec<u8>)> {
        let mut file = match &self.file {
            Some(file) => file,
            None => self.file.insert(File::open(&self.path)?),
        };
        let offset = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(offset)) {
            Ok(data) => data,
            // Nothing but the end lies behind it, or the file system does not know holes.
            Err(_) => offset,
        };
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))?;
        file.take(bytes_max as u64).read_to_end(&mut bytes)?;
        Ok((offset, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Redactor;
    use std::sync::Arc;
    use tidemill_protocol::secret::SecretValue;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stderr");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn an_empty_or_missing_stream_is_not_kept() {
        let (dir, path) = file(b"");
        assert_eq!(keep(&path, 100, &Redaction::Nothing).unwrap(), None);
        assert_eq!(
            keep(&dir.path().join("absent"), 100, &Redaction::Nothing).unwrap(),
            None
        );
    }

    #[test]
    fn a_long_stream_keeps_its_ends_and_says_what_is_missing() {
        let mut bytes = vec![b'a'; 500];
        bytes.extend(vec![b'b'; 500]);
        let (_dir, path) = file(&bytes);
        let kept = std::fs::read_to_string(keep(&path, 100, &Redaction::Nothing).unwrap().unwrap()).unwrap();
        assert!(kept.starts_with(&"a".repeat(50)));
        assert!(kept.ends_with(&"b".repeat(50)));
        assert!(kept.contains("900 bytes were left out"));
    }

    #[test]
    fn a_tail_has_whole_lines_and_no_terminal_sequences() {
        let (_dir, path) =
            file(b"first\n\x1b[31mred\x1b[0m \x1b]0;title\x1b\\te\xe2\x80\xaext\x08\r\nlast\x00\n");
        assert_eq!(tail(&path, 4096, &Redaction::Nothing), "first\nred text\nlast");
        assert_eq!(tail(&path, 10, &Redaction::Nothing), "last");
        assert!(tail(&path, 4, &Redaction::Nothing).len() <= 4);
    }

    #[test]
    fn a_tail_of_bytes_that_are_no_text_is_text() {
        let (_dir, path) = file(&[0xff; 10_000]);
        assert!(tail(&path, 100, &Redaction::Nothing).len() <= 100);
    }

    #[test]
    fn a_growing_stream_is_read_from_where_one_was() {
        let (_dir, path) = file(b"hello world");
        let mut stream = Growing::new(&path);
        assert_eq!(stream.piece(6, 3).unwrap(), (6, b"wor".to_vec()));
        assert!(stream.piece(11, 3).unwrap().1.is_empty());
    }

    #[test]
    fn what_a_stream_had_is_read_after_its_folder_is_gone_or_another_took_its_place() {
        let (dir, path) = file(b"first\n");
        let mut stream = Growing::new(&path);
        let mut writer = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        writer.write_all(b"last\n").unwrap();
        cover(&path, &Redaction::Unknown).unwrap();
        std::fs::write(&path, "another's\n").unwrap();
        assert_eq!(stream.piece(6, 100).unwrap(), (6, b"last\n".to_vec()));
        drop(dir);
        assert_eq!(stream.piece(0, 6).unwrap(), (0, b"first\n".to_vec()));
    }

    #[test]
    fn a_stream_that_is_not_there_yet_is_read_once_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stdout");
        let mut stream = Growing::new(&path);
        assert!(stream.piece(0, 100).is_err());
        std::fs::write(&path, "now").unwrap();
        assert_eq!(stream.piece(0, 100).unwrap(), (0, b"now".to_vec()));
    }

    const SECRET: &str = "hunter2-of-the-forest";

    fn redaction() -> Redaction {
        let value = SecretValue::new(SECRET.into()).unwrap();
        Redaction::Of(Arc::new(Redactor::new([&value]).unwrap()))
    }

    fn holds_secret(text: &str) -> bool {
        // Any piece of it that somebody could go on from.
        SECRET.as_bytes().windows(6).any(|piece| {
            let piece = std::str::from_utf8(piece).unwrap();
            text.contains(piece)
        })
    }

    #[test]
    fn a_stream_is_kept_with_its_secrets_covered_wherever_it_is_cut() {
        for before in 0..200 {
            let text = format!("{}{SECRET}{}", "x".repeat(before), "y".repeat(400 - before));
            let (_dir, path) = file(text.as_bytes());
            let kept = std::fs::read_to_string(keep(&path, 100, &redaction()).unwrap().unwrap()).unwrap();
            assert!(!holds_secret(&kept), "{before}: {kept}");
            let text = format!("{}{SECRET}{}", "x".repeat(400 - before), "y".repeat(before));
            let (_dir, path) = file(text.as_bytes());
            let kept = std::fs::read_to_string(keep(&path, 100, &redaction()).unwrap().unwrap()).unwrap();
            assert!(!holds_secret(&kept), "{before}: {kept}");
            let whole = keep(&path, 1000, &redaction()).unwrap().unwrap();
            let whole = std::fs::read_to_string(whole).unwrap();
            assert!(
                !holds_secret(&whole) && whole.contains("x***"),
                "{before}: {whole}"
            );
        }
    }

    #[test]
    fn a_tail_begins_with_no_piece_of_a_secret() {
        for after in 0..300 {
            let text = format!("{}{SECRET}{}", "x".repeat(500), "y".repeat(after));
            let (_dir, path) = file(text.as_bytes());
            let shown = tail(&path, 60, &redaction());
            assert!(!holds_secret(&shown) && shown.len() <= 60, "{after}: {shown}");
        }
    }

    #[test]
    fn a_stream_that_stays_is_covered_in_place_and_one_of_unknown_secrets_goes() {
        let (_dir, path) = file(format!("a {SECRET} b").as_bytes());
        cover(&path, &redaction()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a *** b");
        assert_eq!(tail(&path, 100, &Redaction::Unknown), "");
        assert_eq!(keep(&path, 100, &Redaction::Unknown).unwrap(), None);
        cover(&path, &Redaction::Unknown).unwrap();
        assert!(!path.exists());
        cover(&path, &Redaction::Unknown).unwrap();
    }
}
