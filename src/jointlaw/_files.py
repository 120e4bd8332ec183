"""Files that appear whole or not at all: a reader sees the old content or the new one, never a part."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, TextIO, overload


@overload
@contextmanager
def replacing(path: str | os.PathLike[str], mode: Literal["wb"] = ...) -> Iterator[BinaryIO]: ...
@overload
@contextmanager
def replacing(path: str | os.PathLike[str], mode: Literal["w"]) -> Iterator[TextIO]: ...
@contextmanager
def replacing(path: str | os.PathLike[str], mode: Literal["wb", "w"] = "wb") -> Iterator[IO[Any]]:
    """Open a hidden file beside ``path`` that takes its place at the end, or disappears after an error.

    The content is on the disk before the name is: a power cut leaves the old file or the new one.

    Args:
        path: the file; its folder must exist.
        mode: ``"wb"`` for bytes, which can also be read back, or ``"w"`` for UTF-8 text, newlines as they are written.

    Raises:
        ValueError: if the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path.name}: expected a folder {path.parent} to write it to, found none. Create it first.")
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    encoding, newline = ("utf-8", "") if mode == "w" else (None, None)
    try:
        with draft.open(f"x+{mode[1:]}", encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file (UTF-8); file names need not be valid text, so what cannot be encoded becomes an escape."""
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a binary file."""
    with replacing(path) as file:
        file.write(content)


def metadata(content: bytes) -> dict[str, str]:
    """The texts that a safetensors file carries beside its tensors.

    Raises:
        ValueError: if it is no such file, or carries none.
    """
    size = int.from_bytes(content[:8], "little")
    try:
        found = dict(json.loads(content[8 : 8 + size])["__metadata__"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"expected a safetensors file with metadata, found another one ({error})") from error
    return {str(name): str(value) for name, value in found.items()}
