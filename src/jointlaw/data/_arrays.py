"""``tensors:FILE``: any data that fits one .npz or .safetensors file."""

import zipfile
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from jointlaw.data._samples import Data, Stored, halves

_HELD_OUT_EVERY = 10


def load_tensors(path: str, seed: int) -> Data:
    """Read ``x`` and, where there is one, ``y``; a seeded tenth of every class is held out.

    Args:
        path: a ``.npz`` or ``.safetensors`` file with ``x``, floating vectors ``[N, F]`` or uint8 images
            ``[N, C, H, W]`` or ``[N, H, W]``, and optionally whole-number ``y`` ``[N]`` (-1 where unknown).
        seed: determines which samples are held out.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the content is anything else, or not finite.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"tensors: expected a .npz or .safetensors file, found none at {file}. Check the path.")
    found = _read(file)
    if "x" not in found:
        raise ValueError(f"{file}: expected the key 'x', found {sorted(found) or 'no keys'}. Save the samples as x.")
    values = _values(found["x"], file)
    label = _label(found["y"], len(values), file) if "y" in found else torch.full((len(values),), -1)
    classes = tuple(str(i) for i in range(int(label.max()) + 1))
    whole = Stored(values=values, label=label, classes=classes)
    train, held_out = (whole.take(index) for index in halves(label, _HELD_OUT_EVERY, seed))
    surplus = sorted(set(found) - {"x", "y"})
    notes = (f"{file}: keys other than x and y were not read: {', '.join(surplus)}.",) if surplus else ()
    return Data(f"tensors:{path}", train, held_out, probe=train, notes=notes)


def _read(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".npz":
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return {key: torch.from_numpy(archive[key]) for key in archive.files}
        if file.suffix == ".safetensors":
            return load_file(file)
    except (ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile, safetensors.SafetensorError) as error:
        raise ValueError(
            f"{file}: expected plain arrays, found something unreadable ({error}). Save it again."
        ) from error
    raise ValueError(
        f"{file}: expected a .npz or .safetensors file, found '{file.suffix}'. Save x and y as one of these."
    )


def _values(x: Tensor, file: Path) -> Tensor:
    if x.dtype == torch.uint8 and x.ndim == 3:
        x = x.unsqueeze(1)  # [N, 1, H, W]
    vectors = x.is_floating_point() and x.ndim == 2
    images = x.dtype == torch.uint8 and x.ndim == 4 and x.shape[1] in (1, 3)
    if not (vectors or images):
        raise ValueError(
            f"{file}: expected x as floating vectors [N, F], or as uint8 images [N, C, H, W] with 1 or 3 channels or "
            f"[N, H, W], found {x.dtype} of shape {list(x.shape)}. Convert x (channels come second)."
        )
    if len(x) < 2 or x.numel() == 0:
        raise ValueError(f"{file}: expected at least 2 samples, found x of shape {list(x.shape)}. Save more samples.")
    if images:
        return x.contiguous()
    finite = x.isfinite().all(dim=1)
    if not finite.all():
        bad = (~finite).nonzero().flatten()
        raise ValueError(
            f"{file}: expected finite x, found NaN or infinity in {len(bad)} of {len(x)} rows, the first in row "
            f"{int(bad[0])}. Remove or fill these rows."
        )
    return x.float().contiguous()


def _label(y: Tensor, samples: int, file: Path) -> Tensor:
    if y.is_floating_point() or y.is_complex() or y.dtype == torch.bool or y.ndim != 1:
        raise ValueError(
            f"{file}: expected y as whole numbers [N], found {y.dtype} of shape {list(y.shape)}. "
            "Save class indices, -1 where unknown."
        )
    if len(y) != samples:
        raise ValueError(f"{file}: expected one y per x, found {len(y)} y and {samples} x. Save them together.")
    if int(y.min()) < -1:
        raise ValueError(f"{file}: expected y >= -1, found {int(y.min())}. Number the classes from 0, -1 for unknown.")
    return y.long()
