//! What a step has written to its output streams, once it is on the disk: what is kept of it, its last lines, and its growth for those who follow.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tidemill_protocol::terminal;

/// The file to store as the whole of a stream: the stream itself, or, when it is longer than allowed, a copy of its beginning and end with a line between
/// them that says what is missing. None when nothing was written. Blocks.
pub(crate) fn keep(path: &Path, bytes_max: u64) -> io::Result<Option<PathBuf>> {
    let length = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    if length == 0 {
        return Ok(None);
    }
    if length <= bytes_max {
        return Ok(Some(path.to_owned()));
    }
    let half = bytes_max / 2;
    let mut source = File::open(path)?;
    let kept = path.with_extension("kept");
    let mut sink = File::create(&kept)?;
    io::copy(&mut (&mut source).take(half), &mut sink)?;
    let missing = length - 2 * half;
    write!(
        sink,
        "\n[tidemill: {missing} bytes were left out here; a stream may have {bytes_max} bytes]\n"
    )?;
    source.seek(SeekFrom::Start(length - half))?;
    io::copy(&mut source.take(half), &mut sink)?;
    Ok(Some(kept))
}

/// The last bytes of a file as text for people: whole lines where possible, without control characters and terminal sequences.
pub(crate) fn tail(path: &Path, bytes_max: usize) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        // Twice as much, because what is cleaned away does not count.
        file.seek(SeekFrom::Start(length.saturating_sub(2 * bytes_max as u64)))?;
        let mut bytes = Vec::new();
        file.take(2 * bytes_max as u64).read_to_end(&mut bytes)?;
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

/// Reads a piece of a growing file from an offset on; skips what was given back to the file system. Answers the offset of the piece, empty at the end.
pub(crate) fn piece(path: &Path, offset: u64, bytes_max: usize) -> io::Result<(u64, Vec<u8>)> {
    let file = File::open(path)?;
    let offset = match rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(offset)) {
        Ok(data) => data,
        // Nothing but the end lies behind it, or the file system does not know holes.
        Err(_) => offset,
    };
    let mut bytes = Vec::new();
    (&file).seek(SeekFrom::Start(offset))?;
    file.take(bytes_max as u64).read_to_end(&mut bytes)?;
    Ok((offset, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stderr");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn an_empty_or_missing_stream_is_not_kept() {
        let (dir, path) = file(b"");
        assert_eq!(keep(&path, 100).unwrap(), None);
        assert_eq!(keep(&dir.path().join("absent"), 100).unwrap(), None);
    }

    #[test]
    fn a_long_stream_keeps_its_ends_and_says_what_is_missing() {
        let mut bytes = vec![b'a'; 500];
        bytes.extend(vec![b'b'; 500]);
        let (_dir, path) = file(&bytes);
        let kept = std::fs::read_to_string(keep(&path, 100).unwrap().unwrap()).unwrap();
        assert!(kept.starts_with(&"a".repeat(50)));
        assert!(kept.ends_with(&"b".repeat(50)));
        assert!(kept.contains("900 bytes were left out"));
    }

    #[test]
    fn a_tail_has_whole_lines_and_no_terminal_sequences() {
        let (_dir, path) =
            file(b"first\n\x1b[31mred\x1b[0m \x1b]0;title\x1b\\te\xe2\x80\xaext\x08\r\nlast\x00\n");
        assert_eq!(tail(&path, 4096), "first\nred text\nlast");
        assert_eq!(tail(&path, 10), "last");
        assert!(tail(&path, 4).len() <= 4);
    }

    #[test]
    fn a_tail_of_bytes_that_are_no_text_is_text() {
        let (_dir, path) = file(&[0xff; 10_000]);
        assert!(tail(&path, 100).len() <= 100);
    }

    #[test]
    fn a_growing_file_is_read_from_where_one_was() {
        let (_dir, path) = file(b"hello world");
        assert_eq!(piece(&path, 6, 3).unwrap(), (6, b"wor".to_vec()));
        assert!(piece(&path, 11, 3).unwrap().1.is_empty());
    }
}
