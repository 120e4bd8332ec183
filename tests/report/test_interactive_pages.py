import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from jointlaw import JointMixture, RectifiedGeneralizedGaussian
from jointlaw.report import law_page, mixture_page

FAMILY = RectifiedGeneralizedGaussian
PAIR = JointMixture(torch.zeros(2), torch.tensor([[0.0, -1.0], [0.0, 1.0]]), torch.tensor([[0.5]]), split=1)
SAMPLES = np.array([[-1.0, 0.0], [0.5, 1.0], [1.0, -1.0]])


def double(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


STARTS = {
    "a dial in float32": (FAMILY.with_activity(0.1), {"p": 1.0, "scale": "GN", "activity": 0.1}),
    "a dial near one": (FAMILY.with_activity(double(1 - 1e-6)), {"p": 1.0, "scale": "GN", "activity": 1 - 1e-6}),
    "variance 1 after": (
        FAMILY.with_activity(double(0.02), 0.5, "RGN"),
        {"p": 0.5, "scale": "RGN", "activity": 0.02},
    ),
    "a location": (FAMILY.unit_variance(2.0, -1.3, after_rectifier=True), {"p": 2.0, "scale": "RGN", "loc": -1.3}),
    "a scale": (FAMILY(1.5, -0.75, 0.7), {"p": 1.5, "scale": 0.7, "loc": -0.75}),
    "little activity": (FAMILY(1.0, -300.0), {"p": 1.0, "scale": "GN", "loc": -300.0}),
}


@pytest.mark.parametrize("start", STARTS)
def test_the_dial_starts_as_the_law_was_chosen(start: str) -> None:
    law, setting = STARTS[start]
    assert law_page(law).data["settings"] == [setting]


def test_the_numbers_are_those_of_the_law() -> None:
    law = FAMILY.with_activity(double(0.1), 2.0)
    found = {figure.key: figure.value for figure in law_page(law, np.ones((3, 50))).figures}
    expected = {"activity": 0.1, "zero": 0.9, "active": 5.0, "mean": law.mean, "variance": law.variance}
    expected |= {"entropy": law.renyi_entropy(), "loc": law.loc, "scale": 1.0}
    assert all(found[name] == pytest.approx(float(value)) for name, value in expected.items())


def test_the_units_are_counted() -> None:
    units = np.array([[0.0, 1.0], [0.0, 2.0], [3.0, 4.0], [0.0, 0.0]])
    counted = law_page(FAMILY(1.0), units).data["units"]
    assert (counted["count"], counted["zero"], counted["activity"]) == (4, 0.5, [0.25, 0.75])
    width = counted["edges"][1]
    assert sum(counted["density"]) * width == pytest.approx(3 / 8)  # the largest value lies beyond the last edge
    assert counted["below"][-1] == pytest.approx(7 / 8)


@pytest.mark.parametrize("page", [law_page(FAMILY(1.0)), mixture_page(PAIR, SAMPLES)], ids=["law", "mixture"])
def test_a_page_is_one_small_file_that_points_nowhere(page, tmp_path: Path) -> None:
    text = page.write(tmp_path / "page.html").read_text(encoding="utf-8")
    assert (tmp_path / "page.html").stat().st_size < 1_500_000
    assert text.startswith("<!doctype html>")
    assert re.findall(r'(?:src|href)="(?!#|data:)', text) == []
    outside = {"http://www.w3.org/2000/svg"}  # the name of a vocabulary; it is never fetched
    assert set(re.findall(r"https?://[^\s'\"`)]+", text)) <= outside
    assert "default-src 'none'" in text
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_names_are_text_and_never_markup() -> None:
    alert = "</script><script>alert(1)</script>"
    pages = [law_page(FAMILY(1.0), title=alert, command=alert), mixture_page(PAIR, SAMPLES, names=(alert, alert))]
    for page in pages:
        text = page.html()
        assert alert not in text
        start = re.search(r'id="start">(.*?)</script>', text, re.DOTALL)
        assert json.loads(start[1])["command"] == page.command


def test_empty_components_are_left_out_and_shared_scales_are_spread() -> None:
    law = JointMixture(torch.tensor([0.0, -torch.inf, 0.0]), torch.zeros(3, 2), torch.eye(2)[None], split=1)
    factors = mixture_page(law, SAMPLES).data["law"]
    assert factors["scale"] == [[1.0, 0.0, 1.0]] * 2
    assert factors["logWeights"] == pytest.approx([np.log(0.5)] * 2)


@pytest.mark.parametrize("given", [list, lambda rows: torch.tensor(rows, requires_grad=True)], ids=["list", "tensor"])
def test_tensors_and_lists_are_arrays(given) -> None:
    units = [[0.0, 1.0], [2.0, 0.5]]
    assert law_page(FAMILY(1.0), given(units)).data == law_page(FAMILY(1.0), np.array(units)).data
    pairs = given(SAMPLES.tolist())
    assert mixture_page(PAIR, pairs).data == mixture_page(PAIR, SAMPLES).data


def test_samples_far_from_zero_keep_their_differences() -> None:
    far = mixture_page(PAIR, SAMPLES + np.array([1e9, 0])).data
    np.testing.assert_allclose(np.array(far["points"]) - [1e9, 0], SAMPLES, atol=1e-5)
    assert far["context"] == 1e9 + 0.5


MISTAKES = {
    "a batch of laws": (lambda: law_page(FAMILY(torch.ones(3))), "expected one law for all units"),
    "a shape beyond float64": (lambda: law_page(FAMILY(0.01)), "choose p between"),
    "no activity in float64": (lambda: law_page(FAMILY(8.0, -8.0)), "found activity 0"),
    "units that are text": (lambda: law_page(FAMILY(1.0), [["a"]]), "expected units as an array, a tensor or a list"),
    "units that are complex": (lambda: law_page(FAMILY(1.0), torch.ones(1, 1) * 1j), "complex"),
    "samples of unequal rows": (lambda: mixture_page(PAIR, [[1.0], [1.0, 2.0]]), "a list of rows"),
    "a context far away": (lambda: mixture_page(PAIR, SAMPLES, at=22.0), "between -21 and 21"),
    "a context that is no number": (lambda: mixture_page(PAIR, SAMPLES, at=float("nan")), "finite context"),
    "negative units": (lambda: law_page(FAMILY(1.0), np.array([[0.0, -1.0]])), "zero or above"),
    "no units": (lambda: law_page(FAMILY(1.0), np.zeros((0, 4))), "zero or above"),
    "NaN among units": (lambda: law_page(FAMILY(1.0), np.array([[np.nan]])), "finite"),
    "a law of three coordinates": (
        lambda: mixture_page(JointMixture(torch.zeros(1), torch.zeros(1, 3), torch.ones(1, 1), split=1), SAMPLES),
        "one context and one target",
    ),
    "a law without a split": (lambda: mixture_page(PAIR.marginal(2), SAMPLES), "one context and one target"),
    "samples of another width": (lambda: mixture_page(PAIR, SAMPLES[:, :1]), "finite samples"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told(mistake: str) -> None:
    act, text = MISTAKES[mistake]
    with pytest.raises(ValueError, match=text):
        act()
