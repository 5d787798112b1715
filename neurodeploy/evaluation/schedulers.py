"""Who works through shards: this process, others on this machine, or a Dask cluster.

`processes:N` and a cluster are Dask's (`distributed`, extra `scale`). It hands out the shards, and
gives those of a worker that died to another one; we write no scheduler of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..backends.engine import thread_count
from ..errors import BackendError, InputError, how_to_add
from .crews import Crew, Here, Task


@contextmanager
def crew_of(scheduler: Any, threads: int | None, task: Callable[[int], Task]) -> Iterator[Crew]:
    """Find who works, for as long as the block runs.

    Parameters
    ----------
    scheduler : str, object or None
        ``threads:N``, ``processes:N``, the address of a Dask scheduler (``tcp://HOST:PORT``), or
        a `distributed.Client` or cluster object. None: this process with all cores.
    threads : int or None
        Threads that the engine gets in each task, whatever the rule says.
    task : callable
        Makes what each worker gets, once: a callable of a piece, whose engine takes so many
        threads.

    Raises
    ------
    InputError, BackendError
    """
    kind, number = _parsed(scheduler)
    if kind in ("here", "threads"):
        each = threads or number or thread_count()
        yield Here(task(each), each)
        return
    try:
        from . import clusters
    except ImportError as error:
        raise BackendError(
            f"scheduler: needs Dask, which is not installed ({error}); {how_to_add('scale')}"
        ) from error
    with clusters.crew(kind, number, scheduler, threads, task) as crew:
        yield crew


def _parsed(scheduler: Any) -> tuple[str, int]:
    if scheduler is None:
        return "here", 0
    if not isinstance(scheduler, str):
        return "cluster", 0
    kind, colon, rest = scheduler.partition(":")
    if kind in ("threads", "processes"):
        if not rest.isdigit() or not 1 <= int(rest) <= 1024:
            raise InputError(f"scheduler: {scheduler!r}; give {kind}:N with N from 1 to 1024")
        return kind, int(rest)
    if not colon or "://" not in scheduler:
        raise InputError(
            f"scheduler: {scheduler!r}; give threads:N, processes:N or the address of a Dask "
            f"scheduler, such as tcp://HOST:8786"
        )
    return "cluster", 0
