# The commands of the README. `make up` and `make test` need Python 3.11 or later and nothing else;
# with Java 17 and Maven the broker is Apache Kafka.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help up check test test-compiled test-benches lint types bytecode browser bench bench-latency bench-peers bench-kit bench-backfill bench-corrections bench-size bench-rebuild bench-queries flows fuzz fuzz-api planted-faults simulate chaos contract compat docs packages lock clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# uv, where there is one, installs the same files, of which the lock has the hashes, in a fifth of the time.
LOCKED_BY_UV := command -v uv >/dev/null && uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt

.venv/ready: requirements/dev.txt schemas/pyproject.toml service/pyproject.toml tools/pyproject.toml
	$(PYTHON) -m venv .venv
	@echo "installing requirements/dev.txt"
	@$(LOCKED_BY_UV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e schemas -e service -e tools
	@touch $@

up: .venv/ready  ## a local stack, the consumers, the sample catalogue; runs until Ctrl-C
	@$(BIN)/llamalog-dev up

lint: .venv/ready  ## style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/ready  ## the strict type checker
	$(BIN)/mypy

WORKERS ?= 2
# Tests of processes wait a good part of their time: six workers keep two cores busy.
TEST_WORKERS ?= 6
TESTED := -m "not bench" $(TESTS)
# Tests start hundreds of Python processes; without the cache each of them compiles every module anew.
unexport PYTHONDONTWRITEBYTECODE

browser:  ## Debian's Chromium for the browser tests, where it can be installed; else they are skipped
	@.ci/install-browser

check: lint types  ## lint, types, imports, unit and contract tests without the slow ones: a minute, before every commit
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m "not slow" tests/unit tests/contract

bytecode: .venv/ready  # once for all workers: each of them would compile every module and test anew
	@$(BIN)/pytest --collect-only -qq $(TESTED) >/dev/null || true  # what is wrong the tests themselves report

# The compiled kernels are found by their path: without it everything runs in pure Python.
COMPILED := $(CURDIR)/build/compiled
COMPILED_TESTS ?= tests/unit/kafka/test_kernels.py tests/unit/domain/test_content_kernel.py tests/integration/log/test_row_copy.py tests/integration/rebuild/test_shadow_copy.py

build/compiled/ready: .venv/ready service/build_kernels.py $(wildcard service/kernels/*)
	@mkdir -p $(@D)
	@$(BIN)/python service/build_kernels.py $(@D)
	@touch $@

test-compiled: build/compiled/ready  ## tests on the compiled kernels; COMPILED_TESTS='tests/unit tests/contract' runs others
	PYTHONPATH=$(COMPILED) $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile $(COMPILED_TESTS)

test: .venv/ready browser  ## everything: lint, types, schemas, all tests on a real PostgreSQL, broker and browser
	@$(MAKE) --no-print-directory --jobs 2 lint types bytecode compat build/compiled/ready
	$(BIN)/pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(TESTED)
	@$(MAKE) --no-print-directory test-compiled

test-benches: .venv/ready  ## every bench once, on little data: that it runs and finds what the fold says
	$(BIN)/pytest -m bench tests/acceptance

bench: build/compiled/ready  ## the consumer against COPY and the I/O alone, in one run; BENCH='--repeat 5' passes options
	@PYTHONPATH=$(COMPILED):tests $(BIN)/python -m bench $(BENCH)

bench-latency: build/compiled/ready  ## how soon a sent event is a row and a provenance record, at half of the rate of a drain; BENCH='--rate 1000'
	@PYTHONPATH=$(COMPILED):tests $(BIN)/python -m bench_latency $(BENCH)

bench-peers: build/compiled/ready  ## this service beside Kafka Connect, data-rentgen and a service as in a tutorial; BENCH='--only service,floor'
	@PYTHONPATH=$(COMPILED):tests $(BIN)/python -m bench_peers --plot build/peers.svg $(BENCH)

bench-kit: .venv/ready  ## what publishing an event costs its caller, as a ratio to a bare send
	@PYTHONPATH=tests $(BIN)/python -m bench.kit $(BENCH)

bench-backfill: .venv/ready  ## a backfill of a million rows as a ratio to one plain UPDATE; BENCH='--rows 200000'
	@PYTHONPATH=tests $(BIN)/python -m bench_backfill $(BENCH)

bench-corrections: build/compiled/ready  ## how fast the corrections of a large recompute are published, and at which cost; BENCH='--rows 50000'
	@PYTHONPATH=$(COMPILED):tests $(BIN)/python -m bench.corrections $(BENCH)

bench-size: build/compiled/ready  ## what an event costs with 10^5, 10^6 and 10^7 rows in the table; BENCH='--rows 1000 --rows 100000'
	@PYTHONPATH=$(COMPILED):tests $(BIN)/python -m bench.size $(BENCH)

bench-rebuild: build/compiled/ready  ## a rebuild of a million events as a ratio to COPY plus indexes; BENCH='--events 200000'
	@PYTHONPATH=$(COMPILED):tests $(BIN)/python -m bench_rebuild $(BENCH)

bench-queries: build/compiled/ready  ## the queries of a log of a million rows against bare SQL, while events come in
	@PYTHONPATH=$(COMPILED):tests $(BIN)/python -m bench_queries $(BENCH)

flows: .venv/ready  ## the files of our own that an event, a timeline and a rebuild need, each executed once
	@$(BIN)/python -m llamalog_tools.flow_files $(FLOWS)

INPUTS ?= 100000

fuzz: .venv/ready  ## the decode step under INPUTS=100000 bad inputs; FUZZ='--seed 2' passes options
	@PYTHONPATH=tests $(BIN)/python -m fuzz --inputs $(INPUTS) $(FUZZ)

EXAMPLES ?= 50

fuzz-api: .venv/ready  ## the API under EXAMPLES=50 drawn requests an operation, held against its own document
	@LLAMALOG_API_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q --timeout 7200 tests/integration/http/test_api_schema.py

planted-faults: .venv/ready  ## one fault after the other planted in a copy of the checkout, which tests have to catch; PLANT='--only claim'
	@PYTHONPATH=tests $(BIN)/python -m planted_faults $(PLANT)

simulate: .venv/ready  ## random histories under random faults against the fold; SEEDS=1000, or SEED=7 to play one again
	@PYTHONPATH=tests $(BIN)/python -m simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST)) \
	    $(if $(SEED),--seed $(SEED)) $(if $(MESSAGES),--messages $(MESSAGES)) $(if $(FAULTS),--faults $(FAULTS)) $(SIMULATE)

chaos: .venv/ready  ## breaks things under load and holds the outcome against the fold; CHAOS='--only sigstop'
	@PYTHONPATH=tests $(BIN)/python -m chaos --write-to docs/reliability.md $(CHAOS)

contract: .venv/ready  ## writes the JSON Schemas and the AsyncAPI document from the models
	@$(BIN)/python -m llamalog_tools.contract_export

compat: .venv/ready  ## holds the JSON Schemas against the last tag and the copies kept of what was published
	@$(BIN)/python -m llamalog_tools.schema_compat

docs: .venv/ready  ## the site of the documents, build/site, with the contract as a page; offline
	@$(BIN)/python -m llamalog_tools.contract_page build/contract.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "build/site/index.html: the documents; $(BIN)/python -m http.server --directory build/site serves them"

packages: .venv/ready  ## the wheels of the three distributions, build/packages; the service's compiled and in pure Python
	@$(BIN)/python -m llamalog_tools.release check
	@for name in schemas service tools; do \
	    LLAMALOG_KERNELS=no $(BIN)/python -m build --wheel --no-isolation --outdir build/packages $$name >/dev/null || exit 1; \
	done
	@$(BIN)/python -m build --wheel --no-isolation --outdir build/packages service >/dev/null
	@ls build/packages

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --no-annotate --no-header --quiet --no-emit-package llamalog-schemas \
    --no-emit-package llamalog-service

lock:  ## pin every dependency with its hashes, without addresses; the image gets what the checks ran with
	$(LOCK) requirements/dev.in service/pyproject.toml tools/pyproject.toml -o requirements/dev.txt
	$(LOCK) service/pyproject.toml -c requirements/dev.txt -o requirements/runtime.txt
	$(LOCK) requirements/build.in -c requirements/dev.txt -o requirements/build.txt

clean:  ## removes the environment and the local stack's data
	rm -rf .venv .llamalog build
