# One command a purpose: `make demo`, `make serve`, `make test`, `make lint`, `make proto`.

PYTHON ?= python3
DEV := .venv-dev
PROTO := regard/v1/regard.proto

# $(call generate,FOLDER): writes the stubs of the API below FOLDER.
generate = $(DEV)/bin/python -m grpc_tools.protoc --proto_path=proto --python_out=$(1) --grpc_python_out=$(1) \
	--mypy_out=quiet:$(1) --plugin=protoc-gen-mypy=$(DEV)/bin/protoc-gen-mypy \
	--mypy_grpc_out=quiet:$(1) --plugin=protoc-gen-mypy_grpc=$(DEV)/bin/protoc-gen-mypy_grpc $(PROTO)

.PHONY: proto proto-check

proto:  ## Generates the stubs under regard/v1.
	$(call generate,.)

proto-check:  ## Fails if the stubs under regard/v1 are not what the .proto generates.
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(call generate,"$$folder") && \
	for stub in "$$folder"/regard/v1/*; do diff -u "regard/v1/$${stub##*/}" "$$stub" || drift=yes; done; \
	if [ -n "$$drift" ]; then echo 'regard/v1 has drifted from proto/: run "make proto"' >&2; exit 1; fi
