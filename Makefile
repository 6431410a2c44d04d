# Offhook. `make` alone lists what there is.
PYTHON ?= python3
SCENARIO ?= agrees
SEED ?= 1
DIALECT ?= native
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SILERO := $(shell sed -n 's/^silero-vad==/silero-vad==/p' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench serve train clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# A stamp is written last, so an interrupted setup is taken up again.
.venv/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Offhook needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	$(PIP) install -q -c constraints.txt -e .
	$(PIP) install -q --no-deps $(SILERO)
	touch $@

.venv/.tests: .venv/.runtime
	$(PIP) install -q -c constraints.txt -e '.[dev,mcp,payments]'
	$(PIP) install -q -c constraints.txt -e '.[llm]' \
		|| echo 'llama-cpp-python needs a C++ compiler; without it the tests of the LLM are skipped'
	touch $@

.venv/.train: .venv/.tests
	$(PIP) install -q -c constraints.txt -e '.[train]'
	touch $@

setup: .venv/.runtime  ## install into .venv (wheels only)

demo: .venv/.runtime  ## one whole call against a simulated callee; SCENARIO=agrees SEED=1 DIALECT=native
	$(BIN)/offhook demo --scenario $(SCENARIO) --seed $(SEED) --dialect $(DIALECT)

test: .venv/.tests  ## all tests
	$(BIN)/python -m pytest

check: .venv/.tests  ## ruff, mypy and all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: .venv/.runtime  ## short measurements on the wire, results in out/bench
	$(BIN)/offhook bench all --quick

serve: .venv/.runtime  ## run a node with ./offhook.toml
	$(BIN)/offhook serve

train: .venv/.train  ## train the bundled recogniser anew (hours)
	$(BIN)/python -m models.train

clean:  ## remove everything that was made here
	rm -rf .venv out data build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
