"""Two columns of a table, as numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jointlaw.cli._tables import Columns, read_table


def read_columns(
    file: Path, context: str | None, target: str | None, least: int = 1
) -> tuple[npt.NDArray[np.float64], tuple[str, str]]:
    """Two columns ``[N, 2]`` of a .csv, .tsv, .npy, .npz or .parquet file, and their names.

    Columns without names (of a .npy array, or of a text file that begins with numbers) are called 1, 2, ...

    Args:
        file: the table.
        context: name of the first column; None where there are two columns.
        target: name of the second column; None where there are two columns.
        least: rows that are needed.

    Raises:
        ValueError: if there is no such file or column, too few rows, or a cell of the columns is no finite number.
    """
    table = read_table(file)
    if context is None and target is None and len(table) == 2:
        context, target = table
    names = _check_names(file, table, context, target)
    columns = [_numbers(file, name, table[name]) for name in names]
    sizes = [len(column) for column in columns]
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"mixture: expected columns of one length in {file}, found {sizes[0]} rows of {names[0]} and {sizes[1]} "
            f"of {names[1]}. Save as many of both."
        )
    if sizes[0] < least:
        raise ValueError(
            f"mixture: expected at least {least} rows in {file}, found {sizes[0]}. Give more rows, or fewer "
            "--components (3 rows at least)."
        )
    return np.stack(columns, axis=1), names


def _check_names(file: Path, table: Columns, context: str | None, target: str | None) -> tuple[str, str]:
    for option, name in (("context", context), ("target", target)):
        if name not in table:
            raise ValueError(
                f"mixture: expected --{option} to name a column of {file}, one of {', '.join(table)}, found {name}. "
                "Name context and target."
            )
    if context == target:
        raise ValueError(
            f"mixture: expected two different columns of {file}, found {context} as --context and as --target. "
            "Name another one."
        )
    return str(context), str(target)


def _numbers(file: Path, name: str, column: Any) -> npt.NDArray[np.float64]:
    if isinstance(column, np.ndarray) and column.dtype.kind not in "biuf":
        raise ValueError(
            f"mixture: expected real numbers in column {name} of {file}, found {column.dtype}. Save its real part, or "
            "convert it by astype(float)."
        )
    if isinstance(column, np.ndarray):
        values = column.astype(np.float64)
    else:
        values = np.array([_number(cell) for cell in column], dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        cell = "null" if column[bad[0]] is None else str(column[bad[0]])
        raise ValueError(
            f"mixture: expected finite numbers in column {name} of {file}, found {cell!r} in "
            f"row {bad[0] + 1} of {len(values)}, names not counted. Fill or drop such rows."
        )
    return values


def _number(cell: Any) -> float:
    """The cell as a number, NaN where it is none."""
    try:
        return float(cell)
    except (ValueError, TypeError, OverflowError):
        return float("nan")
