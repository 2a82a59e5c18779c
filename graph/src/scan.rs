//! Finding one's way through JSON without reading it: where strings end and where an object or a list closes.
//!
//! Comes in: JSON text. Goes out: positions. The text is looked at in blocks of 64 bytes, forwards and each block once; of a
//! block only bit masks are kept: quotes that are not escaped, what opens and what closes outside of strings. What lies
//! between two wanted values is so passed over at some 10 bytes a nanosecond (the idea is simdjson's first stage: Langdale and
//! Lemire, "Parsing gigabytes of JSON per second", 2019). It judges nothing: text that is no JSON gives positions without
//! meaning, never a panic, and never one beyond its end.

use wide::u8x16;

/// Bytes of one block.
const BLOCK: usize = 64;

/// Bit masks of one block's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Masks {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

/// A reader that only moves forwards.
#[derive(Debug)]
pub(crate) struct Scanner<'t> {
    bytes: &'t [u8],
    /// First byte of the block whose masks are held.
    block: usize,
    /// Quotes that begin or end a string.
    quotes: u64,
    opens: u64,
    closes: u64,
    /// All ones if the next block begins within a string.
    inside: u64,
    /// Bit 0: the next block's first byte is escaped.
    escaped: u64,
    /// Behind the last block with a backslash.
    escapes_end: usize,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(bytes: &'t [u8]) -> Self {
        let mut scanner =
            Self { bytes, block: 0, quotes: 0, opens: 0, closes: 0, inside: 0, escaped: 0, escapes_end: 0 };
        scanner.load();
        scanner
    }

    /// The byte at a position; 0 behind the end.
    #[inline]
    pub(crate) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    /// The next position that is not white space.
    #[inline]
    pub(crate) fn skip_space(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\n' | b'\r' | b'\t') {
            at = at.saturating_add(1);
        }
        at
    }

    /// The quote that ends the string whose first character is at `from`; the text's end if there is none.
    #[inline]
    pub(crate) fn string_end(&mut self, from: usize) -> usize {
        loop {
            if !self.forward(from) {
                return self.bytes.len();
            }
            let ahead = self.quotes & at_or_behind(from.saturating_sub(self.block));
            if ahead != 0 {
                return self.block.saturating_add(ahead.trailing_zeros() as usize);
            }
            if !self.next_block() {
                return self.bytes.len();
            }
        }
    }

    /// Whether a backslash may stand behind this position, as far as the text was looked at.
    #[inline]
    pub(crate) fn may_hold_escape(&self, from: usize) -> bool {
        self.escapes_end > from
    }

    /// Behind the close that belongs to `depth` opens which stand before `from`; the text's end if there is none.
    pub(crate) fn skip_closes(&mut self, from: usize, mut depth: u32) -> usize {
        if !self.forward(from) {
            return self.bytes.len();
        }
        let mut ahead = at_or_behind(from.saturating_sub(self.block));
        loop {
            let (opens, closes) = (self.opens & ahead, self.closes & ahead);
            if closes.count_ones() < depth {
                depth = depth.saturating_add(opens.count_ones()).saturating_sub(closes.count_ones());
            } else {
                let mut both = opens | closes;
                while both != 0 {
                    let lowest = both & both.wrapping_neg();
                    both ^= lowest;
                    if opens & lowest != 0 {
                        depth = depth.saturating_add(1);
                    } else if depth <= 1 {
                        return self.block.saturating_add(lowest.trailing_zeros() as usize).saturating_add(1);
                    } else {
                        depth = depth.saturating_sub(1);
                    }
                }
            }
            if !self.next_block() {
                return self.bytes.len();
            }
            ahead = u64::MAX;
        }
    }

    /// Behind the value that begins at `at`.
    #[inline]
    pub(crate) fn skip_value(&mut self, at: usize) -> usize {
        let next = at.saturating_add(1);
        match self.byte(at) {
            b'"' => self.string_end(next).saturating_add(1),
            b'{' | b'[' => self.skip_closes(next, 1),
            _ => self.scalar_end(at),
        }
    }

    /// Behind the number or word that begins at `at`.
    #[inline]
    pub(crate) fn scalar_end(&self, mut at: usize) -> usize {
        while !matches!(self.byte(at), b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | 0) {
            at = at.saturating_add(1);
        }
        at
    }

    /// Moves on to the block that holds a position; false if it is behind the end.
    #[inline]
    fn forward(&mut self, at: usize) -> bool {
        while at >= self.block.saturating_add(BLOCK) {
            if !self.next_block() {
                return false;
            }
        }
        true
    }

    fn next_block(&mut self) -> bool {
        let next = self.block.saturating_add(BLOCK);
        if next >= self.bytes.len() {
            return false;
        }
        self.block = next;
        self.load();
        true
    }

    #[inline]
    fn load(&mut self) {
        let rest = self.bytes.get(self.block..).unwrap_or_default();
        let masks = match rest.first_chunk::<BLOCK>() {
            Some(block) => masks(block),
            None => {
                let mut block = [b' '; BLOCK];
                block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                masks(&block)
            }
        };
        let escaped = self.escaped_by(masks.backslash);
        self.quotes = masks.quote & !escaped;
        let strings = prefix_xor(self.quotes) ^ self.inside;
        // All ones or none, by the last byte's bit.
        self.inside = 0u64.wrapping_sub(strings >> 63);
        self.opens = masks.open & !strings;
        self.closes = masks.close & !strings;
    }

    /// Which bytes stand behind an odd number of backslashes.
    #[inline]
    fn escaped_by(&mut self, backslash: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        self.escapes_end = self.block.saturating_add(BLOCK);
        let backslash = backslash & !self.escaped;
        let follows = backslash << 1 | self.escaped;
        let odd_starts = backslash & !EVEN & !follows;
        let (even_runs, overflow) = odd_starts.overflowing_add(backslash);
        self.escaped = u64::from(overflow);
        (EVEN ^ (even_runs << 1)) & follows
    }
}

/// A mask of this bit and all behind it.
#[inline]
fn at_or_behind(bit: usize) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "a place within a block")]
    u64::MAX.unbounded_shl(bit as u32)
}

/// Each bit: whether an odd number of bits is set up to it.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// 16 bytes at a time, by whatever the machine has for it.
#[inline]
fn masks(block: &[u8; BLOCK]) -> Masks {
    let mut masks = Masks::default();
    let (quarters, _) = block.as_chunks::<16>();
    for (quarter, shift) in quarters.iter().zip([0, 16, 32, 48]) {
        let bytes = u8x16::from(*quarter);
        // `[` and `{`, `]` and `}` differ in this bit alone.
        let folded = bytes | u8x16::splat(0x20);
        let is = |bytes: u8x16, byte: u8| u64::from(bytes.simd_eq(u8x16::splat(byte)).to_bitmask()) << shift;
        masks.quote |= is(bytes, b'"');
        masks.backslash |= is(bytes, b'\\');
        masks.open |= is(folded, b'{');
        masks.close |= is(folded, b'}');
    }
    masks
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn masks_by_byte(block: &[u8; BLOCK]) -> Masks {
        let mut masks = Masks::default();
        for byte in block.iter().rev() {
            masks.quote = masks.quote << 1 | u64::from(*byte == b'"');
            masks.backslash = masks.backslash << 1 | u64::from(*byte == b'\\');
            masks.open = masks.open << 1 | u64::from(byte | 0x20 == b'{');
            masks.close = masks.close << 1 | u64::from(byte | 0x20 == b'}');
        }
        masks
    }

    /// The same, byte by byte.
    fn naive_end(bytes: &[u8], from: usize, mut depth: u32) -> usize {
        let (mut inside, mut at) = (false, 0);
        while at < bytes.len() {
            match bytes[at] {
                b'\\' if inside => at += 1,
                b'"' => inside = !inside,
                b'{' | b'[' if !inside && at >= from => depth += 1,
                b'}' | b']' if !inside && at >= from => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                return at;
            }
        }
        bytes.len()
    }

    proptest! {
        #[test]
        fn masks_are_those_of_single_bytes(block in prop::array::uniform32(any::<u8>()), signs in "[\\[\\]{}\"\\\\ a]{32}") {
            let mut bytes = [0; BLOCK];
            bytes[..32].copy_from_slice(&block);
            bytes[32..].copy_from_slice(signs.as_bytes());
            prop_assert_eq!(masks(&bytes), masks_by_byte(&bytes));
        }

        #[test]
        fn containers_end_where_a_naive_reader_ends_them(
            before in "( |[0-9]){0,70}",
            items in prop::collection::vec("\"([a-z{}\\[\\]]|\\\\\\\\|\\\\\"){0,80}\"|[0-9]{1,4}|\\{\\}|\\[1\\]", 0..20),
        ) {
            let text = format!("{before}[{}] ,", items.join(", "));
            let from = before.len() + 1;
            let end = Scanner::new(text.as_bytes()).skip_closes(from, 1);
            prop_assert_eq!(end, naive_end(text.as_bytes(), from, 1), "{}", text);
            prop_assert_eq!(end, text.len() - 2);
        }

        #[test]
        fn no_bytes_make_it_panic_or_leave_the_text(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            from in 0usize..310,
        ) {
            prop_assert!(Scanner::new(&bytes).skip_closes(from, 1) <= bytes.len());
            prop_assert!(Scanner::new(&bytes).string_end(from) <= bytes.len());
            prop_assert!(Scanner::new(&bytes).skip_value(from) <= bytes.len().max(from) + 1);
        }
    }

    #[test]
    fn strings_end_at_the_first_quote_that_is_not_escaped() {
        let text = format!(r#""{}\\\"\\" "#, "x".repeat(61));
        assert_eq!(Scanner::new(text.as_bytes()).string_end(1), text.len() - 2);
        assert_eq!(Scanner::new(b"\"abc").string_end(1), 4);
    }
}
