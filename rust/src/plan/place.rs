//! How a message comes to stand in the kept list: whole, edited or not at all, with repairs before it and late results.

use std::collections::HashMap;
use std::sync::Arc;

use super::Draft;
use crate::edit;
use crate::entry::Placed;
use crate::error::Result;
use crate::index::Flags;
use crate::kept::{Item, ItemKind, Kept, Run};
use crate::message::{Call, Kinds, Message, Role, ToolResult};
use crate::pairing::{Late, OpenCall, Placement, Shape};
use crate::record::StoredRecord;

/// A message of the log with its columns, whether it is just coming in or read back from its record.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// Its place in the log.
    pub seq: u64,
    /// First version of its record.
    pub version: u64,
    /// Which body of that record.
    pub slot: u32,
    /// Its body.
    pub body: &'a [u8],
    /// Role as it counts.
    pub role: Role,
    /// Classes of its parts.
    pub kinds: Kinds,
    /// Its tokens.
    pub tokens: u32,
    /// Never dropped by a policy.
    pub pinned: bool,
    /// Its time for policies.
    pub time_ms: i64,
    /// Calls that it leaves open.
    pub calls: &'a [Call],
    /// Results of earlier messages' calls.
    pub results: &'a [ToolResult],
    /// It says something beside its results.
    pub more_than_results: bool,
}

impl Source<'_> {
    /// What pairing looks at.
    #[must_use]
    pub fn shape(&self) -> Shape<'_> {
        Shape {
            seq: self.seq,
            role: self.role,
            kinds: self.kinds,
            calls: self.calls,
            results: self.results,
            more_than_results: self.more_than_results,
        }
    }

    /// The flags of its row.
    #[must_use]
    pub fn flags(&self, placement: &Placement, placed: &Placed) -> Flags {
        Flags::default()
            .with(Flags::OUT, *placed == Placed::Out)
            .with(Flags::EDITED, matches!(placed, Placed::Edited(_)))
            .with(Flags::PINNED, self.pinned)
            .with(Flags::AFTER_REPAIRS, !placement.repairs.is_empty())
            .with(Flags::RESULTS, placement.results_in_place)
            .with(Flags::CALLS, !self.calls.is_empty())
    }

    /// The message as it came in, with columns of its own.
    #[must_use]
    pub fn unedited(&self, placement: &Placement) -> Item {
        let item = self.item(ItemKind::Edit, placement);
        Item { flags: Flags(item.flags.0 & !Flags::EDITED.0), ..item }
    }

    fn item(&self, kind: ItemKind, placement: &Placement) -> Item {
        Item {
            kind,
            from: self.seq,
            to: self.seq,
            at: self.seq,
            call: 0,
            version: self.version,
            slot: self.slot,
            tokens: self.tokens,
            role: self.role,
            kinds: self.kinds,
            flags: Flags::default()
                .with(Flags::EDITED, true)
                .with(Flags::PINNED, self.pinned)
                .with(Flags::RESULTS, placement.results_in_place)
                .with(Flags::CALLS, !self.calls.is_empty()),
            turn: placement.turn,
            group: placement.group,
            time_ms: self.time_ms,
        }
    }
}

impl Draft<'_> {
    /// How a message stands at the end of the list.
    ///
    /// # Errors
    /// [`crate::error::Error::Corrupt`] where an edit fails.
    pub fn place(&mut self, source: &Source<'_>, placement: &Placement) -> Result<Placed> {
        if !placement.in_place {
            return Ok(Placed::Out);
        }
        let mut body: Option<Vec<u8>> = None;
        if !placement.taken_out.is_empty() {
            body = Some(edit::without_parts(source.body, &placement.taken_out));
        }
        let most = self.state.policy.result_tokens_max(&self.state.config);
        if source.results.iter().any(|result| u64::from(result.tokens) > most) {
            body = self.clamped(body.as_deref().unwrap_or(source.body), most)?.or(body);
        }
        let Some(body) = body else { return Ok(Placed::Whole) };
        let derived = self.derived(&body)?;
        let mut item = source.item(ItemKind::Edit, placement);
        item.tokens = derived.tokens;
        item.kinds = derived.kinds;
        item.version = self.first_version;
        item.slot = self.body(body);
        Ok(Placed::Edited(item))
    }

    /// An edit, whose body was just added; the body that the record holds of it is used again where it is the same.
    pub fn with_stored_body(&mut self, item: Item, came_in: &Placed, record: &StoredRecord<'_>) -> Item {
        match (came_in, self.bodies.last()) {
            (Placed::Edited(stored), Some(body)) if record.body(stored.slot).is_ok_and(|b| b == body.as_ref()) => {
                self.bodies.pop();
                Item { version: stored.version, slot: stored.slot, ..item }
            }
            _ => item,
        }
    }

    /// The body with results of more than `most` tokens cut to head and tail; nothing where that saves nothing.
    fn clamped(&self, body: &[u8], most: u64) -> Result<Option<Vec<u8>>> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let derived = self.derived(body)?;
        let large = derived.results.iter().filter(|result| result.tokens > most);
        let parts: Vec<u32> = large.map(|result| result.part).collect();
        Ok(edit::clamp_results(body, &parts, most, self.rules))
    }

    /// Repairs of calls, made up for want of a result.
    ///
    /// # Errors
    /// [`crate::error::Error::Corrupt`] where a repair can't be read back.
    pub fn repairs(&mut self, placement: &Placement) -> Result<Vec<Item>> {
        placement.repairs.iter().map(|call| self.repair(call, placement.repairs_at)).collect()
    }

    /// The repair of one call, to stand after message `at`.
    ///
    /// # Errors
    /// As [`Draft::repairs`].
    pub fn repair(&mut self, call: &OpenCall, at: u64) -> Result<Item> {
        let body = edit::repair(&call.shown_id(), call.name.as_deref());
        let derived = self.derived(&body)?;
        let slot = self.body(body);
        Ok(Item {
            kind: ItemKind::Repair,
            from: call.seq,
            to: call.seq,
            at,
            call: call.call,
            version: self.first_version,
            slot,
            tokens: derived.tokens,
            role: Role::Tool,
            kinds: derived.kinds,
            flags: Flags::RESULTS,
            turn: call.turn,
            group: call.group,
            time_ms: self.state.clock_ms.max(self.time_ms),
        })
    }

    /// The list with late results in the places of the repairs of their calls.
    ///
    /// # Errors
    /// [`crate::error::Error::Corrupt`] where an edit fails.
    pub fn with_late(&mut self, kept: &Kept, source: &Source<'_>, late: &[Late]) -> Result<Kept> {
        let alone = source.results.len() == 1 && !source.more_than_results;
        let parts: Vec<u32> = late.iter().map(|late| late.part).collect();
        let bodies = if alone { vec![source.body.to_vec()] } else { edit::split(source.body, &parts) };
        let calls = late.iter().map(|late| (late.call.seq, late.call.call));
        let mut bodies: HashMap<(u64, u32), Vec<u8>> = calls.zip(bodies).collect();
        let mut runs = Vec::with_capacity(kept.runs().len());
        for run in kept.runs() {
            runs.push(match run {
                Run::Item(item) if item.kind == ItemKind::Repair => match bodies.remove(&(item.from, item.call)) {
                    Some(body) => Run::Item(self.late_item(item, source, body)?),
                    None => run.clone(),
                },
                _ => run.clone(),
            });
        }
        Ok(Kept::from_runs(runs))
    }

    /// A late result in the place of a repair.
    fn late_item(&mut self, repair: &Item, source: &Source<'_>, body: Vec<u8>) -> Result<Item> {
        let mut item =
            source.item(ItemKind::Late, &Placement { group: repair.group, turn: repair.turn, ..Placement::default() });
        item.flags = Flags::RESULTS;
        item.at = repair.at;
        item.call = repair.call;
        let most = self.state.policy.result_tokens_max(&self.state.config);
        if body == source.body && u64::from(source.tokens) <= most {
            return Ok(item);
        }
        let body = self.clamped(&body, most)?.unwrap_or(body);
        let derived: Message = self.derived(&body)?;
        item.flags = item.flags.with(Flags::EDITED, body != source.body);
        item.tokens = derived.tokens;
        item.kinds = derived.kinds;
        item.version = self.first_version;
        item.slot = self.body(body);
        Ok(item)
    }

    /// The planned list, shared.
    #[must_use]
    pub fn kept(&self) -> Arc<Kept> {
        Arc::clone(&self.state.kept)
    }
}
