"""Output files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FormatError, NeurodeployError

DEBUG = "NEURODEPLOY_DEBUG"
"""Environment variable; if set, what Python raises over a damaged file is not put into one line."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What a disk says that takes no more."""

FOREIGN = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError)
"""What is raised where a file holds another type, shape or value than belongs there."""


@contextmanager
def damaged(
    where: object, error: type[NeurodeployError] = FormatError, cure: str = "export it again"
) -> Iterator[None]:
    """Put what is raised while parts are made of what a file holds into one line.

    Only around that: what is wrong in our own code shows in the error's cause, and bare where
    the environment variable `DEBUG` is set.

    Parameters
    ----------
    where : path or str
        The file, and the place in it.
    error : type
        What is raised.
    cure : str
        What its message tells to do.
    """
    try:
        yield
    except FOREIGN as problem:
        if DEBUG in os.environ:
            raise
        what = f"no {problem}" if isinstance(problem, KeyError) else str(problem)
        raise error(f"{where}: damaged ({what or type(problem).__name__}); {cure}") from problem


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
        If nothing can be written at `path`, or the disk is full before the file is whole.
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
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise FormatError(
            f"{path}: cannot be written whole ({os.strerror(error.errno)}); make room there, or "
            f"choose another output path"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
