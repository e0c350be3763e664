# What a developer can run. `make` lists it.
.PHONY: help install test quick real scripts types lint format docs mutate ci
help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'
install: ## install Vernis for development
	pip install -e ".[dev]"
test: ## run every test
	pytest
quick: ## run the tests that need no development pictures
	pytest -q -m "not real and not torch"
scripts: ## test the scripts of the pages (needs node)
	node --test tests/js/*.test.mjs
types: ## check the types of the app's scripts (needs npm)
	cd .ci && npm ci --silent --ignore-scripts && node_modules/.bin/tsc -p ../tsconfig.json
lint: ## linters and contracts
	ruff check . && ruff format --check . && mypy && lint-imports
format: ## format the code
	ruff format . && ruff check --fix .
docs: ## write the references
	python tools/references.py
mutate: ## change the statistics at COUNT places drawn by SEED, show what no test notices
	python tools/mutate.py --seed $(or $(SEED),1) --count $(or $(COUNT),100)
ci: ## what CI runs
	.ci/run
