"""Shape annotations of the mathematics are checked while the tests run, and only then."""

from importlib.util import find_spec

import pytest
from jaxtyping import install_import_hook
from torch.distributions import Distribution

MATHEMATICS = ("types", "functional", "laws", "regularizers", "densities", "objectives", "networks")

if find_spec("beartype"):  # the bare core has none
    install_import_hook([f"jointlaw.{part}" for part in MATHEMATICS], "shapes.checked")


@pytest.fixture(autouse=True)
def _validation() -> None:
    """Laws check their values, also after a test that compiles: torch's compiler turns that off for good."""
    Distribution.set_default_validate_args(__debug__)
