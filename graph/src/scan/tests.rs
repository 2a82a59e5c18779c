#![expect(clippy::indexing_slicing, reason = "tests")]
use super::*;
use proptest::prelude::*;

/// The masks of a block, byte by byte.
fn masks_by_byte(block: &[u8; BLOCK]) -> Masks {
    let (mut inside, mut backslashes) = (false, 0);
    let mut masks = Masks { strings: 0, brackets: 0 };
    for (place, byte) in block.iter().enumerate() {
        inside ^= *byte == b'"' && backslashes % 2 == 0;
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
        masks.strings |= u64::from(inside) << place;
        masks.brackets |= u64::from(!inside && byte | 0x26 == 0x7f) << place;
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
    fn a_member_is_found_whatever_its_spaces(
        name in "([a-z]|\\\\\\\\|\\\\\"){0,40}",
        spaces in "[ \n\t]{0,3}:[ \n\t]{0,3}",
        value in "1|\"\"|\\{",
        behind in "[a-z]{0,30}",
    ) {
        let text = format!("\"{name}\"{spaces}{value}{behind}");
        let pair = Scanner::new(text.as_bytes()).member(0);
        prop_assert_eq!(pair.name, name.as_bytes());
        prop_assert_eq!(pair.escapes, name.contains('\\'));
        prop_assert_eq!(pair.value, name.len() + 2 + spaces.len());
        prop_assert_eq!(pair.first, value.as_bytes()[0]);
    }

    #[test]
    fn the_next_member_is_found_whatever_its_spaces(
        before in "[ \n]{0,3}",
        spaces in "[ \n\t,]{0,4}",
        sign in "[\"}:]|",
        behind in "[a-z]{0,3}",
    ) {
        let text = format!("{before}{spaces}{sign}{behind}");
        let place = before.len() + spaces.len();
        let found = Scanner::new(text.as_bytes()).next_name(0);
        prop_assert_eq!(found, if sign == "\"" { Ok(place) } else { Err(place) });
        let first = text.as_bytes().get(place).copied().unwrap_or(0);
        prop_assert_eq!(Scanner::new(text.as_bytes()).behind_comma(0), (place, first));
    }

    #[test]
    fn a_scalar_ends_where_a_naive_reader_ends_it(text in "[a-z0-9.+-]{0,40}", behind in "[,}\\] \n\t\r]|", more in "[a-z,]{0,20}") {
        let all = format!("{text}{behind}{}", if behind.is_empty() { "" } else { &more });
        prop_assert_eq!(Scanner::new(all.as_bytes()).scalar_end(0), text.len());
    }

    #[test]
    fn whole_numbers_are_those_that_are_parsed(text in "-?[0-9]{0,20}", behind in "[,}\\] ]||[.e]") {
        let all = format!("{text}{behind}");
        let found = Scanner::new(all.as_bytes()).short_whole(0);
        let ends = !matches!(behind.as_str(), "." | "e");
        let expected = text.parse().ok().filter(|_| ends && !text.starts_with('-') && text.len() <= 18);
        prop_assert_eq!(found, expected.map(|whole| (whole, text.len())));
    }

    #[test]
    fn no_bytes_make_it_panic_or_leave_the_text(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        from in 0usize..310,
    ) {
        prop_assert!(Scanner::new(&bytes).skip_closes(from, 1) <= bytes.len());
        prop_assert!(Scanner::new(&bytes).string_end(from) <= bytes.len());
        let scanner = Scanner::new(&bytes);
        let first = scanner.byte(from);
        prop_assert!(scanner.skip_value(from, first) <= bytes.len().max(from) + 1);
        prop_assert!(scanner.quoted(from).end <= bytes.len());
        prop_assert!(scanner.behind_comma(from).0 <= bytes.len().max(from));
        prop_assert!(scanner.member(from).value <= bytes.len().max(from) + 2);
    }
}

#[test]
fn strings_end_at_the_first_quote_that_is_not_escaped() {
    let text = format!(r#""{}\\\"\\" "#, "x".repeat(61));
    assert_eq!(Scanner::new(text.as_bytes()).string_end(1), text.len() - 2);
    assert_eq!(Scanner::new(b"\"abc").string_end(1), 4);
}
