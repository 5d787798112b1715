"""What works through shards, whoever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

from ..backends.engine import thread_count

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
    link : str or None
        Address of a page that shows the work.
    """

    name: str
    link: str | None = None

    @abstractmethod
    def work(self, pieces: Iterable[Any]) -> Iterator[Any]:
        """Do the task for each piece, and yield what it gives in the pieces' order.

        Only a few pieces are taken before their results are.
        """


class Here(Crew):
    """The process itself, one shard after another; the engine's threads share each."""

    def __init__(self, task: Task, threads: int) -> None:
        self.name = f"this process, {threads} threads"
        self.task = task

    def work(self, pieces: Iterable[Any]) -> Iterator[Any]:
        """See `Crew`."""
        yield from map(self.task, pieces)


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
