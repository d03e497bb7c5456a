//! `time_aware`: whole sessions leave once they are older than `max_age`.
//!
//! A session is a run of whole turns: a user's message more than `session_gap` after the message before it begins a new one.
//! Times are those of the messages, as a running maximum.

use super::common::Overflow;
use super::cut::{cut, Area};
use super::fields::Fields;
use super::{Look, Strategy, Work};
use crate::error::Result;
use crate::kept::ItemKind;
use crate::view::{List, Span};

pub(super) const KEYS: &[&str] = &["max_age", "session_gap", "min_messages"];

const SESSION_GAP_MS: i64 = 30 * 60 * 1000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimeAware {
    max_age_ms: Option<i64>,
    session_gap_ms: i64,
    messages_min: u64,
}

impl TimeAware {
    pub(super) fn parse(fields: &mut Fields) -> Result<Self> {
        Ok(Self {
            max_age_ms: fields.duration_ms("max_age")?,
            session_gap_ms: fields.duration_ms("session_gap")?.unwrap_or(SESSION_GAP_MS),
            messages_min: fields.integer("min_messages", 0, u64::from(u32::MAX))?.unwrap_or(0),
        })
    }

    /// The sessions behind the head, oldest first.
    fn sessions(&self, list: List<'_>, head: u64) -> Result<Vec<Session>> {
        let mut sessions = Vec::new();
        let mut last_ms: Option<i64> = None;
        // Of messages that are no instructions: those may be put in ahead of a turn.
        let mut spoken_ms: Option<i64> = None;
        for position in head..list.kept.len() {
            let time_ms = time_of(list, position)?;
            let gap = spoken_ms.zip(time_ms).is_some_and(|(before, now)| now - before > self.session_gap_ms);
            if gap && (list.is_turn_start(position)? || list.kept.cell(position, list.index)?.is_user()) {
                sessions.push(Session { end: position, last_ms: spoken_ms.unwrap_or(i64::MIN) });
            }
            last_ms = last_ms.max(time_ms);
            if !list.kept.cell(position, list.index)?.is_system() {
                spoken_ms = spoken_ms.max(time_ms);
            }
        }
        sessions.push(Session { end: list.kept.len(), last_ms: last_ms.unwrap_or(i64::MIN) });
        Ok(sessions)
    }

    /// Of the sessions, those that leave: too old, or, over the trigger, until the rest is down to the target.
    fn leaving(&self, work: &Work<'_>, sessions: &[Session]) -> Result<Option<u64>> {
        let (list, head) = (work.list(), work.due.head);
        let newest_ms = sessions.last().map_or(i64::MIN, |session| session.last_ms);
        let area = Area { list, head, pinned: List::merge(list.pinned(head)?.concat()) };
        let most = area.leaving(self.messages_min);
        let frees = work.due.over_trigger && work.due.overflow == Overflow::Drop;
        let mut cut = None;
        for session in sessions.iter().take(sessions.len().saturating_sub(1)) {
            let too_old = self.max_age_ms.is_some_and(|age| session.last_ms < newest_ms.saturating_sub(age));
            let too_many = frees && left(&area, cut.unwrap_or(head))? > work.due.target;
            if session.end > most || !(too_old || too_many) {
                break;
            }
            cut = Some(session.end);
        }
        Ok(cut)
    }

    /// When the oldest session may leave for its age, as far as can be told now.
    fn until_ms(&self, sessions: &[Session]) -> Option<i64> {
        let age = self.max_age_ms?;
        let first = sessions.first()?;
        // One session alone has to be followed by another first.
        let wait = if sessions.len() > 1 { age } else { age.max(self.session_gap_ms) };
        Some(first.last_ms.saturating_add(wait))
    }
}

impl Strategy for TimeAware {
    fn is_due(&self, look: &Look<'_>) -> Result<bool> {
        let Some(age) = self.max_age_ms else { return Ok(false) };
        let list = look.list;
        let Some(last) = list.kept.len().checked_sub(1) else { return Ok(false) };
        let newest_ms = time_of(list, last)?.unwrap_or(i64::MIN);
        if look.idle.and_then(|idle| idle.until_ms).is_some_and(|until| newest_ms <= until) {
            return Ok(false);
        }
        let head = look.head()?;
        let oldest_ms = if head <= last { time_of(list, head)? } else { None };
        Ok(newest_ms.saturating_sub(oldest_ms.unwrap_or(newest_ms)) > age)
    }

    fn run(&self, work: &mut Work<'_>) -> Result<()> {
        let (list, head) = (work.list(), work.due.head);
        let sessions = self.sessions(list, head)?;
        let found = self.leaving(work, &sessions)?;
        if let Some(at) = found {
            let spans: Vec<Span> = list.spans(head, &list.pinned(head)?, None, at);
            work.keep(&spans)?;
        } else if sessions.first().is_some_and(|first| !self.is_held_back(work, first)) {
            work.until_ms = self.until_ms(&sessions);
        }
        if work.due.over_trigger && work.is_over_target() {
            cut(work, None, self.messages_min)?;
        }
        Ok(())
    }
}

impl TimeAware {
    /// Old enough, and kept for the sake of `min_messages`: the next message may change that.
    fn is_held_back(&self, work: &Work<'_>, first: &Session) -> bool {
        let newest_ms = work.cell(work.len() - 1).map_or(i64::MIN, |cell| cell.time_ms);
        self.max_age_ms.is_some_and(|age| first.last_ms < newest_ms.saturating_sub(age))
    }
}

/// A run of turns without a long pause.
#[derive(Clone, Copy, Debug)]
struct Session {
    /// The position behind it.
    end: u64,
    /// When its last message came.
    last_ms: i64,
}

/// When an item was said; nothing for those that were made later than the messages that they stand among.
fn time_of(list: List<'_>, position: u64) -> Result<Option<i64>> {
    let cell = list.kept.cell(position, list.index)?;
    Ok(match cell.kind {
        ItemKind::Message | ItemKind::Edit => Some(cell.time_ms),
        ItemKind::Summary if cell.from <= cell.to => Some(list.index.row(cell.to)?.time_ms),
        ItemKind::Summary | ItemKind::Late | ItemKind::Repair => None,
    })
}

/// Tokens of what is left behind a cut, head and pins included.
fn left(area: &Area<'_>, cut: u64) -> Result<u64> {
    let (kept, index) = (area.list.kept, area.list.index);
    let mut tokens = kept.tokens_between(0, area.head, index)? + kept.tokens_between(cut, kept.len(), index)?;
    for (from, to) in &area.pinned {
        tokens += kept.tokens_between(*from, (*to).min(cut).max(*from), index)?;
    }
    Ok(tokens)
}
