"""Packages that only some of the library needs, asked for in one sentence."""

from importlib.util import find_spec

EXTRAS = {
    "train": ("pytorch_lightning", "torchmetrics", "sklearn", "jsonargparse", "rich", "yaml"),
    "report": ("plotly", "jinja2", "PIL"),
    "vision": ("timm", "torchvision"),
    "parquet": ("pyarrow",),
}
"""Extra, as in ``pip install 'jointlaw[train]'`` -> the modules that it brings."""


def require(extra: str) -> None:
    """Raise an ``ImportError`` unless everything that an extra brings is installed."""
    for module in EXTRAS[extra]:
        if find_spec(module) is None:
            raise missing(module)


def missing(module: str | None) -> ImportError:
    """The error that says what is missing and how to get it.

    >>> print(missing("plotly"))
    plotly: expected it to be installed, found none. Run: pip install 'jointlaw[report]'.
    """
    top = (module or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if top in modules), None)
    remedy = "Install it." if extra is None else f"Run: pip install 'jointlaw[{extra}]'."
    return ImportError(f"{module}: expected it to be installed, found none. {remedy}", name=module)
