//! The chunked transfer coding (RFC 9112 §7.1), towards us. Extensions and trailers are read over.

use bytes::{Buf, Bytes, BytesMut};

use super::response::Malformed;

/// What extensions and trailers of one message may take, bytes: nobody reads them.
const MAX_OVERHEAD: usize = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the size of a chunk, after so many digits.
    Size {
        digits: u8,
    },
    /// White space or an extension after the size.
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer line, or of the empty line that ends all.
    TrailerStart,
    Trailer,
    TrailerLf,
    LastLf,
    End,
}

/// How far the decoding of a message has come.
#[derive(Clone, Debug)]
pub struct Chunked {
    state: State,
    /// Bytes of the current chunk that are still to come.
    remaining: u64,
    overhead: usize,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { state: State::Size { digits: 0 }, remaining: 0, overhead: 0 }
    }
}

impl Chunked {
    pub fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// Takes the next part of the content out of `input`; `None` if more input is needed, or none will come.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
        while !input.is_empty() && self.state != State::End {
            if self.state == State::Data {
                let here = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(input.len());
                self.remaining -= here as u64;
                let part = input.split_to(here).freeze();
                if self.remaining == 0 {
                    self.state = State::DataCr;
                    // What ends the message is mostly here too, and then the message is known to be over
                    // with its last part.
                    self.frame(input)?;
                }
                return Ok(Some(part));
            }
            self.frame(input)?;
        }
        Ok(None)
    }

    /// Reads what is between the parts.
    fn frame(&mut self, input: &mut BytesMut) -> Result<(), Malformed> {
        let mut read = 0;
        for &byte in input.iter() {
            if matches!(self.state, State::Data | State::End) {
                break;
            }
            self.state = self.step(byte)?;
            read += 1;
        }
        input.advance(read);
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        Ok(match (self.state, byte) {
            (State::Size { digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                // 16 digits are all that 64 bits hold.
                if digits == 16 {
                    return Err(Malformed);
                }
                self.remaining = self.remaining << 4 | u64::from(digit);
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 1.. }, b'\r') | (State::Extension, b'\r') => State::SizeLf,
            (State::Size { digits: 1.. }, b' ' | b'\t' | b';') => State::Extension,
            (State::Extension, byte) if byte != b'\n' => {
                self.spend()?;
                State::Extension
            }
            (State::SizeLf, b'\n') if self.remaining == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { digits: 0 },
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart | State::Trailer, byte) if byte != b'\n' => {
                self.spend()?;
                State::Trailer
            }
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::LastLf, b'\n') => State::End,
            _ => return Err(Malformed),
        })
    }

    fn spend(&mut self) -> Result<(), Malformed> {
        self.overhead += 1;
        if self.overhead > MAX_OVERHEAD { Err(Malformed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes a message that arrives in parts of `size` bytes; what is left over, too.
    fn decode(message: &[u8], size: usize) -> Result<(Vec<u8>, bool, Vec<u8>), Malformed> {
        let (mut chunked, mut input, mut content) = (Chunked::default(), BytesMut::new(), Vec::new());
        for part in message.chunks(size) {
            input.extend_from_slice(part);
            while let Some(part) = chunked.decode(&mut input)? {
                content.extend_from_slice(&part);
            }
        }
        Ok((content, chunked.is_over(), input.to_vec()))
    }

    #[test]
    fn a_message_means_the_same_however_it_is_cut() {
        let message =
            b"5\r\nhello\r\n1;name=\"x\"\r\n,\r\n006 \r\n world\r\n0\r\nExpires: never\r\nA: b\r\n\r\nNEXT";
        for size in 1..=message.len() {
            let (content, over, left) = decode(message, size).unwrap();
            assert_eq!(content, b"hello, world", "in parts of {size}");
            assert!(over);
            assert_eq!(left, b"NEXT");
        }
    }

    #[test]
    fn a_message_without_its_last_chunk_is_not_over() {
        for message in ["5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\n\r"] {
            assert!(!decode(message.as_bytes(), 1).unwrap().1, "{message:?}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for message in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "5\nhello\r\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n0\r\n\r\n",
            " 5\r\nhello\r\n",
            "10000000000000000\r\n",
            "0\r\nA: b\n\r\n",
            "5;a\nb\r\nhello\r\n",
        ] {
            assert!(decode(message.as_bytes(), 1).is_err(), "{message:?}");
            assert!(decode(message.as_bytes(), usize::MAX).is_err(), "{message:?}");
        }
    }

    #[test]
    fn the_largest_size_does_not_overflow_and_endless_extensions_end() {
        assert!(decode(b"ffffffffffffffff\r\nabc", 1).is_ok());
        let endless = [b"5;".as_slice(), &vec![b'x'; MAX_OVERHEAD + 1]].concat();
        assert!(decode(&endless, 1_000).is_err());
    }
}
