# Everything for working on the template; PYTHON names the interpreter to use.
PYTHON ?= python3
BIN = .venv/bin
# uv is much faster than pip. Both check the hashes of what they install.
UV = $(shell command -v uv 2>/dev/null)
INSTALL = $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip \
	install --quiet --disable-pip-version-check --no-compile) --require-hashes
# As the shell has to see the name of the template's folder, and as make does.
APP = '{{cookiecutter.project_slug}}'
APP_LOCK = {{cookiecutter.project_slug}}/requirements-dev.txt
# What judges the pages, as npm marks that it has installed it.
JUDGES = tests/browser/node_modules/.package-lock.json
# The suites of other projects, and what they need.
SUITES = build/suites/ready
CHROMIUM = $(shell command -v chromium 2>/dev/null)
# What builds images and runs machines: for root only, on a Debian.
MACHINES = $(shell test "$$(id -u)" = 0 && command -v podman >/dev/null && \
	command -v runc >/dev/null && command -v debootstrap)
# What needs programs that are not here; `.ci/run`, which installs them all, empties it.
LACKING = $(if $(CHROMIUM),,tests/browser) $(if $(MACHINES),,tests/deploy/test_image.py \
	tests/deploy/test_own_server.py tests/pythons/test_default.py)
LEFT_OUT = tests/engine tests/soak tests/pythons/test_every_python.py \
	tests/suites/test_flask_security.py $(LACKING)
# Most tests wait rather than compute. Those of a file share what it sets up.
TWO_AT_A_TIME = -n 2 --dist loadfile --no-loadscope-reorder
# Where projects are baked, and how to make there; .venv's own interpreter fits all of them.
OUT = build
MAKE_APP = $(MAKE) --no-print-directory PYTHON="$(CURDIR)/$(BIN)/python" -C $(OUT)/visit-counter
# cookiecutter would read the caches of the tools that ran on the template's folder.
CLEAR = find $(APP) \( -name '.*_cache' -o -name __pycache__ -o -name .hypothesis \) -prune \
	-exec rm -rf {} +
BAKE = $(CLEAR) && echo "Baking $(OUT)/visit-counter ..." && $(BIN)/python -m cookiecutter \
	--no-input --default-config --overwrite-if-exists --output-dir $(OUT) . init_git=false >/dev/null

help: ## Show what there is
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "make %-11s %s\n", $$1, $$2 }'

run: .venv/run ## Bake the default project into build/ and serve it on http://127.0.0.1:8000
	@$(BAKE)
	@echo "Starting the app; Ctrl-C stops it ..."
	@cd $(OUT)/visit-counter && ../../$(BIN)/python -m gunicorn

test: .venv/ready $(SUITES) $(if $(CHROMIUM),$(JUDGES)) ## Check and test the template, and the project that it makes
	@echo "Testing the template and the project it makes, with real servers: about 10 minutes ..."
	@$(BIN)/python -m pytest $(TWO_AT_A_TIME) --durations=10 $(addprefix --ignore=,$(LEFT_OUT))
	@$(MAKE) --no-print-directory engine

engine: OUT = build/engine
engine: .venv/ready ## Test the default project and its engine (ONLY=sessions/test_record.py)
	@rm -rf $(OUT) && mkdir -p $(OUT)
	@$(BAKE)
	@cp -R tests/engine $(OUT)/visit-counter/tests/
	@cd $(OUT)/visit-counter && \
		"$(CURDIR)/$(BIN)/python" -m pytest $(if $(ONLY),tests/engine/$(ONLY),$(TWO_AT_A_TIME))
	@$(if $(ONLY),,cd $(OUT)/visit-counter && "$(CURDIR)/$(BIN)/python" -m mypy \
		--config-file tests/engine/mypy.ini)

pythons: .venv/ready ## Test project, engine and hooks on Python 3.14, 3.15, and 3.11 to 3.13 if found
	@$(BIN)/python -m pytest -rP tests/pythons

browser: .venv/ready $(JUDGES) ## Test only the pages in a browser: needs Chromium, npm and Java
	@$(BIN)/python -m pytest tests/browser

suites: .venv/ready $(SUITES) ## Run the suites of Flask and its extensions on our sessions
	@$(BIN)/python -m pytest tests/suites

newest: .venv/ready ## Test it all on the newest of what it is built on (PARTS="redis==8.0.0")
	@$(CLEAR)
	@PARTS="$(PARTS)" $(BIN)/python -m tests.newest

faults: .venv/ready ## Renew what docs/faults.md says happens under each fault
	@$(BIN)/python -m pytest --ignore=tests/engine --write-faults

soak: .venv/ready ## Floods, Granian, and load on two instances for ten minutes (make soak SECONDS=60 for one)
	@$(BIN)/python -m pytest tests/soak
	@$(BAKE)
	@$(MAKE_APP) .venv/bin/gunicorn
	@SECONDS=$(or $(SECONDS),600) $(BIN)/python -m tests.soak

chaos: .venv/ready ## Kill and stall two instances and their Redis for ten minutes (TOPOLOGY=, SEED=, SECONDS=)
	@$(BAKE)
	@$(MAKE_APP) .venv/bin/gunicorn
	@SECONDS=$(or $(SECONDS),600) TOPOLOGY=$(TOPOLOGY) SEED=$(SEED) BREAK=$(BREAK) \
		$(BIN)/python -m tests.chaos

screenshots: .venv/ready ## Renew the README's pictures: needs Chromium
	@$(BAKE)
	@$(MAKE_APP) .venv/bin/gunicorn
	@$(BIN)/python -m tests.browser.screenshots

bench: .venv/ready ## Compare speed with what you would use instead: needs wrk and Node (ONLY=growth)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks.run

compare: .venv/ready ## Compare the CPU time of a visit with another checkout's (OTHER=../there ROUNDS=3)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks.loop $(OTHER)

check: .venv/ready ## Check style and types only
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@cd $(APP) && ../$(BIN)/python -m mypy

format: .venv/ready ## Put the code into the common style
	@$(BIN)/python -m ruff check --fix
	@$(BIN)/python -m ruff format

lock: .venv/ready ## Renew all requirements*.txt from requirements*.in
	@for input in $(APP)/requirements.in $(APP)/requirements-dev.in requirements-run.in \
			requirements-dev.in tests/suites/requirements.in; do \
		cd "$(CURDIR)/$$(dirname "$$input")"; name=$$(basename "$$input" .in); \
		"$(CURDIR)/$(BIN)/python" -m uv pip compile --quiet --upgrade --universal \
			--python-version 3.11 --generate-hashes --no-emit-index-url \
			--no-emit-find-links --custom-compile-command "make lock" \
			--output-file $$name.txt $$name.in || exit; \
	done

clean: ## Remove the virtual environment, the build and all caches
	rm -rf .venv build tests/browser/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name '.*_cache' -prune -exec rm -rf {} +
	find . -name .hypothesis -prune -exec rm -rf {} +

.venv/bin/python:
	@rm -rf .venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python 3.11 or newer is needed; name one with: make PYTHON=python3.14 ...")'
	@echo "Making .venv with $$($(PYTHON) --version) ..."
	@$(if $(UV),$(UV) venv --quiet --python $(PYTHON),$(PYTHON) -m venv) .venv

# What `make run` needs: cookiecutter, and the app's own requirements, which share .venv.
.venv/run: requirements-run.txt $(APP_LOCK) .venv/bin/python
	@echo "Installing what the app and cookiecutter need ..."
	@$(INSTALL) -r requirements-run.txt -r $(APP)/requirements.txt
	@touch $@

.venv/ready: requirements-dev.txt $(APP_LOCK) .venv/bin/python
	@echo "Installing what the tests need ..."
	@$(INSTALL) -r requirements-dev.txt -r $(APP)/requirements-dev.txt
	@touch $@ .venv/run

$(JUDGES): tests/browser/package-lock.json
	@echo "Installing what judges the pages ..."
	@cd tests/browser && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(SUITES): tests/suites/requirements.txt tests/suites/fetch.py
	@echo "Getting the suites of Flask and its extensions ..."
	@$(BIN)/python -m tests.suites.fetch
	@touch $@

# A virtual environment that was left half-made would never be completed.
.DELETE_ON_ERROR:
.PHONY: help run test engine pythons browser suites newest faults soak chaos screenshots bench compare check format lock clean
