"""Files of columns: text, NumPy arrays and Parquet."""

import csv
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Columns = Mapping[str, Any]

SEPARATORS = (";", "\t", ",")
"""Of a .csv file, in the order in which they are tried: a number may have a comma in it, a name seldom a semicolon."""


def read_table(file: Path) -> Columns:
    """Name -> column of a .csv, .tsv, .npy, .npz or .parquet file; columns without names are 1, 2, ...

    Of a .npz file each one-dimensional array is a column; where there is only one array ``[N, columns]``, it is the
    table.

    Raises:
        ValueError: if the file cannot be read, two columns have one name, or there are fewer than two.
    """
    if not file.is_file():
        raise ValueError(f"mixture: expected branches or a table, found no file {file}. Check the path.")
    readers = {".csv": _csv, ".tsv": _tsv, ".npy": _npy, ".npz": _npz, ".parquet": _parquet}
    kind = file.suffix.lower()
    if kind not in readers:
        raise ValueError(
            f"mixture: expected a table in {file}, found another kind of file than .csv, .tsv, .npy, .npz and "
            ".parquet. Save it as one of these."
        )
    try:
        table = readers[kind](file)
    except UnicodeError as error:
        raise ValueError(f"mixture: expected UTF-8 text in {file}, found other bytes. Save it as UTF-8.") from error
    except csv.Error as error:
        raise ValueError(f"mixture: expected rows of cells in {file}, found none ({error}). Save it again.") from error
    if len(table) == 1:
        raise ValueError(
            f"mixture: expected two columns in {file}, found one, {next(iter(table))}. Give it another one; in text, "
            "columns are separated by commas, semicolons or tabs (.tsv: tabs only)."
        )
    return table


def _csv(file: Path) -> Columns:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        first = next((line for line in stream if line.strip()), "")
    found = [mark for mark in SEPARATORS if len(next(csv.reader([first], delimiter=mark), [])) > 1]
    return _text(file, found[0] if found else ",")


def _tsv(file: Path) -> Columns:
    return _text(file, "\t")


def _text(file: Path, separator: str) -> Columns:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.reader(stream, delimiter=separator) if row]
    if not rows:
        raise ValueError(f"mixture: expected at least 3 rows in {file}, found 0. Save the table again.")
    if separator == ";":  # where commas are decimal points
        rows = [rows[0] if not all(map(_is_number, rows[0])) else _points(rows[0]), *map(_points, rows[1:])]
    named = not all(map(_is_number, rows[0]))
    names = [cell.strip() for cell in rows[0]] if named else [str(i + 1) for i in range(len(rows[0]))]
    _check_names(file, names)
    body = rows[1:] if named else rows
    return {name: [row[i] if i < len(row) else "" for row in body] for i, name in enumerate(names)}


def _points(row: list[str]) -> list[str]:
    return [cell.replace(",", ".") for cell in row]


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _check_names(file: Path, names: list[str]) -> None:
    double = [repr(name) for name, count in Counter(names).items() if count > 1]
    if double:
        raise ValueError(
            f"mixture: expected columns of different names in {file}, found {', '.join(double)} more than once. "
            "Rename them."
        )


def _npy(file: Path) -> Columns:
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise _no_array(file) from error
    if not isinstance(array, np.ndarray) or array.ndim != 2:
        found = f"shape {list(array.shape)}" if isinstance(array, np.ndarray) else "an archive"
        raise ValueError(
            f"mixture: expected an array [N, columns] in {file}, found {found}. Save np.stack([context, target], 1)."
        )
    return {str(i + 1): array[:, i] for i in range(array.shape[1])}


def _npz(file: Path) -> Columns:
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, TypeError) as error:
        raise _no_array(file) from error
    columns = {name: array for name, array in arrays.items() if array.ndim == 1}
    if not columns and len(arrays) == 1 and (only := next(iter(arrays.values()))).ndim == 2:
        return {str(i + 1): only[:, i] for i in range(only.shape[1])}
    if not columns:
        found = ", ".join(f"{name} of shape {list(array.shape)}" for name, array in arrays.items()) or "none"
        raise ValueError(
            f"mixture: expected one-dimensional arrays, or one array [N, columns], in {file}, found {found}. "
            "Save each column by its name: np.savez(file, context=x, target=y)."
        )
    return columns


def _no_array(file: Path) -> ValueError:
    return ValueError(
        f"mixture: expected arrays of numbers in {file}, found none. Save it again by np.save or np.savez, without "
        "Python objects in it."
    )


def _parquet(file: Path) -> Columns:
    from pyarrow import ArrowException, parquet

    try:
        table = parquet.read_table(file)
    except (ArrowException, OSError) as error:
        raise ValueError(f"mixture: expected a Parquet table in {file}, found none. Save it again.") from error
    _check_names(file, table.column_names)
    columns: Columns = table.to_pydict()
    return columns
