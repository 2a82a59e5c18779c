//! Finding one's way through JSON without reading it: where strings end and where an object or a list closes.
//!
//! Comes in: JSON text and a position whose meaning is known. Goes out: a position further on. Nothing is remembered between
//! two questions, so only what is asked for is looked at: a name costs one comparison of 16 bytes, a long string a few
//! instructions for 64. Where a container closes is read off bit masks of 64 bytes, of quotes and of brackets (the idea is
//! simdjson's first stage: Langdale and Lemire, "Parsing gigabytes of JSON per second", 2019). It judges nothing: text that is
//! no JSON gives positions without meaning, never a panic, and none further beyond its end than the signs that were missed
//! there, so that positions are added to without a check.

use std::num::NonZero;

use wide::u8x16;

/// Bytes that are compared at once.
const CHUNK: usize = 16;
/// Bytes of one block.
const BLOCK: usize = 64;

/// The place of a string's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// The closing quote; the text's end if there is none.
    pub(crate) end: usize,
    /// Whether the string is to be freed of its escapes.
    pub(crate) escapes: bool,
}

/// A member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'t> {
    /// Its name as it is written.
    pub(crate) name: &'t [u8],
    /// Whether that is to be freed of its escapes.
    pub(crate) escapes: bool,
    /// Where its value begins.
    pub(crate) value: usize,
    /// The byte there.
    pub(crate) first: u8,
}

/// Finds positions in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanner<'t> {
    bytes: &'t [u8],
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(bytes: &'t [u8]) -> Self {
        Self { bytes }
    }

    /// The byte at a position; 0 behind the end.
    #[inline]
    pub(crate) fn byte(self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The bytes from one position to another.
    #[inline]
    pub(crate) fn bytes(self, from: usize, to: usize) -> &'t [u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// So many bytes from a position on, if there are.
    #[inline]
    fn near<const N: usize>(self, at: usize) -> Option<&'t [u8; N]> {
        self.bytes.get(at..)?.first_chunk()
    }

    #[inline]
    fn rest(self, at: usize) -> &'t [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// The next position that is not white space.
    #[inline]
    pub(crate) fn skip_space(self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\n' | b'\r' | b'\t') {
            at += 1;
        }
        at
    }

    /// The next position that is neither white space nor a comma, and the byte there.
    #[inline]
    pub(crate) fn behind_comma(self, at: usize) -> (usize, u8) {
        // Nearly every writer puts a comma right behind a value, and at most one space behind it.
        match self.near(at) {
            Some([b',', b' ', byte]) if is_sign(*byte) => (at + 2, *byte),
            Some([b',', byte, _]) if is_sign(*byte) => (at + 1, *byte),
            Some([byte, ..]) if is_sign(*byte) => (at, *byte),
            _ => self.far_behind_comma(at),
        }
    }

    #[cold]
    #[inline(never)]
    fn far_behind_comma(self, mut at: usize) -> (usize, u8) {
        while matches!(self.byte(at), b' ' | b'\n' | b'\r' | b'\t' | b',') {
            at += 1;
        }
        (at, self.byte(at))
    }

    /// Where the name of the next member of an object begins, with its quote; otherwise where the object ends.
    #[inline]
    pub(crate) fn next_name(self, at: usize) -> Result<usize, usize> {
        match self.near(at) {
            Some([b',', b' ', b'"']) => Ok(at + 2),
            Some([b'"', ..]) => Ok(at),
            Some([b'}', ..]) => Err(at),
            _ => match self.far_behind_comma(at) {
                (quote, b'"') => Ok(quote),
                (end, _) => Err(end),
            },
        }
    }

    /// The member whose name's opening quote is at `quote`.
    #[inline]
    pub(crate) fn member(self, quote: usize) -> Pair<'t> {
        // Nearly every name is short and has no escapes, and behind it stand a colon and a space.
        if let Some(window) = self.near::<{ CHUNK + 8 }>(quote)
            && let Some(chunk) = window.split_at(1).1.first_chunk()
            && let Some(sign) = sign_within(chunk)
        {
            let len = sign % CHUNK;
            if let Some([b'"', b':', b' ', first]) = window.get(len + 1..len + 5)
                && *first > b' '
            {
                let name = chunk.get(..len).unwrap_or_default();
                return Pair { name, escapes: false, value: quote + len + 4, first: *first };
            }
        }
        self.any_member(quote)
    }

    #[inline(never)]
    fn any_member(self, quote: usize) -> Pair<'t> {
        let Quoted { end, escapes } = self.quoted(quote + 1);
        let (value, first) = self.behind_colon(end);
        Pair { name: self.bytes(quote + 1, end), escapes, value, first }
    }

    /// Where the value begins that follows the name whose closing quote is at `quote`, and its first byte.
    #[inline]
    pub(crate) fn behind_colon(self, quote: usize) -> (usize, u8) {
        // Nearly every writer puts a colon there, and at most one space behind it.
        match self.near(quote) {
            Some([_, b':', b' ', byte]) if *byte > b' ' => (quote + 3, *byte),
            Some([_, b':', byte, _]) if *byte > b' ' => (quote + 2, *byte),
            _ => self.far_behind_colon(quote),
        }
    }

    #[cold]
    #[inline(never)]
    fn far_behind_colon(self, quote: usize) -> (usize, u8) {
        let colon = self.skip_space(quote + 1);
        let value = self.skip_space(colon + 1);
        (value, self.byte(value))
    }

    /// The end of a string that is to be read, whose first character is at `from`.
    #[inline]
    pub(crate) fn quoted(self, from: usize) -> Quoted {
        // Most names and many texts are short.
        if let Some(chunk) = self.near::<CHUNK>(from)
            && let Some(sign) = sign_within(chunk)
            && chunk.get(sign) == Some(&b'"')
        {
            return Quoted { end: from + sign, escapes: false };
        }
        self.far_quoted(from)
    }

    /// The same for long strings, and for those with escapes.
    #[inline(never)]
    fn far_quoted(self, from: usize) -> Quoted {
        let (chunks, rest) = self.rest(from).as_chunks::<CHUNK>();
        let mut at = from;
        for chunk in chunks {
            if let Some(sign) = sign_within(chunk) {
                return self.at_sign(at + sign);
            }
            at += CHUNK;
        }
        match rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            Some(sign) => self.at_sign(at + sign),
            None => Quoted { end: self.bytes.len(), escapes: false },
        }
    }

    /// The end of a string whose first quote or backslash is known.
    #[inline]
    fn at_sign(self, sign: usize) -> Quoted {
        match self.byte(sign) {
            b'"' => Quoted { end: sign, escapes: false },
            _ => Quoted { end: self.string_end(sign), escapes: true },
        }
    }

    /// The quote that ends the string which goes on at `from`; the text's end if there is none.
    #[inline]
    pub(crate) fn string_end(self, from: usize) -> usize {
        let mut at = from;
        loop {
            match self.quote(at) {
                Some(quote) if self.is_escaped(quote) => at = quote + 1,
                Some(quote) => return quote,
                None => return self.bytes.len(),
            }
        }
    }

    /// The next quote.
    #[inline]
    fn quote(self, from: usize) -> Option<usize> {
        // Most strings are short.
        if let Some(chunk) = self.near::<CHUNK>(from)
            && let Some(quotes) = NonZero::new(equal(u8x16::from(*chunk), b'"').to_bitmask())
        {
            return Some(from + quotes.trailing_zeros() as usize);
        }
        self.far_quote(from)
    }

    /// The same for long strings.
    #[inline(never)]
    fn far_quote(self, from: usize) -> Option<usize> {
        let (blocks, rest) = self.rest(from).as_chunks::<BLOCK>();
        let mut at = from;
        for block in blocks {
            if let Some(quote) = quote_within(block) {
                return Some(at + quote);
            }
            at += BLOCK;
        }
        quote_within(&pad(rest)).map(|quote| at + quote)
    }

    /// Whether an odd number of backslashes stands before a position.
    #[inline]
    fn is_escaped(self, at: usize) -> bool {
        if self.byte(at.wrapping_sub(1)) != b'\\' {
            return false;
        }
        let before = self.bytes.get(..at).unwrap_or_default();
        before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
    }

    /// Behind the close that belongs to `depth` opens which stand before `from`; the text's end if there is none. No string may
    /// reach across `from`.
    pub(crate) fn skip_closes(self, from: usize, mut depth: u32) -> usize {
        let mut at = from;
        while at < self.bytes.len() {
            let rest = self.rest(at);
            let padded;
            let block = match rest.first_chunk::<BLOCK>() {
                Some(block) => block,
                None => {
                    padded = pad(rest);
                    &padded
                }
            };
            let Masks { strings, mut brackets } = masks(block);
            while let Some(ahead) = NonZero::new(brackets) {
                let place = ahead.trailing_zeros() as usize;
                // `[` and `{`, `]` and `}` differ in this bit alone.
                let sign = block.get(place).map(|byte| byte | 0x20);
                if sign == Some(b'{') {
                    depth = depth.saturating_add(1);
                } else if sign == Some(b'}') {
                    if depth <= 1 {
                        return at + place + 1;
                    }
                    depth -= 1;
                }
                brackets &= brackets.wrapping_sub(1);
            }
            at += BLOCK;
            if strings >> 63 != 0 {
                at = self.string_end(at) + 1;
            }
        }
        self.bytes.len()
    }

    /// Behind the value that begins at `at` with this byte.
    #[inline]
    pub(crate) fn skip_value(self, at: usize, first: u8) -> usize {
        let next = at + 1;
        match first {
            b'"' => self.string_end(next) + 1,
            b'{' | b'[' => self.skip_closes(next, 1),
            _ => self.scalar_end(at),
        }
    }

    /// The number at `at` and the position behind it, if it is a whole one without a sign and no longer than most.
    #[inline]
    pub(crate) fn short_whole(self, at: usize) -> Option<(i64, usize)> {
        const DIGITS: usize = 18;
        let (mut whole, mut end) = (0, at);
        for byte in self.rest(at).iter().take(DIGITS) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            whole = whole * 10 + i64::from(digit);
            end += 1;
        }
        (end > at && ends_scalar(self.byte(end))).then_some((whole, end))
    }

    /// Behind the number or word that begins at `at`.
    #[inline]
    pub(crate) fn scalar_end(self, mut at: usize) -> usize {
        while let Some(chunk) = self.near::<CHUNK>(at) {
            let bytes = u8x16::from(*chunk);
            // White space, and whatever else no number or word holds.
            let space = bytes.min(u8x16::splat(b' ')).simd_eq(bytes);
            let ends = space | equal(bytes, b',') | equal(bytes | u8x16::splat(0x20), b'}');
            if let Some(ends) = NonZero::new(ends.to_bitmask()) {
                return at + ends.trailing_zeros() as usize;
            }
            at += CHUNK;
        }
        while !ends_scalar(self.byte(at)) {
            at += 1;
        }
        at
    }
}

#[inline]
fn is_sign(byte: u8) -> bool {
    byte > b' ' && byte != b','
}

#[inline]
fn ends_scalar(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | b',' | b'}' | b']')
}

/// Bit masks of the bytes of one block before which no string is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Masks {
    /// What is within a string, its opening quote included; of the closing one it is the first bit that is not set.
    strings: u64,
    /// What may be a bracket, outside of strings: in JSON nothing else is.
    brackets: u64,
}

/// 16 bytes at a time, by whatever the machine has for it.
#[inline]
fn masks(block: &[u8; BLOCK]) -> Masks {
    let parts = parts(block);
    let mut quotes = bits(parts.map(|bytes| equal(bytes, b'"')));
    let [a, b, c, d] = parts.map(|bytes| equal(bytes, b'\\'));
    if ((a | b) | (c | d)).to_bitmask() != 0 {
        quotes &= !escaped(bits([a, b, c, d]));
    }
    let strings = prefix_xor(quotes);
    // The four brackets differ in these bits alone; what else then looks the same is no sign of JSON.
    let brackets = bits(parts.map(|bytes| equal(bytes | u8x16::splat(0x26), 0x7f)));
    Masks { strings, brackets: brackets & !strings }
}

#[inline]
fn parts(block: &[u8; BLOCK]) -> [u8x16; 4] {
    let (chunks, _) = block.as_chunks::<CHUNK>();
    [0, 1, 2, 3].map(|at| u8x16::from(chunks.get(at).copied().unwrap_or_default()))
}

#[inline]
fn equal(bytes: u8x16, byte: u8) -> u8x16 {
    bytes.simd_eq(u8x16::splat(byte))
}

/// One bit for each byte.
#[inline]
fn bits(parts: [u8x16; 4]) -> u64 {
    let [a, b, c, d] = parts.map(|part| u64::from(part.to_bitmask()));
    (a | b << 16) | (c | d << 16) << 32
}

/// The place of the first quote or backslash.
#[inline]
fn sign_within(chunk: &[u8; CHUNK]) -> Option<usize> {
    let bytes = u8x16::from(*chunk);
    let signs = equal(bytes, b'"') | equal(bytes, b'\\');
    NonZero::new(signs.to_bitmask()).map(|signs| signs.trailing_zeros() as usize)
}

/// The place of the first quote.
#[inline]
fn quote_within(block: &[u8; BLOCK]) -> Option<usize> {
    let [a, b, c, d] = parts(block).map(|bytes| equal(bytes, b'"'));
    if ((a | b) | (c | d)).to_bitmask() == 0 {
        return None;
    }
    Some(bits([a, b, c, d]).trailing_zeros() as usize)
}

/// Which bytes stand behind an odd number of backslashes.
#[cold]
#[inline(never)]
fn escaped(backslash: u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let follows = backslash << 1;
    let odd_starts = backslash & !EVEN & !follows;
    (EVEN ^ (odd_starts.wrapping_add(backslash) << 1)) & follows
}

/// Each bit: whether an odd number of bits is set up to it.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The last bytes of a text as a block.
#[cold]
#[inline(never)]
fn pad(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    block
}

#[cfg(test)]
mod tests;
