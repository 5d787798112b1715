"""A job folder may have been packed by a stranger: nothing in it leads elsewhere or is shared."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import IO

from ..errors import BackendError

BLOCKS = "blocks"
"""In a job folder, where finished samples lie."""

FILES = {"job.json", "network.npz", "inputs.npy", "recording.h5", "worker.log", "lock"}

KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def check_plain(job: Path) -> None:
    """Refuse a job folder with anything but plain files and folders in it, before one is opened.

    Hard links are let through: no file that is there is ever written to, see `fresh`.

    Raises
    ------
    BackendError
        Naming the first symbolic link, FIFO, socket or device, or a folder in a file's place.
    """
    for folder in (job, job / BLOCKS):
        if not folder.is_dir():
            continue
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
            a_file = folder != job or entry.name in FILES
            if kind != stat.S_IFREG and (kind != stat.S_IFDIR or a_file):
                raise BackendError(
                    f"{entry.path}: {KINDS.get(kind, 'no file')}; a job folder holds plain files: "
                    f"delete it, or write the job again"
                )


def fresh(path: Path) -> IO[bytes]:
    """Open a file for writing that was not there: what bears its name goes, nothing is followed."""
    path.unlink(missing_ok=True)
    return path.open("xb")


def take_lock(path: Path, seconds: float, busy: str) -> int | None:
    """Be the only one to hold a folder, or a file that is made, until its handle is closed.

    Parameters
    ----------
    path : Path
    seconds : float
        How long to wait for who holds it.
    busy : str
        What to say if that is too long.

    Returns
    -------
    int or None
        The handle; None where the system or its file system has no such locks.

    Raises
    ------
    BackendError
    """
    try:
        import fcntl
    except ImportError:
        return None
    how = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    deadline = time.monotonic() + seconds
    while True:
        try:
            handle = os.open(path, how | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        except OSError:  # said when something is written there
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                return handle  # not of a folder that was removed meanwhile
        except BlockingIOError:
            pass
        except OSError:
            os.close(handle)
            return None
        os.close(handle)
        if time.monotonic() >= deadline or not path.exists():
            raise BackendError(f"{path}: {busy}")
        time.sleep(0.2)
