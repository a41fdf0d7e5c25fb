//! Frames on a socket: four bytes of length, then so many bytes.

use std::io::{self, Read};

use bytes::Bytes;

/// The longest request a broker reads (Kafka's `socket.request.max.bytes`).
const LONGEST: u32 = 100 << 20;
/// Memory taken on a frame's word alone; more only as its bytes arrive.
const TRUSTED: usize = 1 << 20;

/// Reads one frame without its length; `None` at the orderly end of the stream.
///
/// A frame that is cut off, negative or longer than 100 MiB is an error.
pub(crate) fn read(stream: &mut impl Read) -> io::Result<Option<Bytes>> {
    let mut length = [0; 4];
    match stream.read(&mut length)? {
        0 => return Ok(None),
        got => stream.read_exact(&mut length[got..])?,
    }
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes"),
        ));
    }
    let length = length as usize;
    let mut frame = Vec::with_capacity(length.min(TRUSTED));
    stream.take(length as u64).read_to_end(&mut frame)?;
    match frame.len() == length {
        true => Ok(Some(frame.into())),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte per read.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(out.len()).min(1);
            self.0.read(&mut out[..n])
        }
    }

    #[test]
    fn frames_may_come_byte_by_byte() {
        let mut drip = Drip(b"\0\0\0\x03abc\0\0\0\0\0\0\0\x01d");
        assert_eq!(read(&mut drip).unwrap().unwrap(), "abc");
        assert_eq!(read(&mut drip).unwrap().unwrap(), "");
        assert_eq!(read(&mut drip).unwrap().unwrap(), "d");
        assert_eq!(read(&mut drip).unwrap(), None);
    }

    #[test]
    fn a_frame_that_is_cut_off_is_an_error() {
        for cut in [&b"\0\0"[..], b"\0\0\0\x03", b"\0\0\0\x03ab"] {
            assert_eq!(
                read(&mut { cut }).unwrap_err().kind(),
                io::ErrorKind::UnexpectedEof
            );
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_an_error() {
        for length in [-1, i32::MAX, (100 << 20) + 1] {
            let bytes = length.to_be_bytes();
            assert_eq!(
                read(&mut &bytes[..]).unwrap_err().kind(),
                io::ErrorKind::InvalidData
            );
        }
    }
}
