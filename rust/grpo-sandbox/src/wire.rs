//! The messages between the trainer's process, the supervisor and the zygote.
//!
//! Every field is a number of fixed size or a length and that many bytes, little-endian. Reading is
//! total: whatever the bytes are, the answer is a message or an error.

use std::{
    io::{self, Read, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// No message is longer. Bounds what a broken peer can make us allocate.
const MAX_MESSAGE_BYTES: usize = 1 << 30;

/// A message that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<Malformed> for io::Error {
    fn from(_: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, "a malformed message")
    }
}

/// A type that crosses a process boundary.
pub(crate) trait Wire: Sized {
    fn write(&self, out: &mut Vec<u8>);
    fn read(input: &mut &[u8]) -> Result<Self, Malformed>;
}

pub(crate) fn to_bytes(message: &impl Wire) -> Vec<u8> {
    let mut out = Vec::new();
    message.write(&mut out);
    out
}

pub(crate) fn from_bytes<T: Wire>(mut bytes: &[u8]) -> Result<T, Malformed> {
    let message = T::read(&mut bytes)?;
    if bytes.is_empty() { Ok(message) } else { Err(Malformed) }
}

/// Sends one message.
pub(crate) fn send(stream: &mut impl Write, message: &impl Wire) -> io::Result<()> {
    let mut out = vec![0; 4];
    message.write(&mut out);
    let length = u32::try_from(out.len() - 4)
        .ok()
        .filter(|&length| length as usize <= MAX_MESSAGE_BYTES)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a message over 1 GiB"))?;
    out[..4].copy_from_slice(&length.to_le_bytes());
    stream.write_all(&out)
}

/// Receives one message; `None` where the peer has closed its end between two.
pub(crate) fn receive<T: Wire>(stream: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    let mut have = 0;
    while have < length.len() {
        match stream.read(&mut length[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => have += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_MESSAGE_BYTES {
        return Err(Malformed.into());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Some(from_bytes(&body)?))
}

macro_rules! numbers {
    ($($type:ty)*) => { $(
        impl Wire for $type {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
                let (bytes, rest) = input.split_first_chunk().ok_or(Malformed)?;
                *input = rest;
                Ok(Self::from_le_bytes(*bytes))
            }
        }
    )* };
}

numbers! { u8 u32 u64 i32 }

impl Wire for bool {
    fn write(&self, out: &mut Vec<u8>) {
        u8::from(*self).write(out);
    }

    fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::read(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

/// Bytes in one piece, which a list of `u8` would copy one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Wire for Bytes {
    fn write(&self, out: &mut Vec<u8>) {
        (self.0.len() as u64).write(out);
        out.extend_from_slice(&self.0);
    }

    fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
        let length = usize::try_from(u64::read(input)?).map_err(|_| Malformed)?;
        let (bytes, rest) = input.split_at_checked(length).ok_or(Malformed)?;
        *input = rest;
        Ok(Self(bytes.to_vec()))
    }
}

impl Wire for String {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
        Self::from_utf8(Bytes::read(input)?.0).map_err(|_| Malformed)
    }
}

impl Wire for PathBuf {
    fn write(&self, out: &mut Vec<u8>) {
        Bytes(Path::as_os_str(self).as_bytes().to_vec()).write(out);
    }

    fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(std::ffi::OsString::from_vec(Bytes::read(input)?.0).into())
    }
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
        bool::read(input)?.then(|| T::read(input)).transpose()
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        for item in self {
            item.write(out);
        }
    }

    fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
        let length = usize::try_from(u64::read(input)?).map_err(|_| Malformed)?;
        // An item takes a byte at least, so the input bounds what is reserved.
        if length > input.len() {
            return Err(Malformed);
        }
        (0..length).map(|_| T::read(input)).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(input: &mut &[u8]) -> Result<Self, Malformed> {
        Ok((A::read(input)?, B::read(input)?))
    }
}

/// Derives [`Wire`] for a structure: its fields, in order.
macro_rules! wire {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $type,)*
        }

        impl $crate::wire::Wire for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $($crate::wire::Wire::write(&self.$field, out);)*
            }

            fn read(input: &mut &[u8]) -> Result<Self, $crate::wire::Malformed> {
                Ok(Self { $($field: $crate::wire::Wire::read(input)?,)* })
            }
        }
    };
}

/// Derives [`Wire`] for an enumeration without fields: its code.
macro_rules! wire_codes {
    ($name:ident { $($variant:ident = $code:literal),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn write(&self, out: &mut Vec<u8>) {
                let code: u8 = match self { $(Self::$variant => $code),* };
                code.write(out);
            }

            fn read(input: &mut &[u8]) -> Result<Self, $crate::wire::Malformed> {
                match u8::read(input)? {
                    $($code => Ok(Self::$variant),)*
                    _ => Err($crate::wire::Malformed),
                }
            }
        }
    };
}

pub(crate) use {wire, wire_codes};

#[cfg(test)]
mod tests {
    use super::*;

    wire! {
        #[derive(Clone, Debug, PartialEq, Eq)]
        struct Sample {
            number: u64,
            texts: Vec<String>,
            path: Option<PathBuf>,
            pairs: Vec<(u8, Bytes)>,
        }
    }

    fn sample() -> Sample {
        Sample {
            number: 7,
            texts: vec!["a".into(), String::new()],
            path: Some("/x".into()),
            pairs: vec![(1, Bytes(vec![0, 255]))],
        }
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let mut stream = Vec::new();
        send(&mut stream, &sample()).expect("a vector takes everything");
        let mut stream = stream.as_slice();
        assert_eq!(receive(&mut stream).expect("whole"), Some(sample()));
        assert_eq!(receive::<Sample>(&mut stream).expect("closed"), None);
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_an_error_or_a_message_and_never_a_panic() {
        let bytes = to_bytes(&sample());
        for length in 0..bytes.len() {
            assert_eq!(from_bytes::<Sample>(&bytes[..length]), Err(Malformed));
        }
        for position in 0..bytes.len() {
            for value in [0, 1, 127, 128, 255] {
                let mut changed = bytes.clone();
                changed[position] = value;
                let _ = from_bytes::<Sample>(&changed);
            }
        }
        assert_eq!(from_bytes::<Sample>(&[bytes, vec![0]].concat()), Err(Malformed));
    }

    #[test]
    fn a_length_beyond_the_bound_allocates_nothing() {
        let mut stream: &[u8] = &[255, 255, 255, 255, 0];
        assert!(receive::<Sample>(&mut stream).is_err());
    }
}
