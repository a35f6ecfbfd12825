# Two commands for a new user: `make demo` and `make test`. Both create .venv when it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo_out

# Modules are compiled once, not by each process that the tests start.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo board-demo test test-all test-quick lint docs clean help

help:
	@echo "make demo   install into $(VENV), build the trained digits CNN and prove it in Python, HLS C++ and RTL"
	@echo "make board-demo   install into $(VENV), and take the digits CNN to a ULX3S bitstream whose netlist is proved"
	@echo "make test   install into $(VENV), run the test suite: at most half an hour on two cores"
	@echo "make test-all   the same with the tests marked full, and 2,000 examples for each property: hours"
	@echo "make test-quick   the same but for the tests marked slow: every model in HLS C++ and RTL, the wheel, synthesis"
	@echo "make lint   ruff and mypy only"
	@echo "make docs   build the documentation site into site/"
	@echo "make clean  remove what the two commands left (not $(VENV))"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# A stamp per set of extras: pip runs again only when pyproject.toml has changed.
$(VENV)/.demo-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[sim,hls]'
	@touch $@

$(VENV)/.board-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[sim,synth]'
	@touch $@

$(VENV)/.test-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[sim,hls,synth,test]'
	@touch $@ $(VENV)/.demo-installed

demo: $(VENV)/.demo-installed
	$(BIN)/python examples/demo.py -o $(DEMO)

board-demo: $(VENV)/.board-installed
	$(BIN)/python examples/board_demo.py -o board_$(DEMO)

test: $(VENV)/.test-installed
	$(BIN)/python -m pytest -n 2 --dist worksteal --fuzz 20

test-all: $(VENV)/.test-installed
	$(BIN)/python -m pytest -n 2 --dist worksteal --full --fuzz 600

test-quick: $(VENV)/.test-installed
	$(BIN)/python -m pytest -n 2 --dist worksteal --quick

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.test-installed
	$(BIN)/python -m mkdocs build

clean:
	rm -rf site $(DEMO) board_$(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
