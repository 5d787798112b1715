"""Output files appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FormatError


def check_place(path: str | os.PathLike[str]) -> None:
    """Refuse a place that no file can be written to, before anything is computed.

    Raises
    ------
    FormatError
        If it is a folder, or in one that is not there.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(f"{path}: is a folder; give the path of a file")
    if not path.parent.is_dir():
        raise FormatError(
            f"{path}: cannot write there, no folder {str(path.parent)!r}; make it first"
        )


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path to write to; move it to `path` when the block ends well.

    Parameters
    ----------
    path : path
        Where the file belongs. An existing file is replaced.

    Yields
    ------
    Path
        A fresh file in the same folder; removed if the block raises.

    Raises
    ------
    FormatError
        If nothing can be written at `path`.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(f"{path}: is a folder; give the path of a file")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise FormatError(
            f"{path}: cannot write there ({error.strerror}); choose another output path"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp's 0600 would survive the move
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
