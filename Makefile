# Everything a user or CI runs. `make run` and `make test` set up all they need in .venv.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Two workers, each with files of its own: CI has two cores.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
# Opening and closing a store waits for a dozen syncs, and the fast tests do it hundreds of times: in memory where there is
# room. `make test` runs the same tests on a disk.
MEMORY := $(shell test "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 2>/dev/null && echo /dev/shm)
# One worker more than CI has cores: these tests wait a good deal.
FAST := $(if $(MEMORY),PYTEST_DEBUG_TEMPROOT=$(MEMORY)) $(PYTEST) -n 3 -m "not slow" -q
BUILT := .venv/.built
# The Vercel AI SDK, which some tests hold windows against. They skip where node is missing.
NODE := $(if $(shell command -v npm),tests/node/node_modules/.package-lock.json)
RUST := Cargo.toml Cargo.lock rust/Cargo.toml rust/build.rs $(shell find rust/src -name '*.rs')

.PHONY: run test test-python test-rust exhaustive check fast format bench bench-quick bench-http fuzz wheel clean

run: $(BUILT) ## Build, and serve on 127.0.0.1:4000 with the store in ./data
	$(BIN)/fastpaca serve

test: test-rust test-python ## Every test

test-python: $(BUILT) $(NODE)
	$(PYTEST)

test-rust:
	cargo test --workspace --quiet

exhaustive: ## The token counter on every character and every short text; minutes, for changes of the counter alone
	cargo test --release --package fastpaca-core --test encoder -- --ignored

check: $(BUILT) $(NODE) ## Formatters, linters, types, stubs and the fast tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo clippy --workspace --quiet --features python -- -D warnings
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/python tools/make_sync.py --check
	$(BIN)/mypy
	MYPYPATH=benches $(BIN)/mypy benches
	$(BIN)/stubtest fastpaca._core
	$(FAST)

fast: $(BUILT) $(NODE) ## The fast tests alone
	$(FAST)

format: $(STAMP)
	cargo fmt --all
	$(BIN)/python tools/make_sync.py
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

wheel: $(STAMP) ## A wheel in dist/
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin build --release --out dist

fuzz: ## Each fuzz target for a minute; needs `cargo install cargo-fuzz` and a nightly toolchain
	cargo +nightly fuzz run message -- -max_total_time=60
	cargo +nightly fuzz run codecs -- -max_total_time=60

clean:
	rm -rf .venv target dist tests/node/node_modules

# Tools and dependencies. Reinstalled when they change.
$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group test --group lint
	touch $(STAMP)

tests/node/node_modules/.package-lock.json: tests/node/package-lock.json
	cd tests/node && npm ci --silent
	touch $@

# The package itself, editable, with the optimised core. Rebuilt when the Rust sources change.
$(BUILT): $(STAMP) $(RUST)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pip install --quiet --no-build-isolation --editable ".[server]"
	touch $(BUILT)

# Benchmarks, on a machine that does nothing else: each prints its tables, writes benches/results.json and draws it for
# the docs. What a comparison needs and is not here is skipped, with a line.
BENCH := .venv/.bench

bench: bench-ready ## Every benchmark, about 40 minutes; the performance budget comes last, in one table
	cargo bench --package fastpaca-core --bench core
	$(BIN)/python -m pytest benches -q
	$(BIN)/python benches/run.py

bench-quick: bench-ready ## The same with few and short rounds, in less than two minutes: to see that it works
	$(BIN)/python benches/run.py --quick

bench-http: $(BUILT) $(BENCH) ## Appends and windows over HTTP alone
	$(BIN)/python benches/http_load.py

.PHONY: bench-ready
bench-ready: $(BUILT) $(BENCH)
	cargo bench --no-run --quiet --package fastpaca-core --bench tokens

$(BENCH): $(STAMP)
	$(BIN)/python -m pip install --quiet --group bench
	touch $(BENCH)
