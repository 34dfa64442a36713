# Two commands to start: `make demo` shows it, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test unit check bench lock schemas clean

help:            ## what there is
	@grep -hE '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

install: $(STAMP)  ## the environment in .venv, from the lock

$(STAMP): locks/dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' locks/dev.lock)"
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r locks/dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $(STAMP)

demo: $(STAMP)   ## the whole chain on this machine: make demo ARGS="--seconds 90 --headless"
	$(BIN)/smartstore demo $(ARGS)

test: $(STAMP)   ## unit and integration tests (embedded servers are started by them)
	$(BIN)/python -m pytest $(ARGS)

unit: $(STAMP)   ## the tests that need no server
	$(BIN)/python -m pytest -n auto --dist loadscope -m "not stack and not browser and not gpu and not timescale" $(ARGS)

check: $(STAMP)  ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)  ## every benchmark, each into a JSON file of its name (about three hours)
	$(BIN)/smartstore bench kill --json bench-kill.json
	$(BIN)/smartstore bench truth --json bench-truth.json --docs docs/accuracy.md
	$(BIN)/smartstore bench gateway --json bench-gateway.json
	$(BIN)/smartstore bench latency --json bench-latency.json
	$(BIN)/smartstore bench soak --json bench-soak.json
	$(BIN)/smartstore bench sink --json bench-sink.json
	$(BIN)/smartstore bench stream --json bench-stream.json
	$(BIN)/smartstore bench chaos --json bench-chaos.json
	$(BIN)/smartstore bench rebalance --json bench-rebalance.json
	$(BIN)/smartstore bench steady --json bench-steady.json
	$(BIN)/smartstore bench policy --json bench-policy.json
	$(BIN)/smartstore bench recall --json bench-recall.json
	$(BIN)/smartstore bench uplift --json bench-uplift.json
	$(BIN)/smartstore bench queries --json bench-queries.json

schemas: $(STAMP)  ## write docs/schemas and docs/contracts.md from the structs
	$(BIN)/smartstore topics schema --write docs/schemas
	$(BIN)/smartstore topics page --write docs/contracts.md

lock: $(STAMP)   ## resolve all locks anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header pyproject.toml -o locks/runtime.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --extra dev -c locks/runtime.lock pyproject.toml -o locks/dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --extra models -c locks/runtime.lock pyproject.toml -o locks/models.lock

clean:           ## state, environment and caches
	rm -rf $(VENV) .smartstore .mypy_cache .ruff_cache .pytest_cache .hypothesis
