# The commands of the house. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run ps check lint test test-rust test-one test-python long snapshots typescript browser bench
.PHONY: package package-test container-test needs-check needs-lint needs-rust needs-python needs-browser needs-bench needs-package needs-container

PYTHON ?= python3
VENV   := .venv
# Which tests: `make test-one T=tokens::`, `make test-python T=tests/python/test_guide.py`.
T      ?=
export PYTHON
# Rust tests wait much: twice as many run side by side as there are processors.
RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
export RUST_TEST_THREADS

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Build and serve at http://localhost:18056
	cargo run --release

ps: ## Show whether the server runs, since when, its address, size, users and tokens
	@cargo build --release --quiet && target/release/vomeet status

check: needs-check ## Check format, lints and the rules of the house; before each commit
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo test --test it -- tidy::

lint: needs-lint ## Check format, lints, documentation and dependencies
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
	tests/dependencies.sh

test: ## Run every test: Rust, then Python against a real server; installs what is missing
	@tests/prerequisites.sh rust python
	@$(MAKE) --no-print-directory test-rust
	@$(MAKE) --no-print-directory test-python T=

test-rust: needs-rust ## Run the Rust tests
	cargo test

test-one: needs-rust ## Run the Rust tests whose names hold T: make test-one T=tokens::
	@test -n "$(T)" || { echo 'Say which: make test-one T=tokens::'; exit 2; }
	@cargo test --quiet --lib --test it -- --list "$(T)" | grep -q ': test$$' || { echo 'No test has "$(T)" in its name.'; exit 2; }
	cargo test --lib --test it -- "$(T)"

test-python: $(VENV)/ready $(VENV)/node/ready ## Run the Python tests against a real server; T=tests/python/test_guide.py for one file
	cargo build --release
	VOMEET_BINARY=target/release/vomeet $(VENV)/bin/python -m pytest $(or $(T),tests/python)

long: needs-rust ## Run the Rust tests in their long form (VOMEET_TEST_LONG=1); T= as in test-one
	@echo 'With VOMEET_TEST_LONG=1 these files test more, and longer:'
	@grep -rl VOMEET_TEST_LONG src tests/it | sed 's/^/  /' | grep . || echo '  none'
	VOMEET_TEST_LONG=1 cargo test -- $(T)

snapshots: needs-rust ## Write the snapshots that changed, for git diff to show; T= as in test-one
	INSTA_UPDATE=always cargo test --test it -- $(T)
	@git status --short -- tests/it/snapshots
	@echo 'Look: git diff tests/it/snapshots; keep: git add tests/it/snapshots; undo: git checkout tests/it/snapshots'

typescript: $(VENV)/node/ready ## Write the generated files of clients/typescript, from the snapshot of the OpenAPI document
	$(PYTHON) clients/typescript/generate.py
	@git status --short -- clients/typescript

browser: $(VENV)/browser $(VENV)/axe/ready ## Test /console and /docs in Chromium
	cargo build --release
	VOMEET_BINARY=target/release/vomeet $(VENV)/bin/python -m pytest tests/browser

package: needs-package ## Build the Debian package, into target/package
	cargo build --release --all-features
	contrib/package

package-test: package ## Install, start, upgrade, remove and purge that package in a clean Debian root; as root
	contrib/package 2
	tests/package.sh target/package/vomeet_*-1_*.deb target/package/vomeet_*-2_*.deb

container-test: needs-container ## Run the static binary as the container file does, in a root that holds nothing else; as root
	cargo build --release --all-features --target $$(uname -m)-unknown-linux-musl
	tests/container.sh target/$$(uname -m)-unknown-linux-musl/release/vomeet

bench: needs-bench ## Measure against a bare hyper server, in one run
	cargo build --release
	$(PYTHON) benches/run.py

# What a command needs is looked for, and installed or named, before anything is built.
needs-check needs-lint needs-rust needs-python needs-browser needs-bench needs-package needs-container:
	@tests/prerequisites.sh $(@:needs-%=%)

$(VENV)/ready: tests/python/requirements.txt clients/python/pyproject.toml $(wildcard clients/python/src/vomeet_client/*) | needs-python
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement tests/python/requirements.txt
	$(VENV)/bin/pip install --quiet 'clients/python[live]'
	@touch $@

$(VENV)/node/ready: tests/openapi/package.json | needs-python
	@mkdir -p $(@D)
	cp tests/openapi/package.json $(@D)
	npm install --prefix $(@D) --no-audit --no-fund --no-package-lock --loglevel=error
	@touch $@

$(VENV)/axe/ready: tests/browser/package.json | needs-browser
	@mkdir -p $(@D)
	cp tests/browser/package.json $(@D)
	npm install --prefix $(@D) --no-audit --no-fund --no-package-lock --loglevel=error
	@touch $@

$(VENV)/browser: $(VENV)/ready tests/browser/requirements.txt | needs-browser
	$(VENV)/bin/pip install --quiet --requirement tests/browser/requirements.txt
	@touch $@
