//! Whole folders of the store as one file, made while it is sent. The same folder is the same archive, byte for byte: files in the order of their paths, all of one time. What
//! turns out damaged on the way breaks the transfer off; it never ends like a good one.

use super::artifacts::digest;
use super::error::ApiError;
use crate::handle::CoordinatorHandle;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde::Deserialize;
use std::io::{self, Read, Write};
use std::sync::Arc;
use tidemill_artifacts::{ArtifactStore, StoreError};
use tidemill_protocol::api::{ErrorBody, ErrorCode};
use tidemill_protocol::artifact::{Tree, TreeEntry};
use tidemill_protocol::time::Millis;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use zip::write::SimpleFileOptions;

/// Most archives that are made at once: each takes a thread.
const ARCHIVES_MAX: usize = 8;
/// When to come back.
const RETRY_AFTER: Millis = Millis::from_secs(5);
/// Bytes of one piece.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces that wait for the reader.
const PIECES_MAX: usize = 4;
/// Files from this length on have long lengths in a zip.
const LONG_FILE_BYTES: u64 = u32::MAX as u64;
const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;
const FOLDER_MODE: u32 = 0o755;

/// The places for archives that are being made.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Places {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ARCHIVES_MAX)))
    }
}

/// Which kind of archive.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct ArchiveQuery {
    /// `zip` or `tar`; `zip` when absent.
    #[param(value_type = Option<String>)]
    #[serde(default)]
    format: Format,
}

/// A kind of archive.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// Files as they are, with an index at the end.
    #[default]
    Zip,
    /// Files as they are, one after the other.
    Tar,
}

/// Downloads a folder as an archive, which is made on the way and nowhere kept.
#[utoipa::path(get, path = "/api/v1/trees/{digest}/archive", tag = "artifacts", security(("token" = ["reader"])), params(("digest" = String, Path), ArchiveQuery), responses(
    (status = 200, description = "The archive; the transfer breaks off when a file turns out damaged.", content((Vec<u8> = "application/zip"), (Vec<u8> = "application/x-tar"))),
    (status = 404, description = "It is not in the store.", body = ErrorBody),
    (status = 503, description = "Too many archives are made at once; Retry-After says when to come back.", body = ErrorBody),
))]
pub(super) async fn archive(
    State(handle): State<CoordinatorHandle>,
    Extension(places): Extension<Places>,
    Path(name): Path<String>,
    Query(query): Query<ArchiveQuery>,
) -> Result<Response, ApiError> {
    let named = digest(&name)?;
    let tree = handle.inner.store.get_tree(&named).await?;
    let Ok(place) = places.0.try_acquire_owned() else {
        let message = format!("{ARCHIVES_MAX} archives are being made already");
        return Err(ApiError::new(ErrorCode::Unavailable, message).retry_after(RETRY_AFTER));
    };
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    let files = Files {
        store: handle.inner.store.clone(),
        runtime: Handle::current(),
    };
    tokio::task::spawn_blocking(move || {
        let out = Out {
            held: Vec::with_capacity(PIECE_BYTES),
            sender: sender.clone(),
        };
        let made = match query.format {
            Format::Zip => zip(&files, &tree, out),
            Format::Tar => tar(&files, &tree, out),
        };
        if let Err(error) = made {
            // The transfer must not end like a good one. Whoever has left need not hear of it.
            tracing::warn!(%error, "an archive was not finished");
            drop(sender.blocking_send(Err(error)));
        }
        drop(place);
    });
    let (kind, ending) = match query.format {
        Format::Zip => ("application/zip", "zip"),
        Format::Tar => ("application/x-tar", "tar"),
    };
    let file = format!("attachment; filename=\"{}.{ending}\"", named.short());
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, file),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(pieces))).into_response())
}

fn zip(files: &Files, tree: &Tree, out: Out) -> io::Result<()> {
    let mut archive = zip::ZipWriter::new_stream(out);
    let plain = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for entry in &tree.entries {
        let options = plain
            .unix_permissions(mode(entry))
            .large_file(entry.size_bytes >= LONG_FILE_BYTES);
        archive.start_file(entry.path.as_str(), options)?;
        io::copy(&mut files.open(entry)?, &mut archive)?;
    }
    for folder in &tree.empty_folders {
        archive.add_directory(folder.as_str(), plain)?;
    }
    archive.finish()?.into_inner().send()
}

fn tar(files: &Files, tree: &Tree, out: Out) -> io::Result<()> {
    let mut archive = tar::Builder::new(out);
    archive.mode(tar::HeaderMode::Deterministic);
    for entry in &tree.entries {
        let mut header = header_of(tar::EntryType::Regular, entry.size_bytes, mode(entry));
        archive.append_data(&mut header, entry.path.as_str(), files.open(entry)?)?;
    }
    for folder in &tree.empty_folders {
        let mut header = header_of(tar::EntryType::Directory, 0, FOLDER_MODE);
        archive.append_data(&mut header, format!("{folder}/"), io::empty())?;
    }
    archive.into_inner()?.send()
}

fn header_of(kind: tar::EntryType, size_bytes: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size_bytes);
    header.set_mode(mode);
    header.set_mtime(0);
    header
}

const fn mode(entry: &TreeEntry) -> u32 {
    if entry.executable {
        EXECUTABLE_MODE
    } else {
        FILE_MODE
    }
}

/// The files of the store, for a thread that may block.
struct Files {
    store: ArtifactStore,
    runtime: Handle,
}

impl Files {
    fn open(&self, entry: &TreeEntry) -> io::Result<File> {
        let opened = self.runtime.block_on(self.store.get_stream(&entry.digest));
        let (_, pieces) = opened.map_err(io::Error::other)?;
        Ok(File {
            pieces,
            ready: Bytes::new(),
            runtime: self.runtime.clone(),
        })
    }
}

/// A file of the store as it is read.
struct File {
    pieces: BoxStream<'static, Result<Bytes, StoreError>>,
    ready: Bytes,
    runtime: Handle,
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() {
            match self.runtime.block_on(self.pieces.next()) {
                Some(piece) => self.ready = piece.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let piece = self.ready.split_to(self.ready.len().min(buffer.len()));
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

/// The way to the reader of the archive.
struct Out {
    held: Vec<u8>,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Writers flush after each file; pieces are for the network, and the last one is sent by whoever finishes.
        Ok(())
    }
}

impl Out {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.held, Vec::with_capacity(PIECE_BYTES));
        let sent = self.sender.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
