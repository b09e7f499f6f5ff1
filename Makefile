# `make run` and `make test` are all the set-up there is: both make the environment in .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install run test check faults bench lock clean

help: ## Show what there is to make.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with everything in it.

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=python3.12 or the like"; exit 1; }
	@echo "Installing about 100 packages into $(VENV); this takes a minute the first time."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip --disable-pip-version-check install --progress-bar on --require-hashes -r requirements.lock 2>&1 \
		| awk '/^Collecting/ {n++; printf "\r  %d packages found", n; fflush()} /^Installing collected/ {printf "\n  unpacking ...\n"; fflush()} /^ERROR|error:/ {print; bad=1} END {exit bad}'
	@$(BIN)/pip --disable-pip-version-check install -q --no-deps --no-build-isolation -e . 2>&1 | grep -v '^WARNING: Location' || true
	@$(BIN)/python -c 'import statebag.app, worker'
	@touch $(STAMP)

run: install ## Watch two workflows run: one pauses for a person, the other's worker is killed.
	@$(BIN)/python -m examples.tour

test: install ## Run the quick tests (under 10 minutes on 2 cores).
	@$(BIN)/pytest -q -m "not slow" -n 2 --dist loadgroup

faults: install ## Kill workers and servers at random moments and compare the bags.
	@$(BIN)/pytest -q -m slow

check: install ## Format, lint, types and import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: install ## Measure the cost of a segment.
	@$(BIN)/statebag bench segment

lock: install ## Lock the newest versions that pyproject.toml allows.
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-strip-extras \
		--extra llm --extra db --group dev pyproject.toml -o requirements.lock --upgrade

clean: ## Remove .venv and caches.
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
