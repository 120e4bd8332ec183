"""The pages that are moved by hand, in a real browser: their numbers are the library's, and they ask for nothing."""

import contextlib
import io
import math
import re

import numpy as np
import pytest
import torch

from jointlaw import JointMixture, RectifiedGeneralizedGaussian, fit_mixture
from jointlaw.cli import main
from jointlaw.report import law_page, mixture_page

pytestmark = pytest.mark.browser

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SHOWN = "document.body.dataset.drawn"
POINTS, LEVELS = (0.01, 0.3, 1.0, 3.0), (0.05, 0.5, 0.95, 0.999)
KEYS = ("activity", "zero", "mean", "variance", "entropy", "loc", "scale")


def double(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def grid() -> list[dict[str, object]]:
    """Settings with sharp and blunt shapes, and from nearly no unit active to nearly all."""
    dials = [{"activity": a} for a in (1e-6, 1e-3, 0.02, 0.1, 0.3, 0.5, 0.9, 1 - 1e-6)]
    dials += [{"loc": loc} for loc in (-8.0, -3.0, -0.5, 0.0, 0.7, 4.0)]
    shapes = (0.15, 0.3, 0.5, 1.0, 1.5, 2.0, 5.0, 10.0)
    return [{"p": p, "scale": scale, **dial} for p in shapes for scale in ("GN", "RGN") for dial in dials]


def law_of(setting: dict) -> RectifiedGeneralizedGaussian:
    family, p, scale = RectifiedGeneralizedGaussian, setting["p"], setting["scale"]
    if "activity" in setting:
        return family.with_activity(double(setting["activity"]), p, scale)
    return family.unit_variance(p, double(setting["loc"]), after_rectifier=scale == "RGN")


def numbers(law: RectifiedGeneralizedGaussian) -> dict[str, float]:
    silent = law.log_prob(double(0.0)).exp()
    found = (law.activity, silent, law.mean, law.variance, law.entropy(), law.loc, law.scale)
    return dict(zip(KEYS, map(float, found), strict=True))


def fitted() -> tuple[JointMixture, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, 600)
    target = random.choice([-1, 1], 600) * (0.4 + x**2) + 0.05 * random.normal(size=600)
    samples = np.stack([x, target], axis=1)
    return fit_mixture(samples, 6, split=1), samples


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("interactive")
    law, (mixture, samples) = RectifiedGeneralizedGaussian.with_activity(0.1), fitted()
    units = law.sample((300, 48), torch.Generator().manual_seed(0)).numpy()
    made = {
        "law": law_page(law),
        "run": law_page(law, units, title="A <run>", command="jointlaw law --run=runs/NAME"),
        "mixture": mixture_page(mixture, samples, names=("age & <sex>", "height")),
    }
    return {name: page.write(folder / f"{name}.html").as_uri() for name, page in made.items()}


def visit(browser, address: str, **options: object):
    """Open a page once it is drawn, and remember whatever it complained about or asked for."""
    page = browser.new_context(**{"viewport": DESKTOP, **options}).new_page()
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(address)
    if options.get("java_script_enabled", True):
        until(page, SHOWN)
    return page


def until(page, condition: str) -> None:
    """Wait for a condition; Playwright's own waiting would need an eval, which these pages forbid."""
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"{condition} did not come true; the page shows {page.evaluate(SHOWN)!r}")


def shown(page, column: str = "a") -> dict[str, str]:
    """The numbers of a column of the table, as text."""
    read = f"[...document.querySelectorAll('td[id^={column}-]')].map(cell => [cell.id, cell.textContent])"
    return {name.removeprefix(f"{column}-").removesuffix("-value"): text for name, text in page.evaluate(read)}


def settled(page, act) -> None:
    """Do something that changes the setting, and wait until it is drawn and in the address."""
    before = page.evaluate(SHOWN)
    act()
    until(page, f"{SHOWN} !== {before!r}")
    until(page, f"decodeURIComponent(location.hash.slice(1)) === {SHOWN}")


def test_the_law_in_the_page_is_the_law_of_the_library(browser, pages: dict[str, str]) -> None:
    settings = grid()
    assert len(settings) >= 200
    page = visit(browser, pages["law"])
    found = page.evaluate(
        """([settings, points, levels]) => settings.map((setting) => {
          const law = Law.resolve(setting);
          return {
            ...Law.figures(law),
            density: points.map((x) => Law.density(law, x)),
            cdf: points.map((x) => Law.cdf(law, x)),
            icdf: levels.map((q) => Math.max(Law.icdfBefore(law, q), 0)),
          };
        })""",
        [settings, POINTS, LEVELS],
    )
    x, q = double(list(POINTS)), double(list(LEVELS))
    for setting, ours in zip(settings, found, strict=True):
        law = law_of(setting)
        theirs = {**numbers(law), "density": law.log_prob(x).exp(), "cdf": law.cdf(x), "icdf": law.icdf(q)}
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=1e-6, err_msg=f"{name} of {setting}")
    page.context.close()


def test_the_ball_of_two_units_holds_its_share(browser, pages: dict[str, str]) -> None:
    page = visit(browser, pages["law"])
    for p, share in ((1.0, 0.5), (2.0, 0.9), (0.5, 0.9)):
        radius = page.evaluate(f"Law.ballRadius({{ p: {p}, loc: 0, scale: 0.7 }}, {share})")
        # sum |t|^p / p of two coordinates has the law Gamma(2 / p, 1)
        exponent = double((radius / 0.7) ** p / p)
        assert float(torch.special.gammainc(double(2 / p), exponent)) == pytest.approx(share, rel=1e-9)
    page.context.close()


def test_the_mixture_in_the_page_is_the_mixture_of_the_library(browser, pages: dict[str, str]) -> None:
    page = visit(browser, pages["mixture"])
    law, _ = fitted()
    contexts = [*np.linspace(-1.2, 1.2, 25), -30.0, 30.0]
    found = page.evaluate(
        """(contexts) => {
          const { law } = JSON.parse(document.getElementById("start").textContent);
          return contexts.map((context) => {
            const line = Mixture.given(law, context);
            const regions = [0.5, 0.9].map((level) => Mixture.highestDensity(line, level));
            return { ...Mixture.figures(line), weights: line.map((part) => Math.exp(part.logWeight)), regions,
                     density: Mixture.logDensity(line, 0.3) };
          });
        }""",
        contexts,
    )
    after = law.given(double(contexts)[:, None])
    noise, ambiguity, total = after.uncertainty()
    columns = {"mean": after.mean, "noise": noise, "ambiguity": ambiguity, "total": total}
    for name, column in columns.items():
        np.testing.assert_allclose([ours[name] for ours in found], column[:, 0], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose([ours["weights"] for ours in found], after.weights, rtol=1e-6, atol=1e-300)
    density = after.log_prob(torch.full((len(contexts), 1), 0.3, dtype=torch.float64))
    np.testing.assert_allclose([ours["density"] for ours in found], density, rtol=1e-6)
    for place, level in enumerate((0.5, 0.9)):
        region = after.highest_density_region(level)
        for i, ours in enumerate(found):
            theirs = torch.stack([region.lower[i], region.upper[i]], -1)[: region.parts[i]]
            np.testing.assert_allclose(ours["regions"][place], theirs, rtol=1e-6, err_msg=f"context {contexts[i]}")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["law", "run", "mixture"])
def test_a_page_fits_and_asks_for_nothing(
    browser, pages: dict[str, str], name: str, viewport: dict, scheme: str
) -> None:
    two = "#activity=0.1&p=1&scale=GN;loc=0.5&p=0.5&scale=RGN" if name != "mixture" else ""
    page = visit(browser, pages[name] + two, viewport=viewport, color_scheme=scheme)
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("data:", pages[name]))] == []
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    plots = "[...document.querySelectorAll('.plot')].map(plot => plot.querySelectorAll('path, rect, circle').length)"
    assert min(page.evaluate(plots)) > 0
    assert "NaN" not in page.evaluate("document.querySelector('main').innerHTML")
    page.context.close()


@pytest.mark.parametrize("name", ["law", "mixture"])
def test_controls_are_named_and_large_enough_for_a_thumb(browser, pages: dict[str, str], name: str) -> None:
    page = visit(browser, pages[name], viewport=PHONE, has_touch=True, is_mobile=True)
    controls = "document.querySelectorAll('.setting:not([hidden]) input, button')"
    low = f"""[...{controls}].map((each) => (each.type === "radio" ? each.parentElement : each))
      .map((each) => [each.id || each.textContent, each.getBoundingClientRect().height]).filter(([, h]) => h < 44)"""
    assert page.evaluate(low) == []
    nameless = "(each) => each.textContent || each.ariaLabel || each.labels?.length"
    assert page.evaluate(f"[...{controls}].every({nameless})")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page(browser, pages: dict[str, str], scheme: str) -> None:
    page = visit(browser, pages["run"], color_scheme=scheme)
    contrast = page.evaluate(
        """() => {
          const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
            .map((v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4))
            .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
          const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
          const sheet = getComputedStyle(document.querySelector("figure")).backgroundColor;
          const fills = [...document.querySelectorAll(".plot text")].map((each) => getComputedStyle(each).fill);
          const inks = [...document.querySelectorAll("figcaption, small, td, th, h3, h4, label, .key li")];
          const colours = [...fills, ...inks.map((each) => getComputedStyle(each).color)];
          return Math.min(...colours.map((colour) => ratio(colour, sheet)));
        }"""
    )
    assert contrast >= 4.5
    page.context.close()


@pytest.mark.parametrize("name", ["law", "run", "mixture"])
def test_what_stands_in_the_file_is_what_the_script_computes(browser, pages: dict[str, str], name: str) -> None:
    plain = visit(browser, pages[name], java_script_enabled=False)
    before = {
        cell.get_attribute("id").removeprefix("a-").removesuffix("-value"): cell.text_content()
        for cell in plain.locator("td[id^='a-']").all()
    }
    assert plain.locator("noscript").count() == 1
    page = visit(browser, pages[name])
    assert before == shown(page)
    for opened in (plain, page):
        opened.context.close()


@pytest.mark.parametrize("sharp", ["loc=-8&p=10&scale=GN", "loc=-1e9&p=2&scale=RGN", "activity=1e-300&p=1&scale=1e-9"])
def test_the_sharpest_settings_are_drawn(browser, pages: dict[str, str], sharp: str) -> None:
    page = visit(browser, f"{pages['law']}#{sharp};activity=0.999999999&p=100&scale=GN")
    assert page.complaints == []
    assert page.locator("#told").text_content() == ""
    assert "NaN" not in page.evaluate("document.querySelector('main').innerHTML")
    page.context.close()


def test_an_address_holds_the_setting_and_a_wrong_one_is_told(browser, pages: dict[str, str]) -> None:
    for setting in grid()[::25]:
        dial = "activity" if "activity" in setting else "loc"
        fragment = f"{dial}={setting[dial]}&p={setting['p']}&scale={setting['scale']}"
        page = visit(browser, f"{pages['law']}#{fragment}")
        expected = numbers(law_of(setting))
        found = {name: float(text) for name, text in shown(page).items()}
        assert all(found[name] == pytest.approx(expected[name], rel=1e-5) for name in KEYS)
        page.context.close()
    for wrong in (
        "p=-1&activity=0.1",
        "activity=2",
        "loc=0&activity=0.5",
        "nonsense",
        "loc=1&scale=XY",
        "loc=0&scale=1e300",
        "loc=0x10",
        "loc=0&p=0.09",
        "%",
    ):
        page = visit(browser, f"{pages['law']}#{wrong}")
        assert "no setting of the law" in page.locator("#told").text_content()
        assert shown(page)["activity"] == "0.1"
        page.context.close()


def test_the_keyboard_turns_the_dial(browser, pages: dict[str, str]) -> None:
    page = visit(browser, pages["law"])
    page.locator("#a-activity-slider").focus()
    settled(page, lambda: page.keyboard.press("ArrowRight"))
    assert float(shown(page)["activity"]) > 0.1
    page.locator("#a-p").focus()
    settled(page, lambda: page.keyboard.insert_text("5"))  # typed over the selection or behind the 1
    assert shown(page)["activity"] == page.locator("#a-activity").input_value()  # held while p changes
    settled(page, lambda: page.locator("input[value=RGN]").first.press("Space"))
    assert float(shown(page)["variance"]) == pytest.approx(1)
    settled(page, lambda: page.locator("input[value=own]").first.press("Space"))
    settled(page, lambda: page.locator("#a-scale").fill("0.4"))
    assert shown(page)["scale"] == "0.4"
    page.locator("#a-p").fill("-1")
    assert page.locator("#a-p").evaluate("box => box.validationMessage") != ""
    assert shown(page)["scale"] == "0.4"
    assert "activity" in page.locator("#spoken").text_content()
    assert page.complaints == []
    page.context.close()


def test_two_laws_stand_side_by_side(browser, pages: dict[str, str]) -> None:
    page = visit(browser, pages["law"])
    assert page.locator("#setting-b").is_hidden()
    settled(page, lambda: page.locator("#compare").press("Enter"))
    assert shown(page) == shown(page, "b")
    settled(page, lambda: page.locator("#b-activity").fill("0.5"))
    assert (shown(page)["activity"], shown(page, "b")["activity"]) == ("0.1", "0.5")
    again = visit(browser, page.url)
    assert again.locator("#setting-b").is_visible()
    assert shown(again, "b") == shown(page, "b")
    settled(page, lambda: page.locator("#compare").press("Enter"))
    assert page.locator("#setting-b").is_hidden()
    for opened in (page, again):
        opened.context.close()


SETTINGS = [
    "activity=0.03&p=0.5&scale=RGN",
    "loc=-1.25&p=2&scale=GN",
    "loc=0.5&p=1&scale=RGN",
    "activity=0.2&p=3&scale=0.7",
]


@pytest.mark.parametrize("fragment", SETTINGS)
def test_python_and_command_of_a_setting_give_its_numbers(
    browser, pages, fragment: str, tmp_path, capsys, monkeypatch
) -> None:
    page = visit(browser, f"{pages['law']}#{fragment};activity=0.4&p=1&scale=GN")
    expected, code = shown(page), page.locator("#python").text_content()
    commands = page.locator("#command").text_content().splitlines()
    second = shown(page, "b")
    page.context.close()
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)  # noqa: S102 (what the page offers to copy)
    for name, column in (("law", expected), ("other", second)):
        found = numbers(names[name])
        assert all(found[key] == pytest.approx(float(column[key]), rel=1e-5) for key in KEYS)
    monkeypatch.chdir(tmp_path)
    for command, column in zip(commands, (expected, second), strict=True):
        program, *words = command.split()
        assert (program, main(words)) == ("jointlaw", 0)
        said = capsys.readouterr().out
        for key, name in (("activity", "activity"), ("mean", "mean"), ("variance", "variance"), ("scale", "scale")):
            assert re.search(rf"^  {name} +{re.escape(column[key])} ", said, re.MULTILINE), (name, column[key], said)


def test_the_mixture_of_the_page_as_python_is_the_law(browser, pages: dict[str, str]) -> None:
    page = visit(browser, f"{pages['mixture']}#context=0.25")
    code, expected = page.locator("#python").text_content(), shown(page)
    assert page.locator("#command").text_content() == "jointlaw mixture --at=0.25"
    page.context.close()
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)  # noqa: S102
    noise, ambiguity, total = names["after"].uncertainty()
    for key, value in (("noise", noise), ("ambiguity", ambiguity), ("total", total)):
        assert float(value) == pytest.approx(float(expected[key]), rel=1e-5)


def test_a_text_is_copied(browser, pages: dict[str, str]) -> None:
    page = visit(browser, pages["law"], permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as command").click()
    until(page, "document.getElementById('told').textContent === 'Copied.'")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#command").text_content()
    page.context.close()


def test_the_units_of_a_run_stay_while_the_dial_turns(browser, pages: dict[str, str]) -> None:
    page = visit(browser, pages["run"])
    assert page.locator("h1").text_content() == "A <run>"
    bars = "[...document.querySelectorAll('#fires rect')].length"
    line = "document.querySelector('#fires svg svg line').getAttribute('x1')"
    before, place = page.evaluate(bars), page.evaluate(line)
    settled(page, lambda: page.locator("#a-activity").fill("0.2"))
    assert page.evaluate(bars) == before == 40
    assert page.evaluate(line) != place
    assert page.locator("#command").text_content() == "jointlaw law --run=runs/NAME --activity=0.2 --p=1 --scale=GN"
    assert "of 48 units active" in page.locator("#units-run-words").text_content()
    page.context.close()


def test_the_context_is_dragged_typed_and_stepped(browser, pages: dict[str, str]) -> None:
    page = visit(browser, pages["mixture"])
    assert "age & <sex>" in page.locator("legend").text_content()
    box = page.locator("#handle").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 40

    def drag() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 80, y, steps=5)
        page.mouse.up()

    start = float(page.locator("#context").input_value())
    settled(page, drag)
    moved = float(page.locator("#context").input_value())
    assert moved > start
    handle = page.locator("#handle").bounding_box()
    assert handle["x"] + handle["width"] / 2 == pytest.approx(x + 80, abs=3)
    page.locator("#context-slider").focus()
    settled(page, lambda: page.keyboard.press("ArrowLeft"))
    assert float(page.locator("#context").input_value()) < moved
    settled(page, lambda: page.locator("#context").fill("0.9"))
    assert "ambiguity" in page.locator("#spoken").text_content()
    law, _ = fitted()
    mean = float(law.given(double([0.9])).mean)
    assert math.isclose(float(shown(page)["mean"]), mean, rel_tol=1e-5)
    page.context.close()


@pytest.mark.parametrize("wrong", ["context=0x10", "context=1e9", "context=-30", "context=", "nonsense"])
def test_a_context_far_away_is_told(browser, pages: dict[str, str], wrong: str) -> None:
    page = visit(browser, pages["mixture"])
    start = page.evaluate(SHOWN)
    page.context.close()
    page = visit(browser, f"{pages['mixture']}#{wrong}")
    assert "which is no context between" in page.locator("#told").text_content()
    assert page.evaluate(SHOWN) == start
    page.locator("#context").fill("1e9")
    assert "between" in page.locator("#context").evaluate("box => box.validationMessage")
    assert page.evaluate(SHOWN) == start
    page.context.close()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["law", "mixture"])
def test_twelve_characters_and_all_labels_have_room(browser, pages: dict[str, str], name: str, viewport: dict) -> None:
    page = visit(browser, pages[name], viewport=viewport)
    box = page.locator("#a-loc" if name == "law" else "#context")
    box.fill("-1.23456e-05")
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth")
    clipped = page.evaluate(
        """() => [...document.querySelectorAll(".plot > svg > text")].filter((each) => {
          const own = each.getBoundingClientRect(), whole = each.parentElement.getBoundingClientRect();
          return own.left < whole.left - 0.5 || own.right > whole.right + 0.5;
        }).map((each) => each.textContent)"""
    )
    assert clipped == []
    names = page.evaluate(
        """() => [...document.querySelectorAll("#variance .loud")].map((each) => {
          const { left, right } = each.getBoundingClientRect();
          return [left, right];
        }).sort((a, b) => a[0] - b[0])"""
    )
    assert name == "law" or names[0][1] < names[1][0]
    page.context.close()
