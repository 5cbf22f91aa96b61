# Synapse Engine. `make run` and `make test` do all their own set-up; nothing is done twice.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
BIN := $(VENV)/bin
TEST_MODEL := .cache/models/SmolLM2-135M-Instruct.Q4_1.gguf
# Most tests wait for processes and not for a processor. A file's tests stay together, as they share what it starts.
BESIDE := -n 2 --dist loadfile --no-loadscope-reorder
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print 2>/dev/null)

.PHONY: run test test-image soak chaos check setup page types clean

run: setup ## start on http://127.0.0.1:8000; Ctrl-C stops everything
	@exec $(PY) scripts/run.py

test: $(VENV)/.dev $(TEST_MODEL) page ## every test: page, unit, real engine, real browser
	$(BIN)/python web/build.py --test
	SYNAPSE_TEST_MODEL=$(abspath $(TEST_MODEL)) $(BIN)/pytest $(BESIDE)

soak: $(VENV)/.dev $(TEST_MODEL) page ## the long forms: survival, mutations, hostile requests, ten minutes of mixed load, chaos
	SYNAPSE_SOAK=1 SYNAPSE_TEST_MODEL=$(abspath $(TEST_MODEL)) $(BIN)/pytest --timeout 3600
	$(BIN)/python -m tests.chaos

chaos: $(VENV)/.dev ## 2,000 random steps with each of three seeds
	$(BIN)/python -m tests.chaos

test-image: $(TEST_MODEL) ## the container's image, built and run; Debian, root, and no container daemon
	$(PY) scripts/test_image.py --model $(TEST_MODEL)

check: $(VENV)/.dev $(TEST_MODEL) ## the quick loop: lint, types, imports, unit tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python web/build.py --check
	SYNAPSE_TEST_MODEL=$(abspath $(TEST_MODEL)) $(BIN)/pytest -q -m "not e2e" $(BESIDE)

setup: $(VENV)/.installed page ## .venv, the package with an engine, the page

page: src/synapse_engine/_page/.digest

types: $(VENV)/.dev ## the OpenAPI document, and the page's types from it
	$(PY) scripts/write_docs.py
	$(PY) web/build.py --types

clean:
	rm -rf $(VENV) .cache web/node_modules src/synapse_engine/_page

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q -c constraints.txt pip

$(VENV)/.installed: pyproject.toml constraints.txt hatch_build.py | $(VENV)/bin/python
	$(PY) -m pip install -q -c constraints.txt -e '.[engine]'
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PY) -m pip install -q -c constraints.txt --group dev
	@touch $@

src/synapse_engine/_page/.digest: $(WEB_SOURCES) | $(VENV)/.installed
	$(PY) web/build.py
	@touch $@

$(TEST_MODEL): | $(VENV)/bin/python
	$(PY) scripts/demo_model.py $(dir $@) > /dev/null
