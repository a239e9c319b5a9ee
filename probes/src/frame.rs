//! Frames: how a [`Message`] travels over a stream of bytes.
//!
//! A frame is the length of what follows (four bytes, big endian, at most
//! [`MAX_FRAME`]) and one JSON object. The version is not a frame's matter: the
//! first message of each side, [`Message::Hello`], names it.

use std::io::{self, Read, Write};

use crate::wire::{MAX_FRAME, Message};

/// Length of the length.
const HEAD: usize = 4;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A frame longer than [`MAX_FRAME`]. The stream is of no more use: where the next frame
    /// starts is not known.
    #[error("expected a frame of at most {MAX_FRAME} bytes, found {0}")]
    TooLong(usize),
    /// A whole frame that is no message. The stream goes on with the next one.
    #[error("expected a message in JSON")]
    NotAMessage(#[source] serde_json::Error),
    /// The stream ended within a frame.
    #[error("expected {expected} more bytes of a frame, found the end of the stream")]
    Truncated {
        /// How many bytes were missing.
        expected: usize,
    },
    /// The stream itself failed.
    #[error("the stream failed")]
    Io(#[source] io::Error),
}

/// A message's frame.
///
/// # Errors
/// [`FrameError::TooLong`]; a message of this crate can always be written as JSON.
pub fn encode(message: &Message) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEAD];
    serde_json::to_writer(&mut frame, message).map_err(FrameError::NotAMessage)?;
    let length = frame.len() - HEAD;
    let head = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME);
    let head = head.ok_or(FrameError::TooLong(length))?;
    frame[..HEAD].copy_from_slice(&head.to_be_bytes());
    Ok(frame)
}

/// Writes one frame and flushes.
///
/// # Errors
/// [`FrameError::TooLong`], before anything is written, and [`FrameError::Io`].
pub fn write(to: &mut impl Write, message: &Message) -> Result<(), FrameError> {
    let frame = encode(message)?;
    to.write_all(&frame).and_then(|()| to.flush()).map_err(FrameError::Io)
}

/// Reads one frame; `None` where the stream ends between frames.
///
/// # Errors
/// All of [`FrameError`].
pub fn read(from: &mut impl Read) -> Result<Option<Message>, FrameError> {
    let mut head = [0; HEAD];
    match fill(from, &mut head)? {
        0 => return Ok(None),
        HEAD => {}
        found => return Err(FrameError::Truncated { expected: HEAD - found }),
    }
    let length = body_length(head)?;
    // Room grows with what really comes: a wrong length must not cost its size in memory.
    let mut body = Vec::new();
    let found = from.take(length as u64).read_to_end(&mut body).map_err(FrameError::Io)?;
    if found < length {
        return Err(FrameError::Truncated { expected: length - found });
    }
    parse(&body).map(Some)
}

/// Reads until `buffer` is full or the stream ends; how many bytes came.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize, FrameError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FrameError::Io(error)),
        }
    }
    Ok(filled)
}

/// Takes bytes as they come, and gives messages as they complete.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the next frame starts in the buffer.
    start: usize,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, or `None` until more bytes come.
    ///
    /// # Errors
    /// [`FrameError::NotAMessage`] is about one frame, and the next call goes on behind it;
    /// [`FrameError::TooLong`] comes again and again.
    #[expect(
        clippy::should_implement_trait,
        reason = "no iterator: `None` means later, and an error does not always end it"
    )]
    pub fn next(&mut self) -> Result<Option<Message>, FrameError> {
        let rest = &self.buffer[self.start..];
        let Some((head, rest)) = rest.split_first_chunk::<HEAD>() else { return Ok(None) };
        let length = body_length(*head)?;
        let Some(body) = rest.get(..length) else { return Ok(None) };
        self.start += HEAD + length;
        parse(body).map(Some)
    }

    /// Whether a frame has begun and not ended: a stream that ends now was cut short.
    pub fn is_within_frame(&self) -> bool {
        self.start < self.buffer.len()
    }
}

fn body_length(head: [u8; HEAD]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if length > MAX_FRAME { Err(FrameError::TooLong(length)) } else { Ok(length) }
}

fn parse(body: &[u8]) -> Result<Message, FrameError> {
    serde_json::from_slice(body).map_err(FrameError::NotAMessage)
}
