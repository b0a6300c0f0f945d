# Every command of the project. `make` alone lists them.
# Python 3.11 or newer and make are all that has to be there: the rest comes into .venv from the locks.

PYTHON ?= python3
VENV := .venv/bin
PORT ?=
NAME ?=
ARGS ?=
TESTS ?= 1
USERS ?=
MINUTES ?=
SHARE ?=
TO ?=
FROM ?=
KEYS ?=
SEED ?=

# What is checked for types: whatever of these is there.
TYPED := $(wildcard app bff workers sandbox tools deploy bench tests migrations/env.py wsgi.py)

# A test waits for the database, a process or a browser as long as it computes: three to two processors.
TESTERS = $(shell $(PYTHON) -c 'import os; print(max(2, len(os.sched_getaffinity(0)) * 3 // 2))')

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run smoke test check lint types contracts tables permissions migrations openapi-unchanged tests openapi bench load \
        chaos fuzz upgrade-test format lock clean dev shots test-long backup restore doctor sbom

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name what; \
	do printf '  make %-10s %s\n' "$$name" "$$what"; done

run: ## Everything on this machine, until Ctrl-C (PORT=8000: web; the next three as well)
	@$(PYTHON) tools/bootstrap.py run && exec $(VENV)/python -m tools.run $(if $(PORT),--port '$(PORT)')

smoke: dev ## Play the whole story against a running `make run` (PORT= as given there)
	@port='$(PORT)'; $(VENV)/python tools/smoke.py --port "$${port:-$$($(VENV)/python -m tools.run --which-port)}" $(ARGS)

test: dev ## The tests but the long ones, in parallel and in random order (ARGS= for pytest)
	@$(VENV)/python -m pytest -n $(TESTERS) --dist loadscope -m 'not long' $(ARGS)

test-long: dev ## The long ones: a day simulated, processes killed, a town made (ARGS= for pytest)
	@$(VENV)/python -m pytest -n auto --dist loadgroup -m long $(ARGS)

fuzz: dev ## Look for answers that the OpenAPI documents don't describe (MINUTES=10, SEED= to repeat a run)
	@FUZZ_MINUTES='$(MINUTES)' FUZZ_SEED='$(SEED)' $(VENV)/python -m pytest -q -p no:randomly tests/contract/fuzz.py $(ARGS)

check: lint types contracts tables permissions migrations openapi-unchanged $(if $(filter 0,$(TESTS)),,tests) ## Everything that has to hold before a change goes in (TESTS=0: all but the tests)
	@echo "check: all is well"

lint: dev
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .

types: dev
	@$(VENV)/mypy $(TYPED)

contracts: dev
	@$(VENV)/lint-imports --no-logo

tables: dev
	@$(VENV)/python -m tools.tables --check

permissions: dev
	@$(VENV)/python -m tools.permissions --check

migrations: dev
	@$(VENV)/python -m tools.check_migrations

openapi-unchanged: dev
	@$(VENV)/python -m tools.openapi --check
	@$(VENV)/python -m tools.openapi_changes

tests: test

shots: dev ## A picture of every console page into docs/shots, against a running `make run` (needs Chromium)
	@port='$(PORT)'; $(VENV)/python -m tools.shots --port "$${port:-$$($(VENV)/python -m tools.run --which-port)}" $(ARGS)

openapi: dev ## Write openapi/*.json anew
	@$(VENV)/python -m tools.openapi

backup: dev ## Database, files and keys into two new folders (TO= and KEYS=, by default below var/)
	@$(VENV)/python -m tools.backup make $(if $(TO),--to '$(TO)') $(if $(KEYS),--keys '$(KEYS)')

restore: dev ## A backup back into an empty place, with everything looked at again (FROM= and KEYS=)
	@test -n '$(FROM)' || { echo 'Which one? make restore FROM=folder KEYS=folder'; exit 2; }
	@$(VENV)/python -m tools.backup restore --from '$(FROM)' $(if $(KEYS),--keys '$(KEYS)')

doctor: dev ## What is wrong with this installation, or with the `make run` going on; exit code 1 when something is
	@$(VENV)/python -m tools.doctor $(ARGS)

bench: dev ## A side-by-side measurement (NAME=photo, N= for larger sizes)
	@test -n '$(NAME)' || { echo 'Which one? make bench NAME=photo'; exit 2; }
	@$(VENV)/python -m bench.$(subst -,_,$(NAME)) $(ARGS)

load: dev ## The worst evening of a street against the production server (USERS=120 MINUTES=3 SHARE=1), counted afterwards
	@$(VENV)/python -m tests.load $(if $(USERS),--users '$(USERS)') $(if $(MINUTES),--minutes '$(MINUTES)') $(if $(SHARE),--share '$(SHARE)')

chaos: dev ## Break everything on purpose while people use it, and count (ARGS="--only redis-empty,kill-web"; ALLOW_SKIP=1)
	@$(VENV)/python -m bench.chaos $(ARGS)

upgrade-test: dev ## The next version's migrations on a full street while this one serves it, then our own (ARGS=--share=0.1 for less)
	@$(VENV)/python -m bench.upgrade $(ARGS)
	@$(VENV)/python -m bench.upgrade_own $(ARGS)

sbom: dev ## What the software is made of, as CycloneDX, into var/sbom.json (TO=)
	@$(VENV)/python -m tools.sbom $(if $(TO),--to '$(TO)')

format: dev ## Put the code into shape
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

# The dependencies stand in pyproject.toml; this writes what they resolve to, with hashes and without addresses.
# The development lock is held to the versions of the first, so that what is tested is what runs.
UV ?= uv
LOCK := pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --quiet

lock: ## Write the lock files anew (needs uv; ARGS=--upgrade for newer versions)
	@command -v $(UV) >/dev/null || { echo 'uv is needed: $(PYTHON) -m pip install uv, or make lock UV=/path/to/uv'; exit 2; }
	$(UV) $(LOCK) $(ARGS) -o requirements.lock
	$(UV) $(LOCK) $(ARGS) --group dev -c requirements.lock -o requirements-dev.lock
	$(UV) pip compile --group node --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --quiet $(ARGS) -o requirements-node.lock

clean: ## Remove the environment and caches; the data in var/ stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

dev:
	@$(PYTHON) tools/bootstrap.py dev
