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
                    // A short read does not say that it was all: a program can have its writes
                    // delivered one by one.
                    self.keep(&chunk[..size]);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustix::{
        net::{AddressFamily, SocketFlags, SocketType, socketpair},
        pipe::{PipeFlags, pipe_with},
    };

    use super::*;

    /// As a child has it for its output: our end never waits.
    fn pipe() -> (OwnedFd, OwnedFd) {
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("two descriptors")
    }

    /// As a child has it for its frames.
    fn channel() -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("two descriptors")
    }

    fn write(pipe: &OwnedFd, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let written = rustix::io::write(pipe, bytes).expect("it fits");
            bytes = &bytes[written..];
        }
    }

    /// What frames mean, said once more: as many whole ones as there are in bytes that came at once.
    fn whole_frames(mut bytes: &[u8]) -> (Vec<Vec<u8>>, &[u8]) {
        let mut frames = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let Some((frame, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)
            else {
                break;
            };
            frames.push(frame.to_vec());
            bytes = rest;
        }
        (frames, bytes)
    }

    /// Short frames with small lengths, and noise.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let frame = prop::collection::vec(any::<u8>(), 0..40).prop_map(|body| {
            let length = u32::try_from(body.len()).expect("it is short");
            [&length.to_le_bytes()[..], &body].concat()
        });
        let length = prop_oneof![Just(0_u32), 0..300_u32, any::<u32>()]
            .prop_map(|length| length.to_le_bytes().to_vec());
        let noise = prop::collection::vec(any::<u8>(), 0..9);
        let part = prop_oneof![6 => frame, 1 => length, 1 => noise];
        prop::collection::vec(part, 0..30).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn frames_do_not_depend_on_the_pieces_in_which_they_come(
            bytes in stream(),
            pieces in prop::collection::vec(1..70_usize, 1..20),
        ) {
            let (ours, theirs) = channel();
            let mut frames = Frames::new(ours, 1 << 20);
            let mut found = Vec::new();
            let mut rest = bytes.as_slice();
            for size in pieces.iter().cycle() {
                let (piece, later) = rest.split_at((*size).min(rest.len()));
                write(&theirs, piece);
                frames.drain().expect("a socket");
                found.extend(std::iter::from_fn(|| frames.next_frame()));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let (expected, left) = whole_frames(&bytes);
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(frames.is_torn(), !left.is_empty());
            // After a length that cannot be meant, no more is read.
            if !frames.is_over() {
                prop_assert_eq!(frames.rest(), left);
                prop_assert!(!frames.is_torn());
            }
        }

        #[test]
        fn no_more_is_read_than_was_allowed(bytes in stream(), cap in 0..600_usize) {
            let (ours, theirs) = channel();
            let mut frames = Frames::new(ours, cap);
            write(&theirs, &bytes);
            drop(theirs);
            frames.drain().expect("a socket");
            prop_assert_eq!(frames.is_over(), bytes.len() > cap);
            let found: Vec<_> = std::iter::from_fn(|| frames.next_frame()).collect();
            let (expected, left) = whole_frames(&bytes);
            prop_assert!(expected.starts_with(&found));
            if bytes.len() <= cap {
                prop_assert_eq!(found, expected);
                // A frame is also refused for the length that it claims, before it comes.
                let claimed = left.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
                prop_assert_eq!(frames.is_over(), claimed as usize + 4 > left.len() + cap - bytes.len()
                    && left.len() >= 4);
            }
        }

        #[test]
        fn output_is_counted_to_one_byte_and_its_end_is_kept(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            cap in 0..3000_usize,
            tail in 0..3000_usize,
        ) {
            let (ours, theirs) = pipe();
            let mut drained = Drained::new(ours, cap, tail);
            for piece in &pieces {
                write(&theirs, piece);
                drained.drain().expect("a pipe");
            }
            let all = pieces.concat();
            let within = &all[..cap.min(all.len())];
            prop_assert_eq!(drained.is_over(), all.len() > cap);
            prop_assert_eq!(&drained.kept[..], &within[within.len().saturating_sub(tail)..]);
            prop_assert!(drained.pipe.is_some());
            drop(theirs);
            drained.drain().expect("a pipe");
            prop_assert_eq!(drained.pipe.is_none(), all.len() <= cap);
        }
    }

    #[test]
    fn many_small_frames_take_time_in_proportion() {
        let (ours, theirs) = channel();
        let mut frames = Frames::new(ours, 64 << 20);
        let chunk = vec![0; 64 << 10];
        let mut count = 0;
        for _ in 0..100 {
            write(&theirs, &chunk);
            frames.drain().expect("a socket");
            count += std::iter::from_fn(|| frames.next_frame()).count();
            assert!(frames.partial.len() <= chunk.len());
        }
        assert_eq!(count, 100 * chunk.len() / 4);
    }
}
