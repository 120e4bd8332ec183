"""Data by name: what each spec holds, and one clear sentence for whatever is wrong with it."""

import gzip
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from jointlaw.data._samples import Stored, halves
from jointlaw.data._sources import load

FASHION = Path("/usr/share/datasets/fashion-mnist")


def idx(array: np.ndarray) -> bytes:
    return (
        bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """A small set in IDX files: training gzipped, the rest plain."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("t10k", 5)):
        images, labels = idx(rng.integers(0, 256, (count, 4, 3))), idx(np.arange(count) % 10)
        if part == "train":
            (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
            (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
        else:
            (tmp_path / f"{part}-images.idx3-ubyte").write_bytes(images)
            (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    return tmp_path


def test_digits_are_split_four_to_one_class_by_class() -> None:
    data = load()
    assert data.name == "digits"
    assert (len(data.train), len(data.held_out)) == (1438, 359)
    assert data.train.shape == (1, 8, 8)
    assert data.probe is data.train
    assert data.train.classes == tuple("0123456789")
    counts = data.held_out.label.bincount()
    assert counts.min() >= 34
    assert counts.max() <= 38
    images = data.train.read(torch.arange(len(data.train)))
    assert images.dtype == torch.uint8
    assert images.max() == 255
    assert images.min() == 0


def test_the_split_depends_on_its_seed_alone() -> None:
    first, again, other = load("digits"), load("digits"), load("digits", seed=1)
    everything = torch.arange(len(first.train))
    assert first.train.read(everything).equal(again.train.read(everything))
    assert not first.train.read(everything).equal(other.train.read(everything))


@pytest.mark.parametrize("sizes", [(2,), (1, 1), (3, 3, 3), (1,) * 30, (100, 1, 7)])
def test_halves_part_every_sample_and_hold_out_at_least_one(sizes: tuple[int, ...]) -> None:
    label = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)) - 1
    train, held_out = halves(label, 10, seed=3)
    assert torch.cat([train, held_out]).sort().values.equal(torch.arange(len(label)))
    assert len(held_out) == max(1, len(label) // 10)
    for cls, size in enumerate(sizes):
        assert abs((label[held_out] == cls - 1).sum() - size / 10) < 1


def test_a_resolution_resizes_the_centre_square() -> None:
    data = load("digits", resolution=16)
    assert data.train.shape == data.held_out.shape == (1, 16, 16)
    assert data.probe is data.train
    gradient = torch.arange(12, dtype=torch.uint8).mul(10).expand(2, 1, 6, 12).contiguous()
    source = Stored(values=gradient, label=torch.zeros(2, dtype=torch.int64))
    assert source.resized(6).values.equal(gradient[..., 3:9])
    assert source.resized(3).values[0, 0, 0].tolist() == pytest.approx([35, 55, 75], abs=2)


def test_idx_files_are_downloaded_where_allowed(mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)

    def fetch(root: Path, download: bool) -> None:
        assert download
        (root / "MNIST").mkdir(parents=True)
        (root / "MNIST" / "raw").symlink_to(mnist)

    monkeypatch.setattr(datasets, "MNIST", fetch)
    with pytest.raises(FileNotFoundError, match="--download"):
        load("mnist")
    assert len(load("mnist", download=True).train) == 12

    raw = place / "data" / "MNIST" / "raw"
    raw.unlink()
    raw.mkdir()  # a download that was cut off

    def repair(root: Path, download: bool) -> None:
        raw.rmdir()
        raw.symlink_to(mnist)

    monkeypatch.setattr(datasets, "MNIST", repair)
    assert len(load("mnist", download=True).train) == 12

    def fail(root: Path, download: bool) -> None:
        raise RuntimeError("no route")

    (place / "data" / "MNIST" / "raw").unlink()
    monkeypatch.setattr(datasets, "MNIST", fail)
    with pytest.raises(ValueError, match="no route"):
        load("mnist", download=True)


def test_idx_files_are_read_gzipped_or_not(mnist: Path) -> None:
    data = load(f"mnist:{mnist}")
    assert (len(data.train), len(data.held_out), data.train.shape) == (12, 5, (1, 4, 3))
    assert data.held_out.label.tolist() == [0, 1, 2, 3, 4]
    expected = np.random.default_rng(0).integers(0, 256, (12, 4, 3))
    assert (data.train.read(torch.tensor([3, 1])).numpy()[:, 0] == expected[[3, 1]]).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"magic 00000803\), found magic nothing"),
        (b"\x89PNG\r\n", "found magic 89504e47"),
        (idx(np.zeros(5)), "found magic 00000801"),
        (idx(np.zeros((5, 4, 3)))[:10], "expected 3 sizes"),
        (idx(np.zeros((5, 4, 3)))[:-1], "expected 60 bytes for sizes .5, 4, 3., found 59"),
        (idx(np.zeros((5, 4, 3))) + b"x", "found more"),
        (gzip.compress(idx(np.zeros((5, 4, 3))))[:-9], "whole gzip file"),
        (gzip.compress(idx(np.zeros((5, 4, 3))))[:-5] + b"12345", "whole gzip file"),
        (idx(np.zeros((6, 4, 3))), "6 images and 5 labels"),
        (idx(np.zeros((2**15, 2**15, 0))), "32768 images and 5 labels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",  # the bytes of a gzip file hold the time
)
def test_damaged_idx_files_are_refused(mnist: Path, content: bytes, message: str) -> None:
    (mnist / "t10k-images.idx3-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(f"mnist:{mnist}")


def test_labels_beyond_the_classes_are_refused(mnist: Path) -> None:
    (mnist / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([0, 1, 2, 3, 10])))
    with pytest.raises(ValueError, match="labels 0 to 9, found 5 images and labels up to 10"):
        load(f"mnist:{mnist}")


def test_missing_idx_files_say_where_to_get_them(mnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mnist / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte.*mnist:PATH"):
        load(f"mnist:{mnist}")
    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist"):
        load(f"fashion-mnist:{tmp_path / 'nowhere'}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"data/MNIST/raw.*mnist:PATH"):
        load("mnist")


@pytest.mark.skipif(not FASHION.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_the_known_one() -> None:
    data = load("fashion-mnist")
    assert (len(data.train), len(data.held_out), data.train.shape) == (60_000, 10_000, (1, 28, 28))
    assert data.train.label.bincount().tolist() == [6_000] * 10
    assert data.held_out.label.bincount().tolist() == [1_000] * 10
    assert data.train.classes[9] == "Ankle boot"
    pixels = data.train.read(torch.arange(60_000)).float()
    assert pixels.mean().item() / 255 == pytest.approx(0.2860, abs=1e-4)
    assert pixels.std().item() / 255 == pytest.approx(0.3530, abs=1e-4)


def save(file: Path, **arrays: np.ndarray) -> str:
    np.savez(file, **arrays)
    return f"tensors:{file}"


def test_vectors_and_images_are_read_from_one_file(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 7))
    data = load(save(tmp_path / "a.npz", x=x, y=np.arange(40) % 3, z=x))
    assert (len(data.train), len(data.held_out), data.train.shape) == (36, 4, (7,))
    assert data.train.classes == ("0", "1", "2")
    rows = data.train.read(torch.tensor([5, 0]))
    assert rows.dtype == torch.float32
    assert any(np.allclose(rows[0].numpy(), row, atol=1e-6) for row in x)
    assert data.notes == (f"{tmp_path / 'a.npz'}: keys other than x and y were not read: z.",)
    save_file({"x": torch.zeros(10, 5, 6, dtype=torch.uint8)}, tmp_path / "b.safetensors")
    unlabelled = load(f"tensors:{tmp_path / 'b.safetensors'}")
    assert unlabelled.train.shape == (1, 5, 6)
    assert not unlabelled.train.labelled
    assert unlabelled.train.classes == ()
    colour = load(save(tmp_path / "c.npz", x=np.zeros((4, 3, 5, 5), np.uint8), y=np.array([-1, 0, 1, -1], np.int8)))
    assert colour.train.shape == (3, 5, 5)
    assert colour.train.labelled


VECTORS = np.zeros((4, 2), np.float32)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": VECTORS}, r"expected the key 'x', found \['images'\]"),
        ({}, "found no keys"),
        ({"x": np.array([[0.0, 1], [np.nan, 0], [np.inf, 2]])}, "NaN or infinity in 2 of 3 rows, the first in row 1"),
        ({"x": VECTORS, "y": np.arange(5)}, "found 5 y and 4 x"),
        ({"x": VECTORS, "y": np.zeros(4)}, "whole numbers .N., found torch.float64"),
        ({"x": VECTORS, "y": np.zeros((4, 1), int)}, r"found torch.int64 of shape \[4, 1\]"),
        ({"x": VECTORS, "y": np.array([0, 1, -2, 0])}, "y >= -1, found -2"),
        ({"x": np.zeros((4, 2), int)}, "found torch.int64"),
        ({"x": np.zeros((4, 5, 5))}, r"found torch.float64 of shape \[4, 5, 5\]"),
        ({"x": np.zeros((4, 5, 5, 3), np.uint8)}, "channels come second"),
        ({"x": VECTORS[:1]}, "at least 2 samples"),
        ({"x": VECTORS[:, :0]}, "at least 2 samples"),
        ({"x": np.array([[{}], [{}]], dtype=object)}, "plain arrays"),
        ({"x": np.array([["a"], ["b"]])}, "plain arrays"),
    ],
)
def test_unfit_arrays_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(save(tmp_path / "x.npz", **arrays))


@pytest.mark.parametrize("name", ["x.npz", "x.safetensors", "x.pt"])
def test_files_that_hold_no_arrays_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="found none at"):
        load(f"tensors:{tmp_path / name}")
    for content in (b"", b"neither of them", b"PK\x03\x04 broken", np.zeros(2).tobytes() * 9):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=r"expected (plain arrays|a \.npz or \.safetensors)"):
            load(f"tensors:{tmp_path / name}")


def test_vectors_have_no_resolution(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="vectors of width 2"):
        load(save(tmp_path / "x.npz", x=VECTORS), resolution=8)


@pytest.mark.parametrize("spec", ["", "digit", "digits:here", "folder", "folder:", "tensors", "imagenet:/data"])
def test_an_unknown_name_lists_the_known_ones(spec: str) -> None:
    with pytest.raises(ValueError, match=r"digits, mnist\[:PATH\].*folder:PATH, tensors:FILE, found"):
        load(spec)


def test_a_bare_path_is_answered_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Did you mean folder:"):
        load(str(tmp_path))


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match="resolution >= 1"):
        load("digits", resolution=0)
    with pytest.raises(ValueError, match="'raise' or 'skip'"):
        load("digits", on_bad_file="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "stl10"])
def test_torchvision_sets_that_are_missing_name_path_and_download(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    with pytest.raises(FileNotFoundError, match=rf"{name}:PATH, or allow the download"):
        load(f"{name}:{tmp_path}")


def test_torchvision_sets_become_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("torchvision.datasets")

    def cifar(root: Path, train: bool, download: bool) -> SimpleNamespace:
        assert (root, download) == (tmp_path, True)
        count = 6 if train else 4
        data = np.arange(count * 32 * 32 * 3, dtype=np.int64).reshape(count, 32, 32, 3).astype(np.uint8)
        return SimpleNamespace(data=data, targets=list(range(count)), classes=["a", "b"])

    def stl(root: Path, split: str, download: bool) -> SimpleNamespace:
        count = {"unlabeled": 8, "train": 5, "test": 3}[split]
        labels = np.full(count, -1) if split == "unlabeled" else np.arange(count, dtype=np.uint8)
        return SimpleNamespace(data=np.zeros((count, 3, 96, 96), np.uint8), labels=labels, classes=["bird"])

    monkeypatch.setattr(datasets, "CIFAR10", cifar)
    monkeypatch.setattr(datasets, "STL10", stl)
    data = load(f"cifar10:{tmp_path}", download=True)
    assert (len(data.train), len(data.held_out), data.train.shape) == (6, 4, (3, 32, 32))
    assert data.train.read(torch.tensor([0]))[0, :, 0, 0].tolist() == [0, 1, 2]
    data = load(f"stl10:{tmp_path}", resolution=48)
    assert [len(source) for source in (data.train, data.held_out, data.probe)] == [8, 3, 5]
    assert [source.labelled for source in (data.train, data.held_out, data.probe)] == [False, True, True]
    assert data.probe.shape == (3, 48, 48)


def test_a_failed_download_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("torchvision.datasets")

    def unreachable(root: Path, train: bool, download: bool) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(datasets, "CIFAR100", unreachable)
    with pytest.raises(ValueError, match=r"found: no route to host\. Check the network"):
        load(f"cifar100:{tmp_path}", download=True)


def test_the_extra_is_needed_only_for_pictures(mnist: Path) -> None:
    program = f"""
import sys
sys.modules["PIL"] = sys.modules["torchvision"] = None
from jointlaw.data._sources import load
load("digits"), load("mnist:{mnist}")
for spec in ("folder:{mnist}", "cifar10", "stl10"):
    try:
        load(spec)
    except ImportError as error:
        assert "Run: pip install" in str(error), error
    else:
        raise AssertionError(spec)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_stored_source_checks_what_it_is_given() -> None:
    with pytest.raises(ValueError, match="uint8 images"):
        Stored(values=torch.zeros(2, 3, 4, 4), label=torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="int64 labels of shape"):
        Stored(values=torch.zeros(2, 3), label=torch.zeros(3, dtype=torch.int64))
