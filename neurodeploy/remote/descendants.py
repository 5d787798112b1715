"""All that a worker started and left: found by a token in its environment, ended and cleared."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TOKEN = "NEURODEPLOY_WORKER"
"""Environment variable that tells a worker, and all that it starts, from other processes."""

LONGEST_PARENT = 56
"""Characters of a folder for temporary files: sockets that Lava's helpers make there need 51 more,
and have 107."""

ROUNDS = 20


def scratch_folder(token: str) -> Path:
    """Where a worker keeps its temporary files, so that whoever ends it can remove them."""
    parent = tempfile.gettempdir()
    if len(parent) > LONGEST_PARENT and os.access("/tmp", os.W_OK):
        parent = "/tmp"
    return Path(parent) / f"nd-{token}"


def end_descendants(token: str, scratch: Path) -> None:
    """Kill all that bears a worker's token but us and who started us; remove temporary files.

    A process in a session of its own is found too, where the system shows environments (Linux).
    """
    mark = f"{TOKEN}={token}".encode()
    spared, us = set(), os.getpid()
    while us > 0 and us not in spared:
        spared.add(us)
        us = int((_stat_of(us) or "? 0").split()[1])
    for _ in range(ROUNDS):  # one may start another while we look
        found = [pid for pid in _processes_with(mark) if pid not in spared]
        for pid in found:
            with suppress(OSError):  # it ended meanwhile
                os.kill(pid, signal.SIGKILL)
        if not found:
            break
        time.sleep(0.01)
    shutil.rmtree(scratch, ignore_errors=True)


def _processes_with(mark: bytes) -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            if mark in (process / "environ").read_bytes().split(b"\0"):
                pid = int(process.name)
                if not _stat_of(pid).startswith("Z"):
                    yield pid


def _stat_of(pid: int) -> str:
    """What Linux says of a process after its name: state, parent...; empty if it says nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].strip()
    except OSError:
        return ""
