"""A record names what made its trainings."""

from pathlib import Path

from jointlaw.runs._folder import environment
from jointlaw_papers.record import environment_of


def note(folder: Path, name: str, text: str) -> None:
    place = folder / "trials" / name
    place.mkdir(parents=True)
    (place / "environment.txt").write_text(text)


def test_without_trainings_it_is_this_environment(tmp_path: Path) -> None:
    assert environment_of(tmp_path) == environment()


def test_trainings_of_one_environment_name_it_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        note(tmp_path, name, environment())
    assert environment_of(tmp_path) == environment()


def test_trainings_of_several_commits_name_them_all(tmp_path: Path) -> None:
    note(tmp_path, "one", "python 3.11\ncommit 0123abc\n")
    note(tmp_path, "two", "python 3.11\ncommit 4567def\n")
    first, second, third = environment_of(tmp_path).splitlines()
    assert (first, second) == ("python 3.11", "commit 0123abc or 4567def")
    assert third.startswith("page written at commit ")
