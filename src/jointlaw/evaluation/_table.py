"""Features and embeddings of a data set as a table, and the files that it can be kept in."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import scipy.sparse
import torch
from torch import Tensor

from jointlaw._extras import require
from jointlaw._files import replacing


class Which(StrEnum):
    """Which representation of a sample: ``features`` of the backbone, ``embeddings`` of the projector, or ``both``.

    >>> Which.features, Which("embeddings").value
    (<Which.features: 'features'>, 'embeddings')
    """

    features = "features"
    embeddings = "embeddings"
    both = "both"


Array = npt.NDArray[np.generic]

_PARTS: dict[str, tuple[str, ...]] = {
    "embeddings": ("embeddings",),
    "features": ("features",),
    "both": ("embeddings", "features"),
}


@dataclass(frozen=True, eq=False)
class Table:
    """One row per sample: backbone features, projector embeddings, class and position.

    A part that was not kept has width 0.

    Attributes:
        features: ``[N, F]``, from the backbone.
        embeddings: ``[N, D]``, from the projector.
        label: int64 ``[N]``, -1 where unknown.
        index: int64 ``[N]``, positions of the samples in their source.

    Raises:
        ValueError: if the parts have different numbers of rows, or the wrong number of dimensions.

    >>> table = Table(torch.rand(5, 8), torch.rand(5, 4), label=torch.full((5,), -1), index=torch.arange(5))
    >>> len(table), table.part("features").shape
    (5, torch.Size([5, 8]))
    """

    features: Tensor
    embeddings: Tensor
    label: Tensor
    index: Tensor

    def __post_init__(self) -> None:
        for name, part, dimensions in (
            ("features", self.features, 2),
            ("embeddings", self.embeddings, 2),
            ("label", self.label, 1),
            ("index", self.index, 1),
        ):
            if part.ndim != dimensions or len(part) != len(self.label):
                raise ValueError(
                    f"Table: expected {name} with {dimensions} dimension(s) and {len(self.label)} rows, "
                    f"found shape {list(part.shape)}. Give every part one row per sample."
                )

    def __len__(self) -> int:
        return len(self.label)

    def part(self, which: Which | str) -> Tensor:
        """The features ``[N, F]`` or the embeddings ``[N, D]``.

        Raises:
            ValueError: if both are asked for, or neither.
        """
        if which not in (Which.features, Which.embeddings):
            raise ValueError(f"which: expected features or embeddings, found {which}. Choose one of them.")
        return self.features if which == Which.features else self.embeddings


def write_table(table: Table, path: str | Path, which: Which | str = Which.embeddings, overwrite: bool = False) -> None:
    """Write a table to one file, whose ending chooses the format.

    - ``.parquet``: fixed-size list columns ``embeddings`` and / or ``features``, columns ``label`` and ``index``.
    - ``.npz``: compressed arrays of the same names; needs no pickle.
    - ``.csr.npz``: what ``scipy.sparse.load_npz`` reads, for sparse embeddings; the file also holds the arrays
      ``label``, ``index`` and ``part`` (the name of the matrix), which ``numpy.load`` finds.

    The file appears whole or not at all: it is written beside its place and moved there. Half precision is kept as
    float32, which the formats know.

    Args:
        table: what to write.
        path: the file; its folder must exist.
        which: the parts to keep. ``.csr.npz`` holds one matrix, so not "both".
        overwrite: whether a file of that name may be replaced.

    Raises:
        ValueError: an unknown ending, a file in the way, a missing folder, a part that the table does not hold, or two
            parts for ``.csr.npz``.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     table = Table(torch.rand(5, 8), torch.rand(5, 4), torch.full((5,), -1), torch.arange(5))
    ...     write_table(table, f"{folder}/table.npz", which="both")
    ...     sorted(np.load(f"{folder}/table.npz").files)
    ['embeddings', 'features', 'index', 'label']
    """
    path = check_output(path, which, overwrite)
    write, _ = _format("write_table", path)
    parts = _matrices(table, which)
    columns = {"label": table.label.cpu().long().numpy(), "index": table.index.cpu().long().numpy()}
    with replacing(path) as file:
        write(file, parts, columns)


def check_output(path: str | Path, which: Which | str, overwrite: bool) -> Path:
    """The path of a table that can be written; a ``ValueError`` says why it cannot be, before anything is computed."""
    path = Path(path).expanduser()
    write, _ = _format("write_table", path)
    if write is _write_csr and which == Which.both:
        raise ValueError(
            f"write_table: expected one matrix for {path.name}, found two. "
            "Write which='embeddings' or 'features', or choose .npz or .parquet."
        )
    if write is _write_parquet:
        require("parquet")
    if not path.parent.is_dir():
        raise ValueError(f"write_table: expected a folder {path.parent}, found none. Create it first.")
    if path.exists() and not overwrite:
        raise ValueError(
            f"write_table: expected no file {path}, found one. Choose another name, or overwrite it (overwrite=True, "
            "--overwrite)."
        )
    return path


def read_table(path: str | Path) -> Table:
    """Read what :func:`write_table` wrote; a part that was not kept comes back with width 0.

    Nothing in the file is executed: no pickles are read.

    Raises:
        ValueError: an unknown ending, or a file that is missing, damaged, or not of this kind.

    >>> from tempfile import TemporaryDirectory
    >>> table = Table(torch.rand(5, 8), torch.eye(5), torch.full((5,), -1), torch.arange(5))
    >>> with TemporaryDirectory() as folder:
    ...     write_table(table, f"{folder}/table.csr.npz")
    ...     read_table(f"{folder}/table.csr.npz").embeddings.equal(table.embeddings)
    True
    """
    path = Path(path)
    _, read = _format("read_table", path)
    try:
        return _table(read(path))
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"read_table: expected a table in {path}, found: {error}. Write it again with write_table."
        ) from error


def _table(arrays: dict[str, Array]) -> Table:
    label, index = (arrays[name].astype(np.int64, casting="safe") for name in ("label", "index"))
    empty = np.zeros((len(label), 0), dtype=np.float32)
    features, embeddings = (arrays.get(name, empty) for name in ("features", "embeddings"))
    return Table(*(torch.from_numpy(part) for part in (features, embeddings, label, index)))


def _matrices(table: Table, which: Which | str) -> dict[str, Array]:
    if which not in _PARTS:
        raise ValueError(f"write_table: expected which to be one of {', '.join(_PARTS)}, found {which!r}.")
    matrices: dict[str, Array] = {}
    for name in _PARTS[which]:
        part = (table.embeddings if name == "embeddings" else table.features).detach().cpu()
        if part.shape[1] == 0:
            raise ValueError(f"write_table: expected a table with {name}, found none. Choose another which.")
        matrices[name] = (part if part.dtype == torch.float64 else part.float()).numpy()
    return matrices


_Write = Callable[[BinaryIO, dict[str, Array], dict[str, Array]], None]
_Read = Callable[[Path], dict[str, Array]]


def _write_npz(file: BinaryIO, parts: dict[str, Array], columns: dict[str, Array]) -> None:
    np.savez_compressed(file, **parts, **columns)  # type: ignore[arg-type]  # no allow_pickle: NumPy 1 would store it


def _read_npz(path: Path) -> dict[str, Array]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in ("embeddings", "features", "label", "index") if name in archive}


def _write_csr(file: BinaryIO, parts: dict[str, Array], columns: dict[str, Array]) -> None:
    ((name, matrix),) = parts.items()
    scipy.sparse.save_npz(file, scipy.sparse.csr_array(matrix))
    # SciPy's loader reads its own members only, so that the archive may hold the columns as well.
    with zipfile.ZipFile(file, "a", compression=zipfile.ZIP_DEFLATED) as archive:
        for member, values in {**columns, "part": np.array(name)}.items():
            with archive.open(f"{member}.npy", "w") as stream:
                np.lib.format.write_array(stream, values, allow_pickle=False)


def _read_csr(path: Path) -> dict[str, Array]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        matrix = scipy.sparse.load_npz(file).toarray()
        return {str(archive["part"]): matrix, "label": archive["label"], "index": archive["index"]}


def _arrow() -> tuple[Any, Any]:
    """Pyarrow and its Parquet module."""
    require("parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa, pq


def _write_parquet(file: BinaryIO, parts: dict[str, Array], columns: dict[str, Array]) -> None:
    pa, pq = _arrow()
    arrays = {
        name: pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])
        for name, matrix in parts.items()
    }
    pq.write_table(pa.table({**arrays, **{name: pa.array(values) for name, values in columns.items()}}), file)


def _read_parquet(path: Path) -> dict[str, Array]:
    pa, pq = _arrow()
    columns = pq.read_table(path)
    arrays: dict[str, Array] = {}
    for name in ("embeddings", "features"):
        if name in columns.column_names:
            lists = columns[name].combine_chunks()
            if not pa.types.is_fixed_size_list(lists.type):
                raise ValueError(f"column {name} of type {lists.type} instead of lists of fixed size")
            shape = len(lists), lists.type.list_size
            arrays[name] = lists.flatten().to_numpy(zero_copy_only=False).reshape(shape).copy()
    return arrays | {name: columns[name].to_numpy().copy() for name in ("label", "index")}


# The longer ending first: ".csr.npz" also ends in ".npz".
_FORMATS: dict[str, tuple[_Write, _Read]] = {
    ".csr.npz": (_write_csr, _read_csr),
    ".npz": (_write_npz, _read_npz),
    ".parquet": (_write_parquet, _read_parquet),
}


def _format(where: str, path: Path) -> tuple[_Write, _Read]:
    for ending, pair in _FORMATS.items():
        if path.name.endswith(ending):
            return pair
    raise ValueError(f"{where}: expected a file ending in {', '.join(_FORMATS)}, found {path.name!r}. Rename it.")
