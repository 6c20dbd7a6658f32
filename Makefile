# make demo and make test each work from a fresh clone with nothing but Python 3.11+ and make.

PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check format bench docs ui serve clean

help:            ## this list
	@grep -hE '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo:            ## set up, ingest real manuals in several languages, ask them questions
	@$(PYTHON) setup/install.py dense office code video ui
	@$(PYTHON) setup/system.py || true
	@$(BIN)/python -u examples/demo.py

test:            ## set up all that the tests need, and run them
	@$(PYTHON) setup/install.py dev
	@$(PYTHON) setup/system.py || [ -z "$$CI$$PHIDEX_TEST_REQUIRE_OCR" ]
	@$(PYTHON) tests/vllm/install.py || [ -z "$$CI$$PHIDEX_TEST_REQUIRE_VLLM" ]
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

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

docs:            ## the documentation as a site in build/docs, which fetches nothing from elsewhere
	@$(PYTHON) setup/install.py docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open build/docs/index.html"

ui:              ## the web app on this machine; for others: make ui ARGS="--address 0.0.0.0" (no login: only where you trust all)
	@$(PYTHON) setup/install.py dense office code video ui
	@$(BIN)/phidex ui $(ARGS)

serve:           ## REST and OpenAI's format for other programs (docs/server.md)
	@$(PYTHON) setup/install.py dense office code video server
	@$(BIN)/phidex serve $(ARGS)

clean:           ## remove everything that make made
	rm -rf .venv .vllm .peers demo build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
