//! The upload handlers. A client has one upload at a time.

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use socketio::{Binary, EventError, Events, Socket, event, events};

pub(crate) const EVENTS: Events = events![begin, chunk, finish];

/// The largest accepted file, in MiB.
const MAX_FILE_MIB: u64 = 64;
/// The largest accepted chunk, in bytes. It must be smaller than the hub's `max_payload`, and small
/// enough that hashing it does not block the task for long.
const MAX_CHUNK_SIZE: usize = 64 << 10;

#[derive(Clone, Deserialize)]
struct File {
    name: String,
    size: u64,
}

#[derive(Serialize)]
struct Begun {
    largest_chunk: usize,
}

#[derive(Serialize)]
struct Progress {
    received: u64,
}

#[derive(Serialize)]
struct Uploaded {
    name: String,
    size: u64,
    sha256: String,
}

enum UploadError {
    FileTooLarge,
    ChunkTooLarge,
    NotBegun,
    /// The client sent more bytes than announced.
    TooMuch,
    /// The client sent fewer bytes than announced.
    Incomplete,
}

impl From<UploadError> for EventError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::FileTooLarge => {
                Self::new("file_too_large", format!("a file can't be larger than {MAX_FILE_MIB} MiB"))
            }
            UploadError::ChunkTooLarge => {
                Self::new("chunk_too_large", format!("a chunk can't be larger than {MAX_CHUNK_SIZE} bytes"))
            }
            UploadError::NotBegun => Self::new("not_begun", "begin an upload first"),
            UploadError::TooMuch => Self::new("too_much", "the file is larger than announced"),
            UploadError::Incomplete => Self::new("incomplete", "the file is smaller than announced"),
        }
    }
}

/// The state of an upload. It is an extension of the socket, and dropped with it.
#[derive(Clone)]
struct Upload {
    file: File,
    received: u64,
    digest: Context,
}

impl Upload {
    /// Removes the upload from the socket. A client's events are handled in sequence, so the next
    /// handler sees what this one puts back.
    fn take_from(socket: &Socket) -> Result<Self, UploadError> {
        socket.remove_extension().ok_or(UploadError::NotBegun)
    }
}

#[event("begin")]
fn begin(socket: &Socket, file: File) -> Result<Begun, UploadError> {
    if file.size > MAX_FILE_MIB << 20 {
        return Err(UploadError::FileTooLarge);
    }
    socket.insert_extension(Upload { file, received: 0, digest: Context::new(&SHA256) });
    Ok(Begun { largest_chunk: MAX_CHUNK_SIZE })
}

/// The bytes are not copied: `Binary` shares the memory they were received in. A clone could be
/// passed on to a file.
#[event("chunk")]
fn chunk(socket: &Socket, bytes: Binary) -> Result<Progress, UploadError> {
    let mut upload = Upload::take_from(socket)?;
    if bytes.len() > MAX_CHUNK_SIZE {
        return Err(UploadError::ChunkTooLarge);
    }
    upload.received += bytes.len() as u64;
    if upload.received > upload.file.size {
        return Err(UploadError::TooMuch);
    }
    upload.digest.update(&bytes);
    let received = upload.received;
    socket.insert_extension(upload);
    Ok(Progress { received })
}

#[event("finish")]
fn finish(socket: &Socket) -> Result<Uploaded, UploadError> {
    let Upload { file: File { name, size }, received, digest } = Upload::take_from(socket)?;
    if received < size {
        return Err(UploadError::Incomplete);
    }
    let sha256 = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Uploaded { name, size, sha256 })
}
