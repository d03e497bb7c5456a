//! Replies that were fetched as `parts`, in another format. Of a window, the same bytes that a request for that format gets.

use super::{Format, Options, Request};
use crate::error::{Error, Result};
use crate::json::{check, Elements, Object};
use crate::render::Json;

/// Converts the messages of replies, a window or pages of a replay: `{"request": ..., "omitted_reasoning": ...}`.
/// `model` is the context's.
///
/// # Errors
/// [`Error::Invalid`] for what holds no messages, and for `parts`, which they are already.
pub fn convert(replies: &[&[u8]], format: Format, model: Option<&str>) -> Result<Vec<u8>> {
    let replies = replies.iter().map(|reply| opened(reply)).collect::<Result<Vec<_>>>()?;
    let request = Request::new(format, &Options { model });
    let mut request = request.ok_or_else(|| Error::field("format", "messages are given as parts already"))?;
    for (_, raw) in replies.into_iter().flatten() {
        let item = Object::of(raw).unwrap_or_default();
        let number = |name| item.get(name).and_then(|number| number.parse().ok());
        let seq = number("seq").or_else(|| number("from_seq")).unwrap_or(0);
        request.push(seq, number("to_seq"), raw.as_bytes());
    }
    let mut out = Json::default();
    out.raw("{");
    request.write(&mut out);
    out.raw("}");
    Ok(out.0)
}

fn opened(reply: &[u8]) -> Result<Elements<'_>> {
    let messages = Object::of(check(reply)?).and_then(|reply| reply.get("messages")).and_then(Elements::of);
    messages.ok_or_else(|| Error::field("messages", "expected a reply with an array of messages"))
}
