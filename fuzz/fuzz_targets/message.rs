//! Any bytes: the check agrees with serde_json, parsing never panics, a stored body is a fixed point, and edits of it
//! are stored bodies again.
#![no_main]

use fastpaca_core::edit;
use fastpaca_core::estimate::CountRules;
use fastpaca_core::json;
use fastpaca_core::message::Message;
use libfuzzer_sys::fuzz_target;

fn quarter(text: &str) -> usize {
    text.len().div_ceil(4)
}

fuzz_target!(|bytes: &[u8]| {
    let rules = CountRules { counter: &quarter, factor_permille: 1100 };
    if let Ok(text) = std::str::from_utf8(bytes) {
        // Walks over unchecked text end and don't panic either.
        let _ = (json::minify(text), json::canonical(text), json::Object::of(text));
        let _ = Message::parse(text, &json::Path::root(""), &rules);
    }
    let Ok(text) = json::check(bytes) else { return };
    assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
    let Ok(mut message) = Message::parse(text, &json::Path::root(""), &rules) else { return };
    let again = Message::parse_one(&message.body, &rules).expect("a stored body parses");
    if text.contains("token_count") || text.contains("\\u") {
        // A given count is taken out of the body: counting again gives another one.
        message.tokens = again.tokens;
        message.parts.clone_from(&again.parts);
        message.results.clone_from(&again.results);
        message.answered.clone_from(&again.answered);
    }
    assert_eq!(again, message);
    let parts: Vec<u32> = (0..).zip(&message.parts).map(|(part, _)| part).collect();
    assert_eq!(edit::without_parts(&message.body, &[]), message.body);
    for part in parts.iter().take(8) {
        let edits = [
            edit::without_parts(&message.body, &[*part]),
            edit::only_part(&message.body, *part),
            edit::replace_results(&message.body, &[*part, 0], "-"),
        ];
        let clamped = edit::clamp_result(&message.body, *part, 20, &rules);
        for body in edits.iter().chain(&clamped) {
            let edited = Message::parse_one(body, &rules).expect("an edited body parses");
            assert_eq!(&edited.body, body);
        }
    }
});
