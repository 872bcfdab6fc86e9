# make help lists the targets. Each makes .venv when it is missing or when requirements.txt is newer;
# once that is done, nothing here needs a network (except lock, test-oldest, test-newest and test-jax).

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
# Python for the environment: the first of these that runs and is 3.11, 3.12 or 3.13. Yours: make PYTHON=...
PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)
# Whatever is set for another environment must not reach into this one.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME UV_PYTHON
export UV_PYTHON_DOWNLOADS := never

# Two processes, a whole file each at a time: one notebook's cells must stay together.
PARALLEL := -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup run test lab build release doctor lock test-oldest test-newest test-jax test-twins \
  bench bench-grading clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

run: setup  ## execute every lesson (quick profile) and write build/report/index.html
	$(BIN)/course run

test: setup  ## everything that CI runs: ruff, unit tests, every notebook
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/python -m pytest $(PARALLEL)

lab: setup  ## open JupyterLab on the first notebook (LAB="--no-browser" passes options on)
	$(BIN)/jupyter lab $(LAB) notebooks/00_start_here.ipynb

build: setup  ## build solutions/*.ipynb and notebooks/*.ipynb from solutions/*.py
	$(BIN)/course build

release: setup  ## write the students' zip and the wheel to build/release
	$(BIN)/course release

doctor: setup  ## look at this machine and say what to mend
	$(BIN)/course doctor

# Not among them: grading.py (an hour) and gpu.py (needs a GPU); benchmarks/README.md says more.
BENCHMARKS := kit loading convolution zoo growth start
PAIRS :=

bench: setup  ## time the kit on this machine, a quarter of an hour (PAIRS=3: a quick look)
	@for name in $(BENCHMARKS); do \
	  echo "== $$name"; $(BIN)/python benchmarks/$$name.py $(if $(PAIRS),--pairs $(PAIRS)) || exit 1; \
	done

bench-grading: setup  ## time `course grade` beside `nbgrader autograde` (an hour)
	$(BIN)/python benchmarks/grading.py

clean:  ## delete what can be made again, except .venv and interrupted trainings (build/train)
	find build -mindepth 1 -maxdepth 1 -not -name train -exec rm -rf {} + 2>/dev/null || true
	rm -rf dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

# --- environments

setup: $(VENV)/.project  ## make .venv from requirements.txt (the other targets do it themselves)

# Bytecode is compiled here, once: it halves the time of the first `import tensorflow`.
$(VENV)/.packages: requirements.txt | $(BIN)/uv
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode -r requirements.txt
	@touch $@

$(VENV)/.project: pyproject.toml $(VENV)/.packages
	$(BIN)/uv pip install --quiet --offline --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/uv:
	@supported='import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; \
	if ! $(BIN)/python -c "$$supported" 2>/dev/null; then \
	  for python in $(PYTHONS); do \
	    if "$$python" -c "$$supported" 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "The course needs Python 3.11, 3.12 or 3.13. Tried: $(PYTHONS)." >&2; \
	    echo "Install one, or name yours: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	  fi; \
	  if ! "$$found" -m venv --clear $(VENV); then \
	    echo "$$found cannot make an environment. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; \
	  fi; \
	fi
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)

# --- versions

COMPILE := $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --no-emit-index-url \
  --custom-compile-command "make lock"
UPGRADE := --upgrade

lock: | $(BIN)/uv  ## refresh the pins from pyproject.toml (UPGRADE= keeps the versions that still fit)
	$(COMPILE) $(UPGRADE) --extra cpu --extra dev pyproject.toml -o requirements.txt
	$(COMPILE) --upgrade --extra cpu --extra notebook --constraint requirements.txt pyproject.toml -o requirements-student.txt

# The lowest versions that pyproject.toml allows, and the newest. Stored outputs were made with requirements.txt, so
# the oldest run the unit tests only.
test-oldest: | $(BIN)/uv  ## unit tests on Python 3.11 with the lowest allowed versions
	$(BIN)/uv venv --quiet --clear --python 3.11 .venv-oldest
	$(BIN)/uv pip install --python .venv-oldest --compile-bytecode --resolution lowest-direct --editable ".[cpu,dev]"
	.venv-oldest/bin/python -m pytest $(PARALLEL) --ignore tests/test_notebooks.py

test-newest: | $(BIN)/uv  ## all tests with the newest versions on the package index
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-newest
	$(BIN)/uv pip install --python .venv-newest --compile-bytecode --upgrade --editable ".[cpu,dev]"
	.venv-newest/bin/python -m pytest $(PARALLEL)

test-jax: | $(BIN)/uv  ## the library's tests on JAX, in an environment without TensorFlow
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-jax
	$(BIN)/uv pip install --python .venv-jax --compile-bytecode --constraint requirements.txt --editable ".[jax,dev]"
	KERAS_BACKEND=jax .venv-jax/bin/python -m pytest $(PARALLEL) --ignore tests/test_notebooks.py --ignore tests/tools \
	  --ignore tests/grading \
	  --ignore tests/test_environment.py

test-twins: setup  ## every keras.applications twin at two sizes, with and without its classifier (an hour or so)
	COURSE_ALL_TWINS=1 $(BIN)/python -m pytest -n 2 tests/test_transfer_twins.py
