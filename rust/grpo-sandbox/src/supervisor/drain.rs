//! Reading what a child writes, which is hostile: bounded in every way, and never interpreted here.

use std::{io, os::fd::OwnedFd};

/// The reading end of a pipe, which never waits, and what came out of it.
pub(super) struct Drained {
    pub(super) pipe: Option<OwnedFd>,
    pub(super) kept: Vec<u8>,
    total: usize,
    cap: usize,
    tail: usize,
}

impl Drained {
    /// Counts up to one byte over `cap`, and keeps the last `tail` bytes of that.
    pub(super) fn new(pipe: OwnedFd, cap: usize, tail: usize) -> Self {
        Self { pipe: Some(pipe), kept: Vec::new(), total: 0, cap, tail }
    }

    pub(super) fn is_over(&self) -> bool {
        self.total > self.cap
    }

    /// Reads what is there without waiting, and no further than the cap.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        let mut chunk = [0; 16 << 10];
        while let Some(pipe) = self.pipe.as_ref().filter(|_| !self.is_over()) {
            match read(pipe, &mut chunk)? {
                Some(0) => self.pipe = None,
                Some(size) => {
                    self.keep(&chunk[..size]);
                    if size < chunk.len() {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let within = bytes.len().min(self.cap.saturating_sub(self.total));
        self.total = self.total.saturating_add(bytes.len());
        self.kept.extend_from_slice(&bytes[..within]);
        self.kept.drain(..self.kept.len().saturating_sub(self.tail));
    }
}

/// `None`: nothing there yet.
fn read(pipe: &OwnedFd, into: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match rustix::io::read(pipe, &mut *into) {
            Ok(size) => return Ok(Some(size)),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return Ok(None),
            // A socket's other end was closed with something unread in it.
            Err(rustix::io::Errno::CONNRESET) => return Ok(Some(0)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Frames that a child writes: a length and that many bytes.
///
/// They come by a socket: unlike a pipe, a child cannot open it once more (`/proc/self/fd`) and take
/// back what it has not been seen to write.
pub(super) struct Frames {
    pub(super) socket: Option<OwnedFd>,
    /// What has been read and not yet been a whole frame.
    partial: Vec<u8>,
    /// How much of that has been taken.
    taken: usize,
    /// Bytes of all frames together.
    left: usize,
    too_long: bool,
}

impl Frames {
    pub(super) fn new(socket: OwnedFd, cap: usize) -> Self {
        Self { socket: Some(socket), partial: Vec::new(), taken: 0, left: cap, too_long: false }
    }

    /// More than was allowed; nothing after it is read.
    pub(super) fn is_over(&self) -> bool {
        self.too_long
    }

    /// Whether what has come ends in the middle of a frame. Of a process that has ended, nothing more comes.
    pub(super) fn is_torn(&self) -> bool {
        self.taken < self.partial.len()
    }

    /// Reads what is there without waiting.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        // Here and not after each frame, or a pipe full of small ones would be moved for each of them.
        self.partial.drain(..self.taken);
        self.taken = 0;
        let mut chunk = [0; 16 << 10];
        while let Some(socket) = self.socket.as_ref().filter(|_| !self.too_long) {
            match read(socket, &mut chunk)? {
                Some(0) => self.socket = None,
                Some(size) => {
                    self.too_long = size > self.left;
                    self.left = self.left.saturating_sub(size);
                    self.partial.extend_from_slice(&chunk[..size]);
                    if size < chunk.len() {
                        return Ok(());
                    }
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes the one byte that comes before the frames.
    pub(super) fn first_byte(&mut self) -> Option<u8> {
        let byte = *self.partial.get(self.taken)?;
        self.taken += 1;
        Some(byte)
    }

    /// Takes all that is there, whole or not.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        let rest = self.partial.split_off(self.taken);
        self.partial.clear();
        self.taken = 0;
        rest
    }

    /// Takes the next whole frame.
    pub(super) fn next_frame(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.partial[self.taken..].split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > rest.len() {
            self.too_long |= length - rest.len() > self.left;
            return None;
        }
        let frame = rest[..length].to_vec();
        self.taken += 4 + length;
        Some(frame)
    }
}
