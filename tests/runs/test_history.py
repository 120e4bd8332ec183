"""metrics.csv."""

from pathlib import Path

from jointlaw.runs._history import History, read_history


def written(folder: Path) -> History:
    history = History(folder)
    for step in range(4):
        history.log_metrics({"loss": 1 / (step + 1), "epoch": 0.0}, step)
    history.log_metrics({"probe": 0.5}, 3)
    history.save()
    return history


def test_rows_of_one_step_are_one_row(tmp_path: Path) -> None:
    written(tmp_path)
    rows = read_history(tmp_path / "metrics.csv")
    assert list(rows) == [0, 1, 2, 3]
    assert rows[3] == {"epoch": 0.0, "loss": 0.25, "probe": 0.5}
    assert rows[2] == {"epoch": 0.0, "loss": 1 / 3}


def test_saving_writes_only_what_is_new(tmp_path: Path) -> None:
    history = written(tmp_path)
    before = (tmp_path / "metrics.csv").read_bytes()
    history.log_metrics({"loss": 0.1}, 4)
    history.save()
    history.save()
    history.log_metrics({"probe": 0.7}, 4)
    history.save()
    after = (tmp_path / "metrics.csv").read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == before.count(b"\n") + 2
    assert read_history(tmp_path / "metrics.csv")[4] == {"loss": 0.1, "probe": 0.7}
    history.finalize("success")
    assert (tmp_path / "metrics.csv").read_bytes().count(b"\n") == before.count(b"\n") + 1


def test_a_resumed_run_keeps_what_it_will_not_write_again(tmp_path: Path) -> None:
    written(tmp_path)
    history = History(tmp_path, before_step=2)
    history.log_metrics({"loss": 9.0}, 2)
    history.save()
    rows = read_history(tmp_path / "metrics.csv")
    assert list(rows) == [0, 1, 2]
    assert rows[2] == {"loss": 9.0}


def test_a_new_run_begins_anew(tmp_path: Path) -> None:
    written(tmp_path)
    history = History(tmp_path)
    history.finalize("success")  # nothing logged: the file stays
    assert len(read_history(tmp_path / "metrics.csv")) == 4
    history.log_metrics({"loss": 1.0}, 0)
    history.finalize("success")
    assert list(read_history(tmp_path / "metrics.csv")) == [0]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
