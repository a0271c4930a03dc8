# make serve · make test · make check · make bench
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= .stagebox
ENGINE ?= both
INSTALLED := $(VENV)/.installed
TESTED := $(VENV)/.test-installed
CHECKED := $(VENV)/.dev-installed
EXAMPLES := examples/soundboard
SOURCES := pyproject.toml $(EXAMPLES)/pyproject.toml
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# The tests start many processes: they shall not compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: serve test check quickstart bench soak clean

serve: $(INSTALLED)  ## Install everything and serve on 127.0.0.1:8085
	@test -d $(DATA) || $(BIN)/stagebox --data-dir $(DATA) plugin enable example.soundboard
	$(BIN)/stagebox --data-dir $(DATA) serve

test: $(TESTED)  ## Run all tests, those that keep data on SQLite and on PostgreSQL (ENGINE=sqlite: on that alone)
	$(BIN)/python -m pytest -n 2 --dist worksteal --engine $(ENGINE) $(ARGS)

soak: $(TESTED)  ## The slow tests that endure rather than show
	$(BIN)/python -m pytest -m soak $(ARGS)

check: $(CHECKED)  ## Lint, format, types (mypy, pyright), import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.docs.typed
	$(BIN)/lint-imports

quickstart: $(TESTED)  ## Follow docs/guide/quickstart.md word by word, cold and with wheels at hand, and say how long it takes
	$(BIN)/python -m tests.docs.quickstart

bench: $(TESTED)  ## Measure, as ratios against peers in the same run
	$(BIN)/python -m tests.benchmarks $(ARGS)

clean:
	rm -rf $(VENV) $(DATA)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(SOURCES) | $(VENV)/bin/python
	$(PIP) install --editable ".[docs]" --editable ./examples/soundboard
	@touch $@

$(TESTED): $(SOURCES) | $(VENV)/bin/python
	$(PIP) install --editable ".[test]" --editable ./examples/soundboard
	@touch $@ $(INSTALLED)

$(CHECKED): $(SOURCES) | $(VENV)/bin/python
	$(PIP) install --editable ".[dev]" --editable ./examples/soundboard
	@touch $@ $(TESTED) $(INSTALLED)
