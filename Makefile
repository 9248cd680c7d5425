# kcl-flowlog. `make demo` and `make test` need Python 3.10 or newer, make and the network; nothing else.

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
ARGS    ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench fuzz mutants fleet clean

help:                        ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/demo           ## watch the product count, on an embedded AWS (ARGS='--duration 180 --no-table')
	$(BIN)/kcl-flowlog demo $(ARGS)

test: $(VENV)/test           ## run all tests, those through the real daemon too (ARGS='-m "not daemon"' leaves them out)
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/test           ## check style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/test          ## measure CPU time per flow record, as ratios
	$(BIN)/python benchmarks/counting.py

fuzz: $(VENV)/fuzz           ## feed decoding and parsing with anything, for ten minutes (ARGS='--minutes 60')
	$(BIN)/python -m tests.fuzz.run $(ARGS)

mutants: $(VENV)/mutants     ## change the code in small ways and count what the tests notice (ARGS='commits/ledger.py')
	$(BIN)/python -m tests.mutants.run $(ARGS)

fleet: $(VENV)/test          ## a fleet under faults, against strict stand-ins (ARGS='--seed 1 --minutes 10 --instances 3')
	$(BIN)/python -m tests.fleet.run $(ARGS)

clean:                       ## remove everything that make has made here
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# The locked libraries, then the package itself as it stands here. The lock names every library there is, so nothing is
# resolved: pip would look at newer versions of what is asked for with extras, and then refuse them as not locked.
$(VENV)/demo $(VENV)/test: $(VENV)/%: requirements/%.txt setup.cfg setup.py pyproject.toml | $(VENV)/pip
	@echo 'Installing what `make $*` needs; the first time this takes a minute or two …'
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r $<
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	$(BIN)/python -m pip check
	@touch $@

$(VENV)/fuzz $(VENV)/mutants: $(VENV)/%: requirements/%.txt | $(VENV)/test
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r $<
	@touch $@

$(VENV)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	  || { echo 'Python 3.10 or newer is needed; name one: make PYTHON=/path/to/python3 …' >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo 'This Python can make no virtual environment; on Debian: apt-get install python3-venv.' >&2; exit 2; }
	@touch $@

VERSION   := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' kcl_flowlog/__init__.py)
REVISION  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# Where the image goes, e.g. DOCKERREPO=registry.example.com/team; `make image` and `make push` ask for it.
DOCKERREPO ?=
IMAGE      = $(DOCKERREPO)/kcl-flowlog:$(VERSION)
# docker where its engine answers, else buildah or podman; or say BUILDER=….
BUILDER   ?= $(shell if docker info >/dev/null 2>&1; then echo docker; \
               else command -v buildah >/dev/null && echo buildah || echo podman; fi)
# More for the build, e.g. IMAGE_FLAGS='--build-arg BASE_IMAGE=… --target demo'.
IMAGE_FLAGS ?=
# An image in the OCI format has no place for the health check; docker makes its own format anyway.
IMAGE_BUILD_docker  = docker build
IMAGE_BUILD_buildah = buildah bud --format docker --layers
IMAGE_BUILD_podman  = podman build --format docker
UV_COMPILE = $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes \
               --no-emit-package kcl-flowlog --custom-compile-command 'make lock' setup.cfg

.PHONY: image push image-test lock jars-lock repository

repository:
	@test -n "$(DOCKERREPO)" || { echo 'Say where the image goes: make image DOCKERREPO=registry.example.com/team' >&2; exit 2; }

image: repository            ## build the production image and tag it $(DOCKERREPO)/kcl-flowlog:$(VERSION)
	$(IMAGE_BUILD_$(notdir $(BUILDER))) --target run --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
	  $(IMAGE_FLAGS) --tag $(IMAGE) .

push: repository             ## push what `make image` built
	$(BUILDER) push $(IMAGE)

image-test:                  ## build both images and prove that they run (root on Debian; no engine needed)
	tests/image/run $(IMAGE_TEST_FLAGS)

lock:                        ## lock all libraries anew: run, then demo and test on top of it
	$(UV_COMPILE) --output-file requirements/run.txt
	$(UV_COMPILE) --extra demo --constraint requirements/run.txt --output-file requirements/demo.txt
	$(UV_COMPILE) --extra test --constraint requirements/demo.txt --output-file requirements/test.txt
	echo 'atheris < 3.1' | $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --custom-compile-command 'make lock' --output-file requirements/fuzz.txt -
	echo 'mutmut ~= 3.8' | $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --custom-compile-command 'make lock' --constraint requirements/test.txt \
	  --output-file requirements/mutants.txt -

jars-lock:                   ## after a new amazon-kclpy: the sums of the daemon's jars, from the installed one
	cd "$$($(PYTHON) -c 'import amazon_kclpy, os; print(os.path.dirname(amazon_kclpy.__file__))')/jars" \
	  && sha256sum *.jar > "$(CURDIR)/properties/kcl-jars-3.1.3.sha256"
