"""Runs a backend in a process of its own: a job folder in, a recording out.

The worker finds its job in a folder (see `job`), keeps finished blocks of
samples there (see `blocks`) and leaves ``recording.h5``. `places` says where it
runs, `worker_main` is its own side, `supervisor` listens to it. It may run under another
interpreter: it needs numpy, h5py and what its backend needs, nothing else.

No process outlives a run. The worker leads a process group of its own, which
is ended when the worker fails, overruns its time limit or is interrupted; the
worker ends itself and its children when its standard input closes, so also
when the process that started it dies; and its children die with it.
"""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import errors
from ..errors import BackendError, NeurodeployError, RecordingError
from ..files import written_whole
from ..inputs import Presented
from ..network import Network
from ..recording import Recording
from ..recording.assemble import header_of
from ..recording.run_options import Progress, RunOptions
from .blocks import Blocks
from .folder import check_plain
from .job import Work, job_kept_if_worth_it, read_job
from .places import Place, parse_place
from .supervisor import Parcels, supervise

OF_THE_JOB = (
    *("backend", "network", "inputs", "steps", "samples", "record", "reset_interval"),
    *("reset_offset", "populations", "projections"),
)
"""What a recording's header says that is known before the job is done."""


class WorkerError(BackendError):
    """A worker failed.

    Attributes
    ----------
    detail : str
        The complete traceback, where it happened, and the worker's log.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail

    @staticmethod
    def from_report(report: dict[str, str], backend: str) -> NeurodeployError:
        """Make an error again of what `report_of` made of it.

        Our own errors come back as their class; every one has ``detail``.
        """
        name, message, detail = report["error"], report["message"], report["detail"]
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, NeurodeployError):
            ours: NeurodeployError = kind(message)
            vars(ours)["detail"] = detail
            return ours
        if name == WorkerError.__name__:
            return WorkerError(message, detail)
        return WorkerError(f"{backend}: {name}: {message}", detail)


def report_of(error: BaseException) -> dict[str, str]:
    """Put an error that is being handled into words that JSON can carry."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    # Lava hands over a child's traceback as `trace`, our own errors have `detail`.
    inner = getattr(error, "detail", "") or getattr(error, "trace", "")
    return {
        "error": type(error).__name__,
        "message": str(error),
        "detail": f"{inner}\n{trace}" if inner else trace,
    }


def run_elsewhere(
    backend: str,
    place: str,
    available: Callable[[], tuple[bool, str]],
    network: Network,
    values: NDArray[np.int32] | Presented,
    options: RunOptions,
) -> Recording:
    """Run a network on a backend in the place of its worker.

    Parameters
    ----------
    backend : str
    place : str
        As `places.parse_place` takes it.
    available : callable
        Says whether the backend is there and what it lacks; asked where ``options.host`` names no
        place.
    network, values, options
        As `run_in_worker`; of `Presented` values the fingerprint goes into the recording.

    Raises
    ------
    BackendError
        If the backend is not there; else as `run_in_worker`.
    """
    if options.host is None:
        usable, reason = available()
        if not usable:
            raise BackendError(f"{backend}: {reason}")
    if isinstance(values, Presented):
        options = replace(options, inputs_fingerprint=values.fingerprint())
    return run_in_worker(parse_place(place), backend, network, values[:], options)


def run_in_worker(
    place: Place,
    backend: str,
    network: Network,
    values: NDArray[np.int32],
    options: RunOptions,
) -> Recording:
    """Run a network on a backend in a process of its own, or go on where an earlier call ended.

    Parameters
    ----------
    place : Place
        Where the worker runs, see `places`.
    backend : str
    network : Network
    values : int32 [samples, steps, *input shape]
    options : RunOptions
        ``job`` is the folder to keep the job in.

    Returns
    -------
    Recording
        In memory, or opened from ``options.out``.

    Raises
    ------
    BackendError
        If the worker fails or overruns ``options.timeout_seconds``. The message says how many
        samples are done, where they are kept and how to go on; a KeyboardInterrupt's does too.
    NeurodeployError
        If the worker itself raised one, as its own class.
    JobWritten
        If the place is by hand.
    """
    with ExitStack() as stack:
        part = None
        if options.out is not None:
            part = stack.enter_context(written_whole(options.out))
        work = Work(backend, network, values, options)
        job = stack.enter_context(job_kept_if_worth_it(work, place.shared))
        _do_job(place, job, work)
        if part is not None:
            _copy_whole(job / "recording.h5", part, keep=options.job is not None)
        else:
            recording = Recording.load(job / "recording.h5")
            arrays = {key: np.asarray(recording.arrays[key][:]) for key in recording.arrays}
    if options.out is not None:
        return Recording.load(options.out)
    return Recording(recording.header, arrays)


def finish_job(
    job: Path, place: Place, progress: Progress | None, timeout_seconds: float | None
) -> Recording:
    """Do the job in a folder, or what is left of it, in a place; see `backends.worker.work`."""
    work = read_job(job)
    how = replace(work.options, job=job, progress=progress, timeout_seconds=timeout_seconds)
    work = work._replace(options=how)
    with job_kept_if_worth_it(work) as folder:
        _do_job(place, folder, work)
    return Recording.load(job / "recording.h5")


def _copy_whole(source: Path, target: Path, keep: bool) -> None:
    try:
        (shutil.copyfile if keep else shutil.move)(source, target)
    except OSError as error:
        raise BackendError(
            f"{target.parent}: cannot write the recording there ({error.strerror or error}); free "
            f"space there"
        ) from error


def _do_job(place: Place, job: Path, work: Work) -> None:
    """Have the job done, unless it is: leaves ``recording.h5`` in its folder."""
    backend, network, values, options = work
    samples = len(values)
    check_plain(job)
    if (job / "recording.h5").exists():
        try:
            _check_recording(job, work)
            return
        except RecordingError:
            (job / "recording.h5").unlink()  # cut short on its way
    quiet = replace(options, progress=None)
    parcels = None
    if place.remote:
        Blocks(job, network, quiet, samples)  # sets aside what is damaged, which is not told there
        parcels = Parcels(job, network, options, samples)
    said = supervise(place, job, backend, options, samples, parcels)
    if said.error is not None:
        report = said.error
        report["detail"] += f"\nLog of the worker:\n{said.log}" if said.log.strip() else ""
        raise WorkerError.from_report(report, backend)
    header = None if parcels is None else parcels.header
    if said.code == 0 and header is not None:
        Blocks(job, network, quiet, samples).join(header)
    if said.code or not (job / "recording.h5").is_file():
        where = f"{backend}: {place.name}: " if place.name else f"{backend}: "
        last = (said.log.strip().splitlines() or ["its log is empty"])[-1]
        if said.signal and said.out_of_memory:
            why = "the machine ran out of memory; run fewer samples, or record less"
        elif said.signal:
            why = "by hand or a limit of memory or time; raise that, or run fewer samples"
        else:
            why = f"check that its interpreter has numpy, h5py and {backend}"
        how = f"killed by {said.signal}" if said.signal else f"ended with exit code {said.code}"
        reason = place.reason(said.code, said.log) or (
            f"worker {how} and no recording ({last}); {why}"
        )
        raise WorkerError(where + reason, said.log)
    _check_recording(job, work)


def _check_recording(job: Path, work: Work) -> None:
    """Take a recording for a stranger's: it is of this job, or refused before it is moved.

    Raises
    ------
    RecordingError
        If the file is broken.
    BackendError
        If it is of something else.
    """
    path = job / "recording.h5"
    found = Recording.load(path).header
    # What stands in for a backend is called after it, and says so: loihi2-standin.
    stands_in = found.backend.startswith(f"{work.backend}-")
    backend = found.backend if stands_in else work.backend
    true = header_of(work.network, backend, found.backend_version, work.options)
    true = replace(true, samples=len(work.values))
    other = [name for name in OF_THE_JOB if getattr(found, name) != getattr(true, name)]
    if other:
        raise BackendError(f"{path}: not of this job (other {', '.join(other)}); delete it")
