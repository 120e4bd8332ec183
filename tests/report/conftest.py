"""A small report that has everything: digits, random ReLU features, a rectified law, awkward names; and a browser."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jointlaw.laws import RectifiedGeneralizedGaussian
from jointlaw.report import Contents

ALERT = "<script>alert(1)</script>"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
CLOSING = "\"quoted' & </script><img src=x onerror=alert(2)>.png"


@pytest.fixture(scope="session")
def complete() -> Contents:
    digits, rng, count = load_digits(), np.random.default_rng(0), 160
    pixels = digits.images[:count]
    features = np.maximum(digits.data[:count] / 16 @ rng.normal(size=(64, 48)), 0).astype(np.float32)
    law = RectifiedGeneralizedGaussian.with_activity(0.1, p=1.0)
    embeddings = np.maximum(law.before.sample((count, 32)).numpy(), 0).astype(np.float32)
    embeddings[:, 0] = 0  # a dead unit
    steps = [float(step) for step in range(0, 1000, 10)]
    curves = {
        "train/loss": 3.0,
        "train/invariance": 0.05,
        "train/matching": 0.3,
        "train/activity": 0.2,
        "probe/backbone": 0.9,
    }
    return Contents(
        title="Digits & <friends>",
        command="jointlaw train rectified-lpjepa --activity=0.1",
        embeddings=embeddings,
        features=features,
        label=digits.target[:count],
        law=law,
        figures={
            "sparsity.l0": 0.101,
            "sparsity.l0_expected": 0.1,
            "probe.backbone.accuracy": 0.97,
            "few_shot.1": 0.5,
            "few_shot.10": None,
            "matching.value": 0.012,
            "matching.floor": 0.009,
            "matching.collapse": 0.4,
            "rankme.backbone": 30.2,
            "images_per_second": 20_000.0,
            "epochs": 3,
            "seed": 0,
        },
        history={name: [(step, end * (1 + np.exp(-step / 200))) for step in steps] for name, end in curves.items()},
        class_names=[ALERT, *map(str, range(1, 10))],
        names=[CLOSING, *(f"digit {i}.png" for i in range(1, count))],
        images=(pixels * 15).astype(np.uint8)[:, None],
        config="data: digits  # </pre></script><b>bold</b>\n",
        environment="python 3.11",
        warnings=[f"Skipped {CLOSING}"],
    )


@pytest.fixture(scope="session")
def bare(complete: Contents) -> Contents:
    """The same samples with everything optional left out."""
    return replace(Contents("Bare", complete.embeddings, complete.features, np.full(len(complete.label), -1)))


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the path")
    with playwright.sync_playwright() as play:
        started = play.chromium.launch(executable_path=found, args=FLAGS, headless=True)
        yield started
        started.close()
