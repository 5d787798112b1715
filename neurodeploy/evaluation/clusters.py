"""Shards on a Dask cluster. Imported only where Dask is wanted."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, get_worker
from distributed.deploy.subprocess import SubprocessCluster

from .._version import __version__
from ..errors import BackendError
from . import ends_with_parent
from .crews import AHEAD, Crew, Task, in_order, threads_of_each

START_SECONDS = 60
"""For the first worker of a cluster to come."""

DEATHS = 3
"""Workers that a shard may take with it before it is given up: Dask's own setting."""


class _Carried(WorkerPlugin):  # type: ignore[misc]
    """What every worker holds, those that come later too: it travels once to each."""

    def __init__(self, name: str, task: Task) -> None:
        self.name = name
        self.task = task


class _OnCluster(Crew):
    def __init__(self, client: Client, key: str) -> None:
        self.client, self.key = client, key
        self.name = f"Dask scheduler {client.scheduler.address}"
        self.link = client.dashboard_link or None

    def work(self, pieces: Iterable[Any]) -> Iterator[Any]:
        """See `Crew`."""
        slots = sum(self.client.nthreads().values())
        futures: set[Any] = set()

        def submit(piece: Any) -> Any:
            future = self.client.submit(_do, self.key, piece, pure=False)
            futures.add(future)
            return future

        def result(future: Any) -> Any:
            try:
                found = future.result()
            except KilledWorker as error:
                raise BackendError(
                    f"scheduler: {DEATHS + 1} workers died over the same shard, the last at "
                    f"{error.last_worker.address}; give each more memory, or smaller shards"
                ) from error
            futures.discard(future)
            return found

        try:
            yield from in_order(submit, result, pieces, AHEAD * max(1, slots))
        finally:
            self.client.cancel(list(futures), force=True)


def _do(key: str, piece: Any) -> Any:
    """Do the task that was carried to this worker."""
    return get_worker().plugins[key].task(piece)


@contextmanager
def crew(
    kind: str, number: int, scheduler: Any, threads: int | None, task: Callable[[int], Task]
) -> Iterator[Crew]:
    """Start or find a cluster, see `crews.crew_of`."""
    with ExitStack() as open_things, warnings.catch_warnings():
        # Dask warns where port 8787 is taken and takes another one.
        warnings.filterwarnings("ignore", message="Port .* is already in use")
        each = threads or 1
        if kind == "processes":
            each = threads or threads_of_each(number)
            scheduler = open_things.enter_context(_local(number))
        client = scheduler
        if not isinstance(scheduler, Client):
            client = open_things.enter_context(_client(scheduler))
        key = f"neurodeploy-{uuid4()}"
        _check_versions(client)
        client.register_plugin(_Carried(key, task(each)))
        open_things.callback(_let_go, client, key)
        yield _OnCluster(client, key)


@contextmanager
def _local(number: int) -> Iterator[Any]:
    """So many one-thread workers on this machine, for as long as the block runs.

    They are processes started anew, so that a script needs no ``if __name__ == "__main__"``;
    of Windows, where Dask has no such cluster, it does. A worker that dies is started again.
    """
    common = {"n_workers": number, "threads_per_worker": 1, "silence_logs": logging.CRITICAL}
    if os.name == "nt":
        made = LocalCluster(processes=True, dashboard_address="127.0.0.1:0", **common)
    else:
        watch = [ends_with_parent.__name__]
        with _told_where_they_come_from():
            made = SubprocessCluster(
                dashboard_address="127.0.0.1:0",
                worker_kwargs={"preload": watch, "preload_nanny": watch, "dashboard": False},
                scheduler_kwargs={"preload": watch},
                **common,
            )
    with made as cluster:
        yield cluster


@contextmanager
def _told_where_they_come_from() -> Iterator[None]:
    """Let processes that start here know this one, be silent, and find modules where it does.

    Python puts a script's folder, a data set's own module in it, on the script's path alone.
    """
    told = {
        ends_with_parent.PARENT: str(os.getpid()),
        "DASK_LOGGING__DISTRIBUTED": "critical",  # what goes wrong reaches the caller as an error
        "PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in sys.path),
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _client(scheduler: Any) -> Client:
    try:
        return Client(scheduler, timeout=START_SECONDS)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise BackendError(
            f"scheduler: nothing answers at {scheduler} ({error}); give the address that "
            f"`dask scheduler` printed"
        ) from error


def _check_versions(client: Client) -> None:
    """Wait for a worker, and refuse those that would compute with other sources.

    Raises
    ------
    BackendError
    """
    try:
        client.wait_for_workers(1, timeout=START_SECONDS)
    except TimeoutError as error:
        raise BackendError(
            f"scheduler: no worker came in {START_SECONDS} s; start some with `dask worker`"
        ) from error
    for worker, version in client.run(_version_here, on_error="return").items():
        if version != __version__:
            found = "has no neurodeploy" if isinstance(version, Exception) else f"has {version}"
            raise BackendError(
                f"scheduler: worker {worker} {found}, here is neurodeploy {__version__}; install "
                f"the same in the workers' Python"
            )


def _version_here() -> str:
    return __version__


def _let_go(client: Client, key: str) -> None:
    if client.status == "running":
        client.unregister_worker_plugin(key)
