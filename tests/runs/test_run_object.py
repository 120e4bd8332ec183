"""A run is an object: its folder opens anywhere, runs nobody's code, and gives back what was trained."""

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from jointlaw import Run, load_encoder
from jointlaw.cli import main
from jointlaw.data import as_source
from jointlaw.evaluation import Gaussian, Mixture, Which
from jointlaw.objectives import RectifiedLpJEPA, VICReg
from jointlaw.regularizers import Slices, Sparse, Uniform
from jointlaw.runs import Configuration, RunSettings, Setup
from jointlaw.training.recipes import Method, rectified_lpjepa, simclr
from jointlaw.training.recipes._method import projector

RECIPE = partial(rectified_lpjepa, activity=0.25, width=24)


def settings(folder: Path, **options: Any) -> RunSettings:
    return RunSettings(folder=folder, epochs=1, threads=1, precision="32", report=False, **options)


def own_recipe(*, width: int = 12) -> Method:
    """A user's own recipe."""
    return Method(VICReg(), projector(width, None))


def own_encoder(shape: tuple[int, ...]) -> nn.Module:
    """A user's own encoder."""
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 10))


def own_views(sample: torch.Tensor) -> torch.Tensor:
    """A user's own views."""
    return sample.float() / 255


@pytest.fixture(scope="module")
def images() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (120, 8, 8), dtype=np.uint8)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose data are gone and whose folder was moved. Tests copy it before they change it."""
    place = tmp_path_factory.mktemp("original")
    random = np.random.default_rng(1)
    np.savez(place / "a.npz", x=random.integers(0, 256, (400, 8, 8), dtype=np.uint8), y=random.integers(0, 4, 400))
    Run.new(RECIPE, Setup(data=f"tensors:{place / 'a.npz'}", encoder="mlp", run=settings(place / "first"))).train()
    (place / "a.npz").unlink()
    return (place / "first").rename(place / "moved")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


@pytest.fixture
def other(images: np.ndarray[Any, Any], tmp_path: Path) -> str:
    np.savez(tmp_path / "b.npz", x=images, y=np.arange(120) % 3)
    return f"tensors:{tmp_path / 'b.npz'}"


class TestAFolderOpensAnywhere:
    def test_other_data_are_embedded_without_the_data_it_was_trained_on(
        self, folder: Path, images: np.ndarray[Any, Any], other: str
    ) -> None:
        run = Run.open(folder)
        table = run.embed(images)
        assert table.embeddings.shape == (120, 24)
        assert run.shape == (1, 8, 8)
        assert run.classes == ("0", "1", "2", "3")
        again = run.embed(as_source(images))
        assert torch.equal(table.features, again.features)
        assert torch.equal(table.features, run.embed(torch.from_numpy(images)).features)
        assert len(run.embed(other)) == 120

    def test_images_of_another_size_are_resized(self, folder: Path) -> None:
        run = Run.open(folder)
        assert len(run.embed(np.zeros((3, 1, 16, 20), np.uint8))) == 3
        with pytest.raises(ValueError, match=r"\(1, 8, 8\) as in training, found \(3, 8, 8\)"):
            run.embed(np.zeros((3, 3, 8, 8), np.uint8))

    def test_every_command_works_on_other_data(self, folder: Path, other: str, tmp_path: Path) -> None:
        on = [str(folder), f"--data={other}"]
        assert main(["embed", str(folder), str(tmp_path / "e.npz"), f"--data={other}", "--split=all"]) == 0
        assert main(["fit", *on, "--density=Gaussian", "--dim=4"]) == 0
        assert main(["decode", *on, "--epochs=1"]) == 0
        assert main(["sample", *on, "--count=4"]) == 0
        assert main(["probe", *on]) == 0
        assert main(["report", *on]) == 0
        assert (folder / "report.html").exists()
        with np.load(tmp_path / "e.npz") as found:
            np.testing.assert_array_equal(found["embeddings"], Run.open(folder).embed(other).embeddings.numpy())

    def test_what_needs_the_lost_data_says_how_to_name_others(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["report", str(folder)]) == 2
        said = capsys.readouterr().err
        assert "a.npz" in said
        assert "--data" in said

    def test_a_law_is_fitted_by_an_object_and_read_back(self, folder: Path, other: str) -> None:
        from jointlaw.runs._fit import load_fit

        run = Run.open(folder, data=other)
        fitted = run.fit(Mixture(components=3), which=Which.embeddings, dim=3)
        assert fitted.law.count == 3
        assert fitted.figures["density.nll"] is not None
        again = load_fit(Run.open(folder))
        assert again.recipe == fitted.recipe
        assert again.which == Which.embeddings
        x = run.embed(other).embeddings
        torch.testing.assert_close(again.density(again.reduction(x)).mean, fitted.density(fitted.reduction(x)).mean)

    def test_an_option_that_is_none_is_kept_where_something_else_is_the_default(self, tmp_path: Path) -> None:
        recipe = partial(simclr, width=12, hidden=None)  # as wide as the embedding, where 512 is the default
        run = Run.new(recipe, Setup(data="digits", encoder="mlp", run=settings(tmp_path / "run"))).train()
        again = Run.open(tmp_path / "run")
        assert again.configuration.options["hidden"] is None
        for one, other in zip(run.learner.parameters(), again.learner.parameters(), strict=True):
            assert torch.equal(one, other)
        words = ["train", "simclr", "--width=12", "--hidden=null", "--encoder=mlp", "--run.epochs=1"]
        assert main([*words, "--run.report=false", f"--run.folder={tmp_path / 'words'}"]) == 0
        assert Run.open(tmp_path / "words").learner.projector[1].out_features == 12

    def test_rows_of_other_data_are_all_of_them_in_their_own_order(
        self, folder: Path, images: np.ndarray[Any, Any], other: str, tmp_path: Path
    ) -> None:
        run = Run.open(folder)
        torch.testing.assert_close(run.embed(other).embeddings, run.embed(images).embeddings)
        assert main(["embed", str(folder), str(tmp_path / "e.npz"), f"--data={other}"]) == 0
        with np.load(tmp_path / "e.npz") as found:
            np.testing.assert_allclose(found["embeddings"], run.embed(images).embeddings.numpy(), rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(found["label"], np.arange(120) % 3)
            np.testing.assert_array_equal(found["index"], np.arange(120))

    def test_files_of_a_folder_come_in_the_order_of_their_names(
        self, folder: Path, images: np.ndarray[Any, Any], tmp_path: Path
    ) -> None:
        (tmp_path / "pictures").mkdir()
        for i, image in enumerate(images[:30]):
            Image.fromarray(image).save(tmp_path / "pictures" / f"{i:02d}.png")
        run = Run.open(folder)
        found = run.embed(f"folder:{tmp_path / 'pictures'}").embeddings
        torch.testing.assert_close(found, run.embed(images[:30]).embeddings)

    def test_oblong_images_work_on_data_of_their_own_shape(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "rect.npz", x=np.random.default_rng(0).integers(0, 256, (90, 8, 16), dtype=np.uint8))
        data = f"tensors:{tmp_path / 'rect.npz'}"
        Run.new(RECIPE, Setup(data=data, encoder="mlp", run=settings(tmp_path / "run", batch=32))).train()
        assert len(Run.open(tmp_path / "run").embed(data)) == 90

    def test_a_wrong_output_is_refused_before_anything_is_computed(
        self, folder: Path, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jointlaw.runs._embedding.embed_sources", lambda *_: pytest.fail("it was embedded"))
        for words in (["e.txt"], ["none/e.npz"], ["e.csr.npz", "--which=both"]):
            output, *more = words
            assert main(["embed", str(folder), str(tmp_path / output), f"--data={other}", *more]) == 2

    def test_figures_and_page_are_objects(self, folder: Path, other: str) -> None:
        run = Run.open(folder, data=other)
        figures = run.judge()
        page = run.report()
        assert json.loads((folder / "results.json").read_text()).items() >= figures.items()
        assert "<iframe" in page._repr_html_()
        assert page.html() == (folder / "report.html").read_text(encoding="utf-8")


class Marker:
    """Refusals must come before anything is imported: this module leaves a trace when it is."""

    @staticmethod
    def plant(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        trace = place / "imported"
        (place / "strangers.py").write_text(
            f"open({str(trace)!r}, 'w').close()\n"
            "import torch\nfrom jointlaw.objectives import VICReg\n"
            "def network(shape):\n    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 256))\n"
            "def view(sample):\n    return sample.float() / 255\n"
            "class Judge(VICReg):\n    pass\n"
        )
        monkeypatch.syspath_prepend(str(place))
        monkeypatch.delitem(sys.modules, "strangers", raising=False)
        return trace


STRANGERS: dict[str, dict[str, Any]] = {
    "encoder": {"encoder": "strangers:network"},
    "views": {"views": "strangers:view"},
    "recipe": {"method": "strangers:recipe"},
    "objective": {"method": "compose", "objective": {"class_path": "strangers.Judge"}},
    "nested": {
        "slices": {"class_path": "jointlaw.regularizers.Blend", "init_args": {"x": {"class_path": "strangers.Judge"}}}
    },
    "by way of a module of ours": {"slices": {"class_path": "jointlaw.runs._folder.shutil.rmtree"}},
    "a function of ours": {"slices": {"class_path": "jointlaw.load_encoder"}},
}


TAMPERED = (
    "p: &a [*a]",
    "optimizer: &o {class_path: jointlaw.training.SGD, init_args: *o}",
    "5: 3",
    "encoder: 5",
    "width: x",
    "run: x",
    "run: {batch: 2.5}",
    "views: {count: x}",
    "optimizer: {class_path: jointlaw.Run, init_args: {configuration: 1}}",
)


class TestStrangers:
    @pytest.mark.parametrize("kind", STRANGERS)
    def test_code_from_elsewhere_is_refused_and_not_imported(
        self, kind: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trace = Marker.plant(tmp_path, monkeypatch)
        changed(folder, STRANGERS[kind])
        with pytest.raises(ValueError, match="--trust"):
            Run.open(folder)
        assert main(["embed", str(folder), str(tmp_path / "e.npz")]) == 2
        assert not trace.exists()

    def test_a_trusted_folder_runs_its_own_code(
        self, folder: Path, other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trace = Marker.plant(tmp_path, monkeypatch)
        changed(folder, {"views": "strangers:view"})
        assert main(["embed", str(folder), str(tmp_path / "e.npz"), f"--data={other}", "--trust"]) == 0
        assert trace.exists()

    def test_unknown_keys_and_values_of_another_type_name_the_file(self, folder: Path) -> None:
        changed(folder, {"widht": 3})
        with pytest.raises(ValueError, match=r"config\.yaml: expected options of rectified-lpjepa, found also widht"):
            Run.open(folder)
        changed(folder, {"run": {"batsch": 3}})
        with pytest.raises(ValueError, match=r"config\.yaml.*batsch|widht"):
            Run.open(folder)

    def test_nothing_is_fetched_to_a_place_of_the_author_s_choice(self, folder: Path, tmp_path: Path) -> None:
        changed(folder, {"data": f"cifar10:{tmp_path / 'planted'}", "download": True})
        assert main(["report", str(folder)]) == 2
        assert not (tmp_path / "planted").exists()

    @pytest.mark.parametrize("text", TAMPERED)
    def test_a_configuration_that_no_run_wrote_is_one_sentence_that_names_it(
        self, text: str, folder: Path, other: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = folder / "config.yaml"
        tree = yaml.safe_load(path.read_text())
        tree.pop(text.partition(":")[0], None)
        path.write_text(yaml.safe_dump(tree) + text + "\n")
        assert main(["probe", str(folder), f"--data={other}"]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"jointlaw: error: {path}: ")
        assert said.count("\n") == 1

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("run.json", '{"sample": []}'),
            ("run.json", '{"sample": [1000000, 1000000, 1000000]}'),
            ("run.json", '{"sample": [1, 8, 8], "classes": 5}'),
            ("run.json", '{"sample": [1, 8, 8], "weights": "x"}'),
            ("run.json", "[" * 5000),
            ("results.json", "{"),
            ("results.json", "[]"),
            ("results.json", '{"seconds": "x"}'),
        ],
    )
    def test_other_files_that_no_run_wrote_are_named(
        self, name: str, text: str, folder: Path, other: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / name).write_text(text)
        assert main(["report", str(folder), f"--data={other}"]) == 2
        assert f"{folder / name}: expected" in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["encoder", "density", "decoder"])
    def test_a_changed_byte_is_an_error_that_names_the_file(
        self, name: str, folder: Path, other: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = Run.open(folder, data=other)
        run.fit(Gaussian(), dim=3)
        run.decode(epochs=1)
        path = folder / f"{name}.safetensors"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        capsys.readouterr()
        assert main(["sample", str(folder), f"--data={other}", "--count=4"]) == 2
        assert f"{name}.safetensors: expected the weights that were written here" in capsys.readouterr().err
        if name == "encoder":
            with pytest.raises(ValueError, match="has changed since"):
                load_encoder(folder)


def changed(folder: Path, values: dict[str, Any]) -> None:
    path = folder / "config.yaml"
    tree = yaml.safe_load(path.read_text())
    if "method" in values:
        tree = {key: tree[key] for key in ("data", "encoder", "views", "run")}
    path.write_text(yaml.safe_dump({**tree, **values}))


class TestLoadEncoder:
    def test_it_gives_what_the_run_gives(self, folder: Path, images: np.ndarray[Any, Any]) -> None:
        encoder, table = load_encoder(folder), Run.open(folder).embed(images)
        torch.testing.assert_close(encoder(images), table.embeddings)
        torch.testing.assert_close(encoder.features(images[:, None]), table.features)
        torch.testing.assert_close(encoder(torch.from_numpy(images).float() / 255), table.embeddings)
        assert not encoder(images).requires_grad
        with pytest.raises(ValueError, match=r"uint8 or float images \[N, 1, H, W\]"):
            encoder(np.zeros((2, 3, 8, 8), np.uint8))
        with pytest.raises(ValueError, match=r"floats in \[0, 1\]"):
            encoder(images.astype(np.float32))

    def test_it_goes_through_pickle_and_the_file_stands_alone(
        self, folder: Path, images: np.ndarray[Any, Any], tmp_path: Path
    ) -> None:
        encoder = load_encoder(folder)
        assert torch.equal(pickle.loads(pickle.dumps(encoder))(images), encoder(images))  # noqa: S301 (its own pickle)
        alone = shutil.copy(folder / "encoder.safetensors", tmp_path / "sent.safetensors")
        assert torch.equal(load_encoder(alone)(images), encoder(images))

    def test_it_imports_no_training_framework_and_draws_no_random_number(self, folder: Path) -> None:
        program = f"""
import sys, torch
from jointlaw import load_encoder
state = torch.get_rng_state()
print(load_encoder({str(folder)!r})(torch.zeros(2, 8, 8, dtype=torch.uint8)).shape[1])
assert torch.equal(state, torch.get_rng_state())
unwanted = ("pytorch_lightning", "sklearn", "jsonargparse", "yaml", "rich", "plotly")
heavy = [name for name in unwanted if name in sys.modules]
assert not heavy, heavy
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == "24"

    def test_vectors_are_standardised_as_in_training(self, tmp_path: Path) -> None:
        x = np.random.default_rng(0).normal(50, 3, (300, 6))
        np.savez(tmp_path / "v.npz", x=x)
        run = Run.new("vicreg", Setup(data=f"tensors:{tmp_path / 'v.npz'}", run=settings(tmp_path / "run", batch=64)))
        table, encoder = run.train().embed(x), load_encoder(tmp_path / "run")
        torch.testing.assert_close(encoder(x), table.embeddings)
        torch.testing.assert_close(encoder(x.tolist()), table.embeddings)

    def test_images_of_another_size_are_resized_as_a_run_resizes_them(self, folder: Path) -> None:
        images = np.random.default_rng(0).integers(0, 256, (6, 16, 20), dtype=np.uint8)
        torch.testing.assert_close(load_encoder(folder)(images), Run.open(folder).embed(images).embeddings)

    def test_another_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="found none"):
            load_encoder(tmp_path / "nothing")
        (tmp_path / "thesis.safetensors").write_text("thesis")
        with pytest.raises(ValueError, match="expected the encoder of a run"):
            load_encoder(tmp_path / "thesis.safetensors")


class TestConfigurations:
    def test_python_and_the_command_line_write_the_same(self, tmp_path: Path) -> None:
        by_hand = Run.new(
            partial(RECIPE, slices=Uniform(64)), Setup(encoder="mlp", run=settings(tmp_path / "python"))
        ).train()
        words = ["--activity=0.25", "--width=24", "--encoder=mlp", "--slices=Uniform", "--slices.count=64"]
        run = ["--run.epochs=1", "--run.threads=1", "--run.precision=32", "--run.report=false"]
        assert main(["train", "rectified-lpjepa", *words, *run, f"--run.folder={tmp_path / 'words'}"]) == 0
        one, other = by_hand.workspace.read_config(), Run.open(tmp_path / "words").workspace.read_config()
        one["run"].pop("folder")
        other["run"].pop("folder")
        assert one == other
        images = np.zeros((2, 8, 8), np.uint8)
        assert torch.equal(load_encoder(tmp_path / "python")(images), load_encoder(tmp_path / "words")(images))

    def test_a_recipe_encoder_and_views_of_ones_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(Path(__file__).parent))
        import test_run_object as mine

        setup = Setup(encoder="test_run_object:own_encoder", run=settings(tmp_path / "run"))
        run = Run.new(partial(mine.own_recipe, width=5), setup).train()
        assert run.configuration.recipe == "test_run_object:own_recipe"
        with pytest.raises(ValueError, match="--trust"):
            Run.open(tmp_path / "run")
        images = np.zeros((2, 8, 8), np.uint8)
        assert torch.equal(
            Run.open(tmp_path / "run", trust=True).embed(images).embeddings, run.embed(images).embeddings
        )
        with pytest.raises(ValueError, match="--trust"):
            load_encoder(tmp_path / "run")
        assert load_encoder(tmp_path / "run", trust=True)(images).shape == (2, 5)

    def test_samples_in_memory_train(self, tmp_path: Path, images: np.ndarray[Any, Any]) -> None:
        from jointlaw.data import Data

        source = as_source(images)
        data = Data("mine", source, source.take(torch.arange(40)), source)
        run = Run.new(RECIPE, Setup(encoder="mlp", run=settings(tmp_path / "run", batch=32)), data=data).train()
        assert run.title == "rectified-lpjepa on mine"
        assert Run.open(tmp_path / "run").embed(images).embeddings.shape == (120, 24)

    @pytest.mark.parametrize(
        "options", [{"batch": 2.5}, {"precision": "16"}, {"accelerator": "tpu"}, {"loggers": ["foo"]}, {"seed": -1}]
    )
    def test_settings_are_checked_in_python_as_on_the_command_line(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="run: expected"):
            RunSettings(**options)

    def test_numbers_of_numpy_and_paths_as_text_are_taken(self, tmp_path: Path) -> None:
        assert RunSettings(folder=str(tmp_path)).folder == tmp_path
        tree = Configuration.of(partial(rectified_lpjepa, activity=np.float64(0.1), width=np.int64(8)), Setup()).tree()
        assert (tree["activity"], type(tree["activity"]), type(tree["width"])) == (0.1, float, int)

    def test_a_function_among_nested_arguments_keeps_its_default(self, tmp_path: Path) -> None:
        head = {"class_path": "jointlaw.densities.DiagonalHead"}
        network = {"context_dim": 16, "target_dim": 16, "components": 2, "head": head}
        density = {"class_path": "jointlaw.densities.MixtureDensityNetwork", "init_args": network}
        objective = {"class_path": "jointlaw.objectives.ConditionalGMJE", "init_args": {"density": density}}
        (tmp_path / "c.yaml").write_text(yaml.safe_dump({"objective": objective, "width": 16, "encoder": "mlp"}))
        words = ["--run.epochs=1", "--run.threads=1", "--run.report=false", f"--run.folder={tmp_path / 'run'}"]
        assert main(["train", "compose", f"--config={tmp_path / 'c.yaml'}", *words]) == 0

    @pytest.mark.parametrize("option", [lambda: 0, RectifiedLpJEPA])
    def test_what_cannot_be_written_down_is_refused(self, option: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match="expected"):
            Run.new(partial(rectified_lpjepa, slices=option))
        with pytest.raises(ValueError, match="imported again"):
            Run.new(lambda: own_recipe())

    def test_slices_of_ones_own_are_described_by_their_arguments(self) -> None:
        tree = Configuration.of(partial(rectified_lpjepa, slices=Sparse(128, 8)), Setup()).tree()
        kind = tree["slices"]
        assert kind["class_path"] == "jointlaw.regularizers.Sparse"
        built = Configuration.from_tree(tree, "here", trust=False).method().objective
        assert isinstance(built, RectifiedLpJEPA)
        assert issubclass(Sparse, Slices)

    def test_composing_builds_the_objective_once(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        built = []
        make = RectifiedLpJEPA.__init__

        @wraps(make)
        def counted(self: RectifiedLpJEPA, *args: Any, **options: Any) -> None:
            built.append(self)
            make(self, *args, **options)

        law = {"class_path": "jointlaw.laws.RectifiedGeneralizedGaussian", "init_args": {"p": 2.0, "loc": -1.0}}
        objective = {"class_path": "jointlaw.objectives.RectifiedLpJEPA", "init_args": {"law": law}}
        (tmp_path / "compose.yaml").write_text(yaml.safe_dump({"objective": objective, "width": 16, "encoder": "mlp"}))
        monkeypatch.setattr(RectifiedLpJEPA, "__init__", counted)
        words = ["--run.epochs=1", "--run.threads=1", "--run.report=false", f"--run.folder={tmp_path / 'run'}"]
        assert main(["train", "compose", f"--config={tmp_path / 'compose.yaml'}", *words]) == 0
        assert len(built) == 1
        monkeypatch.undo()
        assert Run.open(tmp_path / "run").embed(np.zeros((2, 8, 8), np.uint8)).embeddings.shape == (2, 16)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--run.report", "False"], {"run.report": False}),
        (["--run.resume"], {"run.resume": True}),
        (["--small_stem", "--width=8"], {"small_stem": True, "width": 8}),
        (["--small-stem"], {"small_stem": True}),
        (["--rectified-features", "no"], {"rectified_features": False}),
        (["--run.compile", "--run.epochs", "3"], {"run.compile": True, "run.epochs": 3}),
        (["--download", "--data=digits"], {"download": True}),
    ],
)
def test_switches_may_stand_alone(words: list[str], found: dict[str, Any]) -> None:
    from jointlaw.cli._parsing import parse
    from jointlaw.cli._train import recipe_parser

    tree = parse(recipe_parser("rectified-lpjepa"), words)
    flat = {**tree, **{f"run.{name}": value for name, value in tree["run"].items()}}
    assert {name: flat[name] for name in found} == found


@pytest.mark.parametrize("name", ["probe", "embed", "report", "fit", "decode", "sample", "reproduce"])
def test_a_command_without_words_says_what_it_needs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name])
    assert ended.value.code == 2
    assert "required" in capsys.readouterr().err


def test_a_recipe_needs_no_option() -> None:
    from jointlaw.cli._parsing import parse
    from jointlaw.cli._train import recipe_parser

    assert parse(recipe_parser("lejepa"), [])["data"] == "digits"


def test_python_dash_m_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "jointlaw", "--version"], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("jointlaw 0.")
