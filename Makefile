# What a developer can do. Needs only Python >= 3.11 and make; everything else comes from the hash-locked files.
PYTHON ?= python3
BIN := .venv/bin
# The tests start many processes: what one has compiled the next should find.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test unit nightly check format lock bench clean

install: .venv/runtime

demo: .venv/runtime
	$(BIN)/easel demo

# Twice as many processes as there are cores: they wait for more than half of their time. The night has the long
# versions (tests/README.md).
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 2)))
PARALLEL := --numprocesses $(WORKERS) --dist worksteal

test: .venv/dev
	$(BIN)/pytest $(PARALLEL) --cov --durations 20

# One process: two would spend more on starting than they save.
unit: .venv/dev
	$(BIN)/pytest -q -p no:xdist tests/unit

nightly: .venv/dev
	$(BIN)/pytest $(PARALLEL) --nightly --cov --durations 20

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if find tests -name __init__.py | grep .; then echo "no __init__.py under tests"; exit 1; fi

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev
	$(BIN)/python -P tests/bench/jobs.py

# Resolving needs uv (any version, from anywhere); the lock files name no index.
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-strip-extras -q
lock:
	$(LOCK) --extra heif --group dev pyproject.toml -o deploy/requirements-dev.txt
	$(LOCK) --extra heif --group build pyproject.toml -c deploy/requirements-dev.txt -o deploy/requirements.txt

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Easel needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv

.venv/runtime: deploy/requirements.txt pyproject.toml | .venv/bin/pip
	@echo "Installing what Easel needs into .venv: half a minute, the first time only."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

# Compiling everything takes pip a sixth of its time, and most of it is never imported.
.venv/dev: deploy/requirements-dev.txt pyproject.toml | .venv/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r deploy/requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@ .venv/runtime

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .coverage htmlcov
