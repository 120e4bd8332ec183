"""``jointlaw law`` and ``jointlaw mixture``: what they print, what they read, and what they refuse."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from jointlaw import RectifiedGeneralizedGaussian, Run
from jointlaw.cli import main
from jointlaw.cli._mixture import branches


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def start(page: str) -> dict[str, Any]:
    """What the script of a page starts from."""
    found = re.search(r'id="start">(.*?)</script>', Path(page).read_text(encoding="utf-8"), re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def failed(words: list[str]) -> int:
    """The exit code, whether returned or raised by the parser."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


class TestLaw:
    def test_the_numbers_are_printed_and_the_page_is_written(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["law", "--activity=0.02", "--p=2", "--scale=RGN"]) == 0
        said = capsys.readouterr().out
        share = torch.tensor(0.02, dtype=torch.float64)
        law = RectifiedGeneralizedGaussian.with_activity(share, 2.0, "RGN")
        for name, value in (("mean", law.mean), ("variance", 1.0), ("entropy", law.entropy()), ("scale", law.scale)):
            assert re.search(rf"^  {name} +{float(value):.6g} ", said, re.MULTILINE)
        assert re.search(r"^  mass at zero +0.98 ", said, re.MULTILINE)
        assert "page: law.html" in said
        assert start("law.html")["settings"] == [{"p": 2.0, "scale": "RGN", "activity": 0.02}]

    def test_the_dial_starts_at_a_tenth(self) -> None:
        assert main(["law", "--out=mine.html"]) == 0
        assert start("mine.html")["settings"] == [{"p": 1.0, "scale": "GN", "activity": 0.1}]

    @pytest.mark.parametrize("word", ["rgn", "RGN"])
    def test_a_convention_in_either_case(self, word: str) -> None:
        assert main(["law", f"--scale={word}"]) == 0
        assert start("law.html")["settings"][0]["scale"] == "RGN"

    @pytest.mark.parametrize("place", ["--loc=-0.5", "--activity=0.3"])
    def test_a_scale_of_ones_own(self, place: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["law", place, "--scale=0.25", "--p=2"]) == 0
        assert re.search(r"^  scale +0.25 ", capsys.readouterr().out, re.MULTILINE)
        name, value = place.removeprefix("--").split("=")
        assert start("law.html")["settings"][0][name] == float(value)

    def test_open_shows_the_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[str] = []
        monkeypatch.setattr("webbrowser.open", opened.append)
        assert main(["law", "--open"]) == 0
        assert opened == [Path("law.html").resolve().as_uri()]

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["--activity=0.1", "--loc=0"], "One determines the other"),
            (["--activity=2"], "Choose a share inside"),
            (["--activity=nan"], "expected --activity to be a share inside (0, 1) such as 0.1, found 'nan'"),
            (["--activity=10%"], "expected --activity to be a share inside (0, 1) such as 0.1, found '10%'"),
            (["--activity=inf"], "found 'inf'"),
            (["--activity=abc"], "found 'abc'"),
            (["--p=x"], "expected --p to be a finite number, found 'x'"),
            (["--loc=1,5"], "expected --loc to be a finite number, found '1,5'"),
            (["--loc=-1e300"], "found activity 0 in float64"),
            (["--p=101"], "expected p between 0.1 and 100, found 101"),
            (["--p=0.09"], "expected p between 0.1 and 100, found 0.09"),
            (["--scale=-1"], "scale > 0"),
            (["--scale=XY"], "expected --scale to be GN, RGN or a number, found 'XY'"),
            (["--p=0"], "p > 0"),
            (["--p=0.001"], "choose p between"),
            (["--out=law.csv"], "a .html file"),
            (["--out=nowhere/law.html"], "Create it first"),
            (["--trust"], "with --run only"),
            (["--run=nowhere"], "expected a run folder"),
            (["--run=nowhere", "--p=2"], "beside --p and --scale"),
        ],
    )
    def test_mistakes_write_nothing(self, words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert failed(["law", *words]) == 2
        said = capsys.readouterr().err
        assert text in said
        assert said.startswith("jointlaw: error: ")
        assert said.count("\n") == 1
        assert said.endswith(".\n")
        assert list(Path().iterdir()) == []


def trained(recipe: str, *options: str) -> Path:
    folder = Path("a run")
    small = ["--width=16", "--run.epochs=1", "--run.threads=1", "--run.precision=32", "--run.report=false"]
    assert main(["train", recipe, *small, *options, f"--run.folder={folder}"]) == 0
    return folder


class TestRun:
    def test_its_units_lie_under_its_law(self, capsys: pytest.CaptureFixture[str]) -> None:
        folder = trained("rectified-lpjepa", "--activity=0.2", "--p=2")
        assert main(["law", f"--run={folder}"]) == 0
        data = start(str(folder / "law.html"))
        assert data["settings"] == [{"p": 2.0, "scale": "GN", "activity": 0.2}]
        assert data["command"] == "jointlaw law --run='a run'"
        run = Run.open(folder)
        units = run.embedder.drawn(run.data.held_out, run.setup.run.seed).embeddings
        assert data["units"]["zero"] == pytest.approx(float((units == 0).double().mean()))
        assert data["units"]["activity"] == pytest.approx((units != 0).double().mean(0).tolist(), abs=1e-6)
        assert main(["law", f"--run={folder}", "--activity=0.5", "--out=other.html"]) == 0
        assert start("other.html")["settings"] == [{"p": 1.0, "scale": "GN", "activity": 0.5}]
        assert start("other.html")["units"] == data["units"]

    def test_units_below_zero_are_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        folder = trained("vicreg")
        assert main(["law", f"--run={folder}"]) == 2
        assert "zero or above" in capsys.readouterr().err
        assert not (folder / "law.html").exists()

    def test_without_a_rectified_law_the_dial_starts_at_the_units(self, capsys: pytest.CaptureFixture[str]) -> None:
        folder = trained("ncl")
        assert main(["law", f"--run={folder}"]) == 0
        data = start(str(folder / "law.html"))
        assert "asked for no law" in capsys.readouterr().out
        assert data["settings"][0]["activity"] == pytest.approx(1 - data["units"]["zero"], rel=1e-5)


ROWS = np.stack([np.linspace(-1, 1, 80), np.linspace(-1, 1, 80) ** 2, np.arange(80.0)], axis=1)


def text(name: str, delimiter: str, head: str = "") -> str:
    np.savetxt(name, ROWS, delimiter=delimiter, header=head, comments="")
    return name


def saved(name: str, write: Callable[[str], object]) -> str:
    write(name)
    return name


TABLES: dict[str, tuple[Callable[[], str], str, str]] = {
    "csv": (lambda: text("t.csv", ",", "x,the square,row"), "x", "the square"),
    "csv with semicolons": (lambda: text("t.csv", ";", "x;y;row"), "x", "y"),
    "csv with tabs": (lambda: text("t.csv", "\t", "x\ty\trow"), "x", "y"),
    "npz of one array": (lambda: saved("t.npz", lambda name: np.savez(name, all=ROWS)), "1", "2"),
    "tsv without names": (lambda: text("t.tsv", "\t"), "1", "2"),
    "npy": (lambda: saved("t.npy", lambda name: np.save(name, ROWS)), "1", "2"),
    "npz": (lambda: saved("t.npz", lambda name: np.savez(name, x=ROWS[:, 0], y=ROWS[:, 1], z=ROWS)), "x", "y"),
    "parquet": (
        lambda: saved(
            "t.parquet",
            lambda name: parquet.write_table(pa.table({"x": ROWS[:, 0], "y": ROWS[:, 1], "s": ["a"] * 80}), name),
        ),
        "x",
        "y",
    ),
}


TEXTS = {
    "t.csv": "x,y,word,z\n1,,1,2\n2,2,two,inf\n",
    "t.txt": "1 2\n",
    "double.csv": "a,b,a,b\n1,2,3,4\n",
    "one.csv": "a\n1\n2\n",
    "head.csv": "a,b\n",
    "empty.csv": "",
    "flat.csv": "a,b\n1,2\n2,2\n3,2\n",
    "huge.csv": "a,b\n1,1e300\n2,2\n3,-1e300\n",
    "tiny.csv": "a,b\n1,1e-300\n2,2e-300\n3,0\n",
}


class TestMixture:
    @pytest.mark.parametrize(("across", "up"), [(1.0, 1e-3), (1e-5, 1.0), (1e6, 1e40)])
    def test_other_units_give_the_same_law(self, across: float, up: float) -> None:
        np.save("plain.npy", branches(400))
        np.save("other.npy", branches(400) * [across, up])
        for name, at in (("plain", 0.5), ("other", 0.5 * across)):
            assert main(["mixture", f"{name}.npy", "--components=4", f"--at={at}", f"--out={name}.html"]) == 0
        plain, other = start("plain.html")["law"], start("other.html")["law"]
        np.testing.assert_allclose(other["logWeights"], plain["logWeights"], rtol=1e-5)
        np.testing.assert_allclose(other["loc"], np.array(plain["loc"]) * [across, up], rtol=1e-5)
        factors = np.array(plain["scale"]) * [across, up, up]
        np.testing.assert_allclose(other["scale"], factors, rtol=1e-5, atol=1e-9 * up)

    def test_the_noise_scales_by_the_square(self, capsys: pytest.CaptureFixture[str]) -> None:
        noise = []
        for times in (1.0, 2.0**-10):
            np.save("t.npy", branches(400) * [1, times])
            assert main(["mixture", "t.npy", "--components=4", "--at=0.5"]) == 0
            noise.append(re.search(r"^  noise +(\S+) ", capsys.readouterr().out, re.MULTILINE))
        plain, other = (float(found[1]) for found in noise if found)
        assert other == pytest.approx(plain * 2.0**-20, rel=1e-4)

    def test_what_the_fit_has_to_say_is_a_sentence(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("t.csv").write_text("a,b\n" + "0,0\n1,1\n" * 20, encoding="utf-8")
        assert main(["mixture", "t.csv", "--components=6"]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        assert "components lost all samples and were left out." in said.out
        assert ".py" not in said.out

    def test_commas_are_decimal_points_between_semicolons(self) -> None:
        rows = "".join(f"{a:.3f};{b:.3f}\n".replace(".", ",") for a, b, _ in ROWS)
        Path("t.csv").write_text(rows, encoding="utf-8")
        assert main(["mixture", "t.csv", "--components=2"]) == 0
        np.testing.assert_allclose(start("mixture.html")["points"], ROWS[:, :2], atol=1e-3)

    def test_three_branches(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["mixture", "branches", "--components=11", "--at=0.8"]) == 0
        said = capsys.readouterr().out
        assert "11 components, context = 0.8" in said
        region = re.search(r"^  90 % region +(.*?)   ", said, re.MULTILINE)
        assert region
        assert region[1].count(" to ") == 3  # one interval for each branch
        assert start("mixture.html")["command"] == "jointlaw mixture branches --components=11 --seed=0"

    @pytest.mark.parametrize("kind", TABLES)
    def test_two_columns(self, kind: str) -> None:
        make, context, target = TABLES[kind]
        words = [f"--context={context}", f"--target={target}", "--at=0.5"]
        assert main(["mixture", make(), *words, "--components=4"]) == 0
        data = start("mixture.html")
        assert data["names"] == [context, target]
        np.testing.assert_allclose(data["points"], ROWS[:, :2], atol=1e-5)
        program, *words = shlex.split(f"{data['command']} --at=0.5 --out=again.html")
        assert (program, main(words)) == ("jointlaw", 0)
        assert start("again.html") == data

    def test_two_columns_need_no_names_and_the_criterion_chooses(self, capsys: pytest.CaptureFixture[str]) -> None:
        np.savetxt("two.csv", np.random.default_rng(0).normal(size=(100, 2)), delimiter=",")
        assert main(["mixture", "two.csv"]) == 0
        assert "1 components" in capsys.readouterr().out
        assert start("mixture.html")["names"] == ["1", "2"]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["nowhere.csv"], "Check the path"),
            (["t.csv"], "expected --context to name a column"),
            (["t.csv", "--context=x", "--target=other"], "one of x, y, word"),
            (["t.csv", "--context=x", "--target=word"], "column word of t.csv, found 'two' in row 2 of 2"),
            (["t.csv", "--context=x", "--target=y"], "column y of t.csv, found '' in row 1 of 2"),
            (["t.csv", "--context=x", "--target=x"], "two different columns of t.csv, found x"),
            (["t.csv", "--context=x", "--target=z"], "column z of t.csv, found 'inf' in row 2 of 2"),
            (["double.csv"], "found 'a', 'b' more than once"),
            (["one.csv"], "separated by commas, semicolons or tabs"),
            (["head.csv"], "at least 3 rows in head.csv, found 0"),
            (["head.csv", "--components=5"], "at least 5 rows in head.csv, found 0"),
            (["empty.csv"], "at least 3 rows in empty.csv, found 0"),
            (["utf16.csv"], "expected UTF-8 text in utf16.csv"),
            (["flat.csv"], "found b to be 2 in every row"),
            (["huge.csv"], "whose spread float64 can square, found b between"),
            (["tiny.csv"], "whose spread float64 can square, found b between"),
            (["t.txt"], "another kind of file"),
            (["broken.npy"], "Save it again"),
            (["line.npy"], "expected an array [N, columns] in line.npy, found shape [5]"),
            (["complex.npy"], "expected real numbers in column 1 of complex.npy, found complex128"),
            (["objects.npz"], "expected arrays of numbers in objects.npz, found none"),
            (["lengths.npz"], "found 3 rows of x and 4 of y"),
            (["null.parquet"], "column y of null.parquet, found 'null' in row 2 of 3"),
            (["branches", "--context=a"], "branches has two columns of its own"),
            (["branches", "--components=0"], "expected --components to be a whole number above 0"),
            (["branches", "--components=2.5"], "found '2.5'"),
            (["branches", "--components=5000"], "Ask for fewer --components"),
            (["branches", "--at=abc"], "expected --at to be a finite number, found 'abc'"),
            (["branches", "--at=.inf"], "finite"),
            (["branches", "--at=50", "--components=2"], "ten ranges of the data beyond either end"),
            (["branches", "--out=page.pdf"], "a .html file"),
        ],
    )
    def test_mistakes_write_nothing(self, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        Path("broken.npy").write_bytes(b"nonsense")
        Path("utf16.csv").write_bytes("x,y\n1,2\n".encode("utf-16"))
        for name, content in TEXTS.items():
            Path(name).write_text(content, encoding="utf-8")
        np.save("line.npy", np.zeros(5))
        np.save("complex.npy", np.zeros((5, 2), dtype=complex))
        np.savez("objects.npz", x=np.array([{}, None]))
        np.savez("lengths.npz", x=np.arange(3), y=np.arange(4))
        parquet.write_table(pa.table({"x": [1.0, 2.0, 3.0], "y": [1.0, None, 2.0]}), "null.parquet")
        before = sorted(Path().iterdir())
        assert failed(["mixture", *words]) == 2
        found = capsys.readouterr().err
        assert said in found
        assert found.startswith("jointlaw: error: mixture")
        assert found.count("\n") == 1
        assert found.endswith(".\n")
        assert "allow_pickle" not in found
        assert sorted(Path().iterdir()) == before
