"""The report in a real browser: it renders, fits a desktop and a phone, and asks for nothing."""

from pathlib import Path

import pytest

from jointlaw.report import Contents, run_page

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(complete: Contents, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("browser") / "report.html"
    run_page(complete).write(path)
    return path.as_uri()


def visit(browser, address: str, **options: object):
    """Open the page once its plots stand, and remember whatever it complained about or asked for."""
    page = browser.new_context(**options).new_page()
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("dialog", lambda dialog: page.complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(address)
    from playwright.sync_api import expect  # here: the fixture has skipped the test where there is no Playwright

    expect(page.locator("div.plot:not(:has(svg.main-svg))")).to_have_count(0)
    return page


def middle_of_a_point(page) -> tuple[float, float]:
    """The place of the map's first point, scrolled into view."""
    page.locator("#plot-map").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box = page.locator("#plot-map .points path.point").first.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def apart(page, x: float, y: float) -> float:
    """How far the card is from a place, in pixels."""
    box = page.locator("#card").bounding_box()
    across = max(box["x"] - x, x - box["x"] - box["width"], 0)
    return max(across, box["y"] - y, y - box["y"] - box["height"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_renders_fits_and_asks_for_nothing(browser, address: str, viewport: dict, scheme: str) -> None:
    page = visit(browser, address, viewport=viewport, color_scheme=scheme)
    page.wait_for_timeout(300)
    assert page.complaints == []
    assert [url for url in page.requests if not url.startswith(("data:", address))] == []
    assert page.locator("div.plot").count() == 9
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    widths = page.evaluate("[...document.querySelectorAll('div.plot')].map(e => e.scrollWidth - e.clientWidth)")
    assert max(widths) <= 0
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_plot_labels_stand_out_from_the_page(browser, address: str, scheme: str) -> None:
    page = visit(browser, address, viewport=DESKTOP, color_scheme=scheme)
    contrast = page.evaluate(
        """() => {
          const rgb = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
          const light = (text) => rgb(text).map(v => v / 255)
            .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
          const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) / (Math.min(light(a), light(b)) + .05);
          const sheet = getComputedStyle(document.querySelector('figure')).backgroundColor;
          const fills = [...document.querySelectorAll('div.plot text')].map(e => getComputedStyle(e).fill);
          const inks = [...document.querySelectorAll('figcaption, figcaption small, .caption, .value, h3')]
            .map(e => getComputedStyle(e).color);
          return Math.min(...[...fills, ...inks].map(colour => ratio(colour, sheet)));
        }"""
    )
    assert contrast >= 4.5
    page.context.close()


def test_pointing_at_the_map_shows_the_sample_and_leaving_hides_it(browser, address: str, complete: Contents) -> None:
    page = visit(browser, address, viewport=DESKTOP)
    assert page.locator("#card").is_hidden()
    x, y = middle_of_a_point(page)
    page.mouse.move(x, y, steps=4)
    page.locator("#card").wait_for(state="visible")
    assert apart(page, x, y) <= 40
    assert page.evaluate("document.querySelector('#card img').naturalWidth") == 8
    # Read at once: on a slow machine the card still changes, from a point on the way to the one under the pointer.
    read = "['span', 'strong'].map(part => document.querySelector('#card ' + part).innerText)"
    name, label = page.evaluate(read)
    assert complete.names is not None
    assert label == complete.class_name(int(complete.label[list(complete.names).index(name)]))
    page.locator("h1").scroll_into_view_if_needed()
    page.mouse.move(2, 2)
    page.locator("#card").wait_for(state="hidden")
    assert page.complaints == []
    page.context.close()


def test_a_tap_on_the_map_shows_the_sample_inside_the_screen(browser, address: str) -> None:
    page = visit(browser, address, viewport=PHONE, has_touch=True, is_mobile=True)
    x, y = middle_of_a_point(page)
    page.touchscreen.tap(x, y)
    page.locator("#card").wait_for(state="visible")
    assert apart(page, x, y) <= 40
    box = page.locator("#card").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    assert page.complaints == []
    page.context.close()


def test_awkward_names_are_shown_as_they_are(browser, address: str, complete: Contents) -> None:
    page = visit(browser, address, viewport=DESKTOP)
    legend = page.locator("#plot-map .legendtext").all_text_contents()
    assert "<script>alert(1)</scrip…" in legend
    assert page.locator(".strips figcaption", has_text="<script>alert(1)</script>").count() > 0
    assert page.locator(".notice li").inner_text() == complete.warnings[0]
    assert page.complaints == []
    page.context.close()


def test_missing_parts_leave_a_page_that_works(browser, bare: Contents, tmp_path: Path) -> None:
    run_page(bare).write(tmp_path / "bare.html")
    page = visit(browser, (tmp_path / "bare.html").as_uri(), viewport=PHONE)
    assert page.complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.context.close()
