//! Replies that were fetched as `parts`, in another format. Of a window, the same bytes that a request for that format gets.

use super::{Format, Options, Request};
use crate::error::{Error, Result};
use crate::json::{check, Elements, Object};
use crate::spliced::Spliced;
use crate::stale::Fresh;

/// Converts the messages of replies, a window or pages of a replay: `{"request": ..., "omitted_reasoning": ...}`.
/// `model` is the context's, `cache` as [`Format::breakpoints`] takes it.
///
/// # Errors
/// [`Error::Invalid`] for what holds no messages, for `parts`, which they are already, and for a `cache` that is none.
pub fn convert(replies: &[&[u8]], format: Format, model: Option<&str>, cache: Option<&str>) -> Result<Vec<u8>> {
    let replies = replies.iter().map(|reply| opened(reply)).collect::<Result<Vec<_>>>()?;
    let fresh = replies.first().and_then(|(fresh, _)| *fresh);
    let request = Request::new(format, &Options { model, fresh });
    let mut request = request.ok_or_else(|| Error::field("format", "messages are given as parts already"))?;
    let breakpoints = format.breakpoints(cache)?;
    for (_, raw) in replies.into_iter().flat_map(|(_, messages)| messages) {
        let item = Object::of(raw).unwrap_or_default();
        let number = |name| item.get(name).and_then(|number| number.parse().ok());
        let seq = number("seq").or_else(|| number("from_seq")).unwrap_or(0);
        request.push(seq, number("to_seq"), raw.as_bytes());
    }
    let mut reply = Spliced::default();
    reply.out().raw("{");
    request.write(&mut reply, breakpoints);
    reply.out().raw("}");
    Ok(reply.to_vec())
}

/// From where on signed thinking stays in a reply, and its messages.
fn opened(reply: &[u8]) -> Result<(Option<Fresh>, Elements<'_>)> {
    let reply = Object::of(check(reply)?);
    let fresh = reply.as_ref().and_then(|reply| reply.object("signed_thinking"));
    let messages = reply.and_then(|reply| reply.get("messages")).and_then(Elements::of);
    let messages = messages.ok_or_else(|| Error::field("messages", "expected a reply with an array of messages"))?;
    Ok((fresh.and_then(|fresh| Fresh::read(&fresh)), messages))
}
