# Holdfast: `make demo` shows it, `make test` checks it. Needs Python 3.11 to 3.13 and a network, nothing else.

PYTHONS := python3.13 python3.12 python3.11 python3
PYTHON ?= $(shell for each in $(PYTHONS); do \
	$$each -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$each && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := $(VENV)-peers

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-guard bench-age bench-model bench-exploration bench-feedback bench-restore chaos chaos-cluster chaos-long prove lint types lock clean

help: ## Say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## Show on this machine what happens when the model fails: a minute and a half
	$(BIN)/holdfast demo

test: $(STAMP) ## All tests, those on a real Kafka included
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(STAMP) $(PEERS)/.installed ## Measure everything, beside other engines, for docs/performance.md: an hour
	$(BIN)/python -m bench.performance --peers-python $(PEERS)/bin/python

bench-guard: $(STAMP) ## Compare the time that deciding takes with that of a bare copy: one minute
	$(BIN)/python -m bench.guard

bench-age: $(STAMP) ## Measure the age at decision at 2,000 transactions a second, and of one at a time: four minutes
	$(BIN)/python -m bench.latency

bench-model: $(STAMP) ## Measure features, scores, lessons and snapshots of the model
	$(BIN)/python -m bench.model

bench-exploration: $(STAMP) ## Measure what it is worth to let few blocks through
	$(BIN)/python -m bench.exploration

bench-feedback: $(STAMP) ## Measure whether reviewers' labels and late ones teach better together or apart
	$(BIN)/python -m bench.feedback

bench-restore: $(STAMP) ## Measure the restore of a million cards by one worker
	$(BIN)/python -m bench.restore

chaos: $(STAMP) ## Ten minutes of faults under load, and a judgement; SEED=n repeats a run, FOR=60 is shorter
	cd tests && ../$(BIN)/python -m chaos.campaign --seconds $(or $(FOR),480) $(if $(SEED),--seed $(SEED))

chaos-cluster: $(STAMP) ## The same on three brokers, one of them killed at a time; SEED=n, FOR=60
	cd tests && ../$(BIN)/python -m chaos.campaign --brokers 3 --seconds $(or $(FOR),480) $(if $(SEED),--seed $(SEED))

chaos-long: $(STAMP) ## The whole campaign of faults, hours; goes on where RESULTS=file ends, LEGS=3 does no more
	cd tests && ../$(BIN)/python -m chaos.whole_campaign $(abspath $(or $(RESULTS),.holdfast/campaign.jsonl)) \
		$(if $(SEED),--seed $(SEED)) $(if $(LEGS),--most $(LEGS))

prove: $(STAMP) ## Break the product in every way that the checker must see, then let it be clean: half an hour
	cd tests && ../$(BIN)/python -m chaos.proof --clean 20

lint: $(STAMP) ## Style, format and import direction
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(STAMP) ## Types, strictly
	$(BIN)/mypy

lock: ## Resolve the dependencies anew; needs uv
	$(LOCK) -o requirements.txt
	$(LOCK) --group dev -o requirements-dev.txt
	$(LOCK_PEERS) -o requirements-peers.txt

HASHED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet
LOCK := uv pip compile pyproject.toml --extra data --extra postgresql --extra report --extra oidc $(HASHED)
LOCK_PEERS := uv pip compile --group pyproject.toml:peers $(HASHED)

# For the engine that is compared with ours and has requirements of its own.
$(PEERS)/.installed: requirements-peers.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-peers.txt
	@touch $@

clean: ## Remove the environment, caches and local data
	rm -rf $(VENV) $(PEERS) .holdfast build dist models/*.so streams/broker/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find models rules streams tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment for all: the build backend comes from the lock too, so nothing unlocked is downloaded.
$(STAMP): requirements-dev.txt pyproject.toml hatch_build.py $(wildcard models/*.pyx streams/broker/*.pyx)
	@test -n "$(PYTHON)" || { echo "Holdfast needs Python 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	@# pip compiles with one processor; and a process that may not write what it compiled does so at each of its starts.
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true  # some packages hold templates that are no Python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
