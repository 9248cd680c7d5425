# `make demo` and `make test` need Python 3.10 or newer, make and the network; nothing else.

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
ARGS    ?=
# Options of benchmarks/stream.py.
STREAM  ?=
# Tests that run side by side. The tests through the real daemon mostly wait; most quick tests use a core each, and to
# collect them costs a worker several seconds.
WORKERS ?= 8
QUICK_WORKERS ?= 4

# Tests start hundreds of Python processes, which should not compile the package again and again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo demo-full check test quick coverage lint format bench bench-peers fuzz mutants fleet simulate rules screenshots clean

help:                        ## list all commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/demo           ## watch the product count on an embedded AWS (ARGS='--story', ARGS='--duration 180 --no-table')
	$(BIN)/kcl-flowlog demo $(ARGS)

demo-full: $(VENV)/demo      ## the same with a real Prometheus and the rules (ARGS='--story')
	$(BIN)/python -m ops.demo_full $(ARGS)

# Beside each other: mypy uses one core only, and tests wait now and then. What lint says comes last.
check: $(VENV)/test          ## lint, and run the quick tests: before every commit
	@mkdir -p build; \
	$(MAKE) --no-print-directory lint >build/lint.txt 2>&1 & linting=$$!; \
	$(MAKE) --no-print-directory quick; tests=$$?; \
	wait $$linting; lint=$$?; cat build/lint.txt; exit $$((tests | lint))

test: export ALL_EXAMPLES = 1
test: $(VENV)/test           ## run all tests, with all their examples (ARGS='-k poison')
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

quick: $(VENV)/test          ## run the tests that need no MultiLangDaemon and no browser, with a part of the examples (ARGS='tests/web')
	$(BIN)/python -m pytest -n $(QUICK_WORKERS) -m 'not daemon and not browser' $(ARGS)

coverage: $(VENV)/test       ## run the quick tests and measure branch coverage (ARGS='tests/web --cov-fail-under=0')
	$(BIN)/python -m pytest -n $(QUICK_WORKERS) -m 'not daemon and not browser' --cov $(ARGS)

lint: $(VENV)/test           ## check format, style, types, layers and dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture

format: $(VENV)/test         ## format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/test          ## measure the time and memory of records, scrapes and commits, in ten minutes (STREAM='--records 200000 --parts 3')
	$(BIN)/python benchmarks/counting.py
	$(BIN)/python benchmarks/scrape.py --json build/bench/scrape.json
	$(BIN)/python benchmarks/commit.py --json build/bench/commit.json
	$(BIN)/python benchmarks/inventory.py --json build/bench/inventory.json
	$(BIN)/python benchmarks/who.py
	$(BIN)/python benchmarks/stream.py --json build/bench/stream.json $(STREAM)

bench-peers: $(VENV)/test    ## measure the product beside programs in Go, where Go is installed (ARGS='--rounds 5')
	$(BIN)/python benchmarks/peers.py $(ARGS)

fuzz: $(VENV)/fuzz           ## fuzz decoding and parsing for ten minutes (ARGS='--minutes 60')
	$(BIN)/python -m tests.fuzz.run $(ARGS)

mutants: $(VENV)/mutants     ## change the code in small ways, count what the tests notice (ARGS='commits/ledger.py')
	$(BIN)/python -m tests.mutants.run $(ARGS)

fleet: $(VENV)/test          ## run a fleet under faults on strict stand-ins (ARGS='--seed 1 --minutes 10 --instances 3')
	$(BIN)/python -m tests.fleet.run $(ARGS)

simulate: $(VENV)/test       ## simulate fleets under faults, thousands of schedules (ARGS='--minutes 10', ARGS='--seed 7')
	$(BIN)/python -m tests.simulation.run $(ARGS)

rules: export ALL_EXAMPLES = 1
rules: $(VENV)/test          ## after a change in ops/: write the rules and dashboards, and try them with promtool and Prometheus
	$(BIN)/python -m ops
	$(BIN)/python -m pytest -n 2 tests/ops

screenshots: $(VENV)/test    ## take the pictures in docs/screenshots; needs Chromium and Prometheus
	$(BIN)/python -m tests.pages.screenshots

clean:                       ## remove everything that make has made here
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -prune -exec rm -rf {} +

# The locked libraries, then this package. The lock lists every library, so pip must not resolve dependencies: for a
# library with extras it would look for newer versions, and then refuse them because they are not locked.
$(VENV)/demo $(VENV)/test: $(VENV)/%: requirements/%.txt setup.cfg setup.py pyproject.toml | $(VENV)/pip
	@echo 'Installing what `make $*` needs; the first time this takes a minute or two …'
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r $<
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	$(BIN)/python -m pip check
	@touch $@

$(VENV)/fuzz $(VENV)/mutants $(VENV)/dist $(VENV)/docs: $(VENV)/%: requirements/%.txt | $(VENV)/test
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r $<
	@touch $@

$(VENV)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	  || { echo 'Python 3.10 or newer is needed; try: make PYTHON=/path/to/python3 …' >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo 'This Python cannot create a virtual environment; on Debian: apt-get install python3-venv.' >&2; exit 2; }
	@touch $@

VERSION   := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' kcl_flowlog/__init__.py)
REVISION  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# The time that images and bills of materials name, so that two builds of a commit are equal.
EPOCH     := $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# The registry of the image, e.g. DOCKERREPO=registry.example.com/team; `make image` and `make push` need it.
DOCKERREPO ?=
IMAGE      = $(DOCKERREPO)/kcl-flowlog:$(VERSION)
# docker if its engine answers, else buildah or podman; set BUILDER to choose.
BUILDER   ?= $(shell if docker info >/dev/null 2>&1; then echo docker; \
               else command -v buildah >/dev/null && echo buildah || echo podman; fi)
# Further flags of the build, e.g. IMAGE_FLAGS='--build-arg BASE_IMAGE=… --target demo'.
IMAGE_FLAGS ?=
# The OCI format has no field for a health check; docker's format has, and docker always uses it.
IMAGE_BUILD_docker  = docker build
IMAGE_BUILD_buildah = buildah bud --format docker --layers
IMAGE_BUILD_podman  = podman build --format docker
UV_COMPILE = $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes \
               --no-emit-package kcl-flowlog --custom-compile-command 'make lock' setup.cfg

.PHONY: docs dist dist-test sbom image push image-test lock jars-lock repository

repository:
	@test -n "$(DOCKERREPO)" || { echo 'DOCKERREPO is missing: make image DOCKERREPO=registry.example.com/team' >&2; exit 2; }

image: repository            ## build the production image and tag it $(DOCKERREPO)/kcl-flowlog:$(VERSION)
	$(IMAGE_BUILD_$(notdir $(BUILDER))) --target run --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
	  --build-arg SOURCE_DATE_EPOCH=$(EPOCH) \
	  $(IMAGE_FLAGS) --tag $(IMAGE) .

push: repository             ## push the image that `make image` has built
	$(BUILDER) push $(IMAGE)

docs: $(VENV)/docs           ## build the pages as a site in build/site, and check every link
	$(BIN)/mkdocs build --strict

dist: $(VENV)/dist           ## build the wheel and the source archive into dist/, and check them
	rm -rf dist
	$(BIN)/python -m build --quiet
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl

sbom: $(VENV)/dist           ## write the bill of materials (CycloneDX) into build/sbom/, and check it
	mkdir -p build/sbom
	SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python ops/sbom.py --checkout . > build/sbom/kcl-flowlog-$(VERSION).cdx.json
	$(BIN)/python tests/dist/validate_sbom.py build/sbom/kcl-flowlog-$(VERSION).cdx.json

dist-test: dist sbom         ## install the wheel into an empty environment, run the demo there, and docs/getting-started.md
	tests/dist/run dist/*.whl
	$(BIN)/python -m tests.dist.getting_started

image-test: | $(VENV)/pip    ## build both images and check that they run (as root on Debian, without a container engine)
	tests/image/arm64 $(BIN)/python
	tests/image/run $(IMAGE_TEST_FLAGS)

lock: | $(VENV)/pip          ## update the locks of all libraries: run first, then demo and test on top of it
	$(BIN)/python -m pip install --quiet uv
	$(UV_COMPILE) --output-file requirements/run.txt
	$(UV_COMPILE) --extra demo --constraint requirements/run.txt --output-file requirements/demo.txt
	$(UV_COMPILE) --extra test --constraint requirements/demo.txt --output-file requirements/test.txt
	echo 'atheris < 3.1' | $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --custom-compile-command 'make lock' --output-file requirements/fuzz.txt -
	echo 'mutmut ~= 3.8' | $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --custom-compile-command 'make lock' --constraint requirements/test.txt \
	  --output-file requirements/mutants.txt -
	printf '%s\n' 'build ~= 1.2' 'check-wheel-contents ~= 0.6' \
	    'cyclonedx-python-lib[json-validation] >= 11' 'twine >= 6' \
	  | $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes \
	  --no-annotate --custom-compile-command 'make lock' --constraint requirements/test.txt \
	  --output-file requirements/dist.txt -
	echo 'mkdocs ~= 1.6' | $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.10 \
	  --generate-hashes --no-annotate --custom-compile-command 'make lock' --constraint requirements/test.txt \
	  --output-file requirements/docs.txt -

jars-lock:                   ## after an update of amazon-kclpy: update the checksums of its jars
	cd "$$($(PYTHON) -c 'import amazon_kclpy, os; print(os.path.dirname(amazon_kclpy.__file__))')/jars" \
	  && sha256sum *.jar > "$(CURDIR)/properties/kcl-jars-3.1.3.sha256"
	@echo 'Now update requirements/kcl-jars-3.1.3.maven by pom.xml of the sdist.'
