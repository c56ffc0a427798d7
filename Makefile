# Start with `make demo` and `make test`. Each target first sets up .venv if necessary.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN = .venv/bin
OTHER_KERNELS = ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE OPENBLAS_CORETYPE=Prescott ONEDNN_MAX_CPU_ISA=SSE41 \
	NPY_DISABLE_CPU_FEATURES="AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX2 FMA3" \
	OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE
# An editable install through a plain path: the usual import hook slows every start of Python by 12 ms.
EDITABLE = --config-settings editable_mode=compat -e
# What `make demo` runs: TEMPLATE=minimal takes seconds. Each template's recording works on one of its ideas.
TEMPLATE = tms_geometry
IDEA_minimal = momentum
IDEA_tms_geometry = bias_after_geometry
IDEA = $(IDEA_$(TEMPLATE))
RECORDING = templates/$(TEMPLATE)/recordings/by_hand.jsonl

.PHONY: demo test quick lint test-kernels science format bench clean

demo: .venv/installed
	@test -n "$(IDEA)" || { echo "make demo takes TEMPLATE=minimal or TEMPLATE=tms_geometry"; exit 1; }
	$(BIN)/harness run $(TEMPLATE) --idea $(IDEA) --model replay:$(RECORDING) --max-runs 3 --control tuner
	@echo
	$(BIN)/harness compare
	@echo
	@study=$$(basename $$(ls -dt runs/2*/ | grep -v -- -control/ | head -1)); \
	echo "Next:"; \
	echo "  $(BIN)/harness show $$study      what happened, event by event"; \
	echo "  $(BIN)/harness diff $$study      what the agent changed"; \
	echo "  git -C runs/lab.git log --stat $$study    every edit, including failed ones"; \
	echo "  $(BIN)/harness run $(TEMPLATE) --agent tuner    the same template without a language model"

test: .venv/installed lint
	$(BIN)/pytest -n 4 --dist worksteal --cov=harness

# What to run while working: everything but whole studies and the science.
quick: .venv/installed lint
	$(BIN)/pytest -n 2 --dist worksteal tests/unit tests/templates/test_types.py \
		tests/test_layers.py tests/test_project.py

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

science: .venv/installed
	$(BIN)/harness baseline --again

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# All benchmarks; SMALL=--small runs each of them in seconds and ignores timings.
bench: .venv/installed
	$(BIN)/python benchmarks/overhead.py $(SMALL)
	$(BIN)/python benchmarks/false_positives.py $(SMALL)
	$(BIN)/python benchmarks/refused_code.py $(SMALL)
	$(BIN)/python benchmarks/science.py $(SMALL)

# The tests of the templates with other numerical kernels than this processor's default ones.
test-kernels: .venv/installed
	env $(OTHER_KERNELS) $(BIN)/pytest -n 4 --dist worksteal tests/templates

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info

.venv/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "needs Python 3.10, 3.11 or 3.12 (set PYTHON=…)"; exit 1; }
	@echo 'Setting up .venv: this takes a few minutes the first time, mostly for PyTorch.'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check $(EDITABLE) '.[templates,dev]' >.venv/install.log 2>&1 \
		|| { tail -n 20 .venv/install.log; echo 'Setting up .venv failed; see .venv/install.log for the full output'; exit 1; }
	@touch $@
