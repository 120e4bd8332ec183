"""Commands decode and sample on a small run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jointlaw import Run
from jointlaw.cli import main
from jointlaw.data._sources import load
from jointlaw.evaluation._joint import Target, view_pairs
from jointlaw.runs._decode import load_decoder

TRAIN = ["train", "vicreg", "--encoder=mlp", "--width=16", "--run.epochs=2", "--run.threads=1", "--run.precision=32"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a density and a decoder of its features."""
    folder = tmp_path_factory.mktemp("generate") / "run"
    assert main([*TRAIN, "--run.report=false", f"--run.folder={folder}"]) == 0
    assert main(["fit", str(folder), "--density.components=4", "--dim=4"]) == 0
    assert main(["decode", str(folder), "--epochs=20"]) == 0
    return folder


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    return folder


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_a_decoder_is_kept_and_judged_on_held_out_images(run: Path) -> None:
    trained = load_decoder(Run.open(run))
    assert trained.settings.epochs == 20
    assert trained.decoder.shape == (1, 8, 8)
    assert trained.surface.positive  # features of a rectified layer
    figures = json.loads((run / "results.json").read_text())
    assert 0 < figures["decoder.mse"] < 0.1
    assert figures["epochs"] == 2  # what was there stays there


def test_samples_are_written_judged_and_repeatable(copy: Path) -> None:
    assert main(["sample", str(copy), "--count=10", "--seed=3"]) == 0
    first = arrays(copy / "samples.npz")
    assert first["images"].shape == (10, 1, 8, 8)
    assert first["images"].dtype == np.uint8
    assert first["latents"].shape[0] == 10
    assert size_of(copy / "samples.png") == (28, 38)  # 3 columns, 4 rows
    figures = json.loads((copy / "results.json").read_text())
    assert 0 <= figures["samples.coverage"] <= 1
    assert figures["samples.memorisation"] > 0
    assert (copy / "samples.html").read_text().count('<img class="pixels"') == 2
    assert main(["sample", str(copy), "--count=10", "--seed=3"]) == 0
    assert all(np.array_equal(first[name], array) for name, array in arrays(copy / "samples.npz").items())
    assert not list(copy.glob("*.part"))


def test_a_view_may_predict_its_clean_sample(copy: Path) -> None:
    run = Run.open(copy)
    rest = (run.embedder, run.data.held_out, 0)
    to_view, to_clean = (view_pairs(*rest, target=target) for target in Target)
    assert torch.equal(to_clean.context, to_view.context)
    assert torch.equal(to_clean.target, run.embedder.clean(run.data.held_out).features)
    assert not torch.equal(to_clean.target, to_view.target)
    assert "cropped" in sampled_page(copy)
    assert main(["fit", str(copy), "--density.components=4", "--dim=4", "--target=clean"]) == 0
    figures = json.loads((copy / "results.json").read_text())
    assert not [name for name in figures if name.startswith("samples.")]  # they were another density's
    assert "--target=clean" in (copy / "density.html").read_text()
    assert "cropped" not in sampled_page(copy)


def sampled_page(folder: Path) -> str:
    assert main(["sample", str(folder), "--count=4"]) == 0
    return (folder / "samples.html").read_text()


@pytest.mark.parametrize("seen", ["left", "top"])
def test_halves_are_completed_in_several_ways(copy: Path, seen: str) -> None:
    assert main(["sample", str(copy), "--count=17", f"--given={seen}"]) == 0
    found = arrays(copy / "completions.npz")
    half, whole = found["half"], found["whole"]
    assert found["images"].shape == (3, 8, 1, 8, 8)
    assert found["latents"].shape[:2] == (3, 8)
    held_out = load("digits").held_out
    assert np.array_equal(whole, held_out.read(torch.from_numpy(found["index"])).numpy())
    kept = (..., slice(4)) if seen == "left" else (..., slice(4), slice(None))
    assert np.array_equal(half[kept], whole[kept])
    assert not np.array_equal(half, whole)
    figures = json.loads((copy / "results.json").read_text())
    assert 0 <= figures["completion.ambiguity_share"] <= 1
    assert size_of(copy / "completions.png") == (98, 28)
    assert (copy / "completions.html").is_file()


@pytest.mark.parametrize(("missing", "remedy"), [("density", "jointlaw fit"), ("decoder", "jointlaw decode")])
def test_what_is_missing_is_named_with_its_command(
    copy: Path, missing: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / f"{missing}.safetensors").unlink()
    assert main(["sample", str(copy)]) == 2
    said = capsys.readouterr().err
    assert remedy in said
    assert f"{missing}.safetensors" in said
    assert not (copy / "samples.png").exists()


def test_a_density_of_another_part_is_refused(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", str(copy), "--density.components=4", "--dim=4", "--which=embeddings"]) == 0
    assert main(["sample", str(copy)]) == 2
    assert "--which=embeddings" in capsys.readouterr().err


def test_a_network_completes_but_does_not_draw_freely(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", str(copy), "--density=Network", "--density.components=2", "--dim=4", "--density.epochs=1"]) == 0
    assert main(["sample", str(copy)]) == 2
    assert "--density=Mixture" in capsys.readouterr().err
    assert main(["sample", str(copy), "--given=left", "--count=8"]) == 0
