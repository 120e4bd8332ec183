"""Shape annotations of the mathematics are checked while the tests run, and only then."""

from jaxtyping import install_import_hook

MATHEMATICS = ("types", "functional", "laws", "regularizers", "densities", "objectives", "networks")

install_import_hook([f"jointlaw.{part}" for part in MATHEMATICS], "shapes.checked")
