# Two commands matter: `make demo` and `make test`. Each sets up .venv first if it has to.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN = .venv/bin
RECORDING = templates/tms_geometry/recordings/by_hand.jsonl

.PHONY: demo test science format bench clean

demo: .venv/installed
	$(BIN)/harness run tms_geometry --idea bias_after_geometry --model replay:$(RECORDING) --max-runs 3 --control tuner
	@echo
	$(BIN)/harness compare
	@echo
	@study=$$(basename $$(ls -dt runs/2*/ | grep -v -- -control/ | head -1)); \
	echo "Look next at:"; \
	echo "  $(BIN)/harness show $$study      the story, event by event"; \
	echo "  $(BIN)/harness diff $$study      what the agent changed"; \
	echo "  git -C runs/lab.git log --stat $$study    every edit, the failed ones included"; \
	echo "  $(BIN)/harness run tms_geometry --agent tuner    the same template without a language model"

test: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 4 --dist worksteal

science: .venv/installed
	$(BIN)/harness baseline --again

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/installed
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/false_positives.py
	$(BIN)/python benchmarks/science.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info

.venv/installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "needs Python 3.10, 3.11 or 3.12 (set PYTHON=…)"; exit 1; }
	@echo 'Setting up .venv: a few minutes the first time, most of them for PyTorch.'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[templates,dev]'
	touch $@
