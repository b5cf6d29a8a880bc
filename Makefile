# make demo  installs klint and shows what it makes of the forum thread
# make test  installs what development needs and runs every check

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint tests/constraints.txt --editable
INPUTS := pyproject.toml tests/constraints.txt klint/__init__.py

.PHONY: demo test

# Exit status 1 says that klint found something, which is the point here; 2 would be a failure.
demo: $(VENV)/demo.stamp
	@$(BIN)/klint check fixtures/forum_thread.py || [ $$? -eq 1 ]
	@$(BIN)/klint verify fixtures/forum_thread.py || [ $$? -eq 1 ]

test: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict klint
	$(BIN)/python -m pytest

$(VENV)/demo.stamp: $(INPUTS) | $(BIN)/python
	$(INSTALL) '.[verify]'
	@touch $@

$(VENV)/test.stamp: $(INPUTS) | $(BIN)/python
	$(INSTALL) '.[dev]'
	@touch $@ $(VENV)/demo.stamp

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
