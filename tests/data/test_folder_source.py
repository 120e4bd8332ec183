"""Folders of images: every layout, every mode, and no file that vanishes without a word."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from jointlaw.data._batches import Batches
from jointlaw.data._folder import Files, free_memory
from jointlaw.data._samples import Data, Source
from jointlaw.data._sources import load

Image = pytest.importorskip("PIL.Image")


def paint(file: Path, seed: int = 0, mode: str = "RGB", size: tuple[int, int] = (20, 16)) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(file)
    return file


def everything(source: Source) -> Tensor:
    return source.read(torch.arange(len(source)))


def by_name(data: Data) -> dict[str, Tensor]:
    return {
        name: source.read(torch.tensor([i]))[0]
        for source in (data.train, data.held_out)
        for i, name in enumerate(source.names)
    }


def one(folder: Path, file: str, resolution: int = 8, channels: int = 3) -> Tensor:
    """How ``file`` is read; a companion decides the number of channels."""
    paint(folder / "companion.png", mode="RGB" if channels == 3 else "L")
    return by_name(load(f"folder:{folder}", resolution=resolution))[file]


# --- layouts ---


def test_a_flat_folder_has_no_labels_and_holds_out_a_tenth(tmp_path: Path) -> None:
    for i in range(30):
        paint(tmp_path / f"{i}.png", seed=i)
    paint(tmp_path / "deep" / "er" / "x.jpg")
    data = load(f"folder:{tmp_path}")
    assert (len(data.train), len(data.held_out), data.train.shape) == (28, 3, (3, 64, 64))
    assert not data.train.labelled
    assert data.train.classes == ()
    assert "No labels" in data.notes[0]
    assert set(data.train.names) | set(data.held_out.names) == {f"{i}.png" for i in range(30)} | {"deep/er/x.jpg"}
    assert list(data.train.names) == sorted(data.train.names)
    again = load(f"folder:{tmp_path}")
    assert again.train.names == data.train.names
    assert everything(again.train).equal(everything(data.train))
    assert load(f"folder:{tmp_path}", seed=1).train.names != data.train.names


def test_first_level_folders_are_classes_and_the_split_is_stratified(tmp_path: Path) -> None:
    for i in range(20):
        paint(tmp_path / "dog" / f"{i}.png", seed=i)
        paint(tmp_path / "cat" / "inner" / f"{i}.png", seed=i)
    data = load(f"folder:{tmp_path}", resolution=8)
    assert data.train.classes == ("cat", "dog")
    assert data.held_out.label.bincount().tolist() == [2, 2]
    for source in (data.train, data.held_out):
        for name, label in zip(source.names, source.label.tolist(), strict=True):
            assert name.startswith(source.classes[label])
    assert data.notes == ()


@pytest.mark.parametrize("stray", ["loose.png", None])
def test_one_loose_image_or_one_folder_means_no_classes(tmp_path: Path, stray: str | None) -> None:
    paint(tmp_path / "cat" / "a.png")
    paint(tmp_path / "cat" / "b.png")
    if stray:
        paint(tmp_path / "dog" / "c.png")
        paint(tmp_path / stray)
    assert not load(f"folder:{tmp_path}").train.labelled


@pytest.mark.parametrize("held_out", ["test", "val"])
def test_train_and_test_folders_are_the_split(tmp_path: Path, held_out: str) -> None:
    for name in ("a", "b"):
        paint(tmp_path / "train" / name / "1.png")
        paint(tmp_path / held_out / name / "2.png")
    paint(tmp_path / "rest" / "3.png")
    data = load(f"folder:{tmp_path}")
    assert data.train.names == ("train/a/1.png", "train/b/1.png")
    assert data.held_out.names == (f"{held_out}/a/2.png", f"{held_out}/b/2.png")
    assert data.train.classes == data.held_out.classes == ("a", "b")
    assert data.held_out.label.tolist() == [0, 1]
    assert data.notes == (f"{tmp_path}: not read, because train and {held_out} are there: rest.",)


def test_an_unlabelled_training_part_may_have_a_labelled_test_part(tmp_path: Path) -> None:
    paint(tmp_path / "train" / "1.png")
    paint(tmp_path / "test" / "a" / "2.png")
    paint(tmp_path / "test" / "b" / "2.png")
    data = load(f"folder:{tmp_path}")
    assert data.train.label.tolist() == [-1]
    assert data.held_out.label.tolist() == [0, 1]
    assert data.held_out.classes == ("a", "b")


def test_held_out_classes_must_be_known(tmp_path: Path) -> None:
    for name in ("a", "b"):
        paint(tmp_path / "train" / name / "1.png")
    for name in ("a", "c"):
        paint(tmp_path / "test" / name / "1.png")
    with pytest.raises(ValueError, match="found also 'c'"):
        load(f"folder:{tmp_path}")


def test_missing_empty_and_lonely_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="found none at"):
        load(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(ValueError, match=r"at least 2 images in .* found 0"):
        load(f"folder:{tmp_path}")
    paint(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError, match="expected a folder"):
        load(f"folder:{tmp_path / 'a.png'}")
    with pytest.raises(ValueError, match="found 1"):
        load(f"folder:{tmp_path}")
    paint(tmp_path / "train" / "a.png")
    (tmp_path / "test").mkdir()
    with pytest.raises(ValueError, match="test, found none"):
        load(f"folder:{tmp_path}")


def test_files_that_are_no_images_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", "b.PNG", "c.JpEg"):
        paint(tmp_path / name)
    for name in ("notes.txt", "more.txt", "README", ".DS_Store"):
        (tmp_path / name).write_text("no image")
    paint(tmp_path / ".cache" / "a.png")
    data = load(f"folder:{tmp_path}")
    assert len(data.train) + len(data.held_out) == 3
    notes = " ".join(data.notes)
    assert "ignored 3 files that are no images by their ending (.txt 2, no ending 1)" in notes
    assert "ignored 2 hidden files and folders" in notes


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    paint(tmp_path / "a" / "1.png")
    paint(tmp_path / "b" / "2.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b" / "self").symlink_to(tmp_path / "b", target_is_directory=True)
    (tmp_path / "b" / "file.png").symlink_to(tmp_path / "a" / "1.png")
    data = load(f"folder:{tmp_path}")
    assert sorted(data.train.names + data.held_out.names) == ["a/1.png", "b/2.png", "b/file.png"]
    assert "a second time through links: a/up, b/self" in " ".join(data.notes)


def test_odd_file_names_are_fine(tmp_path: Path) -> None:
    names = ["ünïcödé 图片.png", "with [brackets] & 'quotes'.png", "new\nline.png", "{x}%s.png"]
    for name in names:
        paint(tmp_path / name)
    os.rename(paint(tmp_path / "bytes.png"), os.path.join(os.fsencode(tmp_path), b"raw\xff\xfe.png"))
    data = load(f"folder:{tmp_path}")
    found = data.train.names + data.held_out.names
    assert sorted(found) == sorted([*names, r"raw\xff\xfe.png"])
    "".join(found).encode()


# --- pixels ---


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "gif", "tiff", "ppm", "tga", "jp2"])
def test_common_formats_are_read(tmp_path: Path, ending: str) -> None:
    Image.new("RGB", (20, 16), (200, 40, 90)).save(tmp_path / f"a.{ending}")
    pixels = one(tmp_path, f"a.{ending}").float()
    assert (pixels - torch.tensor([200.0, 40, 90]).view(3, 1, 1)).abs().max() <= 6


@pytest.mark.parametrize(("mode", "ending"), [("CMYK", "jpg"), ("CMYK", "tiff"), ("P", "png"), ("YCbCr", "jpg")])
def test_colour_modes_become_rgb(tmp_path: Path, mode: str, ending: str) -> None:
    Image.new("RGB", (20, 16), (200, 40, 90)).convert(mode).save(tmp_path / f"a.{ending}")
    pixels = one(tmp_path, f"a.{ending}").float()
    assert (pixels - torch.tensor([200.0, 40, 90]).view(3, 1, 1)).abs().max() <= 30


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_lie_on_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    picture.paste((80, 80, 80, 255), (0, 0, 8, 16))
    if mode == "P":
        picture.quantize(4).save(tmp_path / "a.png")
    else:
        picture.convert(mode).save(tmp_path / "a.png")
    pixels = one(tmp_path, "a.png", resolution=16)
    assert (pixels[:, :, 12:] == 255).all()
    assert (pixels[:, :, :4] == 80).all()


def test_a_folder_of_grey_files_has_one_channel(tmp_path: Path) -> None:
    for mode in ("L", "1", "LA"):
        paint(tmp_path / f"{mode}.png", mode=mode)
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(tmp_path / "sixteen.png")
    data = load(f"folder:{tmp_path}", resolution=8)
    assert data.train.shape == data.held_out.shape == (1, 8, 8)
    paint(tmp_path / "colour.png")
    data = load(f"folder:{tmp_path}", resolution=8)
    assert data.train.shape == (3, 8, 8)
    grey = by_name(data)["L.png"]
    assert grey[0].equal(grey[1])


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, ending: str) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / f"a.{ending}")
    pixels = one(tmp_path, f"a.{ending}", channels=1)
    assert (pixels[0].float() - torch.from_numpy(ramp / 257.0)).abs().max() <= 0.51


@pytest.mark.parametrize("values", [np.full((9, 9), 0.5, np.float32), np.full((9, 9), 70_000, np.int32)])
def test_pixels_of_unknown_scale_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(tmp_path / "a.tiff")
    paint(tmp_path / "b.png", mode="L")
    with pytest.raises(ValueError, match=r"'a.tiff'.*8 or 16 bits"):
        load(f"folder:{tmp_path}")


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0)), (2, (0, 1))])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, corner: tuple[int, int]) -> None:
    picture = Image.new("L", (16, 16), 0)
    picture.paste(255, (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    pixels = one(tmp_path, "a.jpg", resolution=2, channels=1)[0]
    bright = pixels.flatten().argmax().item()
    assert (bright // 2, bright % 2) == corner


def test_damaged_exif_harms_nobody(tmp_path: Path) -> None:
    paint(tmp_path / "plain.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "x" * 50
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", exif=exif.tobytes()[:-45])
    assert len(by_name(load(f"folder:{tmp_path}"))) == 2


@pytest.mark.parametrize("size", [(40, 16), (16, 40), (5, 4), (300, 200), (1, 300), (8, 8)])
def test_the_shorter_side_is_resized_and_the_centre_cropped(tmp_path: Path, size: tuple[int, int]) -> None:
    from torchvision.transforms.v2 import functional

    width, height = size
    row = np.linspace(0, 255, width) if width > height else np.full(width, 90)
    column = np.linspace(0, 255, height) if height > width else np.full(height, 0)
    picture = (row[None, :] + column[:, None]).clip(0, 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    pixels = one(tmp_path, "a.png", channels=1)
    whole = torch.from_numpy(picture).unsqueeze(0)
    bicubic = functional.InterpolationMode.BICUBIC
    expected = functional.center_crop(functional.resize(whole, [8], bicubic, antialias=True), [8, 8])
    assert pixels.shape == (1, 8, 8)
    assert (pixels.float() - expected.float()).abs().max() <= (20 if size == (5, 4) else 6)


def test_large_jpegs_are_decoded_at_a_fraction_with_the_same_result(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 1024)[None, :].repeat(768, 0).astype(np.uint8)
    Image.fromarray(smooth).convert("RGB").save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(smooth).convert("RGB").save(tmp_path / "b.png")
    read = by_name(load(f"folder:{tmp_path}", resolution=32))
    assert (read["a.jpg"].float() - read["b.png"].float()).abs().max() <= 4


# --- bad files ---


def damaged(folder: Path, kind: str) -> Path:
    """A folder of 20 good images and one bad one, ``bad.*``."""
    for i in range(20):
        paint(folder / f"{i:02}.png", seed=i)
    if kind == "text":
        (folder / "bad.png").write_text("this is no image")
    elif kind == "empty":
        (folder / "bad.jpg").touch()
    elif kind == "link":
        (folder / "bad.png").symlink_to(folder / "gone.png")
    elif kind == "pipe":
        os.mkfifo(folder / "bad.png")
    elif kind == "header":
        whole = paint(folder / "bad.png").read_bytes()
        (folder / "bad.png").write_bytes(whole[:20])
    else:
        file = paint(folder / f"bad.{kind}", size=(64, 64))
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return folder


KINDS = ["png", "jpg", "webp", "gif", "tiff", "bmp", "text", "empty", "link", "pipe", "header"]


@pytest.mark.parametrize("memory", [None, 0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_file_is_named_or_skipped_and_listed(tmp_path: Path, kind: str, memory: int | None) -> None:
    damaged(tmp_path, kind)
    with pytest.raises(ValueError, match=r"readable image, found 'bad\.\w+': .+--on-bad-file=skip"):
        load(f"folder:{tmp_path}", memory=memory)
    data = load(f"folder:{tmp_path}", on_bad_file="skip", memory=memory)
    assert len(data.train) + len(data.held_out) == 20
    skipped = data.train.skipped + data.held_out.skipped
    assert len(skipped) == 1
    assert skipped[0].startswith("bad.")
    assert "skipped 1 bad files, the first is bad." in data.notes[-1]
    clean = tmp_path / "clean"
    for i in range(20):
        paint(clean / f"{i:02}.png", seed=i)
    expected = by_name(load(f"folder:{clean}"))
    assert all(pixels.equal(expected[name]) for name, pixels in by_name(data).items())


@pytest.mark.parametrize("limit", [300, 500])
def test_decompression_bombs_are_bad_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """800 pixels: above twice Pillow's limit it raises, up to there it only warns."""
    paint(tmp_path / "a.png", size=(10, 10))
    paint(tmp_path / "b.png", size=(10, 10))
    paint(tmp_path / "bomb.png", size=(20, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(ValueError, match=r"'bomb.png': .*(pixels|bomb)"):
        load(f"folder:{tmp_path}")
    data = load(f"folder:{tmp_path}", on_bad_file="skip")
    assert len(data.train.skipped + data.held_out.skipped) == 1


def test_a_folder_of_nothing_but_bad_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.jpg"):
        (tmp_path / name).write_text("no")
    with pytest.raises(ValueError, match=r"found 0 and 0 readable ones.* such as \w\.\w+: no image"):
        load(f"folder:{tmp_path}", on_bad_file="skip")


# --- memory ---


def test_images_that_do_not_fit_are_decoded_when_read(tmp_path: Path) -> None:
    for i in range(25):
        paint(tmp_path / f"{i}.jpg", seed=i, size=(50, 40))
    size = 25 * 3 * 16 * 16
    kept = load(f"folder:{tmp_path}", resolution=16, memory=size)
    lazy = load(f"folder:{tmp_path}", resolution=16, memory=size - 1)
    assert not kept.train.lazy
    assert lazy.train.lazy
    assert kept.train.shape == lazy.train.shape == (3, 16, 16)
    assert everything(kept.train).equal(everything(lazy.train))
    assert lazy.train.read(torch.tensor([], dtype=torch.int64)).shape == (0, 3, 16, 16)
    assert lazy.train.take(torch.tensor([4, 2])).names == (lazy.train.names[4], lazy.train.names[2])
    assert lazy.train.resized(8).read(torch.tensor([0])).shape == (1, 3, 8, 8)
    pairs = zip(Batches(kept.train, 4, seed=1), Batches(lazy.train, 4, seed=1), strict=True)
    assert all(a.images.equal(b.images) and a.index.equal(b.index) for a, b in pairs)


def test_a_file_that_vanishes_during_training_is_named(tmp_path: Path) -> None:
    for i in range(3):
        paint(tmp_path / f"{i}.png")
    lazy = load(f"folder:{tmp_path}", memory=0)
    assert isinstance(lazy.train, Files)
    lazy.train.paths[1].unlink()
    with pytest.raises(ValueError, match=rf"{lazy.train.names[1]}.*the file is gone"):
        everything(lazy.train)


def test_the_free_memory_is_a_plausible_number() -> None:
    assert 2**20 < free_memory() < 2**50
