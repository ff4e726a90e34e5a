# For developers. Nothing has to be installed first: each target sets up .venv by itself.

PYTHON ?= python3
BIN := .venv/bin
# Settings as in production, with keys that protect nothing.
PRODUCTION := ENV_FILE= DEBUG=0 SECRET_KEY=0123456789abcdefghijklmnopqrstuvwxyz-0123456789-ABCDEFGHIJKL \
	CREDENTIALS_KEY=only-to-check ALLOWED_HOSTS=portal.example.org INSECURE_HTTP=0 DATABASE_URL=sqlite:///:memory:
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-config \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: check environment format lint types layers templates migrations locked deploy browser fmt test lock chaos simulate pictures

check: environment browser format lint types layers templates migrations locked deploy
	@echo "make check: all good"

environment:
	@$(PYTHON) -m syncportal.bootstrap --dev >/dev/null

format: environment
	$(BIN)/ruff format --check .

lint: environment
	$(BIN)/ruff check .

types: environment
	$(BIN)/mypy

layers: environment
	$(BIN)/lint-imports --no-logo

templates: environment
	@if [ -d templates ]; then $(BIN)/djlint --lint --quiet templates; fi

migrations: environment
	$(PRODUCTION) $(BIN)/python manage.py makemigrations --check --dry-run

# From the files alone: works without a network.
locked: environment
	$(BIN)/python -m pytest -q tests/test_requirements.py

deploy: environment
	$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

# On CI a missing browser must not quietly leave its tests out.
browser: environment
	@if [ "$${CI:-}" = "true" ]; then \
		$(BIN)/python -c "from syncportal.verify import find_browser; import sys; sys.exit(0 if find_browser() else 'CI needs a browser: none was found.')"; \
	fi

fmt: environment
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The quick part, under a minute: what starts no process and no practice system. `manage.py verify` runs all.
SLOW := tests/loop tests/chaos tests/sandbox tests/test_verify.py tests/test_demo.py \
	tests/appointments/test_worker.py tests/appointments/test_watchdog.py
test: environment
	$(BIN)/python -m pytest -q -n 2 $(SLOW:%=--ignore=%)

# The real programs, killed at random while a clinic works; both databases. The seed replays what is done
# and what is broken.
MINUTES ?= 10
SEED ?=
chaos: environment
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# The pictures of docs/images, afresh, from an invented clinic whose clock stands still.
pictures: environment
	$(BIN)/python -m pytest -q -m browser tests/browser/pictures.py

lock: environment
	$(LOCK) requirements.in -o requirements.txt
	$(LOCK) requirements.in requirements-dev.in -o requirements-dev.txt

# The whole product in memory under faults and crashes. Without words: every law broken once, the seeds that
# once failed, and a fixed share of new ones (as CI does). STEPS=…, SECONDS=…, FIRST=… run for as long as one
# likes; SEED=… LENGTH=… plays one again, with what happened in it.
LENGTH ?= 300
simulate: environment
ifdef SEED
	$(BIN)/python -m tests.simulation --seed $(SEED) --length $(LENGTH)
else ifneq ($(or $(STEPS),$(SECONDS)),)
	$(BIN)/python -m tests.simulation --length $(LENGTH) $(if $(STEPS),--steps $(STEPS)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(FIRST),--first $(FIRST))
else
	$(BIN)/python -m pytest -q -n 2 -m simulation tests/simulation
	$(BIN)/python -m tests.simulation --length $(LENGTH) --steps 3000 --seconds 150
endif
