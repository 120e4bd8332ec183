"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from jointlaw._files import replacing, write_bytes, write_text


def test_the_new_content_takes_the_old_one_s_place_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    write_text(path, "old")
    write_text(path, "new\n")
    assert path.read_bytes() == b"new\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_half_way_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "one"
    write_bytes(path, b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.writelines([b"half", "no bytes"])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_meets_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_text(path, "old")
    with replacing(path, "w") as file:
        file.write("a,b\r\n")
        assert path.read_text() == "old"
    assert path.read_bytes() == b"a,b\r\n"


def test_what_is_no_valid_text_is_written_as_an_escape(tmp_path: Path) -> None:
    write_text(tmp_path / "one", "caf\udce9")
    assert (tmp_path / "one").read_text() == "caf\\udce9"


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a folder"):
        write_text(tmp_path / "nowhere" / "one", "text")
