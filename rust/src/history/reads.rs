//! Reads of a loaded context's past.

use super::{History, Links};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::explain::Explainer;
use crate::fetched::{Fetched, Records};
use crate::window::{RenderedWindows, Window, WindowRequest};

impl Context {
    /// The window as it was answered at an earlier version.
    ///
    /// # Errors
    /// As [`Context::window`]; [`Error::NotYet`].
    pub fn window_at(&mut self, version: u64, request: WindowRequest, fetched: &Fetched) -> Result<Vec<u8>> {
        if self.version() == Some(version) {
            return self.window(request, fetched);
        }
        self.absorb(fetched)?;
        let result = self.past_reply(version, request, fetched);
        self.with_keys(result)
    }

    fn past_reply(&mut self, version: u64, request: WindowRequest, fetched: &Fetched) -> Result<Vec<u8>> {
        let (history, links) = self.history(fetched)?;
        let past = history.state_at(version, links)?;
        // Nothing is kept of it: prefixes of past and present windows may be equal, and the past one ends earlier.
        RenderedWindows::default().reply(&Window::select(&past, request)?, history.records)
    }

    /// The window, now or as it was, with an explanation where that is asked for.
    ///
    /// # Errors
    /// As [`Context::window_at`].
    pub fn read_window(
        &mut self,
        request: WindowRequest,
        at_version: Option<u64>,
        explained: bool,
        fetched: &Fetched,
    ) -> Result<Vec<u8>> {
        let mut reply = match at_version {
            Some(version) => self.window_at(version, request, fetched)?,
            None => self.window(request, fetched)?,
        };
        if explained {
            let explanation = self.explanation(request, at_version, fetched);
            let explanation = self.with_keys(explanation)?;
            // The reply is an object: the explanation becomes its last field.
            reply.pop();
            reply.extend_from_slice(b",\"explanation\":");
            reply.extend_from_slice(&explanation);
            reply.push(b'}');
        }
        Ok(reply)
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
