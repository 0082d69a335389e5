# make demo: export a clip and show it. make test: lint, types and all tests. Both make what they need in .venv.
# make check: the same without the tests that are marked as slow (browsers, pipelines, faults), within two minutes.
# make test-integrations: telecine where people work, with the real libraries, in an environment of their own.
# make demo-batch: two hundred clips into an S3 server that runs here, and the report of that.
# make docs: the site of docs, with the reference, into out/docs. make docs-links: whether what it links to is there.
# make bench: every benchmark against its peers, into bench/RESULTS.md, which takes about half an hour.
# make test-latest, test-lowest: a wheel on every Python found with the newest dependencies, on the oldest with the lowest.
# make wheels: the source distribution and the wheels of test-latest, into dist/.
# make soak: the tests of faults at full length, which takes hours.
PYTHON ?= python3
# Real clips for the tests and benchmarks that use them; they skip where the folder is absent.
export TELECINE_CLIPS ?= $(abspath ../shared/clips)

BIN := .venv/bin
BENCH := bench/.venv
# An editable install knows the modules by name: a folder's time changes when one is added, moved or removed.
SOURCES := pyproject.toml CMakeLists.txt $(wildcard src/native/*) $(shell find src/telecine -type d -not -name __pycache__)

OLDEST := 11
CHECK := -m "not slow" --ignore=tests/installed
PYTEST := -m pytest -n auto --maxprocesses=4 --dist=worksteal
INTEGRATIONS := tests/integrations src/telecine/integrations

SPHINX := .venv/docs/bin/python -m sphinx --fail-on-warning --keep-going --fresh-env --quiet --doctree-dir build/docs

.PHONY: demo demo-batch check test test-integrations docs docs-links test-latest test-lowest wheels soak lint bench clean python

demo: .venv/demo
	$(BIN)/python -m examples.demo out

demo-batch: .venv/dev
	$(BIN)/python -m examples.batch out/batch

check test: lint .venv/hls.min.js .venv/node
	$(BIN)/python $(PYTEST) $(INTEGRATIONS:%=--ignore=%) $(if $(filter check,$@),$(CHECK),--durations=40)

test-integrations: .venv/integrations/installed .venv/lerobot .venv/node
	.venv/integrations/bin/python -m mypy $(INTEGRATIONS:%=%/*.py)
	.venv/integrations/bin/python $(PYTEST) --durations=20 $(INTEGRATIONS)

# The tests look at what was built, and skip where that is not.
docs: .venv/docs/installed
	rm -rf out/docs
	$(SPHINX) docs out/docs
	$(BIN)/python -m pytest -q tests/end_to_end/test_site.py

docs-links: .venv/docs/installed
	$(SPHINX) --builder linkcheck docs out/docs-links

test-latest test-lowest wheels: python
	$(PYTHON) tests/matrix.py $(@:test-%=%)

soak: .venv/dev
	TELECINE_SOAK=1 $(BIN)/python -m pytest -o faulthandler_timeout=0 tests/faults

lint: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/clang-format --dry-run --Werror src/native/* bench/*.cpp tests/faults/*.c tests/faults/*.cpp
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Some of the peers want other versions of what telecine stands on: they have an environment of their own.
bench: $(BENCH)/bench
	$(BENCH)/bin/python -m bench

clean:
	rm -rf .venv $(BENCH) build dist out

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, $(OLDEST)))' || \
	{ echo "$(PYTHON) does not run, or is older than Python 3.$(OLDEST): name another, as in make PYTHON=python3.13"; exit 1; }

# What builds the native module is installed beside it, so that an editable install rebuilds without the network.
.venv/build $(BENCH)/build: Makefile | python
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --upgrade pip
	$(@D)/bin/pip install --quiet 'scikit-build-core>=0.11' 'nanobind>=2.8' 'setuptools-scm>=8.1' \
		'hatch-fancy-pypi-readme>=24.1' cmake ninja
	touch $@

.venv/demo: .venv/build $(SOURCES)
	$(BIN)/pip install --quiet --no-build-isolation --editable '.[cli]'
	touch $@

# As a user has it, not editable: what an editable install adds to the import is not telecine's. cvvdp would bring what
# reads images too, and a torch that goes with torchvision.
$(BENCH)/bench: $(BENCH)/build $(SOURCES) $(shell find src/telecine -name '*.py')
	$(BENCH)/bin/pip install --quiet --no-build-isolation -C build-dir=build/bench '.[bench]'
	$(BENCH)/bin/pip install --quiet --no-deps cvvdp==0.5.7 ffmpeg-python einops future torchvision==0.28.0
	touch $@

# The player of HLS that pages use, for a test which skips without. npm compares it with the registry's hash.
.venv/hls.min.js: .venv/build
	-cd .venv && npm pack --silent hls.js@1.7.4 && \
	tar -xzf hls.js-1.7.4.tgz --touch --strip-components=2 package/dist/hls.min.js && rm hls.js-1.7.4.tgz

# What checks the pages' scripts and their manners, for tests which skip without.
.venv/node: .venv/build
	-mkdir -p $@ && npm install --silent --no-package-lock --prefix $@ typescript@7.0.2 axe-core@4.14.1 && touch $@

# Over what .venv has, which it reads: of what is installed here too, its own comes first.
.venv/docs/installed .venv/integrations/installed: .venv/dev
	$(BIN)/python -m venv $(@D)
	purelib='import sysconfig; print(sysconfig.get_path("purelib"))' && \
	echo "import site; site.addsitedir('$$($(BIN)/python -c "$$purelib")')" > \
	"$$($(@D)/bin/python -c "$$purelib")/dev.pth"
	$(@D)/bin/pip install --quiet 'telecine[$(notdir $(@D))]'
	touch $@

# LeRobot's reader, for a test which skips without: beside the other packages, of which it wants older ones.
.venv/lerobot: .venv/integrations/installed
	-rm -rf $@ $@.new && .venv/integrations/bin/pip install --quiet --no-deps --target $@.new lerobot==0.6.1 av==15.1.0 draccus \
	einops jsonlines mergedeep pyyaml-include typing-inspect && mv $@.new $@

.venv/dev: .venv/build $(SOURCES)
	$(BIN)/pip install --quiet --no-build-isolation --editable '.[dev]'
	touch $@ .venv/demo
