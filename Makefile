# Two commands for newcomers: make demo, make test. Two for us: make check, make fix.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
LATER ?=

.PHONY: bill deb help demo screen test check fix bench torture chaos soak test-bluez bench-peers requirements clean

help:
	@echo 'make demo      the whole path on this machine, ending with a proof (ARGS="--seed 7")'
	@echo 'make screen    a live training screen with simulated patients (ARGS="--language en")'
	@echo 'make test      all tests, with a real broker'
	@echo 'make check     all that CI runs'
	@echo 'make fix       repairs what a machine can: formatting and simple findings'
	@echo 'make bench     the figures, each beside its goal'
	@echo 'make bench-peers  others that carry records over a link, beside us in one run'
	@echo 'make torture   kills, power cuts and rotten disks, counted (ROUNDS=20000 ARGS="--seed 7")'
	@echo 'make chaos     units, links, broker and centre broken at random, counted (ROUNDS=2000 ARGS="--seed 7")'
	@echo 'make soak      the long versions; results are kept in docs/evidence/'
	@echo 'make deb       Debian packages for amd64 and arm64 in build/ (ARGS="--key release.key" signs updates)'
	@echo 'make bill      what is installed on a unit, with its licences and hashes (CycloneDX)'
	@echo 'make test-bluez  our Bluetooth against the real bluetoothd and kernel, in an emulated machine'

# The environment: uv comes hashed through pip, everything else hashed through uv.
$(BIN)/uv: requirements/uv.txt
	$(PYTHON) requirements/check_python.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $(BIN)/uv

$(VENV)/training.stamp: $(BIN)/uv requirements/training.txt pyproject.toml
	$(BIN)/uv pip install --system-certs --quiet --python $(BIN)/python --require-hashes -r requirements/training.txt
	$(BIN)/uv pip install --system-certs --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(BIN)/uv requirements/dev.txt pyproject.toml
	$(BIN)/uv pip install --system-certs --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --system-certs --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/training.stamp

screen: $(VENV)/training.stamp
	@$(BIN)/qafila sim screen $(ARGS)

demo: $(VENV)/training.stamp
	$(BIN)/qafila demo $(ARGS)

test: $(VENV)/dev.stamp
	@sh requirements/packages.sh
	@$(BIN)/python .ci/check.py tests $(LATER) $(ARGS)

check: $(VENV)/dev.stamp
	@$(BIN)/python .ci/check.py begin
	@$(BIN)/python .ci/check.py static --later
	@$(MAKE) --no-print-directory test LATER=--later
	@$(BIN)/python .ci/check.py report

fix: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp
	@sh requirements/packages.sh
	$(BIN)/python -m bench $(ARGS)

# The others live in an environment of their own; nothing of them is shipped or imported.
build/peers/peers.stamp: $(BIN)/uv requirements/peers.txt
	$(PYTHON) -m venv build/peers
	$(BIN)/uv pip install --system-certs --quiet --python build/peers/bin/python --require-hashes -r requirements/peers.txt
	@touch $@

bench-peers: $(VENV)/dev.stamp build/peers/peers.stamp
	@sh requirements/packages.sh
	$(BIN)/python -m bench.peers --environment build/peers $(ARGS)

torture: $(VENV)/dev.stamp
	@sh requirements/packages.sh
	@$(BIN)/python -m torture $(if $(ROUNDS),--rounds $(ROUNDS)) $(ARGS)

chaos: $(VENV)/dev.stamp
	@sh requirements/packages.sh
	@$(BIN)/python -m chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(ARGS)

soak: $(VENV)/dev.stamp
	@sh requirements/packages.sh
	$(BIN)/python .ci/soak.py $(ARGS)

# Chain A: Debian's kernel and bluetoothd in QEMU, on this checkout; 2 to 4 minutes without hardware help.
test-bluez: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.bluez $(ARGS)

# The bill of materials of a unit of this architecture: build/qafila.cdx.json, CycloneDX.
bill: $(VENV)/dev.stamp
	@mkdir -p build
	$(BIN)/python -m ship.bill build/qafila.cdx.json

# Debian packages of both architectures, and with --key signed updates; needs dpkg-deb.
deb: $(VENV)/dev.stamp
	$(BIN)/python -m ship.deb build $(ARGS)

# After a change of dependencies in pyproject.toml or of the tools in requirements/*.in.
UV_COMPILE = $(BIN)/uv pip compile --system-certs --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
requirements: $(BIN)/uv
	$(UV_COMPILE) requirements/uv.in -o requirements/uv.txt
	$(UV_COMPILE) requirements/peers.in -o requirements/peers.txt
	$(UV_COMPILE) pyproject.toml -o requirements/unit.txt
	$(UV_COMPILE) pyproject.toml requirements/build.in --extra central --extra training -o requirements/training.txt
	$(UV_COMPILE) pyproject.toml requirements/build.in --all-extras -o requirements/dev.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
