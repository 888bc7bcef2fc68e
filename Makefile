# Only Python 3 and make are assumed. uv is installed into .uv/ where it is missing.
.DEFAULT_GOAL := help
.PHONY: help run test check bench drill format fresh messages pictures

# A uv on the PATH may be a version manager's shim that does not start: ask it.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
PYTHON3 := $(shell for p in python3 python python3.13 /usr/bin/python3; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1 && echo $$p && break; done)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.ready ## Run the shop: three regions on this machine
	@exec .venv/bin/python manage.py up $(ARGS)

test: .venv/.ready ## Run every test (make test ARGS="-k cart" for some)
	@exec .venv/bin/python -m pytest $(or $(ARGS),-n 2)

check: .venv/.ready ## Format, lint, types, import arrows, migrations, templates, deployment
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy .
	.venv/bin/lint-imports --no-logo
	git ls-files -z '*.html' | xargs -0 .venv/bin/djade --check --target-version 6.1
	LOG_LEVEL=ERROR .venv/bin/python -W ignore manage.py makemigrations --check --dry-run
	set -a && . ./tests/production.env && .venv/bin/python manage.py check --deploy --fail-level WARNING
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

bench: .venv/.ready ## Measure guest checkouts a second (make bench ARGS="--json")
	@exec .venv/bin/python -m tests.concurrency.bench $(ARGS)

drill: .venv/.ready ## Break things for real under load (make drill ARGS="all --repeat 20")
	@exec .venv/bin/python -m regions.embedded.borrow failover drill $(or $(ARGS),all)

format: .venv/.ready ## Put the code into the house's format
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .
	@.venv/bin/djade --target-version 6.1 $$(git ls-files '*.html')

messages: .venv/.ready ## Collect what is to be translated, compile what is (needs gettext)
	@.venv/bin/python manage.py makemessages -a --no-location --no-obsolete --no-wrap -i tests
	@.venv/bin/python manage.py compilemessages -v 0 -i .venv

pictures: .venv/.ready ## Take the README's pictures of the shop that runs
	@.venv/bin/python docs/images/draw.py $(ARGS)

fresh: .venv/.ready ## Run the shop with new data
	@exec .venv/bin/python manage.py up --fresh $(ARGS)

.venv/.ready: uv.lock pyproject.toml .python-version | $(if $(filter .uv/bin/uv,$(UV)),.uv/bin/uv)
	@$(UV) sync --frozen --quiet
	@touch $@

.uv/bin/uv:
	@echo "Installing uv into .uv/ …"
	@$(PYTHON3) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv
