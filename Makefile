# The commands of the house. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run ps check lint test test-rust test-one test-python long snapshots typescript browser bench hear
.PHONY: package package-test container-test needs-check needs-lint needs-rust needs-python needs-browser needs-bench needs-package needs-container needs-hear

PYTHON ?= python3
VENV   := .venv
# A store that speaks S3 and checks signatures, for the tests alone.
S3_STORE := $(VENV)/s3s/bin/s3s-fs
# Which tests: `make test-one T=tokens::`, `make test-python T=tests/python/test_guide.py`.
T      ?=
# Which models hear in `make hear`, how many minutes of silence, and how the program is built for it.
MODELS ?= tiny.en base
MINUTES ?= 60
PROFILE ?= release
export PYTHON
# Rust tests wait much: twice as many run side by side as there are processors.
RUST_TEST_THREADS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
export RUST_TEST_THREADS
# All Python tests, by as many processes as there are cores, and one more: they often wait.
SIDE_BY_SIDE := --numprocesses $(shell echo $$((1 + $$(getconf _NPROCESSORS_ONLN)))) --dist worksteal

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
	cargo clippy --all-targets --features encryption -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
	tests/dependencies.sh

test: ## Run every test: Rust, then Python against a real server; installs what is missing
	@tests/prerequisites.sh rust python
	@$(MAKE) --no-print-directory test-rust
	@$(MAKE) --no-print-directory test-python T=

test-rust: needs-rust ## Run the Rust tests
	cargo test
	cargo test --features encryption --test it -- backup_encrypted features::

test-one: needs-rust ## Run the Rust tests whose names hold T: make test-one T=tokens::
	@test -n "$(T)" || { echo 'Say which: make test-one T=tokens::'; exit 2; }
	@cargo test --quiet --lib --test it -- --list "$(T)" | grep -q ': test$$' || { echo 'No test has "$(T)" in its name.'; exit 2; }
	cargo test --lib --test it -- "$(T)"

test-python: $(VENV)/ready $(VENV)/node/ready $(VENV)/redis/ready $(S3_STORE) ## Run the Python tests against a real server; T=tests/python/test_guide.py for one file
	cargo build --features encryption
	VOMEET_BINARY=target/debug/vomeet $(VENV)/bin/python -m pytest $(or $(T),$(SIDE_BY_SIDE) tests/python)

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

browser: $(VENV)/browser $(VENV)/axe/ready ## Test /console, /docs and the bot for pages of WebRTC in Chromium
	cargo build --features encryption
	VOMEET_BINARY=target/debug/vomeet $(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile tests/browser

package: needs-package ## Build the Debian package, into target/package
	cargo build --release --all-features
	contrib/package

package-test: package ## Install, start, upgrade, remove and purge that package in a clean Debian root; as root
	contrib/package 2
	tests/package.sh target/package/vomeet_*-1_*.deb target/package/vomeet_*-2_*.deb

container-test: needs-container ## Run the static binary as the container file does, in a root that holds nothing else; as root
	cargo build --release --features encryption --target $$(uname -m)-unknown-linux-musl
	tests/container.sh target/$$(uname -m)-unknown-linux-musl/release/vomeet

hear: needs-hear $(VENV)/browser ## Hear real speech by Whisper inside, beside an independent engine, and in a room; MODELS=tiny.en for one model
	cargo clippy --all-targets --features whisper -- -D warnings
	cargo build --profile $(PROFILE) --features whisper
	$(PYTHON) tests/speech/hear.py target/$(PROFILE:dev=debug)/vomeet $(MINUTES) $(MODELS)
	$(VENV)/bin/python tests/speech/live.py target/$(PROFILE:dev=debug)/vomeet $(MODELS)
	VOMEET_BINARY=target/$(PROFILE:dev=debug)/vomeet $(VENV)/bin/python -m pytest -rP tests/room tests/python/test_speech.py

bench: needs-bench ## Measure against a bare hyper server, in one run
	cargo build --release
	$(PYTHON) benches/run.py

# What a command needs is looked for, and installed or named, before anything is built.
needs-check needs-lint needs-rust needs-python needs-browser needs-bench needs-package needs-container needs-hear:
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

$(S3_STORE): | needs-python
	cargo install s3s-fs@0.14.1 --locked --debug --features binary --root $(VENV)/s3s

# Each version of redis-py in a folder of its own, which the tests put before what is installed.
$(VENV)/redis/ready: tests/redis/versions.txt tests/redis/package.json tests/redis/client.js $(VENV)/ready
	@mkdir -p $(@D)/node
	set -e; while read -r version; do \
	  $(VENV)/bin/pip install --quiet --upgrade --target $(@D)/$$version redis==$$version; \
	done < tests/redis/versions.txt
	cp tests/redis/package.json tests/redis/client.js $(@D)/node
	npm install --prefix $(@D)/node --no-audit --no-fund --no-package-lock --loglevel=error
	@touch $@

$(VENV)/axe/ready: tests/browser/package.json | needs-browser
	@mkdir -p $(@D)
	cp tests/browser/package.json $(@D)
	npm install --prefix $(@D) --no-audit --no-fund --no-package-lock --loglevel=error
	@touch $@

$(VENV)/browser: $(VENV)/ready tests/browser/requirements.txt bots/webrtc/requirements.txt | needs-browser
	$(VENV)/bin/pip install --quiet --requirement tests/browser/requirements.txt
	@touch $@
