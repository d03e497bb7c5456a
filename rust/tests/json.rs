//! The strict check, and other spellings of the same value.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use fastpaca_core::error::Error;
use fastpaca_core::json::{canonical, check, decode, minify, quote, Elements, Object};
use proptest::prelude::*;

fn code(body: &[u8]) -> (String, String) {
    match check(body) {
        Err(Error::Invalid { code, message, .. }) => (code.to_owned(), message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn accepts_json() {
    let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
    let many: String = (0..40).map(|n| format!("\"k{n}\":{n},")).collect();
    let many = format!("{{{many}\"\\u006bx\":0}}");
    for body in ["{}", " [1, -0.5e-3, 123456789012345678901234567890] ", "\"\\ud83d\\ude00\"", "null", &deep, &many] {
        assert_eq!(check(body.as_bytes()).unwrap(), body);
    }
}

#[test]
fn refuses_what_is_not_strict_with_code_and_position() {
    let deep = "[".repeat(129);
    let deep_mixed = format!("{}1{}", "{\"a\":[".repeat(65), "]}".repeat(65));
    let cases: &[(&[u8], &str, &str)] = &[
        (b"", "invalid_json", "line 1 column 0"),
        (b"{\"a\":1}}", "invalid_json", "line 1 column 8 (byte 8)"),
        (b"{\"a\": tru}", "invalid_json", "line 1"),
        (b"{'a':1}", "invalid_json", "line 1 column 2"),
        (b"[1,]", "invalid_json", "trailing comma"),
        (b"[01]", "invalid_json", "line 1"),
        (b"NaN", "invalid_json", "line 1"),
        (b"[1e400]", "invalid_json", "out of range"),
        (b"[\n  \"a\nb\"]", "invalid_json", "line"),
        (b"\"\\ud800\"", "invalid_json", "line 1"),
        (b"\"\\udc00\\ud800\"", "invalid_json", "line 1"),
        (b"{\"\\ud800x\":1}", "invalid_json", "line 1"),
        (b"\xef\xbb\xbf{}", "invalid_json", "line 1 column 1"),
        (b"{\"a\":\"\xff\"}", "invalid_utf8", "byte 6"),
        (b"\"\xed\xa0\x80\"", "invalid_utf8", "byte 1"),
        (b"{\"a\":1,\n\"a\":2}", "duplicate_key", "\"a\""),
        (b"{\"a\":{\"b\":0,\"\\u0062\":0}}", "duplicate_key", "\"b\""),
        (b"{\"\\u0062\":0,\"b\":0}", "duplicate_key", "\"b\""),
        (deep.as_bytes(), "nesting_too_deep", "128"),
        (deep_mixed.as_bytes(), "nesting_too_deep", "128"),
    ];
    for (body, expected, message) in cases {
        let (code, text) = code(body);
        assert_eq!(&code, expected, "{}", String::from_utf8_lossy(body));
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn finds_a_repeated_key_among_many() {
    let keys: String = (0..1000).map(|n| format!("\"k{n}\":0,")).collect();
    for again in ["k0", "k11", "k12", "k999", "\\u006b5"] {
        assert_eq!(code(format!("{{{keys}\"{again}\":0}}").as_bytes()).0, "duplicate_key", "{again}");
    }
}

#[test]
fn minify_drops_white_space_outside_strings_alone() {
    let raw = " {\"a b\" : [ 1.50 ,\t2e+3 , \" x \\\" , \\\\\" ] ,\r\n\"c\":{ } } ";
    assert_eq!(minify(raw), "{\"a b\":[1.50,2e+3,\" x \\\" , \\\\\"],\"c\":{}}");
    assert!(matches!(minify("{\"a\":\" b \"}"), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn canonical_escapes_as_python_does() {
    let raw = r#"{"\u0061" : "\/\u00e9\u4f60\ud83d\ude00\u000a\u0001\u001F\u007f\"\\\b\f\n\r\t", "n": 1.0}"#;
    let expected = "{\"a\":\"/\u{e9}\u{4f60}\u{1f600}\\n\\u0001\\u001f\u{7f}\\\"\\\\\\b\\f\\n\\r\\t\",\"n\":1.0}";
    assert_eq!(canonical(raw), expected);
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map: BTreeMap<_, _>| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rewrites_keep_the_value(value in value()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let compact = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(check(pretty.as_bytes()).unwrap(), &pretty);
        prop_assert_eq!(&minify(&pretty), &compact);
        prop_assert_eq!(&minify(&compact), &compact);
        prop_assert_eq!(&canonical(&pretty), &compact);
    }

    #[test]
    fn walks_see_what_serde_sees(value in value()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        if let Some(object) = Object::of(&pretty) {
            let map = value.as_object().unwrap();
            prop_assert_eq!(object.fields().len(), map.len());
            for field in object.fields() {
                prop_assert_eq!(&minify(field.value), &map[&*field.name()].to_string());
                prop_assert_eq!(&pretty[field.span()], field.value);
            }
        }
        if let Some(elements) = Elements::of(&pretty) {
            let elements: Vec<_> = elements.map(|(_, raw)| minify(raw)).collect();
            prop_assert_eq!(format!("[{}]", elements.join(",")), value.to_string());
        }
        if let Some(text) = decode(&pretty) {
            prop_assert_eq!(value.as_str(), Some(&*text));
        }
    }

    #[test]
    fn the_check_agrees_with_serde_json_but_for_keys_and_depth(bytes in "[\\[\\]{}:,\" \\\\u0-9aefdtrn.+-]{0,24}") {
        let serde: Result<serde_json::Value, _> = serde_json::from_str(&bytes);
        match check(bytes.as_bytes()) {
            Ok(_) => prop_assert!(serde.is_ok()),
            Err(cause) => prop_assert!(serde.is_err() || cause.code() == "duplicate_key", "{cause}"),
        }
    }

    #[test]
    fn walks_over_anything_end(bytes in "[\\[\\]{}:,\" \\\\u0-9a\u{e9}]{0,32}") {
        let _ = (minify(&bytes), canonical(&bytes), decode(&bytes));
        if let Some(object) = Object::of(&bytes) {
            prop_assert!(object.fields().len() <= bytes.len());
        }
        prop_assert!(Elements::of(&bytes).map_or(0, Iterator::count) <= bytes.len());
    }
}

proptest! {
    #[test]
    fn a_walk_over_strings_finds_their_ends(text in r#"([a-zé ]{0,40}|["\\\n]{0,3}){0,12}"#) {
        let quoted = quote(&text);
        prop_assert_eq!(&quoted, &serde_json::to_string(&text).unwrap());
        let body = format!("[{quoted},{quoted}]");
        let found: Vec<&str> = Elements::of(&body).unwrap().map(|(_, raw)| raw).collect();
        prop_assert_eq!(found, vec![quoted.as_str(), quoted.as_str()]);
    }
}
