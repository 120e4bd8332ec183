"""Tables survive their files, and files appear whole or not at all."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse
import torch
from torch import Tensor

from jointlaw.evaluation import _table as tables
from jointlaw.evaluation._table import Table, read_table, write_table

ENDINGS = [".parquet", ".npz", ".csr.npz"]


def make(rows: int = 7, dtype: torch.dtype = torch.float32) -> Table:
    generator = torch.Generator().manual_seed(0)
    return Table(
        features=torch.randn(rows, 5, generator=generator).to(dtype),
        embeddings=(torch.randn(rows, 4, generator=generator) - 0.5).relu().to(dtype),
        label=torch.tensor([2, 0, -1, 1, 1, -1, 9])[:rows],
        index=torch.arange(rows).flip(0) * 3,
    )


def assert_equal(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("which", ["embeddings", "features"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_part_comes_back_bit_for_bit(tmp_path: Path, ending: str, which: str, dtype: torch.dtype) -> None:
    table = make(dtype=dtype)
    write_table(table, tmp_path / f"t{ending}", which)  # type: ignore[arg-type]
    back = read_table(tmp_path / f"t{ending}")
    other = "features" if which == "embeddings" else "embeddings"
    assert_equal(getattr(back, which), getattr(table, which))
    assert getattr(back, other).shape == (7, 0)
    assert_equal(back.label, table.label)
    assert_equal(back.index, table.index)
    assert [file.name for file in tmp_path.iterdir()] == [f"t{ending}"]


@pytest.mark.parametrize("ending", [".parquet", ".npz"])
def test_both_parts_come_back(tmp_path: Path, ending: str) -> None:
    table = make()
    write_table(table, tmp_path / f"t{ending}", "both")
    back = read_table(str(tmp_path / f"t{ending}"))
    assert_equal(back.features, table.features)
    assert_equal(back.embeddings, table.embeddings)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_table_and_a_single_row_come_back(tmp_path: Path, ending: str) -> None:
    for rows in (0, 1):
        write_table(make(rows), tmp_path / f"{rows}{ending}")
        back = read_table(tmp_path / f"{rows}{ending}")
        assert back.embeddings.shape == (rows, 4)
        assert len(back) == rows


def test_half_precision_and_gradients_are_written_as_plain_float32(tmp_path: Path) -> None:
    table = make(dtype=torch.bfloat16)
    live = Table(table.features, table.embeddings.float().requires_grad_(), table.label, table.index)
    write_table(table, tmp_path / "half.npz")
    write_table(live, tmp_path / "live.npz")
    for name in ("half", "live"):
        assert_equal(read_table(tmp_path / f"{name}.npz").embeddings, table.embeddings.float())


def test_others_can_read_the_files(tmp_path: Path) -> None:
    table = make()
    for ending in ENDINGS:
        write_table(table, tmp_path / f"t{ending}")
    frame = pq.read_table(tmp_path / "t.parquet")
    assert frame.column_names == ["embeddings", "label", "index"]
    np.testing.assert_array_equal(frame["embeddings"].to_pylist(), table.embeddings.numpy())
    matrix = scipy.sparse.load_npz(tmp_path / "t.csr.npz")
    assert matrix.format == "csr"
    assert matrix.nnz == int((table.embeddings != 0).sum())
    with np.load(tmp_path / "t.npz") as archive:
        np.testing.assert_array_equal(archive["label"], table.label.numpy())


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failing_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"t{ending}"
    write_table(make(), path)
    before = path.read_bytes()

    def half_way(file: object, *_: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setitem(tables._FORMATS, ending, (half_way, tables._FORMATS[ending][1]))
    with pytest.raises(OSError, match="disk full"):
        write_table(make(3), path, overwrite=True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    write_table(make(7), path)
    with pytest.raises(ValueError, match="overwrite=True"):
        write_table(make(3), path)
    assert len(read_table(path)) == 7
    write_table(make(3), path, overwrite=True)
    assert len(read_table(path)) == 3


def test_bad_requests_are_clear_and_leave_nothing(tmp_path: Path) -> None:
    table = make()
    bare = Table(table.features, torch.zeros(7, 0), table.label, table.index)
    for path, which, source, message in (
        ("t.csv", "embeddings", table, "ending in .csr.npz, .npz, .parquet"),
        ("t.csr.npz", "both", table, "expected one matrix"),
        ("none/t.npz", "both", table, "Create it first"),
        ("t.npz", "embeddings", bare, "expected a table with embeddings"),
    ):
        with pytest.raises(ValueError, match=message):
            write_table(source, tmp_path / path, which)  # type: ignore[arg-type]
    # Where annotations are checked at run time, they speak first.
    with pytest.raises((ValueError, TypeError), match="which"):
        write_table(table, tmp_path / "t.npz", "everything")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_damaged_and_missing_files_are_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    with pytest.raises(ValueError, match=path.name):
        read_table(path)
    write_table(make(), path)
    whole = path.read_bytes()
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=path.name):
            read_table(path)


def test_a_foreign_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    for columns in ({"label": [0], "embeddings": [[1.0]]}, {"label": [0], "index": [0], "embeddings": [[1.0]]}):
        pq.write_table(pa.table(columns), path)
        with pytest.raises(ValueError, match="expected a table"):
            read_table(path)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return open, (str(tmp_path / "sprung"), "w")  # type: ignore[return-value]

    for ending in (".npz", ".csr.npz"):
        path = tmp_path / f"t{ending}"
        with path.open("wb") as file:
            np.savez(file, label=np.array([Trap()], dtype=object), index=np.zeros(1), format=np.array(Trap()))
        with pytest.raises(ValueError, match="expected a table"):
            read_table(path)
    assert not (tmp_path / "sprung").exists()


def test_rows_and_dimensions_must_agree() -> None:
    table = make()
    with pytest.raises(ValueError, match="expected embeddings with 2 dimension"):
        Table(table.features, table.embeddings[:3], table.label, table.index)
    with pytest.raises(ValueError, match="expected features"):
        Table(table.features[0], table.embeddings, table.label, table.index)
