"""Memory foreseen: what is needed against what the machine has, before anything is allocated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import TooLargeError

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")

ALWAYS_THERE = 1 << 24
"""What needs fewer bytes is not looked into: asking takes as long as a short run."""


@dataclass(frozen=True)
class Need:
    """Something that will lie in memory.

    Attributes
    ----------
    what : str
        With the name of the population or array, e.g. ``population 'a': v``.
    size_bytes : int
    remedy : str
        What to do if it is too large.
    """

    what: str
    size_bytes: int
    remedy: str


def check_memory(needs: Sequence[Need]) -> None:
    """Refuse what does not fit, naming the largest part.

    Raises
    ------
    TooLargeError
    """
    total = sum(need.size_bytes for need in needs)
    if total <= ALWAYS_THERE:
        return
    available = available_bytes()
    if available is None or total <= available:
        return
    worst = max(needs, key=lambda need: need.size_bytes)
    with_all = f" ({total:,} with all else)" if total > worst.size_bytes else ""
    raise TooLargeError(
        f"{worst.what}: needs {worst.size_bytes:,} bytes of memory{with_all}, this machine has "
        f"{available:,} available; {worst.remedy}"
    )


def available_bytes() -> int | None:
    """Bytes that can be allocated without swapping, or None where nothing tells.

    The kernel's ``MemAvailable``, else all memory there is; less where the
    process's control group (a container, a batch job) may use less.
    """
    known = [b for b in (_of_machine(), _of_control_group()) if b is not None]
    return min(known, default=None)


def _of_machine() -> int | None:
    try:
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _of_control_group() -> int | None:
    try:
        limit, used = ((CGROUP / f"memory.{n}").read_text().strip() for n in ("max", "current"))
        lines = (line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        cached = sum(int(value) for name, value in lines if name.endswith("active_file"))
        return None if limit == "max" else max(0, int(limit) - int(used) + cached)
    except (OSError, ValueError):
        return None
