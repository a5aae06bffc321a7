# `make demo` and `make test` need nothing but Python 3.11 or newer: the rest is installed into .venv.
PYTHON ?= python3
VENV   := .venv
READY  := $(VENV)/.ready

.PHONY: demo test trino conformance lint clean

demo: $(READY)
	@$(VENV)/bin/python -m local

test: $(READY)
	@$(VENV)/bin/python -m pytest

# Compares with a real Trino, which Maven fetches; it needs a Java of 24 or newer.
trino: $(READY)
	@$(VENV)/bin/python -m tests.trino $(if $(RECORD),--record)

# Tests the laptop's DynamoDB by a suite that was checked against the service; see local/README.md.
conformance: $(READY)
	@$(VENV)/bin/python -m tests.conformance $(SUITE)

lint: $(READY)
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/codespell

clean:
	rm -rf $(VENV) build

$(READY): requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer, or name one: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: name a newer one: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv module: on Debian or Ubuntu run apt install python3-venv" >&2; exit 1; }
	@echo "installing requirements.txt into $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $(READY)
