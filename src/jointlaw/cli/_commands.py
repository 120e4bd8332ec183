"""Commands on a run: each is a method of `jointlaw.Run`, whose signature and docstring are its options."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from jointlaw.cli._main import COMMANDS
from jointlaw.cli._parsing import parse, parser, spelled_out, switches
from jointlaw.evaluation import FIGURES
from jointlaw.runs._console import say
from jointlaw.runs._run import Run

SUMMARY = (
    "sparsity.l0_expected",
    "sparsity.l0",
    "dead_units",
    "probe.backbone.accuracy",
    "probe.projector.accuracy",
    "knn.accuracy",
    "images_per_second",
)
"""The figures that the end of a training prints."""


def carry_out(name: str, words: list[str]) -> None:
    """Carry out a command."""
    if name == "reproduce":
        known = parser(prog="jointlaw reproduce", description=COMMANDS[name])
        known.add_function_arguments(reproduce, as_positional=True)
        reproduce(**parse(known, words))
        return
    method, after = _METHODS[name]
    known = parser(prog=f"jointlaw {name}", description=COMMANDS[name])
    known.add_function_arguments(open_run, as_positional=True)
    known.add_method_arguments(Run, method.__name__, as_positional=True)
    if name == "fit" and any(word.startswith("--density.") for word in words):  # options of a density without its name
        known.set_defaults({"density": {"class_path": "jointlaw.evaluation.Mixture"}})
    options = vars(known.instantiate(known.parse_args(spelled_out(words, switches(known)))))
    opened = open_run(options.pop("folder"), options.pop("data"), options.pop("trust"))
    say(*after(opened, method(opened, **options)))


def open_run(folder: Path, data: str | None = None, trust: bool = False) -> Run:
    """Open a run.

    Args:
        folder: the run folder to open.
        data: other data to work on, such as folder:photos (default: the run's own).
        trust: allow the run's configuration to import encoders, views and classes that are not jointlaw's.
    """
    return Run.open(folder, trust, data)


def reproduce(
    name: Literal["alignment", "banks", "baselines", "generation", "sparsity"],
    scale: Literal["smoke", "cpu", "paper"] = "cpu",
    folder: Path | None = None,
    seed: int = 111,
) -> None:
    """Run an experiment of the papers.

    Args:
        name: the experiment.
        scale: smoke (half a minute to a few minutes), cpu (two cores) or paper (the paper's own constants).
        folder: where results.json and report.html go (default: runs/reproduce-NAME-SCALE).
        seed: determines data, initial weights and fits.
    """
    if find_spec("jointlaw_papers") is None:
        raise ImportError(
            "reproduce: expected the package jointlaw-papers, found none. Install it from the source of jointlaw: "
            "pip install ./src/jointlaw_papers."
        )
    import jointlaw_papers

    jointlaw_papers.reproduce(name, scale, folder or Path("runs") / f"reproduce-{name}-{scale}", seed)


def summary(run: Run) -> list[str]:
    """The main figures of a run, and where its report is."""
    return ["", *_lines(run.workspace.read_results(), SUMMARY), f"  report: {run.workspace.report}"]


def _lines(figures: Any, names: Any = None) -> list[str]:
    chosen = [name for name in FIGURES if name in figures and figures[name] is not None] if names is None else names
    return [f"  {FIGURES[name].name:60} {FIGURES[name].text(figures.get(name))}" for name in chosen]


def _probed(_: Run, figures: dict[str, float | None]) -> list[str]:
    return [f"  {name:28s} {value:.4f}" for name, value in figures.items() if value is not None]


def _fitted(run: Run, fitted: Any) -> list[str]:
    return [*_lines(fitted.figures), f"  page: {run.workspace.folder / 'density.html'}"]


def _decoded(run: Run, _: Any) -> list[str]:
    names = ("decoder.mse", "decoder.explained")
    return [*_lines(run.workspace.read_results(), names), f"  decoder: {run.workspace.folder / 'decoder.safetensors'}"]


def _sampled(run: Run, samples: Any) -> list[str]:
    name = "samples" if "half" not in samples.arrays else "completions"
    place = run.workspace.folder / name
    return [*_lines(samples.figures), f"  pictures: {place}.png, page: {place}.html"]


_METHODS: dict[str, tuple[Callable[..., Any], Callable[[Run, Any], list[str]]]] = {
    "probe": (Run.probe, _probed),
    "embed": (Run.write_embeddings, lambda *_: []),
    "report": (Run.report, lambda run, _: summary(run)),
    "fit": (Run.fit, _fitted),
    "decode": (Run.decode, _decoded),
    "sample": (Run.sample, _sampled),
}
"""Command -> method, and the lines that tell what came of it."""
