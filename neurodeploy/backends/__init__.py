"""Places where a network runs, and the one way to run it there."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError, ChipWarning, InputError, UnsupportedError
from ..inputs import draining_steps, order_axes, present, warn_of_time_first
from ..network import Network
from ..recording import Recording
from ..recording.run_options import Progress, RunOptions, to_record
from .engine import Engine
from .float import Float
from .lava.backend import Lava
from .loihi2.backend import Loihi2
from .memory_need import check_run
from .registry import BACKENDS, Backend, WorkerBackend, runs_in_worker


def run(
    network: Network,
    inputs: NDArray[Any],
    *,
    backend: str = "engine",
    record: str | Iterable[str] = ("counts",),
    steps: int | None = None,
    drain: bool = False,
    apply_transform: bool = True,
    axes: str | None = None,
    reset_interval: int | None = None,
    reset_offset: int = 0,
    learn_across_samples: bool = False,
    out: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    timeout_seconds: float | None = None,
    progress: Progress | None = None,
    place: str | None = None,
    job: str | os.PathLike[str] | None = None,
    board_settings: Mapping[str, Any] | None = None,
    host: str | None = None,
    chip: Mapping[str, Any] | None = None,
) -> Recording:
    """Run a network on a backend and record it.

    Parameters
    ----------
    network : Network
    inputs : array [steps, *shape] or [samples, steps, *shape]
        In (C, H, W) order; see `inputs.present`. Samples are independent,
        each starts from zero state.
    backend : str
        The name of one in `BACKENDS`: ``engine``, ``float``, ``lava``, ``loihi2``, or what
        another package brings, see `registry`.
    record : str or iterable of str
        Of ``counts``, ``spikes``, ``weights`` (of synapses that learn, after each epoch, with
        their traces; what each sample leaves is always recorded), and the names of states that the
        neurons have (``u``, ``v``..., see `Neuron.states`); ``states`` are all of these. Counts,
        and the messages of the last population, are always recorded.
    steps : int, optional
        Chip time steps per sample; by default as many as the inputs have.
        The last population lags by ``network.hops(...)`` steps, see `drain`.
    drain : bool
        Run on until the last inputs have reached the output; instead of `steps`.
    apply_transform : bool
        Whether to apply the input layer's weight and bias to the inputs.
    axes : str, optional
        The order of the inputs' axes where it is another one: ``TBN`` is [steps, samples,
        neurons]; see `inputs.order_axes`.
    reset_interval, reset_offset : int, optional
        See `RunOptions`; an offset alone resets nothing and is refused.
    learn_across_samples : bool
        Of a network whose synapses learn: let each sample begin with what the one before learned.
        By default samples are independent, each begins with the network's weights. See
        `RunOptions`.
    out : path, optional
        Stream the recording to this HDF5 file; memory then does not grow
        with the number of samples.
    threads : int, optional
        Threads of engine and float, over samples; by default ``NEURODEPLOY_THREADS``,
        else the cores this process may use. The results do not depend on it.
        Lava brings two processes for each population whatever this says.
    timeout_seconds : float, optional
        End a worker process that takes longer. Only of a backend that has one.
    progress : callable, optional
        Called with (samples done, samples in all).
    place : str, optional
        Where the worker of a backend that has one runs: ``here``, the path of an
        interpreter, ``srun[:...]``, ``ssh:[user@]host``; see `places.parse_place`. By default
        as the backend's environment variable says, else here.
    job : path, optional
        Keep the job and its finished samples in this folder. The same call goes on
        from there. Without it, a folder stays only if the run fails with samples done.
    board_settings : mapping, optional
        Settings of a real board (partition, windows of the meter...), as JSON has them.
    host, chip : optional
        The older names of `place` and `board_settings`.

    Returns
    -------
    Recording

    Raises
    ------
    InputError, UnsupportedError, BackendError
        Also for an option that `backend` does not know.
        Where samples are done, the message says how many, where they are kept and
        how to go on, as that of a KeyboardInterrupt does.
    TooLargeError
        If the machine's memory cannot hold it; nothing has run then.

    Warns
    -----
    ChipWarning
        If delays are longer than the chip's; the recording's header says so too.
    InputWarning
        If the inputs may be time first and `axes` does not say.

    Examples
    --------
    >>> rec = nd.run(net, inputs, record=("counts", "spikes", "v"))
    >>> rec.output.shape
    (20, 16, 10)
    >>> rec["0_dense"].v.dtype
    dtype('int32')
    """
    place = host if place is None else place
    board_settings = chip if board_settings is None else board_settings
    chosen = BACKENDS[backend]
    recorded = to_record(network, record)
    if threads is not None and threads < 1:
        raise InputError(f"threads: {threads}; give at least 1")
    _check_known(
        chosen,
        threads=threads,
        timeout_seconds=timeout_seconds,
        place=place,
        job=job,
        board_settings=board_settings,
    )
    _check_reset(network, reset_interval, reset_offset)
    if learn_across_samples and not network.learning:
        raise InputError(
            "learn_across_samples: nothing learns in this network; leave it out, or give a "
            "projection a rule"
        )
    if drain:
        if steps is not None:
            raise InputError(f"drain: together with {steps} steps; give one of the two")
        steps = draining_steps(network, order_axes(np.asanyarray(inputs), axes))
    values = present(network, inputs, steps, apply_transform, axes)
    if axes is None and not _called_by_us():
        warn_of_time_first(network, values.shape)
    options = RunOptions(
        steps=values.steps,
        record=recorded,
        out=None if out is None else Path(out),
        reset_interval=reset_interval,
        reset_offset=reset_offset,
        learn_across_samples=learn_across_samples,
        threads=threads,
        timeout_seconds=timeout_seconds,
        progress=progress,
        host=place,
        job=None if job is None else Path(job),
        chip=None if board_settings is None else dict(board_settings),
    )
    chosen.check(network, options)
    check_run(network, values, options, backend)
    for line in network.beyond_chip:
        warnings.warn(line, ChipWarning, stacklevel=2)
    return chosen.run(network, values, options)


def _called_by_us() -> bool:
    """Whether `run` was called from within this package, with inputs that it has in order."""
    name = str(sys._getframe(2).f_globals.get("__name__", ""))
    return name.partition(".")[0] == __name__.partition(".")[0]


def write_job(
    network: Network, inputs: NDArray[Any], job: str | os.PathLike[str], **how: Any
) -> Path:
    """Write a job to be carried to another machine by hand; nothing runs.

    There ``neurodeploy worker JOB`` does it and leaves ``recording.h5`` in the folder.

    Parameters
    ----------
    network, inputs
        As `run` takes them.
    job : path
        The folder to write.
    **how
        As `run` takes them, ``backend`` among them.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError, UnsupportedError, BackendError
        As `run`.
    """
    from ..remote.places import BY_HAND, JobWritten

    with suppress(JobWritten):
        run(network, inputs, place=BY_HAND, job=job, **how)
    return Path(job)


def _check_known(backend: Backend, **given: Any) -> None:
    """Refuse options that a backend would ignore."""
    asked = {name: value for name, value in given.items() if value is not None}
    if "board_settings" in asked:
        try:
            json.dumps(asked["board_settings"], allow_nan=False)
        except (TypeError, ValueError) as error:
            reason = f"board_settings: {error}; give plain values, as JSON has them"
            raise InputError(reason) from None
    for name in asked.keys() - backend.options:
        others = {n: other for n, other in BACKENDS.items() if name in other.options}
        local = not runs_in_worker(backend) and all(map(runs_in_worker, others.values()))
        why = "runs in this process" if local else "does not know it"
        raise BackendError(
            f"{name}: backend {backend.name!r} {why}; leave it out, or take another backend "
            f"({', '.join(others)})"
        )


def _check_reset(network: Network, interval: int | None, offset: int) -> None:
    if interval is None:
        if offset:
            raise InputError(f"reset_offset: {offset} without reset_interval; give both, or none")
        return
    if interval < 1:
        raise InputError(f"reset_interval: {interval}; give at least 1 step")
    for population in network.populations:
        if not population.neuron.resettable:
            raise UnsupportedError(
                f"population {population.name!r}: {population.neuron.kind} neurons cannot be reset "
                f"(netx ignores it); run each sample by itself, without reset_interval"
            )


def available(backend: str) -> tuple[bool, str]:
    """Whether a backend runs here, and one line on what it is or what it lacks."""
    return BACKENDS[backend].available()


__all__ = [
    "BACKENDS",
    "Backend",
    "Engine",
    "Float",
    "Lava",
    "Loihi2",
    "RunOptions",
    "WorkerBackend",
    "available",
    "run",
    "runs_in_worker",
    "write_job",
]
