# Every target sets up what it needs. `make demo` and `make test` are the two to know.
PYTHON := .venv/bin/python
STAMP := .venv/.installed

.PHONY: browser demo sealed trouble sixteen programme run test test-long audit package deploy rollback rehearse bench minute setup cost openapi courier fmt lint clean steady campaign-bench board-bench

setup: $(STAMP) node_modules/.installed

$(STAMP): requirements.txt requirements-dev.lock .ci/python
	@python=$$(.ci/python) && echo "setting up .venv with $$($$python --version)" && \
	    rm -rf .venv && $$python -m venv .venv
	@.venv/bin/pip install -qq --disable-pip-version-check --requirement requirements-dev.lock
	@touch $@

node_modules/.installed: package.json package-lock.json
	@npm ci --silent
	@touch $@

# the tests in a browser want Debian's chromium: brought where this is root, else they skip and name it
browser:
	@.ci/browser

demo: setup
	@$(PYTHON) -m sandbox demo

sealed: setup
	@$(PYTHON) -m sandbox sealed

trouble: setup
	@$(PYTHON) -m sandbox trouble

sixteen: setup
	@$(PYTHON) -m sandbox sixteen

# ROW: one of the files in sandbox/programme; without it every row
programme: setup
	@$(PYTHON) -m sandbox programme $(ROW)

run: setup
	@$(PYTHON) -m sandbox run

test: setup browser lint
	@$(PYTHON) -m cli.openapi --check
	@$(PYTHON) -m cli.partner_api --check
	@$(PYTHON) -m cli.static --check
	@$(PYTHON) -m pytest -m "not long" -n auto --dist loadfile

# the simulated days come last and alone: they take every core themselves
test-long: setup browser lint
	@$(PYTHON) -m cli.openapi --check
	@$(PYTHON) -m cli.partner_api --check
	@$(PYTHON) -m cli.audit
	@$(PYTHON) -m pytest -n auto --dist loadfile --ignore tests/simulation
	@$(PYTHON) -m pytest tests/simulation

audit: setup
	@$(PYTHON) -m cli.audit --strict

lint: setup
	@.venv/bin/ruff format --check --quiet . || { echo "run 'make fmt'"; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

package: setup
	@$(PYTHON) -m cli.package

# BUCKET keeps the releases, STACK is cordon unless you say otherwise, YES=1 does not ask; TO names a release;
# ALARM_EMAIL is told of alarms from then on; links for clients begin with PUBLIC_URL (https, the stage included)
deploy: package
	@$(PYTHON) -m cli.deploy new $(if $(YES),--yes) $(if $(ALARM_EMAIL),--set AlarmEmail=$(ALARM_EMAIL)) $(if $(PUBLIC_URL),--set PublicUrl=$(PUBLIC_URL))

rollback: setup
	@$(PYTHON) -m cli.deploy back $(if $(YES),--yes) $(if $(TO),--to $(TO))

rehearse: setup
	@$(PYTHON) -m tests.rehearsal

bench: setup
	@$(PYTHON) -m bench

# a whole minute of a city on the embedded AWS; some four minutes on two cores
minute: setup
	@$(PYTHON) -m bench.emulated

# two hundred orders a minute for half an hour of virtual time
steady: setup
	@$(PYTHON) -m bench.steady

# a campaign of 10,000 clients on the embedded AWS: list, dry run, placing; some ten minutes on two cores of one's own
campaign-bench: setup
	@$(PYTHON) -m bench.campaign

# a board of 5,000 open orders and 20,000 zones on the embedded AWS, and in a browser where there is one
board-bench: setup
	@$(PYTHON) -m bench.board

cost: setup
	@$(PYTHON) -m tests.ledger

openapi: setup
	@$(PYTHON) -m cli.openapi
	@$(PYTHON) -m cli.partner_api

# NAME: a file in chalicelib/couriers. Or FILE: one anywhere, with SAMPLES and RECORDED beside it or where they say
courier: setup
	@$(PYTHON) -m tests.couriers $(NAME) $(if $(FILE),--file $(FILE)) \
	    $(if $(SAMPLES),--samples $(SAMPLES)) $(if $(RECORDED),--recorded $(RECORDED))

fmt: setup
	@.venv/bin/ruff format --quiet .
	@.venv/bin/ruff check --fix --quiet .

clean:
	rm -rf .venv node_modules build .sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis
