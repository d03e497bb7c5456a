//! The window as a reply: a selection, rendered, with the figures beside it.

use crate::edit;
use crate::error::{Error, Result};
use crate::fetched::Records;
use crate::format::{Format, Options};
use crate::index::Flags;
use crate::kept::{Cell, ItemKind, Run};
use crate::limits::RENDERED_WINDOWS_MAX;
use crate::message::{Message, Role};
use crate::record::digest;
use crate::render::{self, hex, Json, Rendering};
use crate::spliced::Spliced;
use crate::stale::{self, Fresh};
use crate::state::{State, RULES};
use crate::suggest::suggested_range;
use crate::tokens::Counting;
use crate::view::{select, Limits, Selection, Span};

/// What a caller asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowRequest {
    /// Overrides the context's budget.
    pub budget: Option<u64>,
    /// The largest suffix instead of a cut that moves in steps.
    pub largest: bool,
    /// Repairs for the calls that wait at the end.
    pub close: bool,
    /// How the messages are given.
    pub format: Format,
    /// Breakpoints for the provider's cache.
    pub breakpoints: bool,
}

/// Items rendered before. Their bytes start every window with the same token that leaves out the same thinking.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The token.
    pub token: [u8; 16],
    /// The items.
    pub items: Rendering,
    /// From where on signed thinking stays in them.
    pub fresh: Option<Fresh>,
    /// Limits under which that is so.
    pub limits: Limits,
    /// Positions of the kept list that they reach to.
    pub end: u64,
    /// Time of the last use, in uses.
    pub used: u64,
}

/// The windows rendered last.
#[derive(Debug, Default)]
pub struct RenderedWindows {
    windows: Vec<Rendered>,
    uses: u64,
}

impl RenderedWindows {
    /// The reply of a window; what was rendered of it before is used again.
    ///
    /// # Errors
    /// [`Error::Need`] for records and index chunks.
    pub fn reply(&mut self, window: &Window<'_>, records: Records<'_>) -> Result<Spliced<'_>> {
        let current = self.used(window)?;
        // Nothing is rendered while a record lacks, so what was rendered before stays good.
        window.render(current, records)?;
        window.reply(current)
    }

    /// What was rendered of a window, or nothing yet, in place of the one that was not used for longest.
    fn used(&mut self, window: &Window<'_>) -> Result<&mut Rendered> {
        self.uses += 1;
        // While the token and the limits stay, so does what is stale.
        let known = self.windows.iter().position(|r| r.token == window.token && r.limits == window.limits);
        let at = match known {
            Some(at) => at,
            None => self.begun(window)?,
        };
        let current = self.windows.get_mut(at).ok_or_else(|| Error::corrupt("a rendered window is lost"))?;
        current.used = self.uses;
        Ok(current)
    }

    /// What was rendered under other limits, where it shows the same, or nothing yet.
    fn begun(&mut self, window: &Window<'_>) -> Result<usize> {
        let fresh = window.fresh()?;
        let shows_all = !window.request.format.leaves_out_stale();
        let is_same = |r: &Rendered| r.token == window.token && (shows_all || r.fresh == fresh);
        if let Some((at, same)) = self.windows.iter_mut().enumerate().find(|(_, rendered)| is_same(rendered)) {
            (same.fresh, same.limits) = (fresh, window.limits);
            return Ok(at);
        }
        if self.windows.len() >= RENDERED_WINDOWS_MAX {
            let oldest = self.windows.iter().enumerate().min_by_key(|(_, rendered)| rendered.used);
            let oldest = oldest.map_or(0, |(at, _)| at);
            self.windows.swap_remove(oldest);
        }
        self.windows.push(window.begun(fresh));
        Ok(self.windows.len() - 1)
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.windows.iter().map(|rendered| rendered.items.resident_bytes()).sum()
    }
}

/// A repair for a call that waits.
struct Closing {
    body: Vec<u8>,
    tokens: u32,
}

/// A window, selected but not rendered.
pub struct Window<'a> {
    state: &'a State,
    request: WindowRequest,
    selection: Selection,
    limits: Limits,
    closing: Vec<Closing>,
    /// See [`Rendered::token`].
    pub token: [u8; 16],
}

impl<'a> Window<'a> {
    /// Selects.
    ///
    /// # Errors
    /// [`Error::BudgetTooSmall`], [`Error::Need`] for index chunks.
    pub fn select(state: &'a State, request: WindowRequest) -> Result<Self> {
        let budget = request.budget.unwrap_or(state.config.token_budget);
        let closing = if request.close { closing(state)? } else { Vec::new() };
        let limits = Limits {
            budget,
            reserve: state.config.reserve_tokens,
            overhead: state.overhead,
            closing: closing.iter().map(|c| u64::from(c.tokens)).sum(),
            step: (!request.largest).then(|| state.step_tokens(budget)),
        };
        let selection = select(state.list(), &limits)?;
        let token = token(state, &selection, request.format, !closing.is_empty());
        Ok(Self { state, request, selection, limits, closing, token })
    }

    /// What it shows of the kept list.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.selection.spans
    }

    /// Its tokens, as the reply reports them.
    #[must_use]
    pub fn used_tokens(&self) -> u64 {
        self.limits.used(self.selection.tokens)
    }

    /// From where on signed thinking stays; nothing where all of it does.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks.
    pub fn fresh(&self) -> Result<Option<Fresh>> {
        stale::fresh(self.state, &self.limits, &self.selection)
    }

    /// Nothing rendered yet.
    fn begun(&self, fresh: Option<Fresh>) -> Rendered {
        let items = Rendering::new(self.request.format, &options(self.state, fresh));
        Rendered { token: self.token, items, fresh, limits: self.limits, end: 0, used: 0 }
    }

    /// Renders the items behind those rendered before.
    ///
    /// # Errors
    /// [`Error::Need`] for records.
    pub fn render(&self, rendered: &mut Rendered, records: Records<'_>) -> Result<()> {
        let mut cells = Vec::new();
        for (from, to) in &self.selection.spans {
            for position in (*from).max(rendered.end)..*to {
                cells.push(self.state.kept.cell(position, &self.state.index)?);
            }
        }
        rendered.items.push_all(&cells, records)?;
        rendered.end = self.state.kept.len();
        Ok(())
    }

    /// The reply.
    ///
    /// # Errors
    /// [`Error::Need`] for index chunks.
    pub fn reply<'b>(&self, rendered: &'b Rendered) -> Result<Spliced<'b>> {
        let state = self.state;
        let items = &rendered.items;
        let mut out = Json(Vec::with_capacity(512));
        let used = self.limits.used(self.selection.tokens);
        out.raw("{\"version\":").number(state.version).raw(",\"used_tokens\":").number(used);
        out.raw(",\"needs_compaction\":").boolean(state.needs_compaction());
        out.raw(",\"truncated\":").boolean(self.selection.truncated);
        out.raw(",\"prefix\":\"").raw(&hex(&self.prefix(rendered))).raw("\"");
        if let Some(fresh) = rendered.fresh.filter(|_| self.request.format == Format::Parts) {
            fresh.write(&mut out);
        }
        self.end(&mut out)?;
        self.suggestion(&mut out)?;
        out.raw(",\"segments\":[");
        segments(&mut out, state, &self.selection.spans)?;
        out.raw("],");
        let mut reply = Spliced::new(out);
        if self.closing.is_empty() {
            items.write(&mut reply, self.request.breakpoints);
        } else {
            let mut closed = items.clone();
            for repair in &self.closing {
                closed.push_repair(repair.tokens, state.updated_ms, &repair.body);
            }
            let mut copied = Spliced::default();
            closed.write(&mut copied, self.request.breakpoints);
            reply.copy(&copied);
        }
        reply.out().raw("}");
        Ok(reply)
    }

    /// The prefix token of the reply: another one for a request in which a message changed what stood before it, or that
    /// leaves out other thinking, as under another budget with the same cut.
    fn prefix(&self, rendered: &Rendered) -> [u8; 16] {
        let is_stale = self.selection.truncated && self.request.format.leaves_out_stale();
        let thinking_from = if is_stale { options(self.state, rendered.fresh).thinking_from() } else { 0 };
        match (rendered.items.revision(), thinking_from) {
            (0, 0) => self.token,
            (revision, from) => digest(&[&self.token, &revision.to_le_bytes(), &from.to_le_bytes()]),
        }
    }

    /// What the window ends with.
    fn end(&self, out: &mut Json) -> Result<()> {
        let last = self.state.kept.len().checked_sub(1);
        let last: Option<Cell> = last.map(|at| self.state.kept.cell(at, &self.state.index)).transpose()?;
        let role = if self.closing.is_empty() { last.map(|cell| cell.role) } else { Some(Role::Tool) };
        out.raw(",\"ends_with\":").raw(&render::optional(role.map(Role::name)));
        out.raw(",\"open_calls\":[");
        if !self.request.close {
            for (n, call) in self.state.pairing.waiting().enumerate() {
                out.raw(if n == 0 { "" } else { "," }).string(&call.shown_id());
            }
        }
        out.raw("]");
        Ok(())
    }

    /// A range worth summarising.
    fn suggestion(&self, out: &mut Json) -> Result<()> {
        if let Some((from, to)) = suggested_range(self.state)? {
            out.raw(",\"suggested_range\":{\"from_seq\":").number(from).raw(",\"to_seq\":").number(to).raw("}");
        }
        Ok(())
    }
}

fn closing(state: &State) -> Result<Vec<Closing>> {
    let rules = Counting::of(&state.config).rules();
    let repair = |call: &crate::pairing::OpenCall| {
        let body = edit::repair(&call.shown_id(), call.name.as_deref());
        let parsed = Message::parse_one(&body, &rules).map_err(|cause| Error::corrupt(cause.to_string()))?;
        Ok(Closing { body, tokens: parsed.tokens })
    };
    state.pairing.waiting().map(repair).collect()
}

/// Equal tokens mean that one window's items are a prefix of the other's: between two entries that carry a kept list it
/// only grows, so where each span starts and all but the last end says everything. Repairs behind the list end that.
fn token(state: &State, selection: &Selection, format: Format, closed: bool) -> [u8; 16] {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&state.incarnation);
    bytes.extend_from_slice(&RULES.to_le_bytes());
    bytes.extend_from_slice(&state.rewritten.to_le_bytes());
    for (from, _) in &selection.spans {
        bytes.extend_from_slice(&from.to_le_bytes());
    }
    for (_, to) in selection.spans.iter().rev().skip(1) {
        bytes.extend_from_slice(&to.to_le_bytes());
    }
    if format != Format::Parts {
        bytes.extend_from_slice(format.name().as_bytes());
        bytes.extend_from_slice(state.config.model.as_deref().unwrap_or_default().as_bytes());
    }
    if closed {
        bytes.extend_from_slice(b"closed");
        bytes.extend_from_slice(&state.version.to_le_bytes());
    }
    digest(&[&bytes])
}

/// Appends the runs of the log that the window shows, sums up or leaves out.
fn segments(out: &mut Json, state: &State, spans: &[Span]) -> Result<()> {
    let mut shown = shown_ranges(state, spans)?;
    shown.sort_unstable_by_key(|(from, to, summary)| (*from, *to, !summary));
    let mut first = true;
    let mut push = |kind: &str, from: u64, to: u64| {
        out.raw(if first { "" } else { "," }).raw("{\"type\":\"").raw(kind).raw("\",\"from_seq\":");
        out.number(from).raw(",\"to_seq\":").number(to).raw("}");
        first = false;
    };
    let mut next = 1;
    let mut live: Option<(u64, u64)> = None;
    for (from, to, summary) in shown.into_iter().filter(|(from, to, _)| from <= to) {
        let from = from.max(next);
        if from > to {
            continue;
        }
        match live {
            Some((_, last)) if !summary && last + 1 == from => live = live.map(|(start, _)| (start, to)),
            _ => {
                if let Some((start, end)) = live.take() {
                    push("live", start, end);
                }
                if next < from {
                    push("dropped", next, from - 1);
                }
                if summary {
                    push("summary", from, to);
                } else {
                    live = Some((from, to));
                }
            }
        }
        next = to + 1;
    }
    if let Some((start, end)) = live {
        push("live", start, end);
    }
    if next <= state.last_seq() {
        push("dropped", next, state.last_seq());
    }
    Ok(())
}

/// First and last message of what is shown, and whether it is summed up.
fn shown_ranges(state: &State, spans: &[Span]) -> Result<Vec<(u64, u64, bool)>> {
    let whole;
    let kept = if spans == [(0, state.kept.len())] {
        &*state.kept
    } else {
        whole = state.kept.slice(spans, &state.index)?;
        &whole
    };
    let ranges = kept.runs().iter().filter_map(|run| match run {
        Run::Messages { from, to, .. } => Some((*from, *to, false)),
        Run::Item(item) => match item.kind {
            ItemKind::Repair => None,
            ItemKind::Summary => Some((item.from, item.to, true)),
            ItemKind::Message | ItemKind::Edit | ItemKind::Late => Some((item.from, item.to, false)),
        },
    });
    Ok(ranges.collect())
}

/// What formats depend on beside the messages.
fn options(state: &State, fresh: Option<Fresh>) -> Options<'_> {
    Options { model: state.config.model.as_deref(), fresh }
}

/// The messages of the log, less those that left, in a page of a replay.
///
/// # Errors
/// [`Error::Need`] for index chunks and records.
pub fn page(state: &State, seqs: &[u64], format: Format, records: Records<'_>) -> Result<Rendering> {
    let cells: Vec<Cell> = seqs.iter().map(|seq| log_cell(state, *seq)).collect::<Result<_>>()?;
    let mut page = Rendering::new(format, &options(state, None));
    page.push_all(&cells, records)?;
    Ok(page)
}

fn log_cell(state: &State, seq: u64) -> Result<Cell> {
    let row = state.index.row(seq)?;
    Ok(Cell {
        kind: ItemKind::Message,
        from: seq,
        to: seq,
        version: row.version,
        slot: None,
        tokens: row.tokens,
        role: row.role,
        kinds: row.kinds,
        flags: Flags::default(),
        turn: row.turn,
        group: row.group,
        time_ms: row.time_ms,
    })
}
