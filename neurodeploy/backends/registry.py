"""Backends by name: what runs a network.

A backend of another package is a class that `Backend` describes, named by an entry point of the
group ``neurodeploy.backends``; nothing of ours is touched::

    [project.entry-points."neurodeploy.backends"]
    toy = "toy_package:Toy"

    class Toy(Backend):
        name = "toy"
        options = frozenset({"threads"})

        def available(self):
            return True, "toy 1.0"

        def run(self, network, values, options):
            header = header_of(network, "toy", "1.0", options)
            with RecordingWriter(header, options.out) as writer:
                assembler = BlockAssembler(network, options, writer)
                assembler.add(spikes, states)      # int32 [samples, steps, neurons] by population
                writer.finish(samples=len(values), seconds=0.1, inputs=values.fingerprint())
            return writer.recording()
"""

from __future__ import annotations

import os
from typing import Protocol, TypeGuard

from ..errors import BackendError
from ..inputs import Presented
from ..network import Network
from ..plugins import Registry
from ..recording import Recording
from ..recording.run_options import RunOptions


class Backend(Protocol):
    """What runs a network in this process, or hands it to a worker.

    Attributes
    ----------
    name : str
    options : frozenset of str
        Of threads, timeout_seconds, host, job, chip: those that it follows. `run`
        refuses the others by name.
    runs_floats : bool
        Whether it runs networks before they are quantized, and no others.
    """

    name: str
    options: frozenset[str] = frozenset()
    runs_floats: bool = False

    def available(self) -> tuple[bool, str]:
        """Whether it runs here, and one line on what it is, or what it lacks and how to add it."""
        ...

    def check(self, network: Network, options: RunOptions) -> None:
        """Refuse what it would not run, or not as the network says; called before each run.

        Raises
        ------
        UnsupportedError
            Naming the element, its value, the limit and what to do.
        """

    def run(self, network: Network, values: Presented, options: RunOptions) -> Recording:
        """Run a network that `check` let pass.

        Parameters
        ----------
        network : Network
        values : Presented
            What is presented to the first population in each step, int32 (or float32, of a
            float network) [samples, steps, *input shape].
        options : RunOptions

        Returns
        -------
        Recording
            In memory, or opened from ``options.out``.

        Raises
        ------
        BackendError
            If the backend is missing, fails or overruns the time limit.
        """
        ...


class WorkerBackend(Backend, Protocol):
    """A backend whose networks run in a worker, here or elsewhere.

    Attributes
    ----------
    place_variable : str
        Environment variable with the worker's place, where ``host`` does not say.
    worker_module : str
        Module that is imported inside the worker only. Its ``run_network(network, values,
        options)`` takes int32 [samples, steps, *input shape] and keeps finished samples by
        `remote.blocks.Blocks`.
    """

    place_variable: str
    worker_module: str

    def run(self, network: Network, values: Presented, options: RunOptions) -> Recording:
        """See `Backend`."""
        from ..remote.worker import run_elsewhere

        place = options.host or self.place_by_default()
        return run_elsewhere(self.name, place, self.available, network, values, options)

    def place_by_default(self) -> str:
        """Where its worker runs if nobody says: as its variable says, else here."""
        return os.environ.get(self.place_variable) or "here"


BACKENDS: Registry[Backend] = Registry("backend", ("options", "available", "run"), BackendError)


def runs_in_worker(backend: Backend) -> TypeGuard[WorkerBackend]:
    """Whether a backend's networks run in a worker."""
    return hasattr(backend, "worker_module")


def worker_backend(name: str) -> WorkerBackend:
    """Find a backend that has workers.

    Raises
    ------
    BackendError
        If there is none of this name, or it runs in this process.
    """
    backend = BACKENDS[name]
    if not runs_in_worker(backend):
        others = [n for n, other in BACKENDS.items() if runs_in_worker(other)]
        raise BackendError(f"backend {name!r}: not for workers; there are {', '.join(others)}")
    return backend
