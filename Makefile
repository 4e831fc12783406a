# make demo · make test · make check · make docs · make test-long · make bench · make constraints · make clean
#
# Everything happens in .venv, made from PYTHON (3.11 or newer) with the versions of constraints.txt.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install -q -c constraints.txt
WORKERS := 3   # of pytest: on two cores, for tests wait for servers and processes half of their time
INPUTS := pyproject.toml constraints.txt

.PHONY: demo test test-long check lint wheel docs bench constraints clean

demo: $(VENV)/.runtime
	@$(BIN)/agentflows demo

test: $(VENV)/.dev
	@sh tests/setup.sh
	@echo "Running the tests ..."
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal -m "not slow"

test-long: $(VENV)/.dev
	@sh tests/setup.sh
	@echo "Running all tests, the long ones too ..."
	@$(BIN)/pytest -q -n $(WORKERS) --dist worksteal

check: lint docs wheel

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/deptry src flows

wheel: $(VENV)/.dev
	bash tests/wheel/check_wheel.sh $(BIN)/python

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

bench: $(VENV)/.dev
	$(BIN)/python bench/redact.py
	$(BIN)/python bench/ingest.py
	$(BIN)/python bench/dream.py
	$(BIN)/python bench/claude.py
	$(BIN)/python bench/sandbox.py

# An editable install knows every version but not the code of each file, so only the inputs decide when to repeat it.
$(VENV)/.runtime: $(INPUTS) | $(BIN)/python
	@echo "Installing agentflows and what it needs into $(VENV) (once; a minute or two) ..."
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: $(INPUTS) | $(BIN)/python
	@echo "Installing agentflows and what its tests and checks need into $(VENV) (once; a minute or two) ..."
	@$(INSTALL) -e ".[dev,postgres]"
	@touch $@ $(VENV)/.runtime

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "agentflows needs Python 3.11 or newer and found none. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "Making $(VENV) with $(PYTHON) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment; on Debian or Ubuntu install python3-venv." >&2; exit 2; }

# Newest versions that satisfy pyproject.toml, from a fresh environment. Read the diff, then make test and make check.
constraints:
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip --disable-pip-version-check install -q ".[dev,postgres]"
	{ sed '/^[^#]/,$$d' constraints.txt; build/constraints/bin/python -m pip freeze --exclude agentflows; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/constraints

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find src flows tests bench examples -name __pycache__ -type d -prune -exec rm -rf {} +
