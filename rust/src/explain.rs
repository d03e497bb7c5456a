//! Why a window shows what it shows: for each run of the log what became of it, by whom and at which version; its tokens
//! by role and kind; how far the trigger is.
//!
//! What is not kept any more is put down to the rewrite after which it was gone, found by walking back. The walk ends after
//! [`EXPLAINED_REWRITES_MAX`] rewrites: what was gone before is told as dropped, without a version.

use std::collections::HashMap;

use crate::entry::{By, Did, Entry};
use crate::error::{Error, Result};
use crate::estimate;
use crate::history::{History, Links};
use crate::index::Flags;
use crate::kept::{Cell, Item, ItemKind, Kept, Run};
use crate::limits::{EXPLAINED_REWRITES_MAX, EXPLAINED_ROWS_MAX};
use crate::message::{Class, Outline, Role};
use crate::record::StoredRecord;
use crate::render::{self, Json};
use crate::view::Span;

/// First and last message.
type Range = (u64, u64);

/// Who decided, and at which version.
#[derive(Clone, Debug, Default, PartialEq)]
struct Cause {
    why: &'static str,
    version: Option<u64>,
    strategy: String,
}

impl Cause {
    fn plain(why: &'static str) -> Self {
        Self { why, ..Self::default() }
    }

    /// What a rewrite did.
    fn of(did: &Did, version: u64) -> Self {
        let (why, strategy) = match did {
            Did::Compacted { by: By::Caller, .. } => ("caller", ""),
            Did::Compacted { by: By::Policy, strategy, .. } => ("policy", strategy.as_str()),
            Did::Compacted { by: By::Repair, .. } => ("late_result", ""),
            Did::Reverted(_) => ("revert", ""),
            Did::Rewound(_) => ("rewind", ""),
        };
        Self { why, version: Some(version), strategy: strategy.into() }
    }
}

/// A run of the log, or an item that stands for none of it.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    range: Range,
    state: &'static str,
    tokens: u64,
    cause: Cause,
}

/// What is told of a window.
pub struct Explainer<'a> {
    /// The state that the window is of, with its records.
    pub history: History<'a>,
    /// What the window shows.
    pub spans: &'a [Span],
    /// Tokens that the window reports.
    pub used: u64,
}

impl<'a> Explainer<'a> {
    /// The explanation as JSON.
    ///
    /// # Errors
    /// [`Error::Need`] for bytes that lack.
    pub fn explain(&self, links: &mut Links) -> Result<Vec<u8>> {
        let state = self.history.state;
        let mut told = self.kept()?;
        told.extend(self.missing(links)?);
        told.sort_by_key(|run| (run.range.0, run.state == "repair"));
        let mut out = Json::default();
        out.raw("{\"runs\":[");
        for (n, run) in told.iter().enumerate() {
            out.raw(if n == 0 { "" } else { "," });
            write_run(&mut out, run);
        }
        let (shown, roles, classes) = self.tokens()?;
        out.raw("],\"tokens\":{\"shown\":").number(shown).raw(",\"kept\":").number(state.kept.tokens());
        out.raw(",\"overhead\":").raw(&state.overhead.to_string()).raw(",\"used\":").number(self.used);
        write_sums(&mut out, ",\"by_role\":{", Role::ALL.iter().map(|role| role.name()).zip(roles));
        write_sums(&mut out, "},\"by_kind\":{", Class::ALL.iter().map(|class| class.name()).zip(classes));
        let trigger = state.config.trigger_tokens();
        let left = trigger.saturating_sub(state.used_tokens());
        out.raw("}},\"budget\":{\"token_budget\":").number(state.config.token_budget);
        out.raw(",\"reserve_tokens\":").number(state.config.reserve_tokens);
        out.raw(",\"trigger_tokens\":").number(trigger).raw(",\"until_trigger\":").number(left);
        out.raw(",\"policy\":").string(state.policy.name()).raw("}}");
        Ok(out.0)
    }

    /// What is kept, shown or cut.
    fn kept(&self) -> Result<Vec<Told>> {
        let state = self.history.state;
        let records = self.history.records.parse_all(items(&state.kept).map(|item| item.version))?;
        let head = state.list().head()?;
        let mut told = Vec::new();
        let mut position = 0;
        for run in state.kept.runs() {
            match run {
                Run::Item(item) => {
                    told.push(self.item(item, position, &records)?);
                    position += 1;
                }
                Run::Messages { from, to, .. } => {
                    self.messages((*from, *to), position, head, &mut told)?;
                    position += to + 1 - from;
                }
            }
        }
        Ok(told)
    }

    fn is_shown(&self, position: u64) -> bool {
        self.spans.iter().any(|(from, to)| (*from..*to).contains(&position))
    }

    /// Messages as they came: the head, pins, what the budget cut, and the rest.
    fn messages(&self, (from, to): Range, position: u64, head: u64, told: &mut Vec<Told>) -> Result<()> {
        let state = self.history.state;
        let mut bounds = vec![from, to + 1];
        let of = |at: u64| from + at.saturating_sub(position);
        bounds.extend(self.spans.iter().flat_map(|(first, last)| [of(*first), of(*last)]));
        bounds.push(of(head));
        for pin in state.pins.iter().filter(|pin| (from..=to).contains(pin)) {
            bounds.extend([*pin, pin + 1]);
        }
        bounds.retain(|bound| (from..=to + 1).contains(bound));
        bounds.sort_unstable();
        bounds.dedup();
        for pair in bounds.windows(2) {
            let [first, next] = pair else { continue };
            let at = position + (first - from);
            let (state_name, why) = match (self.is_shown(at), state.pins.binary_search(first).is_ok()) {
                (false, _) => ("cut", "budget"),
                (true, true) => ("pinned", "pinned"),
                (true, false) if at < head => ("kept", "head"),
                (true, false) => ("kept", "as_it_came"),
            };
            let tokens = state.index.tokens(*first, next - 1)?;
            told.push(Told { range: (*first, next - 1), state: state_name, tokens, cause: Cause::plain(why) });
        }
        Ok(())
    }

    /// An exception, and who made it.
    fn item(&self, item: &Item, position: u64, records: &HashMap<u64, StoredRecord<'_>>) -> Result<Told> {
        let record = records.get(&item.version);
        let by = match record.and_then(|record| record.newest_of(record.last_version, Entry::is_rewrite)) {
            Some(version) => {
                let head = record.map(|record| record.rewrite_head(version)).transpose()?;
                head.map_or_else(Cause::default, |head| Cause::of(&head.did, version))
            }
            None => Cause { why: "append", version: Some(item.version), strategy: String::new() },
        };
        let edited = item.flags.has(Flags::EDITED);
        let (state, cause) = match item.kind {
            _ if !self.is_shown(position) => ("cut", Cause::plain("budget")),
            ItemKind::Summary => ("summary", by),
            ItemKind::Repair => ("repair", Cause { why: "no_result", ..by }),
            ItemKind::Late if !edited => ("kept", Cause { why: "late_result", ..by }),
            _ if edited => ("edited", by),
            _ => ("kept", Cause::plain("as_it_came")),
        };
        Ok(Told { range: (item.from, item.to), state, tokens: u64::from(item.tokens), cause })
    }

    /// What is kept no more, or never was.
    fn missing(&self, links: &mut Links) -> Result<Vec<Told>> {
        let state = self.history.state;
        let mut left = without(vec![(1, state.last_seq())], &covered(&state.kept));
        let mut told = Vec::new();
        let mut at = state.rewritten;
        for _ in 0..EXPLAINED_REWRITES_MAX {
            if left.is_empty() || at == 0 {
                break;
            }
            let link = links.get(at, self.history.records)?;
            let before = self.history.era(link.head.previous)?;
            let mut stood = covered(&before.kept);
            stood.extend(self.in_place(before.last_seq + 1, self.history.last_seq(at)?, &left)?);
            let cause = Cause::of(&link.head.did, at);
            let name = if matches!(link.head.did, Did::Rewound(_)) { "rewound" } else { "dropped" };
            for range in common(&left, &stood) {
                let tokens = state.index.tokens(range.0, range.1)?;
                told.push(Told { range, state: name, tokens, cause: cause.clone() });
            }
            left = without(left, &stood);
            at = link.head.previous;
        }
        for range in left {
            told.extend(self.leftover(range, at == 0)?);
        }
        Ok(told)
    }

    /// The messages of a stretch that took their place when they came, as far as `wanted` asks.
    fn in_place(&self, from: u64, to: u64, wanted: &[Range]) -> Result<Vec<Range>> {
        let mut found = Vec::new();
        for (first, last) in common(wanted, &[(from, to)]) {
            if last - first >= EXPLAINED_ROWS_MAX {
                found.push((first, last));
                continue;
            }
            self.history.state.index.require(first, last)?;
            for seq in first..=last {
                if !self.history.state.index.row(seq)?.flags.has(Flags::OUT) {
                    found.push((seq, seq));
                }
            }
        }
        Ok(join(found))
    }

    /// Results that never found a call, and what was gone before the walk ended.
    fn leftover(&self, range: Range, walked: bool) -> Result<Vec<Told>> {
        let index = &self.history.state.index;
        let orphans = if walked { Vec::new() } else { self.in_place(range.0, range.1, &[range])? };
        let mut told = Vec::new();
        for range in without(vec![range], &orphans) {
            let tokens = index.tokens(range.0, range.1)?;
            told.push(Told { range, state: "orphan", tokens, cause: Cause::plain("no_call") });
        }
        for range in orphans {
            let tokens = index.tokens(range.0, range.1)?;
            told.push(Told { range, state: "dropped", tokens, cause: Cause::plain("earlier") });
        }
        Ok(told)
    }

    /// Tokens shown: in all, by role, by class of part.
    fn tokens(&self) -> Result<(u64, [u64; Role::ALL.len()], [u64; Class::ALL.len()])> {
        let state = self.history.state;
        let mut cells: Vec<Cell> = Vec::new();
        for (from, to) in self.spans {
            for position in *from..*to {
                cells.push(state.kept.cell(position, &state.index)?);
            }
        }
        let records = self.history.records.parse_all(cells.iter().map(|cell| cell.version))?;
        let (mut all, mut roles, mut classes) = (0, [0; Role::ALL.len()], [0; Class::ALL.len()]);
        for cell in &cells {
            let lost = || Error::corrupt(format!("the record at version {} is lost", cell.version));
            let record = records.get(&cell.version).ok_or_else(lost)?;
            let slot = cell.slot.unwrap_or_else(|| u32::try_from(cell.from - record.first_seq).unwrap_or(u32::MAX));
            all += u64::from(cell.tokens);
            add(&mut roles, cell.role as usize, cell.tokens);
            for (class, tokens) in by_class(record.body(slot)?, cell.tokens) {
                add(&mut classes, class as usize, tokens);
            }
        }
        Ok((all, roles, classes))
    }
}

fn add(sums: &mut [u64], at: usize, tokens: u32) {
    if let Some(sum) = sums.get_mut(at) {
        *sum += u64::from(tokens);
    }
}

/// The tokens of a message, shared out to its parts by their length.
fn by_class(body: &[u8], tokens: u32) -> Vec<(Class, u32)> {
    match Outline::of(body) {
        Some(outline) if !outline.slots.is_empty() => {
            let shares = estimate::shares(outline.slots.iter().map(|slot| slot.raw.len()), tokens);
            outline.classes.iter().copied().zip(shares).collect()
        }
        _ => vec![(Class::Other, tokens)],
    }
}

fn items(kept: &Kept) -> impl Iterator<Item = &Item> {
    kept.runs().iter().filter_map(|run| match run {
        Run::Item(item) => Some(item),
        Run::Messages { .. } => None,
    })
}

/// The messages that a list shows or sums up, ascending.
fn covered(kept: &Kept) -> Vec<Range> {
    let ranges = kept.runs().iter().filter_map(|run| match run {
        Run::Messages { from, to, .. } => Some((*from, *to)),
        Run::Item(item) if item.kind == ItemKind::Repair || item.from > item.to => None,
        Run::Item(item) => Some((item.from, item.to)),
    });
    join(ranges.collect())
}

/// Ascending ranges; those that touch are one.
fn join(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges {
        match joined.last_mut() {
            Some(last) if from <= last.1 + 1 => last.1 = last.1.max(to),
            _ => joined.push((from, to)),
        }
    }
    joined
}

fn common(some: &[Range], others: &[Range]) -> Vec<Range> {
    let both = some.iter().flat_map(|a| others.iter().map(move |b| (a.0.max(b.0), a.1.min(b.1))));
    join(both.filter(|(from, to)| from <= to).collect())
}

fn without(ranges: Vec<Range>, gone: &[Range]) -> Vec<Range> {
    let gone = join(gone.to_vec());
    let mut left = Vec::new();
    for (from, to) in ranges {
        let mut next = from;
        for (first, last) in gone.iter().filter(|(first, last)| *first <= to && *last >= from) {
            if next < *first {
                left.push((next, first - 1));
            }
            next = next.max(last + 1);
        }
        if next <= to {
            left.push((next, to));
        }
    }
    left
}

fn write_run(out: &mut Json, run: &Told) {
    out.raw("{\"from_seq\":").number(run.range.0).raw(",\"to_seq\":").number(run.range.1);
    out.raw(",\"state\":\"").raw(run.state).raw("\",\"tokens\":").number(run.tokens);
    out.raw(",\"why\":\"").raw(run.cause.why).raw("\",\"version\":");
    out.raw(&run.cause.version.map_or_else(|| "null".to_owned(), |version| version.to_string()));
    let strategy = Some(run.cause.strategy.as_str()).filter(|name| !name.is_empty());
    out.raw(",\"strategy\":").raw(&render::optional(strategy)).raw("}");
}

/// Appends the sums that are not 0.
fn write_sums(out: &mut Json, opening: &str, sums: impl Iterator<Item = (&'static str, u64)>) {
    out.raw(opening);
    for (n, (name, sum)) in sums.filter(|(_, sum)| *sum > 0).enumerate() {
        out.raw(if n == 0 { "\"" } else { ",\"" }).raw(name).raw("\":").number(sum);
    }
}
