# The commands of the house. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help run ps test browser bench lint

PYTHON ?= python3
VENV   := .venv

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Build and serve at http://localhost:18056
	cargo run --release

ps: ## Show whether the server runs, since when, its address, size, users and tokens
	@cargo build --release --quiet && target/release/vomeet status

test: $(VENV)/ready ## Run every test: Rust, then Python against a real server
	cargo test
	cargo build --release
	VOMEET_BINARY=target/release/vomeet $(VENV)/bin/python -m pytest tests/python

browser: $(VENV)/browser ## Test /docs in Chromium
	cargo build --release
	VOMEET_BINARY=target/release/vomeet $(VENV)/bin/python -m pytest tests/browser

bench: ## Measure against a bare hyper server, in one run
	cargo build --release
	$(PYTHON) benches/run.py

lint: ## Check form, lints, documentation and licences
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
	cargo deny check licenses bans sources

$(VENV)/ready: tests/python/requirements.txt clients/python/pyproject.toml $(wildcard clients/python/src/vomeet_client/*)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement tests/python/requirements.txt
	$(VENV)/bin/pip install --quiet 'clients/python[live]'
	@touch $@

$(VENV)/browser: $(VENV)/ready tests/browser/requirements.txt
	$(VENV)/bin/pip install --quiet --requirement tests/browser/requirements.txt
	@touch $@
