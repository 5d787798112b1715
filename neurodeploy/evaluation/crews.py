"""Who works through shards: this process, others on this machine, or a Dask cluster.

`processes:N` and a cluster are Dask's (`distributed`, extra `scale`). It hands out the shards, and
gives those of a worker that died to another one; we write no scheduler of our own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from ..backends.engine import thread_count
from ..errors import BackendError, InputError

Task: TypeAlias = "Callable[[Any], Any]"
P = TypeVar("P")
R = TypeVar("R")

AHEAD = 3
"""Shards that wait at each worker, so that none is idle and few are held."""


class Crew(ABC):
    """What works through shards.

    Attributes
    ----------
    name : str
        Who it is, for people.
    threads : int
        Threads that the engine gets in each task.
    link : str or None
        Address of a page that shows the work.
    """

    name: str
    threads: int
    link: str | None = None

    @abstractmethod
    def work(self, pieces: Iterable[Any]) -> Iterator[Any]:
        """Do the task for each piece, and yield what it gives in the pieces' order.

        Only a few pieces are taken before their results are.
        """


class Here(Crew):
    """This process, one shard after another; the engine's threads share each."""

    def __init__(self, task: Task, threads: int) -> None:
        self.name = f"this process, {threads} threads"
        self.task, self.threads = task, threads

    def work(self, pieces: Iterable[Any]) -> Iterator[Any]:
        """See `Crew`."""
        yield from map(self.task, pieces)


@contextmanager
def crew_of(
    scheduler: Any, threads: int | None, task: Callable[[int], Task]
) -> Iterator[Crew]:
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
            f"scheduler: needs Dask, which is not installed ({error}); in a clone of neurodeploy: "
            f"pip install '.[scale]'"
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


def threads_of_each(workers: int) -> int:
    """Cores for each of some processes on this machine: an even share, at least one."""
    return max(1, thread_count() // workers)


def in_order(
    submit: Callable[[P], Any], result: Callable[[Any], R], pieces: Iterable[P], most: int
) -> Iterator[R]:
    """Submit pieces, at most so many ahead, and yield their results in order."""
    waiting: deque[Any] = deque()
    for piece in pieces:
        waiting.append(submit(piece))
        if len(waiting) >= most:
            yield result(waiting.popleft())
    while waiting:
        yield result(waiting.popleft())

