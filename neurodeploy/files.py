"""Output files appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
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
        If it is a folder, a link or a device, or in a folder that is not there.
    """
    path = Path(path)
    _check_kind(path)
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
    _check_kind(path)
    _remove_left(path.parent)
    prefix = f".{path.name[:40]}.{_this_machine()}-{os.getpid()}."
    import tempfile  # for those who write

    try:
        handle, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=path.parent)
    except OSError as error:
        raise _cannot_write(path, error) from error
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


PART = re.compile(r"\..+\.([0-9a-f]{8})-([0-9]{1,7})\.\w+\.part", re.DOTALL)
"""Name of what is being written: by which machine's which process."""


def _check_kind(path: Path) -> None:
    """Refuse to put a file in the place of what is none: a device would be gone."""
    if os.path.isdir(path):
        raise FormatError(f"{path}: is a folder; give the path of a file")
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error
    if not stat.S_ISREG(mode):
        raise FormatError(
            f"{path}: is a link, a pipe or a device; give the path of a file, or of none"
        )


def _cannot_write(path: Path, error: Exception) -> FormatError:
    reason = getattr(error, "strerror", None) or error
    return FormatError(f"{path}: cannot write there ({reason}); choose another output path")


@cache
def _remove_left(folder: Path) -> None:
    """Remove what dead runs left half-written; a folder is looked through once by a process."""
    if os.name != "posix":  # elsewhere asking for a process ends it
        return
    for path in folder.glob(".*.part"):
        name = PART.fullmatch(path.name)
        if name is None or name[1] != _this_machine():
            continue
        try:
            os.kill(int(name[2]), 0)
        except ProcessLookupError:
            with suppress(OSError):
                path.unlink()
        except OSError:  # somebody else's
            continue


@cache
def _this_machine() -> str:
    """Name of what counts our processes: this machine, or a container on it."""
    try:
        processes = os.readlink("/proc/self/ns/pid")
    except OSError:
        processes = ""
    import platform

    return hashlib.sha256(f"{platform.node()} {processes}".encode()).hexdigest()[:8]
