"""Two columns of a table in a file."""

import csv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, Any]


def read_columns(
    file: Path, context: str | None, target: str | None
) -> tuple[npt.NDArray[np.float64], tuple[str, str]]:
    """Two columns ``[N, 2]`` of a .csv, .tsv, .npy, .npz or .parquet file, and their names.

    Columns without names (of a .npy array, or of a text file that begins with numbers) are called 1, 2, ...

    Args:
        file: the table; of a .npz file each one-dimensional array is a column.
        context: name of the first column; None where there are two columns.
        target: name of the second column; None where there are two columns.

    Raises:
        ValueError: if there is no such file or column, or a cell of the columns is no number.
    """
    if not file.is_file():
        raise ValueError(f"mixture: expected branches or a table, found no file {file}. Check the path.")
    try:
        table = _read(file)
    except (OSError, EOFError, UnicodeError, zipfile.BadZipFile, ValueError) as error:
        raise ValueError(f"mixture: expected a table in {file}, found {error} Save it again.") from error
    if context is None and target is None and len(table) == 2:
        context, target = table
    for option, name in (("context", context), ("target", target)):
        if name not in table:
            raise ValueError(
                f"mixture: expected --{option} to name a column of {file}, one of {', '.join(table)}, found {name}. "
                "Name context and target."
            )
    names = (str(context), str(target))
    return np.stack([_numbers(file, name, table[name]) for name in names], axis=1), names


def _read(file: Path) -> Columns:
    kind = file.suffix.lower()
    if kind in (".csv", ".tsv"):
        return _read_text(file, "\t" if kind == ".tsv" else ",")
    if kind == ".npy":
        array = np.atleast_2d(np.load(file, allow_pickle=False))
        return {str(i + 1): array[:, i] for i in range(array.shape[1])}
    if kind == ".npz":
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if archive[name].ndim == 1}
    if kind == ".parquet":
        from pyarrow import parquet

        table: Columns = parquet.read_table(file).to_pydict()
        return table
    raise ValueError("another kind of file than .csv, .tsv, .npy, .npz and .parquet.")


def _read_text(file: Path, delimiter: str) -> Columns:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.reader(stream, delimiter=delimiter) if row]
    named = bool(rows) and not all(_is_number(cell) for cell in rows[0])
    names = [cell.strip() for cell in rows[0]] if named else [str(i + 1) for i in range(len(rows[0]) if rows else 0)]
    body = rows[1:] if named else rows
    return {name: [row[i] if i < len(row) else "" for row in body] for i, name in enumerate(names)}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(file: Path, name: str, column: Any) -> npt.NDArray[np.float64]:
    try:
        return np.asarray(column, dtype=np.float64)
    except (ValueError, TypeError) as error:
        first = next(i for i, cell in enumerate(column) if not _is_number(str(cell)))
        raise ValueError(
            f"mixture: expected numbers in column {name} of {file}, found {column[first]!r} in row {first + 1} below "
            "the names. Fill or drop such rows."
        ) from error
