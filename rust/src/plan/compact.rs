//! A caller's compaction: a range, or all messages up to a version, give way to a replacement.

use serde_json::Value;

use super::rebuild::rebuild;
use super::Draft;
use crate::entry::By;
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::index::Flags;
use crate::kept::{Item, ItemKind, Kept, Run};
use crate::message::{Class, Message};
use crate::pairing::{OpenCall, Pairing, Shape};
use crate::view::List;

/// One item of a replacement.
#[derive(Debug)]
pub enum ReplacementItem {
    /// Messages that stay: first and last.
    Live(u64, u64),
    /// A message; with the `seq` that it says it has, it may be the one that the window shows.
    Message(Box<Message>, Option<u64>),
}

/// A compaction.
#[derive(Debug)]
pub struct Compact {
    /// The range; nothing for a whole replacement.
    pub range: Option<(u64, u64)>,
    /// What takes its place.
    pub items: Vec<ReplacementItem>,
    /// A whole replacement covers what the caller had read.
    pub up_to_version: Option<u64>,
    /// Compact even if the replacement has no content.
    pub force: bool,
}

/// Bit of group numbers that no message has.
const MADE_GROUP: u64 = 1 << 63;

/// Plans a compaction.
///
/// # Errors
/// `unknown_seq`, `invalid_range`, [`Error::EmptyReplacement`], [`Error::CompactionConflict`], [`Error::NotYet`],
/// [`Error::Need`].
pub fn compact(draft: &mut Draft<'_>, request: &Compact, records: Records<'_>) -> Result<()> {
    let has_content = request.items.iter().any(|item| match item {
        ReplacementItem::Live(..) => true,
        ReplacementItem::Message(message, _) => message.has_content,
    });
    if !has_content && !request.force {
        return Err(Error::EmptyReplacement);
    }
    check_version(draft, request.up_to_version)?;
    let area = match request.range {
        Some(range) => range_area(draft, range)?,
        None => whole_area(draft, request.up_to_version)?,
    };
    let kept = draft.kept();
    let pieces = resolve(draft, &kept, &request.items, records)?;
    let mut list = Kept::default();
    list.extend_from(&kept, 0, area.first, &draft.state.index)?;
    let mut pairing = draft.state.pairing.clone();
    let mut builder = Builder { draft, kept: &kept, records, list: &mut list, pairing: &mut pairing, area };
    let newest = builder.build(pieces)?;
    if let Some(stretch) = newest.filter(|_| area.last == kept.len()) {
        pairing.end_with(&stretch);
    }
    list.extend_from(&kept, area.last, kept.len(), &draft.state.index)?;
    let list = close_inside(draft, list, &mut pairing)?;
    draft.add_compacted_with(By::Caller, (area.from, area.to), request.up_to_version, &list, pairing)
}

/// Calls that wait for their results, and which something follows now, get repairs.
fn close_inside(draft: &mut Draft<'_>, list: Kept, pairing: &mut Pairing) -> Result<Kept> {
    let waiting = pairing.waiting().cloned().collect();
    let (list, repaired) = close_calls(draft, list, waiting, false)?;
    pairing.close(&repaired);
    Ok(list)
}

/// Those of the calls that something follows get repairs; the last ones too where `all` do. Gives the calls that did.
pub(super) fn close_calls(
    draft: &mut Draft<'_>,
    mut list: Kept,
    calls: Vec<OpenCall>,
    all: bool,
) -> Result<(Kept, Vec<OpenCall>)> {
    let mut repaired = Vec::new();
    for call in calls {
        let Some(position) = list.find(call.seq) else { continue };
        let end = List::new(&list, &draft.state.index, &[]).unit_end(position)?;
        if end < list.len() || all {
            let at = match list.item_at(end - 1) {
                Some(item) => item.at,
                None => list.cell(end - 1, &draft.state.index)?.to,
            };
            let repair = draft.repair(&call, at)?;
            let mut next = list.slice(&[(0, end)], &draft.state.index)?;
            next.push_item(repair);
            next.extend_from(&list, end, list.len(), &draft.state.index)?;
            list = next;
            repaired.push(call);
        }
    }
    Ok((list, repaired))
}

fn check_version(draft: &Draft<'_>, up_to_version: Option<u64>) -> Result<()> {
    let Some(wanted) = up_to_version else { return Ok(()) };
    if wanted > draft.state.version {
        return Err(Error::NotYet { wanted, actual: draft.state.version });
    }
    if draft.state.by_caller > wanted {
        return Err(Error::CompactionConflict { version: draft.state.by_caller });
    }
    Ok(())
}

/// What gives way: messages `from..=to`, which are positions `first..last` of the kept list.
#[derive(Clone, Copy, Debug)]
struct Area {
    from: u64,
    to: u64,
    first: u64,
    last: u64,
}

fn invalid_range(field: &str, message: String) -> Error {
    Error::invalid("invalid_range", field, message)
}

fn range_area(draft: &Draft<'_>, (from, to): (u64, u64)) -> Result<Area> {
    let kept = &*draft.state.kept;
    let index = &draft.state.index;
    if from == 0 || from > to || to > draft.state.last_seq() {
        let message = format!("there are messages 1 to {}, not {from} to {to}", draft.state.last_seq());
        return Err(Error::invalid("unknown_seq", "from_seq", message));
    }
    for (seq, inside, field) in [(from, from - 1, "from_seq"), (to, to + 1, "to_seq")] {
        if kept.summary_of(seq).is_some_and(|item| (item.from..=item.to).contains(&inside)) {
            return Err(invalid_range(field, format!("{field} {seq} lies inside a summary")));
        }
    }
    let (first, last) = (kept.lower_bound(from), kept.lower_bound(to + 1));
    for (position, seq, field) in [(first, from, "from_seq"), (last, to, "to_seq")] {
        if position > 0
            && position < kept.len()
            && kept.cell(position, index)?.group == kept.cell(position - 1, index)?.group
        {
            return Err(invalid_range(field, format!("{field} {seq} cuts a group of tool calls and their results")));
        }
    }
    Ok(Area { from, to, first, last })
}

/// All messages up to a version, less the group that was open then.
fn whole_area(draft: &Draft<'_>, up_to_version: Option<u64>) -> Result<Area> {
    let state = &*draft.state;
    let Some(version) = up_to_version else {
        return Ok(Area { from: 1, to: state.last_seq(), first: 0, last: state.kept.len() });
    };
    let mut to = state.last_seq();
    while to > 0 && state.index.row(to)?.version > version {
        to -= 1;
    }
    let mut last = state.kept.lower_bound(to + 1);
    let list = state.list();
    while last > 0 {
        let (start, end) = (list.unit_start(last - 1)?, list.unit_end(last - 1)?);
        if end <= last && !is_unfinished(draft, list, start, end, version)? {
            break;
        }
        to = state.kept.cell(start, &state.index)?.from.min(to).saturating_sub(1);
        last = start;
    }
    Ok(Area { from: 1, to, first: 0, last })
}

/// The group had calls without results at that version.
fn is_unfinished(draft: &Draft<'_>, list: List<'_>, start: u64, end: u64, version: u64) -> Result<bool> {
    let group = list.kept.cell(start, list.index)?.group;
    if draft.state.pairing.waiting().any(|call| call.group == group) {
        return Ok(true);
    }
    for position in start..end {
        let cell = list.kept.cell(position, list.index)?;
        // A result that came late was a repair then, which said nothing.
        if matches!(cell.kind, ItemKind::Repair | ItemKind::Late) && cell.version > version {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A replacement item whose references are known.
enum Piece<'r> {
    Live(u64, u64),
    New(&'r Message),
}

/// Tells references from new items, and joins references that touch.
fn resolve<'r>(
    draft: &Draft<'_>,
    kept: &Kept,
    items: &'r [ReplacementItem],
    records: Records<'_>,
) -> Result<Vec<Piece<'r>>> {
    let mut pieces: Vec<Piece<'r>> = Vec::with_capacity(items.len());
    for item in items {
        let (from, to) = match item {
            ReplacementItem::Live(from, to) => (*from, *to),
            ReplacementItem::Message(message, Some(seq)) if shows(draft, kept, message, *seq, records)? => (*seq, *seq),
            ReplacementItem::Message(message, _) => {
                pieces.push(Piece::New(message));
                continue;
            }
        };
        let position = kept.find(from).filter(|_| from == to);
        if position.and_then(|at| kept.item_at(at)).is_some_and(|item| item.kind == ItemKind::Late) {
            // A late result stands with its call, and comes with it.
            continue;
        }
        match pieces.last_mut() {
            Some(Piece::Live(_, last)) if *last + 1 == from => *last = to,
            _ => pieces.push(Piece::Live(from, to)),
        }
    }
    Ok(pieces)
}

/// The message is the one that the window shows for `seq`.
fn shows(draft: &Draft<'_>, kept: &Kept, message: &Message, seq: u64, records: Records<'_>) -> Result<bool> {
    let Some(position) = kept.find(seq) else { return Ok(false) };
    let cell = kept.cell(position, &draft.state.index)?;
    let parsed = records.parse_all(std::iter::once(cell.version))?;
    let Some(record) = parsed.get(&cell.version) else { return Ok(false) };
    let slot = cell.slot.unwrap_or_else(|| u32::try_from(seq - record.first_seq).unwrap_or(u32::MAX));
    let shown = record.body(slot)?;
    if shown == message.body {
        return Ok(true);
    }
    let same: Option<bool> = (|| {
        let shown: Value = serde_json::from_slice(shown).ok()?;
        Some(shown == serde_json::from_slice::<Value>(&message.body).ok()?)
    })();
    Ok(same.unwrap_or(false))
}

/// Puts the replacement together.
struct Builder<'b, 'd> {
    draft: &'b mut Draft<'d>,
    kept: &'b Kept,
    records: Records<'b>,
    list: &'b mut Kept,
    pairing: &'b mut Pairing,
    area: Area,
}

impl Builder<'_, '_> {
    /// Gives the pairing behind the last item, where that is a message taken back.
    fn build(&mut self, pieces: Vec<Piece<'_>>) -> Result<Option<Pairing>> {
        let mut next = self.area.from;
        let mut newest = None;
        let mut made: Vec<&Message> = Vec::new();
        for piece in pieces {
            match piece {
                Piece::New(message) => made.push(message),
                Piece::Live(_, to) if to > self.draft.state.last_seq() => {
                    let message = format!("there is no message {to}");
                    return Err(Error::invalid("unknown_seq", "replacement", message));
                }
                Piece::Live(from, to) => {
                    if from < next || to < from || to > self.area.to {
                        let message = format!(
                            "references must ascend within {} to {}: {from} to {to}",
                            self.area.from, self.area.to
                        );
                        return Err(invalid_range("replacement", message));
                    }
                    self.push_made(std::mem::take(&mut made), (next, from - 1))?;
                    newest = self.push_live(from, to)?;
                    next = to + 1;
                }
            }
        }
        let newest = newest.filter(|_| made.is_empty());
        self.push_made(made, (next, self.area.to))?;
        Ok(newest)
    }

    /// Appends new items, which stand for messages `gap.0..=gap.1`.
    fn push_made(&mut self, made: Vec<&Message>, gap: (u64, u64)) -> Result<()> {
        let groups = made_groups(&made, self.draft.first_version)?;
        let turn = if gap.0 <= gap.1 { self.draft.state.index.row(gap.0)?.turn } else { 0 };
        for (message, group) in made.into_iter().zip(groups) {
            let item = Item {
                kind: ItemKind::Summary,
                from: gap.0,
                to: gap.1,
                at: gap.1.max(gap.0.saturating_sub(1)),
                call: 0,
                version: self.draft.first_version,
                slot: 0,
                tokens: message.tokens,
                role: message.role,
                kinds: message.kinds,
                flags: Flags::default().with(Flags::RESULTS, !message.results.is_empty()),
                turn,
                group: group + self.list.len(),
                time_ms: self.draft.time_ms,
            };
            let slot = self.draft.body(message.body.clone());
            self.list.push_item(Item { slot, ..item });
        }
        Ok(())
    }

    /// Appends messages that stay: as they are shown, or, where they are not all shown, taken back from the log. Gives the
    /// pairing behind these.
    fn push_live(&mut self, from: u64, to: u64) -> Result<Option<Pairing>> {
        let (first, last) = (self.kept.lower_bound(from), self.kept.lower_bound(to + 1));
        if self.is_live(from, to, first, last)? {
            let list = List::new(self.kept, &self.draft.state.index, &[]);
            if first < last && (list.unit_start(first)? != first || list.unit_end(last - 1)? != last) {
                return Err(cuts(from, to));
            }
            self.list.extend_from(self.kept, first, last, &self.draft.state.index)?;
            return Ok(None);
        }
        if (from..=to).any(|seq| self.draft.state.is_hidden(seq)) {
            let message = format!("not all of messages {from} to {to} are in the log any more");
            return Err(Error::invalid("unknown_seq", "replacement", message));
        }
        let index = &self.draft.state.index;
        let ends = to < index.len() && index.row(to + 1)?.group == index.row(to)?.group;
        if index.row(from)?.group != from || ends {
            return Err(cuts(from, to));
        }
        let rebuilt = rebuild(self.draft, from, to, self.records)?;
        self.list.extend_from(&rebuilt.kept, 0, rebuilt.kept.len(), &self.draft.state.index)?;
        self.pairing.take_back((from, to), &rebuilt.pairing);
        Ok(Some(rebuilt.pairing))
    }

    /// All messages of the range stand in the kept list, but for results that stay out of it.
    fn is_live(&self, from: u64, to: u64, first: u64, last: u64) -> Result<bool> {
        let shown = |run: &Run| match run {
            Run::Messages { from: a, to: b, .. } => (*b.min(&to) + 1).saturating_sub(*a.max(&from)),
            Run::Item(item) => u64::from(item.kind == ItemKind::Edit && (from..=to).contains(&item.from)),
        };
        if first >= last || self.kept.runs().iter().map(shown).sum::<u64>() == to + 1 - from {
            return Ok(first < last);
        }
        for seq in from..=to {
            if self.kept.find(seq).is_none() && !self.draft.state.index.row(seq)?.flags.has(Flags::OUT) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn cuts(from: u64, to: u64) -> Error {
    invalid_range("replacement", format!("messages {from} to {to} cut a group of tool calls and their results"))
}

/// Group numbers of new items: a call and its results share one. Calls must be answered among them.
fn made_groups(made: &[&Message], version: u64) -> Result<Vec<u64>> {
    let mut pairing = Pairing::default();
    let mut groups = Vec::with_capacity(made.len());
    for (seq, message) in (1u64..).zip(made) {
        let shape = Shape {
            seq,
            role: message.role,
            kinds: message.kinds,
            calls: &message.calls,
            results: &message.results,
            more_than_results: message.parts.iter().any(|part| part.class != Class::ToolResult),
        };
        let placement = pairing.push(&shape, |_| false);
        if !placement.taken_out.is_empty() || !placement.repairs.is_empty() {
            return Err(unpaired());
        }
        // Less its own number: the list's length is added, which grows by one an item.
        groups.push((MADE_GROUP | (version << 24)) + placement.group - seq);
    }
    if pairing.is_waiting() {
        return Err(unpaired());
    }
    Ok(groups)
}

fn unpaired() -> Error {
    Error::field(
        "replacement",
        "tool calls of new messages need their results directly behind them, and results their calls",
    )
}
