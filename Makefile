# make run     set up and train; other arguments instead: make run ARGS="--arch dcgan --loss wgan-gp --kimg 4"
# make test    set up and test, in seven to twelve minutes; make test-long: the tests that take long by themselves
# make check   format, lint, types and spelling, without changing anything
# make house   the numbers of the layout: rooms, floors, circles, …
# make bench   speed against other projects, in ten minutes; fails below a floor (make bench-full: all, two hours)
# make docs    the documentation site, in build/site
# make bits    hashes of what short runs make, to compare before and after a change
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ARGS ?= --arch dcgan --loss wgan-gp
TESTS ?= tests
VENV := .venv
# The tests' networks are tiny, and processes with more threads than cores wait for each other.
PROCESSES ?= 2
# The hundreds that they start would else compile the laboratory anew, where Python is told to keep nothing.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(VENV)/bin/pytest -n $(PROCESSES) --dist worksteal

.PHONY: run test test-long test-oldest check house docs bench bench-full bits format soak clean

run: $(VENV)/ready
	$(VENV)/bin/gans run $(ARGS)

test: $(VENV)/ready
	$(PYTEST) $(TESTS)

test-long: $(VENV)/ready
	$(PYTEST) -m long $(TESTS)

# The usual tests on the lower bounds of pyproject.toml, in an environment of their own.
test-oldest:
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --constraint tests/oldest.txt --editable ".[dev]"
	OMP_NUM_THREADS=1 .venv-oldest/bin/pytest -n $(PROCESSES) $(TESTS)

check: $(VENV)/ready
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/codespell

house:
	@$(or $(PYTHON),python3) tests/house/house.py

docs: $(VENV)/ready
	$(VENV)/bin/python docs/site/build.py

bench: $(VENV)/ready
	$(VENV)/bin/python benchmarks/bench.py

bench-full: $(VENV)/ready
	$(VENV)/bin/python benchmarks/bench.py --full

bits: $(VENV)/ready
	$(VENV)/bin/python benchmarks/bits.py

format: $(VENV)/ready
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

soak: test-long
	$(VENV)/bin/python benchmarks/start.py
	$(VENV)/bin/python benchmarks/explorer.py
	$(VENV)/bin/python benchmarks/modes.py --loss all
	$(VENV)/bin/python benchmarks/gradient_penalty.py
	$(VENV)/bin/python benchmarks/overhead.py
	$(VENV)/bin/python benchmarks/processes.py
	$(VENV)/bin/python benchmarks/restarts.py
	$(VENV)/bin/python benchmarks/evaluation.py
	$(VENV)/bin/python benchmarks/fid_command.py
	$(VENV)/bin/python benchmarks/audit.py
	$(VENV)/bin/python benchmarks/kills.py --kills 100
	$(VENV)/bin/python benchmarks/fuzz_readers.py --minutes 30

$(VENV)/ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "needs Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "sets up $(VENV): two to five minutes with a normal connection, most of them for PyTorch"
	$(VENV)/bin/python -m pip install --progress-bar off --disable-pip-version-check --editable ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache
