#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use crate::envelope::topic_and_body;
use proptest::prelude::*;
use serde_json::Value as Json;

fn wanted(paths: &[&[&str]]) -> (Wanted, Vec<Box<str>>) {
    let (mut wanted, mut names) = (Wanted::default(), Vec::<Box<str>>::new());
    for path in paths {
        let mut steps = Vec::new();
        for step in *path {
            let known = names.iter().position(|n| **n == **step);
            steps.push(u32::try_from(known.unwrap_or(names.len())).unwrap());
            if known.is_none() {
                names.push((*step).into());
            }
        }
        wanted.add(&steps, &names);
    }
    (wanted, names)
}

/// What was read, as JSON again.
fn json(raw: &Raw<'_>, names: &[Box<str>]) -> Json {
    match raw {
        Raw::Null => Json::Null,
        Raw::Bool(b) => (*b).into(),
        Raw::Int(n) => (*n).into(),
        Raw::Float(f) => (*f).into(),
        Raw::Text(t) => (*t).into(),
        Raw::List(items) => items.iter().map(|item| json(item, names)).collect(),
        Raw::Object(members) => {
            members.iter().map(|(n, v)| (names[*n as usize].to_string(), json(v, names))).collect()
        }
    }
}

/// The wanted part, by serde_json.
fn part(value: &Json, wanted: &Wanted) -> Json {
    match value {
        Json::Array(items) => items.iter().map(|item| part(item, wanted)).collect(),
        Json::Object(members) => members
            .iter()
            .filter_map(|(n, v)| Some((n.clone(), part(v, &wanted.find(n.as_bytes())?.below))))
            .collect(),
        other => other.clone(),
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(|n| (n as f64).into()),
        (-1e6..1e6f64).prop_map(Json::from),
        "([a-e\"\\\\{}\\[\\]:, \u{0}-\u{1f}é☃𝄞]){0,70}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            prop::collection::btree_map("[a-d\"é\\\\]{1,2}", inner, 0..8)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_serde_json_reads(value in any_json(), ascii in any::<bool>(), pretty in any::<bool>()) {
        let paths: [&[&str]; 6] = [&["a"], &["b", "a"], &["b", "c"], &["é"], &["aa", "b", "\"\\"], &["\"", "a"]];
        let (wanted, names) = wanted(&paths);
        let write = if pretty { serde_json::to_string_pretty } else { serde_json::to_string };
        let mut text = write(&value).unwrap();
        if ascii {
            text = text.replace('é', "\\u00e9").replace('𝄞', "\\ud834\\udd1e");
        }
        let memory = Bump::new();
        let raw = read(Body::check(text.as_bytes()).unwrap(), &wanted, &memory, |_, _| {}).unwrap();
        prop_assert_eq!(json(&raw, &names), part(&value, &wanted), "{}", text);
    }

    #[test]
    fn who_waits_for_a_value_is_told_what_is_found_through_objects(value in any_json()) {
        let paths: [&[&str]; 6] = [&["a"], &["b", "a"], &["b", "c"], &["é"], &["aa", "b", "\"\\"], &["\"", "a"]];
        let (mut wanted, names) = wanted(&paths);
        let place = |step: &&str| u32::try_from(names.iter().position(|n| **n == **step).unwrap()).unwrap();
        for (who, path) in (0..).zip(paths) {
            let steps: Vec<NameId> = path.iter().map(place).collect();
            wanted.tell_value(&steps, &names, who);
            wanted.tell_absence(&steps, &names, who);
        }
        let (text, memory) = (value.to_string(), Bump::new());
        let mut told = vec![None; paths.len()];
        read(Body::check(text.as_bytes()).unwrap(), &wanted, &memory, |who, what| {
            for who in who {
                let once = told[*who as usize].replace(what);
                assert!(once.is_none(), "{who} is told twice of {text}");
            }
        })
        .unwrap();
        for (path, told) in paths.into_iter().zip(told) {
            let mut here = Some(&value);
            let mut absent = false;
            for step in path {
                absent |= here.is_some_and(|value| value.as_object().is_some_and(|o| !o.contains_key(*step)));
                here = here.and_then(|value| value.as_object()).and_then(|object| object.get(*step));
            }
            match told {
                None => assert!(here.is_none() && !absent, "{path:?} of {text}"),
                Some(Told::Absence) => assert!(absent, "{path:?} of {text}"),
                Some(Told::Value(_)) => assert!(here.is_some(), "{path:?} of {text}"),
            }
        }
    }

    #[test]
    fn a_body_within_its_envelope_is_read_alike(
        value in any_json(), before in any_json(), behind in any_json(), topic_first in any::<bool>(),
    ) {
        let (wanted, names) = wanted(&[&["a"], &["b", "a"], &["b", "c"], &["é"]]);
        let topic = if topic_first { ["\"topic\":\"a.b\",", ""] } else { ["", ",\"topic\":\"a.b\""] };
        let text = format!("{{\"a\":{before},{}\"msg\": {value}, \"b\":{behind}{}}}", topic[0], topic[1]);
        let (found, body) = topic_and_body(&text, "topic", "msg").unwrap();
        prop_assert_eq!(found, "\"a.b\"");
        let memory = Bump::new();
        let raw = read(body, &wanted, &memory, |_, _| {}).unwrap();
        prop_assert_eq!(json(&raw, &names), part(&value, &wanted), "{}", text);
    }

    #[test]
    fn what_is_no_json_ends_too(bytes in "[\\[\\]{}\":,a0 \\\\]{0,200}") {
        let (wanted, _) = wanted(&[&["a"], &["", "a"], &["a0"]]);
        let _ = read(Body::checked_before(&bytes), &wanted, &Bump::new(), |_, _| {});
    }
}

#[test]
fn what_is_no_json_is_an_error() {
    for text in ["", "{", "{}x", "nul", "\u{fffe}"] {
        assert!(Body::check(text.as_bytes()).is_err(), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(Body::check(deep.as_bytes()).is_err());
    assert!(read(Body::checked_before(&deep), &Wanted::default(), &Bump::new(), |_, _| {}).is_err());
}

#[test]
fn of_two_members_of_one_name_the_first_counts() {
    let text = r#"{"msg": {"a": 1, "a": 2, "b": 0}, "topic": "x", "msg": 3, "topic": "y"}"#;
    let (wanted, names) = wanted(&[&["a"], &["b"]]);
    let (topic, body) = topic_and_body(text, "topic", "msg").unwrap();
    assert_eq!(topic, "\"x\"");
    let memory = Bump::new();
    let raw = read(body, &wanted, &memory, |_, _| {}).unwrap();
    assert_eq!(json(&raw, &names), serde_json::json!({"a": 1, "b": 0}));
}

#[test]
fn names_are_told_apart_whatever_their_length() {
    let all = [
        "",
        "a",
        "a\0",
        "ab",
        "abc",
        "abcd",
        "abcdefgh",
        "abcdefgh12345678",
        "abcdefghX12345678",
        "abcdefghY12345678",
    ];
    let mut names: Vec<Box<str>> = all.iter().map(|name| Box::from(*name)).collect();
    // More than 64, of which each may stand twice.
    names.extend((0..80).map(|n| Box::from(format!("n{n}"))));
    let members: Vec<String> = names
        .iter()
        .flat_map(|name| [name, name])
        .enumerate()
        .map(|(n, name)| format!("{}:{n}", Json::from(&**name)))
        .collect();
    let text = format!("{{{}}}", members.join(", "));
    let mut wanted = Wanted::default();
    (0..90).for_each(|id| wanted.add(&[id], &names));
    let memory = Bump::new();
    let raw = read(Body::check(text.as_bytes()).unwrap(), &wanted, &memory, |_, _| {}).unwrap();
    for (id, place) in (0u32..90).zip((0..).step_by(2)) {
        assert_eq!(raw.member(id), Some(&Raw::Int(place)), "{:?}", names[id as usize]);
    }
}
