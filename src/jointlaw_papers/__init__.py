"""The experiments of the papers: what they claim, measured with jointlaw's public names.

``reproduce(name)`` carries one out, or ``jointlaw reproduce NAME`` on the command line. What is trained is kept in the
experiment's folder and never trained twice; ``results.json`` and ``report.html`` hold what was found.

- ``alignment``: seven predictors of a target with several right answers.
- ``banks``: particles against the queue at a small bank, and what helps the one that trails.
- ``baselines``: eight methods at one budget, each at a learning rate of its own choice.
- ``generation``: draws from the latent laws of three encoders, decoded.
- ``sparsity``: the dial of Rectified LpJEPA, its price and its parts.
"""

from pathlib import Path

__version__ = "0.2.0"

__all__ = ["NAMES", "reproduce"]

NAMES = ("alignment", "banks", "baselines", "generation", "sparsity")
"""The experiments."""


def reproduce(name: str, scale: str = "cpu", folder: str | Path | None = None, seed: int = 111) -> dict[str, object]:
    """Carry out an experiment, or what is still to be done of it, and print what was found.

    Args:
        name: one of ``NAMES``.
        scale: smoke (half a minute to a few minutes), cpu (two cores, up to two hours) or paper (its own constants).
        folder: of trainings, results.json and report.html (default: runs/reproduce-NAME-SCALE).
        seed: the first of the seeds of data, initial weights and fits.

    Returns:
        What results.json holds.

    Raises:
        ValueError: if name or scale is unknown, or the folder holds trainings of other settings.
    """
    from importlib import import_module

    if name not in NAMES:
        raise ValueError(f"reproduce: expected one of {', '.join(NAMES)}, found {name!r}.")
    place = Path("runs") / f"reproduce-{name}-{scale}" if folder is None else Path(folder)
    found: dict[str, object] = import_module(f"jointlaw_papers.{name}_page").EXPERIMENT.reproduce(scale, place, seed)
    return found
