//! The compactions of a context, newest first.

use std::collections::HashMap;

use super::standing::Standing;
use super::{History, Link, Links};
use crate::entry::{By, Did};
use crate::error::Result;
use crate::render::{self, Json};

/// A compaction or revert on a page.
struct Listed {
    version: u64,
    link: Link,
    reverted_by: Option<u64>,
    /// The earliest message to which a later rewind went back.
    rewound_to: u64,
}

/// Why a compaction can't be reverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    NotByCaller,
    Reverted,
    Changed,
    Tombstoned,
}

impl Refusal {
    fn name(self) -> &'static str {
        match self {
            Self::NotByCaller => "not_by_caller",
            Self::Reverted => "reverted",
            Self::Changed => "changed",
            Self::Tombstoned => "tombstoned",
        }
    }
}

impl History<'_> {
    /// A page of compactions and reverts of versions before `cursor`. It walks back from the newest rewrite.
    ///
    /// # Errors
    /// [`crate::error::Error::Need`] for records.
    pub fn compactions(self, cursor: Option<u64>, limit: u64, links: &mut Links) -> Result<Vec<u8>> {
        let (listed, more) = self.listed(cursor.unwrap_or(u64::MAX), limit, links)?;
        let asked = listed.iter().filter(|each| self.refused(each).is_none());
        let records = self.records.parse_all(asked.map(|each| each.link.first_version))?;
        let mut out = Json::default();
        out.raw("{\"compactions\":[");
        for (n, each) in listed.iter().enumerate() {
            out.raw(if n == 0 { "" } else { "," });
            let refusal = match (self.refused(each), records.get(&each.link.first_version)) {
                (None, Some(record)) => {
                    let standing = Standing::of(record, each.version)?;
                    let undoing = standing.map(|standing| self.undoing(&standing, each.rewound_to)).transpose()?;
                    undoing.flatten().is_none().then_some(Refusal::Changed)
                }
                (refusal, _) => refusal,
            };
            self.item(&mut out, each, refusal, links)?;
        }
        let cursor = listed.last().filter(|_| more).map(|each| each.version.to_string());
        out.raw("],\"next_cursor\":").raw(cursor.as_deref().unwrap_or("null")).raw("}");
        Ok(out.0)
    }

    /// The page, and whether more follow.
    fn listed(self, cursor: u64, limit: u64, links: &mut Links) -> Result<(Vec<Listed>, bool)> {
        let mut found: Vec<Listed> = Vec::new();
        let mut reverted: HashMap<u64, u64> = HashMap::new();
        let mut rewound_to = u64::MAX;
        let mut version = self.state.rewritten;
        while version > 0 {
            let link = links.get(version, self.records)?;
            let previous = link.head.previous;
            match &link.head.did {
                Did::Reverted(target) => {
                    reverted.entry(*target).or_insert(version);
                }
                Did::Rewound(to_seq) => rewound_to = rewound_to.min(*to_seq),
                Did::Compacted { .. } => {}
            }
            if version < cursor && !matches!(link.head.did, Did::Rewound(_)) {
                if found.len() as u64 == limit {
                    return Ok((found, true));
                }
                let reverted_by = reverted.get(&version).copied();
                found.push(Listed { version, link, reverted_by, rewound_to });
            }
            version = previous;
        }
        Ok((found, false))
    }

    /// Why it can't be reverted, as far as its own list need not be looked at.
    fn refused(self, each: &Listed) -> Option<Refusal> {
        match &each.link.head.did {
            Did::Compacted { by: By::Caller, .. } if self.state.tombstoned => Some(Refusal::Tombstoned),
            Did::Compacted { by: By::Caller, .. } if each.reverted_by.is_some() => Some(Refusal::Reverted),
            Did::Compacted { by: By::Caller, .. } => None,
            _ => Some(Refusal::NotByCaller),
        }
    }

    fn item(self, out: &mut Json, each: &Listed, refusal: Option<Refusal>, links: &mut Links) -> Result<()> {
        let head = &each.link.head;
        let reverts = match head.did {
            Did::Reverted(target) => Some(links.get(target, self.records)?.head.did),
            _ => None,
        };
        let (by, strategy, range, up_to_version) = match reverts.as_ref().unwrap_or(&head.did) {
            Did::Compacted { by, strategy, range, up_to_version } => (*by, strategy.as_str(), *range, *up_to_version),
            Did::Reverted(_) | Did::Rewound(_) => (By::Caller, "", (0, 0), None),
        };
        let target = if let Did::Reverted(target) = head.did { Some(target) } else { None };
        let number = |value: Option<u64>| value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        out.raw("{\"version\":").number(each.version).raw(",\"by\":").string(by.name());
        out.raw(",\"strategy\":").raw(&render::optional(Some(strategy).filter(|name| !name.is_empty())));
        out.raw(",\"from_seq\":").number(range.0).raw(",\"to_seq\":").number(range.1);
        out.raw(",\"up_to_version\":").raw(&number(up_to_version.filter(|_| target.is_none())));
        out.raw(",\"tokens_before\":").number(head.tokens.0).raw(",\"tokens_after\":").number(head.tokens.1);
        out.raw(",\"created_at\":").time(each.link.time_ms);
        out.raw(",\"reverts\":").raw(&number(target)).raw(",\"reverted_by\":").raw(&number(each.reverted_by));
        out.raw(",\"revertible\":").boolean(refusal.is_none());
        out.raw(",\"reason\":").raw(&render::optional(refusal.map(Refusal::name))).raw("}");
        Ok(())
    }
}
