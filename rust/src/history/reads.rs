//! Reads of a loaded context's past.

use super::{History, Links};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::explain::Explainer;
use crate::fetched::{Fetched, Records};
use crate::record::digest;
use crate::render::{hex, Json};
use crate::spliced::Spliced;
use crate::state::State;
use crate::window::{RenderedWindows, Window, WindowRequest};

/// Which window is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct AskedWindow {
    /// Its budget, cut and format.
    pub request: WindowRequest,
    /// As it was at that version.
    pub at_version: Option<u64>,
    /// With an explanation.
    pub explained: bool,
}

impl AskedWindow {
    /// Changes with the reply: the version of the window, and what else was asked for.
    fn tag(&self, state: &State, version: u64) -> String {
        let WindowRequest { budget, largest, close, format, breakpoints } = self.request;
        let flags = [largest, close, breakpoints, self.explained, budget.is_some()].map(u8::from);
        let budget = budget.unwrap_or_default().to_le_bytes();
        let format = format.name().as_bytes();
        let digest = digest(&[&state.incarnation, &version.to_le_bytes(), &budget, &flags, format]);
        format!("\"{version}-{}\"", hex(digest.get(..8).unwrap_or_default()))
    }
}

/// What the caller has seen.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// It has the window of this version.
    pub version: Option<u64>,
    /// It has the windows of these entity tags; `*` stands for any.
    pub tags: Vec<String>,
    /// It has seen this version of the context.
    pub min_version: Option<u64>,
}

impl Context {
    /// The window, now or as it was, with its entity tag, and with an explanation where that is asked for. There is no
    /// reply where the caller has it already.
    ///
    /// # Errors
    /// As [`Context::window`]; [`Error::NotYet`].
    pub fn read_window(
        &mut self,
        asked: &AskedWindow,
        known: &Known,
        fetched: &Fetched,
    ) -> Result<(String, Option<Spliced<'_>>)> {
        let state = self.state()?;
        let version = asked.at_version.unwrap_or(state.version);
        for wanted in [known.min_version, Some(version)].into_iter().flatten() {
            if wanted > state.version {
                return Err(Error::NotYet { wanted, actual: state.version });
            }
        }
        let tag = asked.tag(state, version);
        if known.version == Some(version) || known.tags.iter().any(|known| *known == tag || known == "*") {
            return Ok((tag, None));
        }
        let explanation = if asked.explained {
            let explanation = self.explanation(asked.request, asked.at_version, fetched);
            Some(self.with_keys(explanation)?)
        } else {
            None
        };
        let mut reply = match self.version() {
            Some(now) if now != version => self.past_reply(version, asked.request, fetched)?,
            _ => self.window(asked.request, fetched)?,
        };
        if let Some(explanation) = explanation {
            reply.push_field("explanation", &explanation);
        }
        Ok((tag, Some(reply)))
    }

    fn past_reply(&mut self, version: u64, request: WindowRequest, fetched: &Fetched) -> Result<Spliced<'static>> {
        self.absorb(fetched)?;
        let result = self.past_window(version, request, fetched);
        self.with_keys(result).map(|bytes| Spliced::new(Json(bytes)))
    }

    fn past_window(&mut self, version: u64, request: WindowRequest, fetched: &Fetched) -> Result<Vec<u8>> {
        let (history, links) = self.history(fetched)?;
        let past = history.state_at(version, links)?;
        // Nothing is kept of it: prefixes of past and present windows may be equal, and the past one ends earlier.
        let mut rendered = RenderedWindows::default();
        let reply = rendered.reply(&Window::select(&past, request)?, history.records)?;
        Ok(reply.to_vec())
    }

    /// The model that windows go to: now, or at an earlier version.
    ///
    /// # Errors
    /// As [`Context::read_window`].
    pub fn model(&mut self, at_version: Option<u64>, fetched: &Fetched) -> Result<Option<String>> {
        let Some(version) = at_version.filter(|version| self.version() != Some(*version)) else {
            return Ok(self.state()?.config.model.clone());
        };
        self.absorb(fetched)?;
        let result = self.history(fetched).and_then(|(history, _)| history.config_at(version));
        Ok(self.with_keys(result)?.model)
    }

    fn explanation(&mut self, request: WindowRequest, at_version: Option<u64>, fetched: &Fetched) -> Result<Vec<u8>> {
        let (history, links) = self.history(fetched)?;
        let past = match at_version.filter(|version| *version != history.state.version) {
            Some(version) => Some(history.state_at(version, links)?),
            None => None,
        };
        let history = History { state: past.as_ref().unwrap_or(history.state), records: history.records };
        let window = Window::select(history.state, request)?;
        Explainer { history, spans: window.spans(), used: window.used_tokens() }.explain(links)
    }

    /// A page of the compactions, newest first.
    ///
    /// # Errors
    /// [`Error::UnknownContext`], [`Error::Need`].
    pub fn compactions(&mut self, cursor: Option<u64>, limit: u64, fetched: &Fetched) -> Result<Vec<u8>> {
        self.absorb(fetched)?;
        let result = self.compactions_page(cursor, limit, fetched);
        self.with_keys(result)
    }

    fn compactions_page(&mut self, cursor: Option<u64>, limit: u64, fetched: &Fetched) -> Result<Vec<u8>> {
        let (history, links) = self.history(fetched)?;
        history.compactions(cursor, limit, links)
    }

    /// The visible state with its records, and the rewrites that were read.
    fn history<'a>(&'a mut self, fetched: &'a Fetched) -> Result<(History<'a>, &'a mut Links)> {
        let state = self.applied.as_ref().ok_or(Error::UnknownContext)?;
        let records = Records { id: &self.id, recent: &self.recent, in_flight: &self.in_flight, fetched };
        Ok((History { state, records }, &mut self.links))
    }
}
