"""The worker's side: runs the job in a folder, tells how far it is, and ends with who started it.

Standard output carries lines to whoever started it: ``progress DONE ALL``, ``error JSON``, and,
where the job came from another machine, ``file NAME SIZE`` with the file's bytes after it.
Standard input says nothing but that somebody is there: bytes that may stop coming, its end, and
`KEPT` once all files have arrived.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import secrets
import select
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..recording.run_options import RunOptions
from .descendants import TOKEN, end_descendants, scratch_folder
from .folder import check_plain, take_lock
from .job import LOCK_SECONDS, read_job
from .supervisor import ERROR, FILE, KEPT, PROGRESS
from .worker import report_of

RunNetwork: TypeAlias = Callable[[str, Network, NDArray[np.int32], RunOptions], None]
"""Runs a network on the backend of a name, inside the worker."""

SILENCE_SECONDS = 120.0
"""Without a byte for so long, whoever sent bytes before is taken for lost."""

KEPT_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


def main(folder: str, run_network: RunNetwork, sends: bool = False) -> NoReturn:
    """Run the job in `folder`; with `sends`, give each finished file to who sent the job."""
    job = Path(folder)
    # Lava prints; what it prints goes to the log.
    lines = os.dup(1)
    os.dup2(2, 1)
    kept = threading.Event()
    token = os.environ.setdefault(TOKEN, secrets.token_hex(6))
    scratch = scratch_folder(token)
    end = partial(_end, token, scratch)
    threading.Thread(target=_end_with_parent, args=(kept, end), daemon=True).start()
    _make_children_die_with_us()

    def progress(done: int, in_all: int) -> None:
        _write(lines, PROGRESS + b"%d %d\n" % (done, in_all))

    def send(path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            _write(lines, FILE + f"{path.name} {size}\n".encode())
            while chunk := file.read(1 << 20):
                _write(lines, chunk)

    code = 1
    try:
        _write(lines, b"\n")  # what a login shell printed before us may lack its end
        check_plain(job)
        scratch.mkdir(mode=0o700)
        os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
        # Held until we end.
        take_lock(job / "lock", LOCK_SECONDS, "another worker is at work there; wait, or end it")
        backend, network, values, options = read_job(job)
        sent = send if sends else None
        out = job / "recording.h5"
        options = replace(options, out=out, job=job, progress=progress, sent=sent)
        run_network(backend, network, values, options)
        code = 0
        if sends and kept.wait(KEPT_SECONDS):
            shutil.rmtree(job, ignore_errors=True)
    except BaseException as error:
        try:
            _write(lines, ERROR + json.dumps(report_of(error)).encode() + b"\n")
        except OSError:  # nobody listens any more; the log may still be read
            traceback.print_exc()
    finally:
        end(code)


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def _end_with_parent(kept: threading.Event, end: Callable[[int], NoReturn]) -> None:
    """Read our standard input until it closes or falls silent, then end."""
    # Not through sys.stdin: a forked child closes that, and would wait for its lock.
    limit: float | None = None
    while select.select([0], [], [], limit)[0]:
        heard = os.read(0, 1 << 10)
        if not heard:
            break
        if KEPT in heard:
            kept.set()
        limit = SILENCE_SECONDS
    end(1)


def _make_children_die_with_us() -> None:
    """Have the kernel end our forks when we die, however that comes about (Linux)."""
    if not sys.platform.startswith("linux"):
        return
    prctl = ctypes.CDLL(None).prctl
    forking = [0]

    def note_parent() -> None:
        forking[0] = os.getpid()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != forking[0]:  # it died before we were armed
            os._exit(1)

    os.register_at_fork(before=note_parent, after_in_child=arm)


def _end(token: str, scratch: Path, code: int) -> NoReturn:
    """End our children, then ourselves at once; Lava's destructors would wait for ever."""
    for child in multiprocessing.active_children():
        child.kill()
        with suppress(ChildProcessError):
            os.waitpid(child.pid or 0, 0)
    # Waits until the tracker has removed the shared memory that Lava left.
    with suppress(Exception):
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
    end_descendants(token, scratch)
    os._exit(code)
