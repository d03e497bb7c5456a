//! The binding: extract, work, convert. The only file that knows Python; its documentation stands in `_core.pyi`.

mod columns;
mod convert;
mod encode;
mod errors;
mod fetched;
mod frames;
mod unpaired;
mod verifier;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, TryLockError};

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::context::{Context as CoreContext, Outcome, Put};
use crate::error::{Error, Family, CODES, INVALID_CODES};
use crate::format::Format;
use crate::history::{AskedWindow, Known};
use crate::policy::Decision;
use crate::request::{self, Request as CoreRequest, Route};
use crate::spliced::Spliced;
use crate::tokens::Counting as CoreCounting;
use crate::window::WindowRequest;
use crate::{encoder::Encoding, feed, keys, limits, policy};
use columns::KeptColumns;
use errors::{raise, CoreError, Need};
use fetched::Fetched;
use unpaired::Unpaired;
use verifier::Verifier;

/// What a write allocates on one thread is freed on another: the slow case of glibc's malloc, which cost as much as planning.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

create_exception!(_core, Consult, PyException);

/// Bodies from which on the interpreter is released while they are parsed: counting takes longer than a switch then.
const DETACH_BYTES: usize = 16 * 1024;

/// Names of the families, by number.
const FAMILIES: [&str; 5] = ["records", "feed", "state", "index", "keys"];

fn family(number: u8) -> PyResult<Family> {
    [Family::Records, Family::Feed, Family::State, Family::Index, Family::Keys]
        .into_iter()
        .find(|family| *family as u8 == number)
        .ok_or_else(|| PyValueError::new_err(format!("there is no family {number}")))
}

/// Budget, fit, close, format and cache of a window.
type Asked<'a> = (Option<u64>, &'a str, bool, &'a str, Option<&'a str>);

/// Entity tag, reply and model of a window.
type PyWindow = (String, Option<Py<PyBytes>>, Option<String>);

type PyPut = (u8, Py<PyBytes>, Option<Py<PyBytes>>);

fn py_puts(py: Python<'_>, puts: &[Put]) -> Vec<PyPut> {
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes).unbind();
    puts.iter().map(|(family, key, value)| (*family as u8, bytes(key), value.as_deref().map(bytes))).collect()
}

#[pyclass(frozen, module = "fastpaca._core")]
struct Counting(CoreCounting);

#[pymethods]
impl Counting {
    #[new]
    #[pyo3(signature = (*, model = None, tokenizer = None))]
    fn new(py: Python<'_>, model: Option<&str>, tokenizer: Option<&str>) -> PyResult<Self> {
        let by_tokenizer =
            tokenizer.map(CoreCounting::by_tokenizer).transpose().map_err(|error| raise(py, "", error))?;
        Ok(Self(by_tokenizer.or_else(|| model.map(CoreCounting::by_model)).unwrap_or_default()))
    }

    #[getter]
    fn encoding(&self) -> &'static str {
        self.0.encoding.name()
    }

    #[getter]
    fn factor_permille(&self) -> u32 {
        self.0.factor_permille
    }

    fn count(&self, py: Python<'_>, text: &str) -> u32 {
        let rules = self.0.rules();
        if text.len() < DETACH_BYTES {
            return rules.text_tokens(text);
        }
        py.detach(|| self.0.rules().text_tokens(text))
    }
}

#[pyclass(frozen, module = "fastpaca._core")]
struct Request(CoreRequest);

#[pymethods]
impl Request {
    #[getter]
    fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }
}

#[pyfunction]
#[pyo3(signature = (route, body, *, key = None, counting = None))]
fn parse(
    py: Python<'_>,
    route: &str,
    body: &[u8],
    key: Option<&str>,
    counting: Option<&Counting>,
) -> PyResult<Request> {
    parse_counted(py, route, body, key, counting.map(|c| c.0).unwrap_or_default(), &[])
}

fn parse_counted(
    py: Python<'_>,
    route: &str,
    body: &[u8],
    key: Option<&str>,
    counting: CoreCounting,
    custom: &[String],
) -> PyResult<Request> {
    let route = Route::from_name(route).ok_or_else(|| PyValueError::new_err(format!("there is no route {route:?}")))?;
    let parsed = if body.len() < DETACH_BYTES {
        request::parse(route, body, key, counting, custom)
    } else {
        py.detach(|| request::parse(route, body, key, counting, custom))
    };
    parsed.map(Request).map_err(|error| raise(py, "", error))
}

#[pyfunction]
fn feed_entry(py: Python<'_>, version: u64, id: &str) -> Py<PyBytes> {
    PyBytes::new(py, &feed::entry(version, id)).unbind()
}

#[pyfunction]
fn idempotency_key(id: &str, key: &str) -> (u8, Vec<u8>) {
    (Family::Keys as u8, keys::idempotency(id, key))
}

#[pyfunction]
fn snapshot_key(id: &str) -> (u8, Vec<u8>) {
    (Family::State as u8, keys::snapshot(id))
}

#[pyfunction]
fn record_key(id: &str, first_version: u64) -> (u8, Vec<u8>) {
    (Family::Records as u8, keys::record(id, first_version))
}

#[pyfunction]
fn chunk_key(id: &str, number: u64) -> (u8, Vec<u8>) {
    (Family::Index as u8, keys::chunk(id, number))
}

/// Joined where it stays: a copy of a window costs about as much as its selection.
fn joined(py: Python<'_>, reply: &Spliced<'_>) -> PyResult<Py<PyBytes>> {
    let fill = |buffer: &mut [u8]| {
        reply.fill(buffer);
        Ok(())
    };
    PyBytes::new_with(py, reply.len(), fill).map(Bound::unbind)
}

#[pyclass(frozen, get_all, module = "fastpaca._core")]
struct Commit {
    first_version: u64,
    version: u64,
    puts: Vec<PyPut>,
    puts_bytes: usize,
    feed_entry: Py<PyBytes>,
    reply: Py<PyBytes>,
    created: bool,
}

#[pyclass(frozen, get_all, module = "fastpaca._core")]
struct Done {
    version: u64,
    reply: Py<PyBytes>,
    replayed: bool,
}

#[pyclass(frozen, module = "fastpaca._core")]
struct Context {
    id: String,
    inner: Mutex<CoreContext>,
}

impl Context {
    /// The context, for a short while. A thread that has to wait releases the interpreter meanwhile: the one that holds the
    /// lock may be waiting for it.
    fn locked(&self, py: Python<'_>) -> MutexGuard<'_, CoreContext> {
        match self.inner.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => loop {
                py.detach(std::thread::yield_now);
                match self.inner.try_lock() {
                    Ok(guard) => return guard,
                    Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                    Err(TryLockError::WouldBlock) => {}
                }
            },
        }
    }

    fn raise(&self, py: Python<'_>, error: Error) -> PyErr {
        raise(py, &self.id, error)
    }

    fn format(&self, py: Python<'_>, name: &str) -> PyResult<Format> {
        Format::from_name(name).map_err(|error| self.raise(py, error))
    }

    fn window_request(&self, py: Python<'_>, asked: Asked<'_>) -> PyResult<WindowRequest> {
        let (budget, fit, close, format, cache) = asked;
        let largest = match fit {
            "steps" => false,
            "largest" => true,
            other => return Err(PyValueError::new_err(format!("fit is \"steps\" or \"largest\", not {other:?}"))),
        };
        let format = self.format(py, format)?;
        let breakpoints = format.breakpoints(cache).map_err(|error| self.raise(py, error))?;
        Ok(WindowRequest { budget, largest, close, format, breakpoints })
    }

    fn read_window(&self, py: Python<'_>, asked: &AskedWindow, known: &Known, fetched: &Fetched) -> PyResult<PyWindow> {
        let (mut context, fetched) = (self.locked(py), fetched.lock());
        let model = context.model(asked.at_version, &fetched).map_err(|error| self.raise(py, error))?;
        let (tag, reply) = context.read_window(asked, known, &fetched).map_err(|error| self.raise(py, error))?;
        let body = reply.map(|reply| joined(py, &reply)).transpose()?;
        Ok((tag, body, model))
    }
}

#[pymethods]
impl Context {
    #[staticmethod]
    fn load(py: Python<'_>, id: &str, fetched: &Fetched) -> PyResult<Self> {
        let inner = CoreContext::load(id, &fetched.lock()).map_err(|error| raise(py, id, error))?;
        Ok(Self { id: id.into(), inner: Mutex::new(inner) })
    }

    #[getter]
    fn version(&self, py: Python<'_>) -> Option<u64> {
        self.locked(py).version()
    }

    #[getter]
    fn in_flight(&self, py: Python<'_>) -> usize {
        self.locked(py).in_flight()
    }

    #[getter]
    fn resident_bytes(&self, py: Python<'_>) -> usize {
        self.locked(py).resident_bytes()
    }

    #[pyo3(signature = (route, body, *, key = None, custom = None))]
    fn parse(
        &self,
        py: Python<'_>,
        route: &str,
        body: &[u8],
        key: Option<&str>,
        custom: Option<Vec<String>>,
    ) -> PyResult<Request> {
        let counting = self.locked(py).counting();
        parse_counted(py, route, body, key, counting, &custom.unwrap_or_default())
    }

    #[pyo3(signature = (request, now_ms, incarnation, fetched, decision = None))]
    fn plan(
        &self,
        py: Python<'_>,
        request: &Request,
        now_ms: i64,
        incarnation: [u8; 16],
        fetched: &Fetched,
        decision: Option<(HashSet<u64>, HashSet<u64>)>,
    ) -> PyResult<Py<PyAny>> {
        let decision = decision.map(|(drop, strip)| Decision { drop, strip });
        let outcome = self.locked(py).plan(&request.0, now_ms, incarnation, &fetched.lock(), decision.as_ref());
        match outcome.map_err(|error| self.raise(py, error))? {
            Outcome::Commit(commit) => {
                let commit = Commit {
                    first_version: commit.first_version,
                    version: commit.version,
                    puts: py_puts(py, &commit.puts),
                    puts_bytes: commit.puts_bytes(),
                    feed_entry: PyBytes::new(py, &feed::entry(commit.version, &self.id)).unbind(),
                    reply: PyBytes::new(py, &commit.reply).unbind(),
                    created: commit.created,
                };
                Ok(Py::new(py, commit)?.into_any())
            }
            Outcome::Done { reply, version, replayed } => {
                let done = Done { version, reply: PyBytes::new(py, &reply).unbind(), replayed };
                Ok(Py::new(py, done)?.into_any())
            }
            Outcome::Consult(columns) => Err(Consult::new_err((Py::new(py, KeptColumns(*columns))?,))),
        }
    }

    fn apply(&self, py: Python<'_>, first_version: u64) -> PyResult<bool> {
        let mut context = self.locked(py);
        context.apply(first_version).map_err(|error| self.raise(py, error))?;
        Ok(context.is_snapshot_due())
    }

    fn fail(&self, py: Python<'_>) {
        self.locked(py).fail();
    }

    fn snapshot(&self, py: Python<'_>) -> Vec<PyPut> {
        let puts = self.locked(py).snapshot();
        py_puts(py, &puts)
    }

    fn forget_keys(&self, py: Python<'_>, fetched: &Fetched) -> PyResult<Vec<PyPut>> {
        let puts = self.locked(py).forget_keys(&fetched.lock());
        Ok(py_puts(py, &puts.map_err(|error| self.raise(py, error))?))
    }

    fn describe(&self, py: Python<'_>) -> PyResult<Py<PyBytes>> {
        let context = self.locked(py);
        let state = context.state().map_err(|error| self.raise(py, error))?;
        Ok(PyBytes::new(py, &crate::render::context(state)).unbind())
    }

    #[pyo3(signature = (fetched, *, at_version = None))]
    fn model(&self, py: Python<'_>, fetched: &Fetched, at_version: Option<u64>) -> PyResult<Option<String>> {
        self.locked(py).model(at_version, &fetched.lock()).map_err(|error| self.raise(py, error))
    }

    #[getter]
    fn tombstoned(&self, py: Python<'_>) -> PyResult<bool> {
        let context = self.locked(py);
        Ok(context.state().map_err(|error| self.raise(py, error))?.tombstoned)
    }

    #[pyo3(signature = (
        fetched, *, budget_tokens = None, fit = "steps", close = false, format = "parts", cache = None, at_version = None,
        explain = false
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one query")]
    fn window(
        &self,
        py: Python<'_>,
        fetched: &Fetched,
        budget_tokens: Option<u64>,
        fit: &str,
        close: bool,
        format: &str,
        cache: Option<&str>,
        at_version: Option<u64>,
        explain: bool,
    ) -> PyResult<Option<Py<PyBytes>>> {
        let request = self.window_request(py, (budget_tokens, fit, close, format, cache))?;
        let asked = AskedWindow { request, at_version, explained: explain };
        Ok(self.read_window(py, &asked, &Known::default(), fetched)?.1)
    }

    #[pyo3(signature = (
        fetched, *, budget_tokens = None, fit = "steps", close = false, format = "parts", cache = None, at_version = None,
        explain = false, if_version = None, min_version = None, known_tags = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one query")]
    fn tagged_window(
        &self,
        py: Python<'_>,
        fetched: &Fetched,
        budget_tokens: Option<u64>,
        fit: &str,
        close: bool,
        format: &str,
        cache: Option<&str>,
        at_version: Option<u64>,
        explain: bool,
        if_version: Option<u64>,
        min_version: Option<u64>,
        known_tags: Option<Vec<String>>,
    ) -> PyResult<PyWindow> {
        let request = self.window_request(py, (budget_tokens, fit, close, format, cache))?;
        let asked = AskedWindow { request, at_version, explained: explain };
        let known = Known { version: if_version, tags: known_tags.unwrap_or_default(), min_version };
        self.read_window(py, &asked, &known, fetched)
    }

    #[pyo3(signature = (*, budget_tokens = None, fit = "steps"))]
    fn selected_tokens(&self, py: Python<'_>, budget_tokens: Option<u64>, fit: &str) -> PyResult<u64> {
        let request = self.window_request(py, (budget_tokens, fit, false, "parts", None))?;
        self.locked(py).selected_tokens(request).map_err(|error| self.raise(py, error))
    }

    #[pyo3(signature = (fetched, *, cursor = None, limit))]
    fn compactions(&self, py: Python<'_>, fetched: &Fetched, cursor: Option<u64>, limit: u64) -> PyResult<Py<PyBytes>> {
        let page = self.locked(py).compactions(cursor, limit, &fetched.lock());
        Ok(PyBytes::new(py, &page.map_err(|error| self.raise(py, error))?).unbind())
    }

    #[pyo3(signature = (fetched, *, from_seq = None, to_seq = None, cursor = None, limit, all = false, format = "parts"))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one query")]
    fn replay(
        &self,
        py: Python<'_>,
        fetched: &Fetched,
        from_seq: Option<i64>,
        to_seq: Option<i64>,
        cursor: Option<u64>,
        limit: u64,
        all: bool,
        format: &str,
    ) -> PyResult<Py<PyBytes>> {
        let format = self.format(py, format)?;
        let page = self.locked(py).replay_page((from_seq, to_seq), cursor, limit, all, format, &fetched.lock());
        joined(py, &page.map_err(|error| self.raise(py, error))?.reply())
    }

    #[pyo3(signature = (fetched, *, offset = 0, limit, format = "parts"))]
    fn tail(&self, py: Python<'_>, fetched: &Fetched, offset: u64, limit: u64, format: &str) -> PyResult<Py<PyBytes>> {
        let format = self.format(py, format)?;
        let page = self.locked(py).tail_page(offset, limit, format, &fetched.lock());
        joined(py, &page.map_err(|error| self.raise(py, error))?.reply())
    }
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("CoreError", py.get_type::<CoreError>())?;
    module.add("Need", py.get_type::<Need>())?;
    module.add("Consult", py.get_type::<Consult>())?;
    module.add_class::<Commit>()?;
    module.add_class::<Context>()?;
    module.add_class::<Counting>()?;
    module.add_class::<Done>()?;
    module.add_class::<Fetched>()?;
    module.add_class::<KeptColumns>()?;
    module.add_class::<Request>()?;
    module.add_class::<Unpaired>()?;
    module.add_class::<Verifier>()?;
    for function in [
        wrap_pyfunction!(convert::convert, module)?,
        wrap_pyfunction!(encode::encode, module)?,
        wrap_pyfunction!(parse, module)?,
        wrap_pyfunction!(frames::frames, module)?,
        wrap_pyfunction!(feed_entry, module)?,
        wrap_pyfunction!(idempotency_key, module)?,
        wrap_pyfunction!(snapshot_key, module)?,
        wrap_pyfunction!(record_key, module)?,
        wrap_pyfunction!(chunk_key, module)?,
    ] {
        module.add_function(function)?;
    }
    module.add("CODES", PyList::new(py, CODES)?.to_tuple())?;
    module.add("INVALID_CODES", PyList::new(py, INVALID_CODES)?.to_tuple())?;
    module.add("FAMILIES", PyList::new(py, FAMILIES)?.to_tuple())?;
    module.add("FORMATS", PyList::new(py, Format::ALL.map(Format::name))?.to_tuple())?;
    module.add("STRATEGIES", PyList::new(py, policy::STRATEGIES)?.to_tuple())?;
    let native: Vec<_> = policy::NATIVE.iter().map(|n| (n.name, n.keys.to_vec(), n.about)).collect();
    module.add("POLICIES", PyList::new(py, native)?.to_tuple())?;
    module.add("POLICY_KEYS", PyList::new(py, policy::COMMON_KEYS)?.to_tuple())?;
    module.add("FRAMES", PyList::new(py, crate::frames::KINDS)?.to_tuple())?;
    module.add("ENCODINGS", PyList::new(py, Encoding::ALL.map(Encoding::name))?.to_tuple())?;
    module.add("TOKEN_BUDGET_MAX", limits::TOKEN_BUDGET_MAX)?;
    module.add("PAGE_MESSAGES_MAX", limits::PAGE_MESSAGES_MAX)?;
    module.add("PAGE_MESSAGES_DEFAULT", limits::PAGE_MESSAGES_DEFAULT)?;
    module.add("BATCH_MESSAGES_MAX", limits::BATCH_MESSAGES_MAX)?;
    module.add("CONTEXT_ID_BYTES_MAX", limits::CONTEXT_ID_BYTES_MAX)?;
    module.add("KEY_BYTES_MAX", limits::KEY_BYTES_MAX)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
