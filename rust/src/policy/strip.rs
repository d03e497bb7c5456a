//! Tool results that give way to a short placeholder; calls and ids stay.

use super::work::Change;
use super::Work;
use crate::edit;
use crate::error::{Error, Result};
use crate::kept::{Cell, ItemKind};
use crate::limits::MESSAGE_FRAMING_TOKENS;
use crate::message::{Kinds, Message, ToolResult};

/// What stands for a result that was stripped.
pub(super) const PLACEHOLDER: &str = "[Old tool result removed]";

/// A message of the log with results in it, or with calls that hold their results.
pub(super) fn has_results(cell: &Cell) -> bool {
    cell.kinds.has(Kinds::TOOL_RESULT) && matches!(cell.kind, ItemKind::Message | ItemKind::Edit | ItemKind::Late)
}

/// No edit of a message with results has fewer tokens than this.
pub(super) fn least_tokens(work: &Work<'_>, placeholder: &str) -> u64 {
    u64::from(work.rules.text_tokens(placeholder)) + MESSAGE_FRAMING_TOKENS
}

/// A stored body whose tokens are known.
pub(super) fn known(body: &[u8], cell: &Cell) -> Result<Message> {
    Message::known(body, cell.tokens)
        .map_err(|cause| Error::corrupt(format!("message {} is invalid: {cause}", cell.from)))
}

/// Results that a client gave and that may be replaced, in the order of their parts.
pub(super) fn results(message: &Message) -> Vec<&ToolResult> {
    let mut results: Vec<&ToolResult> = message.results.iter().chain(&message.answered).collect();
    results.sort_by_key(|result| result.part);
    results
}

/// The item with the placeholder for these results; nothing where that saves nothing.
pub(super) fn strip(
    work: &Work<'_>,
    position: u64,
    cell: &Cell,
    body: &[u8],
    (results, placeholder): (&[&ToolResult], &str),
) -> Result<Option<Change>> {
    let parts: Vec<u32> = results.iter().map(|result| result.part).collect();
    let replaced = edit::replace_results(body, &parts, placeholder);
    if replaced == body {
        return Ok(None);
    }
    if parts.len() == 1 {
        return work.edit(position, cell, replaced);
    }
    // Beside large results a small one may be shorter than the placeholder: it stays.
    let shown = Message::parse_one(&replaced, work.rules)
        .map_err(|cause| Error::corrupt(format!("a stripped message is invalid: {cause}")))?;
    let tokens = |part: u32| shown.parts.get(part as usize).map_or(u32::MAX, |part| part.tokens);
    let saving: Vec<u32> =
        results.iter().filter(|result| tokens(result.part) < result.tokens).map(|result| result.part).collect();
    if saving.len() == parts.len() {
        return work.edit(position, cell, replaced);
    }
    work.edit(position, cell, edit::replace_results(body, &saving, placeholder))
}
