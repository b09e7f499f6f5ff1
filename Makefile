# `make run` and `make test` are all the set-up there is: both make the environment in .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
AWS := .aws
AWS_STAMP := $(AWS)/.installed

.DEFAULT_GOAL := help
.PHONY: help install run test check faults aws aws-tools bench lock clean

help: ## Show what there is to make.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
	@$(BIN)/pytest -q -m "not slow and not aws" -n 2 --dist loadgroup

faults: install ## Kill workers and servers at random moments and compare the bags.
	@$(BIN)/pytest -q -m slow

aws-tools: install $(AWS_STAMP) ## Make .aws with what checks and runs Step Functions definitions here: interpreters, SAM.

$(AWS_STAMP): $(wildcard deploy/aws-tools/*.lock) deploy/aws-tools/package-lock.json
	@echo "Installing interpreters and validators of Step Functions into $(AWS); this takes two minutes the first time."
	@command -v npm >/dev/null || { echo "npm (Node 20 or newer) is needed"; exit 1; }
	@mkdir -p $(AWS)/node
	@for tool in moto ministack sam cli; do ( \
		test -x $(AWS)/$$tool/bin/python || $(PYTHON) -m venv $(AWS)/$$tool; \
		$(AWS)/$$tool/bin/pip --disable-pip-version-check install -q --no-deps --require-hashes -r deploy/aws-tools/$$tool.lock \
			>$(AWS)/$$tool.log 2>&1 || { cat $(AWS)/$$tool.log; touch $(AWS)/failed; } ) & done; wait; \
		test ! -e $(AWS)/failed || { rm $(AWS)/failed; exit 1; }
	@cp deploy/aws-tools/package.json deploy/aws-tools/package-lock.json $(AWS)/node/
	@cd $(AWS)/node && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts
	@$(AWS)/moto/bin/python -c 'import moto.stepfunctions' && $(AWS)/ministack/bin/python -c 'import ministack' && test -x $(AWS)/sam/bin/sam
	@touch $(AWS_STAMP)

aws: aws-tools ## Run the definitions for AWS on interpreters of Step Functions, and compare them with Temporal.
	@$(BIN)/pytest -q -m aws -n 2 --dist loadgroup

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
	@$(BIN)/uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-annotate --no-header --no-strip-extras \
		-c requirements.lock asl_compat/sam/requirements.in -o asl_compat/sam/requirements.txt
	@cd deploy/aws-tools && for tool in moto ministack sam cli; do \
		../../$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
			--no-emit-index-url --no-strip-extras $$tool.in -o $$tool.lock --upgrade; done
	@cd deploy/aws-tools && rm -f package-lock.json && npm install --loglevel=error --package-lock-only \
		--omit-lockfile-registry-resolved --no-audit --no-fund
	@cd deploy/aws-tools && ../../$(BIN)/python -c 'import json; lock = json.load(open("package-lock.json")); \
		[each.pop("funding", None) for each in lock["packages"].values()]; \
		json.dump(lock, open("package-lock.json", "w"), indent=2)' && echo >>package-lock.json

clean: ## Remove .venv, .aws and caches.
	rm -rf $(VENV) $(AWS) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
