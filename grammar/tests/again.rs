//! A text read again after an edit is read as if it were new.
#![expect(clippy::indexing_slicing, reason = "tests")]

mod programs;

use proptest::prelude::*;
use taskbot_grammar::{Kept, parse, parse_again};

/// Reads a text again and compares with reading it for the first time.
fn agree(before: &str, text: &str) -> Kept {
    let old = parse(before);
    let (file, errors, kept) = parse_again(before, old.clone(), text);
    assert_eq!((&file, &errors), (&parse(text).0, &parse(text).1), "before:\n{before}\nafter:\n{text}");
    let (new, old) = (file.items, old.0.items);
    assert_eq!(new[..kept.first], old[..kept.first]);
    let kinds = |item: &taskbot_grammar::Item| (std::mem::discriminant(&item.kind), item.doc.clone());
    let lasts = new.iter().rev().zip(old.iter().rev()).take(kept.last);
    assert!(lasts.clone().count() == kept.last && lasts.clone().all(|(a, b)| kinds(a) == kinds(b)));
    kept
}

/// Rules, one a line.
fn rules(count: usize) -> String {
    (0..count).map(|n| format!("rule r{n} on e where a == \"{n}\" run t\n")).collect()
}

#[test]
fn only_what_changed_is_read() {
    let before = rules(100);
    for (at, first, last) in [(0, 0, 98), (50, 49, 48), (99, 98, 0)] {
        let changed = before.replace(&format!("a == \"{at}\""), "b like \"something else\"");
        assert_eq!(agree(&before, &changed), Kept { first, last }, "rule {at}");
        let removed = before.replace(&format!("rule r{at} on e where a == \"{at}\" run t\n"), "");
        let kept = agree(&before, &removed);
        assert!(kept.first + kept.last >= 95, "{at}: {kept:?}");
    }
    assert_eq!(agree(&before, &before), Kept { first: 99, last: 0 });
    assert_eq!(agree("", &before), Kept::default());
    assert_eq!(agree(&before, ""), Kept::default());
}

#[test]
fn what_an_edit_reaches_is_read_again() {
    let before = "let a = 1\n\n## said\nrule b on e run t\nrule c on e run t\n\nrule d on e run t\nrule f on e run t\n";
    for (old, new) in [
        ("## said\n", ""),
        ("## said", "## other"),
        ("rule b on e", "rule b on e where (x"),
        ("rule b on e", "rule b on e where \"x"),
        ("rule c", "garbage rule c"),
        ("run t\nrule c", "run t )\nrule c"),
        ("run t\nrule c", "run u.\nrule c"),
        ("rule c on e run t\n", "rule c on e run t"),
        ("let a = 1", "let a = r\""),
        ("let a = 1\n", "let a = \"\n"),
        ("rule d", "# rule d"),
        ("rule d on e run t\n", "rule d on e run t "),
        ("rule d on e run t\nrule f", "rule d on e run t #rule f"),
    ] {
        assert!(before.contains(old));
        agree(before, &before.replacen(old, new, 1));
        agree(&before.replacen(old, new, 1), before);
    }
}

/// What an edit puts in.
const PUT_IN: &str = "[a-z\"(){}\\[\\]=.# \n]{0,3}|on e run t\n|\nrule x |## d\n|\nlet y = 1\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_random_edits(
        programs in proptest::collection::vec(proptest::collection::vec(any::<u16>(), 0..60), 1..6),
        edits in proptest::collection::vec((any::<u16>(), 0_usize..40, PUT_IN), 1..4),
    ) {
        let mut before: String = programs.iter().map(|numbers| programs::program(numbers) + "\n").collect();
        for (at, cut, put) in edits {
            let boundary = |at: usize| (at..=before.len()).find(|at| before.is_char_boundary(*at)).unwrap_or_default();
            let start = boundary(usize::from(at) % (before.len() + 1));
            let end = boundary((start + cut).min(before.len()));
            let text = format!("{}{put}{}", &before[..start], &before[end..]);
            agree(&before, &text);
            before = text;
        }
    }
}
