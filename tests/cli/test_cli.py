"""The command line, end to end on small runs."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import scipy.sparse
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from jointlaw import RectifiedLpJEPA, Run, load_encoder
from jointlaw.cli import main
from jointlaw.regularizers import TwoSample, Uniform
from jointlaw.runs._fit import load_fit
from jointlaw.runs._history import read_history

RECIPE = ["train", "rectified-lpjepa"]
SMALL = ["--width=32", "--run.epochs=2", "--run.threads=1", "--run.precision=32"]
QUIET = "--run.report=false"
KEYS = [
    "probe.backbone.accuracy",
    "probe.projector.accuracy",
    "knn.accuracy",
    "sparsity.l0",
    "sparsity.l0_expected",
    "sparsity.l1",
    "dead_units",
    "rankme.backbone",
    "rankme.projector",
    "nhsic",
    "alignment",
    "uniformity",
    "matching.value",
    "matching.floor",
    "matching.collapse",
    "images_per_second",
    "epochs",
    "seed",
]


def pipeline(sample: torch.Tensor) -> torch.Tensor:
    """A user's own view of one sample."""
    return sample.float() / 255 + 0.1 * torch.randn(sample.shape)


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    assert main([*RECIPE, *SMALL, "--activity=0.2", f"--run.folder={folder}"]) == 0
    return folder


@pytest.fixture
def copy(done: Path, tmp_path: Path) -> Path:
    """The run, for tests that change it."""
    return Path(shutil.copytree(done, tmp_path / "copy"))


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., Path]:
    """Train without a report; the run folder."""

    def run(*options: str, recipe: str = "rectified-lpjepa", small: list[str] = SMALL) -> Path:
        folder = tmp_path / "run"
        assert main(["train", recipe, *small, QUIET, f"--run.folder={folder}", *options]) == 0
        return folder

    return run


def pictures(folder: Path, count: int = 24, size: int = 16) -> Path:
    folder.mkdir()
    generator = np.random.default_rng(0)
    for i in range(count):
        pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.{('png', 'jpg')[i % 2]}")
    return folder


def vectors(path: Path, labelled: bool = True) -> Path:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, 300)
    x = generator.standard_normal((300, 12)).astype(np.float32) + 3 * y[:, None]
    np.savez(path, x=x, **({"y": y} if labelled else {}))
    return path


class TestRunFolder:
    def test_everything_is_there(self, done: Path) -> None:
        names = {str(path.relative_to(done)) for path in done.rglob("*") if path.is_file()}
        assert names == {
            "config.yaml",
            "metrics.csv",
            "checkpoints/last.ckpt",
            "checkpoints/best.ckpt",
            "encoder.safetensors",
            "environment.txt",
            "results.json",
            "report.html",
            "run.json",
        }

    def test_results_have_every_figure(self, done: Path) -> None:
        figures = json.loads((done / "results.json").read_text())
        assert all(figures[key] is not None for key in KEYS)
        assert figures["sparsity.l0_expected"] == pytest.approx(0.2, abs=1e-6)
        assert figures["epochs"] == 2
        assert figures["images_per_second"] > 0

    def test_configuration_names_the_recipe_and_resolved_views(self, done: Path) -> None:
        config = yaml.safe_load((done / "config.yaml").read_text())
        assert config["method"] == "rectified-lpjepa"
        assert config["views"]["flip"] == 0.0  # digits are not mirrored
        assert config["views"]["rotate"] == 15.0
        assert config["run"]["folder"] == str(done)

    def test_configuration_reproduces_the_run(self, done: Path, tmp_path: Path) -> None:
        again = tmp_path / "again"
        assert main([*RECIPE, f"--config={done / 'config.yaml'}", f"--run.folder={again}", QUIET]) == 0
        weights, others = load_file(done / "encoder.safetensors"), load_file(again / "encoder.safetensors")
        assert all(torch.equal(weights[key], others[key]) for key in weights)
        assert read_history(done / "metrics.csv") == read_history(again / "metrics.csv")
        assert not (again / "report.html").exists()

    def test_resuming_the_finished_run_changes_no_figure(self, copy: Path) -> None:
        before = json.loads((copy / "results.json").read_text())
        stale = {**before, "sparsity.l0": 0.9, "density.nats": 1.0}  # of an older judgement, and of another command
        (copy / "results.json").write_text(json.dumps(stale))
        assert main([*RECIPE, *SMALL, "--activity=0.2", f"--run.folder={copy}", "--run.resume"]) == 0
        assert json.loads((copy / "results.json").read_text()) == {**before, "density.nats": 1.0}


class TestCommandsOnARun:
    def test_probe(self, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["probe", str(done)]) == 0
        found = re.search(r"probe\.backbone\.accuracy +(0\.\d+)", capsys.readouterr().out)
        assert found
        figures = json.loads((done / "results.json").read_text())
        assert float(found[1]) == pytest.approx(figures["probe.backbone.accuracy"], abs=1e-4)

    def test_embed(self, done: Path, tmp_path: Path) -> None:
        for name in ("e.parquet", "e.npz", "e.csr.npz"):
            assert main(["embed", str(done), str(tmp_path / name)]) == 0
        dense = arrays(tmp_path / "e.npz")
        sparse = scipy.sparse.load_npz(tmp_path / "e.csr.npz")
        table = pyarrow.parquet.read_table(tmp_path / "e.parquet")
        assert dense["embeddings"].shape == sparse.shape == (359, 32)
        assert table.num_rows == 359
        np.testing.assert_array_equal(sparse.toarray(), dense["embeddings"])

    def test_embed_other_parts_and_data(self, done: Path, tmp_path: Path) -> None:
        assert main(["embed", str(done), str(tmp_path / "all.npz"), "--split=all", "--which=features"]) == 0
        assert len(arrays(tmp_path / "all.npz")["features"]) == 1797
        images = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
        np.savez(tmp_path / "x.npz", x=images)
        other = f"--data=tensors:{tmp_path / 'x.npz'}"
        assert main(["embed", str(done), str(tmp_path / "other.npz"), other, "--split=all"]) == 0
        assert len(arrays(tmp_path / "other.npz")["embeddings"]) == 20

    def test_embed_replaces_a_file_only_when_told(
        self, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "e.npz").write_text("precious")
        assert main(["embed", str(done), str(tmp_path / "e.npz")]) == 2
        assert "--overwrite" in capsys.readouterr().err
        assert (tmp_path / "e.npz").read_text() == "precious"
        assert main(["embed", str(done), str(tmp_path / "e.npz"), "--overwrite"]) == 0

    def test_report(self, copy: Path) -> None:
        before = json.loads((copy / "results.json").read_text())
        (copy / "report.html").unlink()
        assert main(["report", str(copy)]) == 0
        assert "<html" in (copy / "report.html").read_text(encoding="utf-8")
        assert json.loads((copy / "results.json").read_text()) == before  # the same network on the same samples


class TestData:
    def test_unlabelled_pictures_train_without_a_probe(self, tmp_path: Path) -> None:
        folder = pictures(tmp_path / "pictures")
        options = [f"--data=folder:{folder}", "--resolution=16", "--run.batch=8", f"--run.folder={tmp_path / 'run'}"]
        assert main([*RECIPE, *SMALL, *options]) == 0
        figures = json.loads((tmp_path / "run/results.json").read_text())
        assert figures["probe.backbone.accuracy"] is None
        assert figures["sparsity.l0"] is not None
        assert [path.name for path in (tmp_path / "run/checkpoints").iterdir()] == ["last.ckpt"]
        assert (tmp_path / "run/report.html").exists()

    def test_vectors_train_an_mlp(self, train: Callable[..., Path], tmp_path: Path) -> None:
        folder = train(f"--data=tensors:{vectors(tmp_path / 'v.npz')}", "--run.batch=64")
        assert (folder / "checkpoints/best.ckpt").exists()
        assert load_file(folder / "encoder.safetensors")["encoder.0.1.weight"].shape == (512, 12)

    def test_probe_data_may_be_another_set(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        plain, labelled = vectors(tmp_path / "plain.npz", labelled=False), vectors(tmp_path / "labelled.npz")
        folder = tmp_path / "run"
        options = [f"--data=tensors:{plain}", f"--probe-data=tensors:{labelled}", "--run.batch=64"]
        assert main([*RECIPE, *SMALL, *options, f"--run.folder={folder}"]) == 0
        figures = json.loads((folder / "results.json").read_text())
        assert figures["probe.backbone.accuracy"] > 0.8
        assert main(["probe", str(folder), f"--probe-data=tensors:{labelled}"]) == 0
        assert main(["probe", str(folder), f"--probe-data=tensors:{plain}"]) == 2
        assert "expected labelled" in capsys.readouterr().err


class TestOptions:
    def test_one_view_option_leaves_the_others_as_the_data_want_them(self, train: Callable[..., Path]) -> None:
        config = yaml.safe_load((train("--views.flip=0.25") / "config.yaml").read_text())
        assert config["views"]["flip"] == 0.25
        assert config["views"]["rotate"] == 15.0

    def test_print_config_shows_what_was_given_and_loads_no_data(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main([*RECIPE, "--data=tensors:nowhere.npz", "--views.flip=0.25", "--print_config"])
        assert ended.value.code in (0, None)
        config = yaml.safe_load(capsys.readouterr().out)
        assert config["views"]["flip"] == 0.25
        assert config["views"].get("rotate") is None  # as the data want it

    def test_a_printed_configuration_is_read_back(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        with pytest.raises(SystemExit):
            main([*RECIPE, *SMALL, "--views.flip=0.25", "--print_config"])
        (tmp_path / "printed.yaml").write_text(capsys.readouterr().out)
        words = [f"--config={tmp_path / 'printed.yaml'}", f"--run.folder={tmp_path / 'run'}", QUIET]
        assert main([*RECIPE, *words]) == 0
        config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
        assert (config["views"]["flip"], config["views"]["rotate"]) == (0.25, 15.0)
        assert config["run"]["epochs"] == 2

    def test_own_pipeline(self, train: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(Path(__file__).parent))
        config = yaml.safe_load((train("--views=test_cli:pipeline") / "config.yaml").read_text())
        assert config["views"] == "test_cli:pipeline"

    def test_small_crops(self, train: Callable[..., Path]) -> None:
        folder = train("--views.small_count=2", "--views.small_size=6", "--run.epochs=1")
        images = np.zeros((5, 8, 8), np.uint8)
        run = Run.open(folder)
        drawn = run.views(torch.from_numpy(images)[:, None], torch.Generator().manual_seed(0))
        assert [tuple(view.shape[2:]) for view in drawn] == [(8, 8), (8, 8), (6, 6), (6, 6)]
        assert run.embed(images).embeddings.shape == (5, 32)

    def test_views_of_another_size_than_the_samples(self, train: Callable[..., Path]) -> None:
        folder = train("--views.size=12", "--encoder=mlp", "--run.epochs=1")
        assert load_file(folder / "encoder.safetensors")["encoder.0.1.weight"].shape == (512, 144)

    def test_another_optimiser_with_clipping_and_accumulation(self, train: Callable[..., Path]) -> None:
        folder = train("--optimizer=LARS", "--optimizer.learning_rate=0.1", "--run.clip=1", "--run.accumulate=2")
        config = yaml.safe_load((folder / "config.yaml").read_text())
        assert config["optimizer"]["class_path"] == "jointlaw.training.LARS"
        state = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
        assert state["global_step"] == 2 * 3  # five batches an epoch, two to a step
        assert state["optimizer_states"][0]["param_groups"][0]["momentum"] == 0.9

    @pytest.mark.slow
    @pytest.mark.filterwarnings("default")  # of the loggers' own dependencies
    def test_loggers_hold_what_metrics_csv_holds(self, train: Callable[..., Path]) -> None:
        from mlflow.tracking import MlflowClient
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        folder = train('--run.loggers=["tensorboard", "mlflow"]', recipe="vicreg")
        expected = [row["train/loss"] for row in read_history(folder / "metrics.csv").values() if "train/loss" in row]
        events = EventAccumulator(str(folder / "tensorboard"))
        events.Reload()
        assert [event.value for event in events.Scalars("train/loss")] == pytest.approx(expected)
        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        (run,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "train/loss")
        assert [metric.value for metric in history] == pytest.approx(expected)

    def test_bfloat16(self, train: Callable[..., Path]) -> None:
        half = load_file(train("--run.precision=bf16", "--run.epochs=1") / "encoder.safetensors")
        assert all(value.dtype != torch.bfloat16 for value in half.values())  # weights stay wide
        assert all(bool(value.isfinite().all()) for value in half.values())
        name = "projector.1.weight"
        assert not torch.equal(half[name].bfloat16().float(), half[name])

    def test_a_timm_encoder_with_small_crops(self, train: Callable[..., Path]) -> None:
        folder = train("--encoder=resnet18", "--run.epochs=1", "--views.small_count=1", "--views.small_size=4")
        weights = load_file(folder / "encoder.safetensors")
        assert weights["encoder.conv1.weight"].shape == (64, 1, 3, 3)  # the stem that keeps small images large
        assert load_encoder(folder).features(np.zeros((2, 8, 8), np.uint8)).shape == (2, 512)

    def test_the_papers_recipe(self, train: Callable[..., Path]) -> None:
        small = [*(word for word in SMALL if "epochs" not in word), "--run.epochs=1", "--slices=64"]
        objective = Run.open(train(recipe="rectified-lpjepa-paper", small=small)).learner.objective
        assert isinstance(objective, RectifiedLpJEPA)
        assert objective.threshold is None
        assert isinstance(objective.matcher.slices, Uniform)
        assert isinstance(objective.matcher.targets, TwoSample)

    def test_compose_from_a_file(self, train: Callable[..., Path], tmp_path: Path) -> None:
        families = "jointlaw.regularizers"
        objective = {
            "class_path": "jointlaw.objectives.RectifiedLpJEPA",
            "init_args": {
                "law": {
                    "class_path": "jointlaw.laws.RectifiedGeneralizedGaussian",
                    "init_args": {"p": 2.0, "loc": -1.0},
                },
                "slices": {
                    "class_path": f"{families}.Blend",
                    "init_args": {
                        "families": [
                            [3.0, {"class_path": f"{families}.Orthogonal", "init_args": {"count": 32}}],
                            [1.0, {"class_path": f"{families}.Axes"}],
                        ]
                    },
                },
            },
        }
        path = tmp_path / "compose.yaml"
        path.write_text(yaml.safe_dump({"objective": objective}))
        folder = train(f"--config={path}", recipe="compose")
        config = yaml.safe_load((folder / "config.yaml").read_text())
        assert config["objective"]["init_args"]["slices"]["init_args"]["families"][0][0] == 3.0
        assert main(["probe", str(folder)]) == 0


def _nan(folder: Path) -> str:
    x = np.zeros((30, 4), np.float32)
    x[3, 2] = np.nan
    np.savez(folder / "nan.npz", x=x)
    return f"--data=tensors:{folder / 'nan.npz'}"


def _empty(folder: Path) -> str:
    (folder / "empty").mkdir()
    return f"--data=folder:{folder / 'empty'}"


def _unlabelled(folder: Path) -> str:
    np.savez(folder / "x.npz", x=np.zeros((20, 8, 8), np.uint8))
    return f"--probe-data=tensors:{folder / 'x.npz'}"


def _vectors(folder: Path) -> str:
    return f"--probe-data=tensors:{vectors(folder / 'v.npz')}"


def _eigen(folder: Path) -> str:
    return '--slices={"class_path": "jointlaw.regularizers.Eigen", "init_args": {"count": 5}}'


MISTAKES: dict[str, tuple[str | Callable[[Path], str], str]] = {
    "unknown option": ("--activty=0.1", "activty"),
    "p = 0": ("--p=0", "p > 0"),
    "p < 0": ("--p=-1", "p > 0"),
    "activity = 0": ("--activity=0", "activity"),
    "activity = 1": ("--activity=1", "activity"),
    "no number": ("--p=one", "float"),
    "too few slices": (_eigen, "Raise count"),
    "batch of 1": ("--run.batch=1", "batch >= 2"),
    "batch beyond the data": ("--run.batch=2000", "smaller --run.batch"),
    "no epochs": ("--run.epochs=0", "epochs >= 1"),
    "no devices": ("--run.devices=0", "devices"),
    "NaN in the data": (_nan, "NaN or infinity in 1 of 30 rows"),
    "missing file": ("--data=tensors:nowhere.npz", "Check the path"),
    "missing folder": ("--data=folder:nowhere", "nowhere"),
    "empty folder": (_empty, "empty"),
    "unknown data": ("--data=imagenet", "expected one of digits"),
    "unknown encoder": ("--encoder=resnet1", "timm model"),
    "views of no module": ("--views=nothing:here", "PYTHONPATH"),
    "no views": ("--views.count=0", "count"),
    "one view": ("--views.count=1", "views"),
    "impossible view": ("--views.flip=2", "flip"),
    "impossible rate": ('--optimizer={"class_path": "AdamW", "init_args": {"learning_rate": -1}}', "learning_rate"),
    "exploding rate": (
        '--optimizer={"class_path": "AdamW", "init_args": {"learning_rate": 1e30, "warmup": 0}}',
        "Lower the learning rate",
    ),
    "missing configuration": ("--config=nowhere.yaml", "nowhere.yaml"),
    "resume of nothing": ("--run.resume", "earlier run"),
    "unlabelled probe data": (_unlabelled, "expected labelled samples"),
    "probe data of another kind": (_vectors, "expected images, found vectors"),
    "abbreviation": ("--activ=0.1", "activ"),
}


class TestMistakes:
    @pytest.mark.parametrize("mistake", MISTAKES)
    def test_one_clear_sentence_and_nothing_left_behind(
        self, mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        option, text = MISTAKES[mistake]
        words = [*RECIPE, *SMALL, QUIET, "--run.folder=run", option if isinstance(option, str) else option(tmp_path)]
        assert failed(words) == 2
        said = capsys.readouterr().err
        assert text in said
        assert "Traceback" not in said
        assert not (tmp_path / "run").exists()

    def test_activity_and_loc_together(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert failed([*RECIPE, "--activity=0.1", "--loc=0", f"--run.folder={tmp_path / 'run'}"]) == 2
        assert "One determines the other" in capsys.readouterr().err
        assert not (tmp_path / "run").exists()

    def test_a_folder_in_use_or_a_file(self, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        before = (done / "results.json").read_text()
        assert failed([*RECIPE, *SMALL, f"--run.folder={done}"]) == 2
        assert "--run.resume" in capsys.readouterr().err
        assert (done / "results.json").read_text() == before
        (tmp_path / "file").write_text("a file")
        assert failed([*RECIPE, *SMALL, f"--run.folder={tmp_path / 'file'}"]) == 2
        assert "new or empty folder" in capsys.readouterr().err

    def test_resume_with_another_configuration(self, done: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert failed([*RECIPE, *SMALL, "--activity=0.3", f"--run.folder={done}", "--run.resume"]) == 2
        assert "activity (0.2 -> 0.3)" in capsys.readouterr().err

    @pytest.mark.parametrize("command", ["probe", "embed", "report"])
    def test_commands_on_no_run(self, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        more = [str(tmp_path / "e.npz")] if command == "embed" else []
        assert failed([command, str(tmp_path), *more]) == 2
        assert "expected a run folder" in capsys.readouterr().err
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("text", ["", "just words", "method: none", "method: rectified-lpjepa\nwidht: 3", "a: ["])
    def test_a_broken_configuration(self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "config.yaml").write_text(text)
        assert failed(["report", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert "config.yaml" in said or "widht" in said
        assert "Traceback" not in said

    @pytest.mark.parametrize("part", ["weights", "checkpoint"])
    def test_broken_files(self, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str) -> None:
        run = tmp_path / "run"
        (run / "checkpoints").mkdir(parents=True)
        for name in ("config.yaml", "run.json"):
            shutil.copy(done / name, run)
        (run / "encoder.safetensors").write_bytes(b"nonsense")
        (run / "checkpoints/last.ckpt").write_bytes(b"nonsense")
        resume = [*RECIPE, *SMALL, "--activity=0.2", f"--run.folder={run}", "--run.resume"]
        assert failed(["probe", str(run)] if part == "weights" else resume) == 2
        said = capsys.readouterr().err
        assert ("encoder.safetensors" if part == "weights" else "last.ckpt") in said
        assert "go on with" not in said
        assert (run / "config.yaml").exists()

    def test_a_gpu_that_is_not_there(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        words = [*RECIPE, *SMALL, QUIET, f"--run.folder={tmp_path / 'run'}", "--run.accelerator=gpu"]
        assert failed(words) == 2
        assert "expected 1 CUDA GPU" in capsys.readouterr().err
        assert not (tmp_path / "run").exists()


def failed(words: list[str]) -> int:
    """The exit code, whether returned or raised by the parser."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


class TestFit:
    def test_a_density_over_a_run_is_fitted_judged_and_kept(self, copy: Path) -> None:
        folder = copy
        options = ["--density.components=4", "--dim=4", "--ood=digits"]
        assert main(["fit", str(folder), *options]) == 0
        figures = json.loads((folder / "results.json").read_text())
        assert figures["density.ood_auroc"] == pytest.approx(0.5)
        assert 0 < figures["density.coverage"] <= 1
        assert figures["epochs"] == 2  # what was there stays there
        assert load_fit(Run.open(folder)).law.count == 4
        assert 'id="plot-likelihood"' in (folder / "density.html").read_text()

    def test_more_components_than_samples_are_refused(self, copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = copy
        assert main(["fit", str(folder), "--density.components=4000", "--dim=4"]) == 2
        assert "4000" in capsys.readouterr().err
        assert not (folder / "density.safetensors").exists()
