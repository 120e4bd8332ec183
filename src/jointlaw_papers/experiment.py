"""An experiment: a question, what is done at each scale, and the page that says what was found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from rich.console import Console

from jointlaw.report import Page, Section
from jointlaw.runs import Workspace, environment

Plan = TypeVar("Plan")
Result = TypeVar("Result")
Say = Callable[[str], None]

console = Console(highlight=False)


def aloud(line: str) -> None:
    """Print a line as it is."""
    console.print(line, markup=False, soft_wrap=True)


class Bench(NamedTuple):
    """Where an experiment is carried out.

    Attributes:
        folder: keeps all that is trained.
        seed: the first seed; further ones count up from it.
        say: is told what is going on.
    """

    folder: Path
    seed: int
    say: Say = aloud


@dataclass(frozen=True)
class Experiment(Generic[Plan, Result]):
    """All that makes an experiment, from its plans to its page.

    Attributes:
        name: what ``jointlaw reproduce`` calls it.
        title: the page's heading.
        question: what is asked, in a sentence or two.
        plans: scale -> what is done.
        solve: carries a plan out.
        budget: says in a sentence what was done.
        figures: what ``results.json`` holds beside scale, seed and page, as plain values.
        sections: the page's sections.
        lines: what the command prints at the end.
    """

    name: str
    title: str
    question: str
    plans: Mapping[str, Plan]
    solve: Callable[[Plan, Bench], Result]
    budget: Callable[[Result], str]
    figures: Callable[[Result], dict[str, object]]
    sections: Callable[[Result], Sequence[Section]]
    lines: Callable[[Result], Sequence[str]]

    def reproduce(self, scale: str, folder: Path, seed: int, say: Say = aloud) -> dict[str, object]:
        """Carry out the plan of a scale, and write ``results.json`` and ``report.html``.

        Args:
            scale: smoke, cpu or paper.
            folder: created; trainings that it holds already are not done again.
            seed: the first of the seeds.
            say: is told what is going on, and what was found.

        Returns:
            What ``results.json`` holds, but for the page.

        Raises:
            ValueError: if the scale is unknown, or the folder holds trainings of other settings.
        """
        if scale not in self.plans:
            raise ValueError(f"{self.name}: expected scale to be one of {', '.join(self.plans)}, found {scale!r}.")
        folder.mkdir(parents=True, exist_ok=True)
        result = self.solve(self.plans[scale], Bench(folder, seed, say))
        command = f"jointlaw reproduce {self.name} --scale={scale} --seed={seed}"
        page = self.page(result, command, environment_of(folder))
        found = {"scale": scale, "seed": seed, **self.figures(result)}
        Workspace(folder).save_results({**found, "page": record(page)})
        page.write(folder / "report.html")
        for line in ("", *self.lines(result), f"  page: {folder / 'report.html'}"):
            say(line)
        return found

    def page(self, result: Result, command: str = "", environment: str = "") -> Page:
        """The page of a result."""
        introduction = f"{self.question} {self.budget(result)}".rstrip()
        sections = self.sections(result)
        return Page(self.title, introduction, sections, "jointlaw experiment", command, environment=environment)


def record(page: Page) -> dict[str, object]:
    """A page's words and tables as plain values, so that a table published elsewhere can be traced to its run."""
    sections = [
        {
            "name": section.name,
            "title": section.title,
            "introduction": section.introduction,
            "tables": [
                {"title": table.title, "columns": table.columns, "rows": table.rows, "note": table.note}
                for table in section.tables
            ],
        }
        for section in page.sections
    ]
    words = ("title", "command", "introduction", "environment")
    return {**{name: getattr(page, name) for name in words}, "sections": sections}


def environment_of(folder: Path) -> str:
    """What made an experiment's trainings, as each of them noted at its start; this environment if there are none.

    Where they differ, a line holds all values. The commit that wrote the page stands in a line of its own if it is
    another one.
    """
    noted = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("trials/*/environment.txt"))]
    if not noted:
        return environment()
    now = _lines(environment())
    found: dict[str, list[str]] = {}
    for text in noted:
        for key, value in _lines(text).items():
            values = found.setdefault(key, [])
            values += [] if value in values else [value]
    if found.get("commit") != [now["commit"]]:
        found["page"] = [f"written at commit {now['commit']}"]
    return "".join(f"{key} {' or '.join(values)}\n" for key, values in found.items())


def _lines(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines())
