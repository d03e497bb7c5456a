//! Helpers of the message tests.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use fastpaca_core::error::Error;
use fastpaca_core::estimate::CountRules;
use fastpaca_core::json::Path;
use fastpaca_core::message::Message;

/// One token for each four bytes begun: what a test can compute by hand.
pub fn quarter(text: &str) -> usize {
    text.len().div_ceil(4)
}

pub fn rules() -> CountRules<'static> {
    CountRules { counter: &quarter, factor_permille: 1000 }
}

pub fn parse(raw: &str) -> Message {
    Message::parse_one(raw.as_bytes(), &rules()).unwrap_or_else(|cause| panic!("{cause}: {raw}"))
}

pub fn body(message: &Message) -> &str {
    std::str::from_utf8(&message.body).unwrap()
}

/// Code, path and text of the error of a message that stands at `messages[3]`.
pub fn refused(raw: &str) -> (String, String, String) {
    let root = Path::root("messages");
    match Message::parse(raw, &root.index(3), &rules()) {
        Err(Error::Invalid { code, field, message }) => (code.to_owned(), field, message),
        other => panic!("{other:?}: {raw}"),
    }
}

/// A parsed message's body parses to the same message.
pub fn assert_fixed_point(message: &Message) {
    let again = Message::parse_one(&message.body, &rules()).unwrap();
    assert_eq!(&again, message);
}
