# make demo | make test: each sets up by itself. make setup: only the virtual environment. make clean: remove both.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
PIP    := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(VENV)/bin/python -m pip --disable-pip-version-check
PACKAGE_FILES := $(shell find hand_recon_ros msg srv action launch config bench/sets cmake -type f -not -name '*.pyc') \
                 CMakeLists.txt package.xml pyproject.toml setup.py

.PHONY: demo test setup clean

demo: setup
	$(VENV)/bin/hand-recon demo --out out/demo

test: setup
	$(VENV)/bin/python -P -m pytest -q test

setup: $(VENV)/.package

$(VENV)/.requirements: requirements.txt tools/system_packages.sh
	sh tools/system_packages.sh "$(PYTHON)"
	"$(PYTHON)" -m venv $(VENV)
	$(PIP) install --quiet --requirement requirements.txt
	touch $@

# The messages are generated and compiled here; colcon does the same from CMakeLists.txt.
$(VENV)/.package: $(VENV)/.requirements $(PACKAGE_FILES)
	$(PIP) install --quiet --no-deps --no-build-isolation --force-reinstall .
	touch $@

clean:
	rm -rf $(VENV) build out *.egg-info
