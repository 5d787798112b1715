"""Runs a backend in a process of its own: a job folder in, a recording out.

The worker finds its job in a folder (see `job`), leaves ``recording.h5`` or
``error.json`` there, and writes a line of progress to standard output after
each block of samples. It may run under another interpreter: it needs numpy,
h5py and what its backend needs, nothing else.

No process outlives a run. The worker leads a process group of its own, which
is ended when the worker fails, overruns its time limit or is interrupted; the
worker ends itself and its children when its standard input closes, so also
when the process that started it dies; and its children die with it.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from .. import errors
from ..errors import BackendError, NeurodeployError
from ..files import written_whole
from ..network import Network
from ..recording import Recording
from .job import read_job, write_job
from .options import Progress, RunOptions

MODULES = {
    "lava": "neurodeploy.backends.lava_processes",
    "loihi2": "neurodeploy.backends.loihi2.run",
}
"""Where a worker finds each backend's ``run_network(network, values, options)``."""

GRACE_SECONDS = 3.0
"""How long a worker may take to end itself and its children when asked to."""

PROGRESS = b"progress "
"""Starts a line of progress: samples done and in all follow. Other output is not ours."""

POLL_SECONDS = 0.2
LOG_TAIL = 20_000
_PR_SET_PDEATHSIG = 1


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


def run_in_worker(
    command: Sequence[str],
    backend: str,
    network: Network,
    values: NDArray[np.int32],
    options: RunOptions,
) -> Recording:
    """Run a network on a backend in a process of its own.

    Parameters
    ----------
    command : sequence of str
        Starts the worker once the job folder is appended, e.g.
        ``[python, "-m", "neurodeploy.backends.worker"]``.
    backend : str
        One of `MODULES`.
    network : Network
    values : int32 [samples, steps, *input shape]
    options : RunOptions

    Returns
    -------
    Recording

    Raises
    ------
    BackendError
        If the worker fails or overruns ``options.timeout_seconds``.
    NeurodeployError
        If the worker itself raised one, as its own class.
    """
    with tempfile.TemporaryDirectory(prefix="neurodeploy-") as name:
        job = Path(name)
        write_job(job, backend, network, values, options)
        if options.out is not None:
            with written_whole(options.out) as part:
                _run_job(command, job, backend, len(values), options)
                shutil.move(job / "recording.h5", part)
            return Recording.load(options.out)
        _run_job(command, job, backend, len(values), options)
        recording = Recording.load(job / "recording.h5")
        arrays = {key: np.asarray(recording.arrays[key][:]) for key in recording.arrays}
        return Recording(recording.header, arrays)


def _run_job(
    command: Sequence[str], job: Path, backend: str, samples: int, options: RunOptions
) -> None:
    """Start the worker and follow it to its end, whichever that is."""
    # A path with nothing but our package: another interpreter must find its
    # own numpy, not the one beside us.
    (job / "path").mkdir()
    (job / "path" / "neurodeploy").symlink_to(Path(__file__).resolve().parents[1])
    environment = {
        **os.environ,
        "PYTHONPATH": str(job / "path"),
        "OMP_NUM_THREADS": "1",  # threads of a BLAS do not survive Lava's forks
        "OPENBLAS_NUM_THREADS": "1",
    }
    done = 0

    def progress(samples_done: int, in_all: int) -> None:
        nonlocal done
        done = samples_done
        if options.progress is not None:
            options.progress(samples_done, in_all)

    with (job / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=job,
            env=environment,
            start_new_session=True,
        )
    try:
        _follow(process, progress, options.timeout_seconds)
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"{backend}: not finished after {options.timeout_seconds:g} s ({done} of {samples} "
            f"samples done); allow more time (timeout_seconds) or run fewer samples"
        ) from None
    finally:
        _end_group(process)
    _raise_error_left(process, job, backend)


def _raise_error_left(process: subprocess.Popen[bytes], job: Path, backend: str) -> None:
    """Raise the error that a worker left, or that it left nothing."""
    log_text = (job / "worker.log").read_text(errors="replace")[-LOG_TAIL:]
    if (job / "error.json").is_file():
        report = json.loads((job / "error.json").read_text())
        report["detail"] += f"\nLog of the worker:\n{log_text}" if log_text.strip() else ""
        raise WorkerError.from_report(report, backend)
    if process.returncode or not (job / "recording.h5").is_file():
        last = (log_text.strip().splitlines() or ["its log is empty"])[-1]
        raise WorkerError(
            f"{backend}: the worker ended with exit code {process.returncode} and no recording "
            f"({last}); check that its interpreter has numpy, h5py and {backend}",
            log_text,
        )


def _follow(process: subprocess.Popen[bytes], progress: Progress, limit: float | None) -> None:
    """Forward a worker's progress until it ends; raises TimeoutExpired if that takes too long."""
    assert process.stdout is not None
    output = process.stdout.fileno()
    deadline = float("inf") if limit is None else time.monotonic() + limit
    pending = b""
    while process.poll() is None or wait([output], 0):
        left = deadline - time.monotonic()
        if left <= 0:
            raise subprocess.TimeoutExpired(process.args, limit or 0.0)
        if not wait([output], min(POLL_SECONDS, left)):
            continue
        chunk = os.read(output, 1 << 16)
        if not chunk:  # the worker is about to end, and has closed its output
            process.wait(None if limit is None else left)
            return
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            if line.startswith(PROGRESS):
                progress(*map(int, line[len(PROGRESS) :].split()))


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a worker and all its children: ask, wait a little, then kill."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        if process.returncode not in (0, 1):
            # It crashed; Python's resource tracker, which is in its group,
            # needs a moment to remove Lava's shared memory.
            time.sleep(POLL_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def main(folder: str) -> NoReturn:
    """Run the job in `folder`; the side of the worker."""
    job = Path(folder)
    # Lava prints; what it prints goes to the log.
    lines = os.dup(1)
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _make_children_die_with_us()

    def progress(done: int, in_all: int) -> None:
        os.write(lines, PROGRESS + b"%d %d\n" % (done, in_all))

    code = 1
    try:
        _work(job, progress)
        code = 0
    except BaseException as error:
        (job / "error.json").write_text(json.dumps(report_of(error)))
    finally:
        _end(code)


def _work(job: Path, progress: Progress) -> None:
    backend, network, values, options = read_job(job)
    options = replace(options, out=job / "recording.h5", progress=progress)
    importlib.import_module(MODULES[backend]).run_network(network, values, options)


def _end_with_parent() -> None:
    """Wait until our standard input closes, then end; nobody writes to it."""
    # Not through sys.stdin: a forked child closes that, and would wait for its lock.
    while os.read(0, 1):
        pass
    _end(1)


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


def _end(code: int) -> NoReturn:
    """End our children, then ourselves at once; Lava's destructors would wait for ever."""
    for child in multiprocessing.active_children():
        child.kill()
        with suppress(ChildProcessError):
            os.waitpid(child.pid or 0, 0)
    # Waits until the tracker has removed the shared memory that Lava left.
    with suppress(Exception):
        resource_tracker._resource_tracker._stop()  # type: ignore[attr-defined]
    os._exit(code)


if __name__ == "__main__":
    # By its proper name, so that there is one WorkerError and not two.
    importlib.import_module("neurodeploy.backends.worker").main(sys.argv[1])
