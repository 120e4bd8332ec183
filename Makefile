# Two commands matter: `make demo` and `make test`. Each sets up its own environment on a fresh machine.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test quick core lint types layers format clean

demo: $(READY)
	$(BIN)/jointlaw train rectified-lpjepa --activity=0.1 --data=digits

test: lint types layers
	$(BIN)/python -m pytest -n 2

quick: lint types layers
	$(BIN)/python -m pytest -n 2 -m "not slow"

# The bare core, as `pip install jointlaw` brings it: the mathematics' tests in an environment without any extra (but for
# those that compare with scikit-learn), and a trained network loaded there.
CORE := .venv-core/bin
core: $(READY)
	$(PYTHON) -m venv --clear .venv-core
	$(CORE)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 . pytest pytest-xdist hypothesis mpmath
	$(CORE)/python -c 'import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ("sklearn", "pytorch_lightning", "yaml", "rich"))))'
	$(CORE)/python -m pytest -n 2 -m "not slow" -p no:cacheprovider $(addprefix tests/,functional laws densities objectives contracts test_banks.py test_networks.py test_regularizers.py) $(addprefix --ignore=tests/,functional/test_kernels.py densities/test_em.py densities/test_process.py test_regularizers.py)
	$(BIN)/jointlaw train vicreg --encoder=mlp --width=16 --run.epochs=1 --run.report=false --run.folder=.venv-core/run
	cd .venv-core && bin/python -c 'import torch; from jointlaw import load_encoder; print(load_encoder("run")(torch.zeros(2, 8, 8, dtype=torch.uint8)).shape)'

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/deptry src

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] in ((3, 11), (3, 12), (3, 13)) else f"jointlaw: expected Python 3.11 to 3.13, found {sys.version.split()[0]}. Name another one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $(READY)

clean:
	rm -rf .venv .venv-core
