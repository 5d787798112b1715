# make setup | demo | test | test-all | lint | docs | bench | clean; `make` alone lists them.
# VENV, EXTRAS and PYTHON may be set from outside.

VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.made
DEMO_STAMP = $(VENV)/.made-for-demo

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint docs bench clean

help:
	@echo "make demo       the main job on real networks; ends with where the report lies"
	@echo "make setup      make the whole environment ($(VENV)), with SLAYER and torch"
	@echo "make test       the tests, in a few minutes"
	@echo "make test-all   the slow tests too"
	@echo "make lint       ruff, mypy and import-linter"
	@echo "make docs       the documentation as a site, into site/"
	@echo "make bench      speed beside peers, as ratios; see benchmarks/README.md"

setup: $(STAMP)

$(STAMP): pyproject.toml scripts/make_environment
	@scripts/make_environment $(VENV)
	@touch $(STAMP)

# Takes the whole environment where there is one, else makes one without torch.
demo: $(DEMO_STAMP)
	@$(BIN)/neurodeploy demo

$(DEMO_STAMP): pyproject.toml scripts/make_environment
	@[ -e $(STAMP) ] || scripts/make_environment $(VENV) demo
	@touch $@

test: setup
	$(BIN)/python -m pytest -n auto

test-all: setup
	NEURODEPLOY_NETWORKS=60 $(BIN)/python -m pytest -n auto -m "slow or not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: setup
	$(BIN)/python -m mkdocs build --strict

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache neurodeploy_demo
	find . -name __pycache__ -prune -exec rm -rf {} +
