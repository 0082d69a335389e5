# make demo: export a clip and show it. make test: lint, types and tests. Both make what they need in .venv.
# make soak: the tests of faults at full length, which takes hours.
PYTHON ?= python3
# Real clips for the tests and benchmarks that use them; they skip where the folder is absent.
export TELECINE_CLIPS ?= $(abspath ../shared/clips)

BIN := .venv/bin
SOURCES := pyproject.toml CMakeLists.txt $(wildcard src/native/*)

.PHONY: demo test soak lint bench clean

demo: .venv/demo
	$(BIN)/python -m examples.demo out

test: lint
	$(BIN)/python -m pytest

soak: .venv/dev
	TELECINE_SOAK=1 $(BIN)/python -m pytest tests/faults

lint: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/clang-format --dry-run --Werror src/native/* tests/faults/*.c tests/faults/*.cpp
	$(BIN)/mypy

bench: .venv/bench
	$(BIN)/python -m bench.convert
	$(BIN)/python -m bench.latency
	$(BIN)/python -m bench.memory

clean:
	rm -rf .venv build out

# What builds the native module is installed beside it, so that an editable install rebuilds without the network.
.venv/build: Makefile
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet 'scikit-build-core>=0.10' 'nanobind>=2.4' cmake ninja
	touch $@

.venv/demo: .venv/build $(SOURCES)
	$(BIN)/pip install --quiet --no-build-isolation --editable '.[all]'
	touch $@

.venv/bench: .venv/dev
	$(BIN)/pip install --quiet --no-build-isolation --editable '.[bench]'
	touch $@

.venv/dev: .venv/build $(SOURCES)
	$(BIN)/pip install --quiet --no-build-isolation --editable '.[dev]'
	touch $@ .venv/demo
