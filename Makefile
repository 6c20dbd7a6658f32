# make demo and make test each work from a fresh clone with nothing but Python 3.11+ and make.

PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check format bench ui serve clean

help:            ## this list
	@grep -hE '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo:            ## set up, ingest real manuals in several languages, ask them questions
	@$(PYTHON) setup/install.py dense office code ui
	@$(PYTHON) setup/system.py || true
	@$(BIN)/python -u examples/demo.py

test:            ## set up all that the tests need, and run them
	@$(PYTHON) setup/install.py dev
	@$(PYTHON) setup/system.py || [ -z "$$CI$$PHIDEX_TEST_REQUIRE_OCR" ]
	@$(PYTHON) tests/vllm/install.py || [ -z "$$CI$$PHIDEX_TEST_REQUIRE_VLLM" ]
	@$(BIN)/pytest $(ARGS)

check:           ## format, lint, types, import contract
	@$(PYTHON) setup/install.py dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format:          ## write the format that check wants
	@$(PYTHON) setup/install.py dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench:           ## measure against the peers and the bars (eval/LOG.md keeps the results)
	@$(PYTHON) setup/install.py dev
	$(BIN)/python -m phidex.eval.bench $(ARGS)

ui:              ## the web app on this machine
	@$(PYTHON) setup/install.py dense office code ui
	@$(BIN)/phidex ui $(ARGS)

serve:           ## the web app for other machines too: make serve ADDRESS=0.0.0.0 (no login: only where you trust all)
	@$(PYTHON) setup/install.py dense office code ui
	@$(BIN)/phidex ui --address $(or $(ADDRESS),127.0.0.1) $(ARGS)

clean:           ## remove everything that make made
	rm -rf .venv .vllm .peers demo build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
