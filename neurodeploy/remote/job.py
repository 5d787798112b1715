"""A job folder: all that a worker needs to run a network, without pickle, and what it has done.

``job.json`` names the backend, the options and the network's structure in
`network.canonical`'s form, ``network.npz`` holds the arrays that it names and
``inputs.npy`` what is presented to it. The audit stays at home: it changes
nothing in how a network runs nor in what is recorded.

``blocks`` holds the samples that are done (see `blocks`), ``recording.h5`` the
result, ``worker.log`` what the worker printed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..errors import BackendError, NeurodeployError
from ..network import Network
from ..network.canonical import flatten, hash_values, unflatten
from ..recording.run_options import RunOptions
from .blocks import samples_done, write_into_place

OPTIONS = ("steps", "record", "reset_interval", "reset_offset", "inputs_fingerprint", "chip")
"""The options that a worker follows; the others concern the process that started it."""

UNFINISHED = {"network.npz", "inputs.npy", "network.npz.part", "inputs.npy.part", "job.json.part"}
"""What a folder may hold without ``job.json``: somebody was ended while writing a job there."""


class Work(NamedTuple):
    """What a job is about: a network to be run on a backend, on values, as options say."""

    backend: str
    network: Network
    values: NDArray[np.int32]
    options: RunOptions


def write_job(
    job: Path, backend: str, network: Network, values: NDArray[np.int32], options: RunOptions
) -> None:
    """Write a job into the folder `job`, which is made, or find the same job there already.

    Raises
    ------
    BackendError
        If the folder holds another job or something else, or cannot be written to.
    """
    identity = identity_of(Work(backend, network, values, options))
    if not _is_free(job, identity):
        return
    arrays: dict[str, NDArray[Any]] = {}
    structure = flatten((network.populations, network.projections), arrays)
    text = json.dumps(
        {
            "neurodeploy": __version__,
            "backend": backend,
            "options": {key: getattr(options, key) for key in OPTIONS},
            "identity": identity,
            "samples": len(values),
            "network": structure,
            "metadata": dict(network.metadata),
        }
    )
    try:
        job.mkdir(parents=True, exist_ok=True)
        with (job / "network.npz").open("wb") as file:
            np.savez(file, **arrays)
        np.save(job / "inputs.npy", values, allow_pickle=False)
        write_into_place(job / "job.json", text.encode())  # last: now the job is there
    except OSError as error:
        raise BackendError(
            f"{job}: cannot write a job there ({error.strerror or error}); choose another folder "
            f"(--job)"
        ) from error


def identity_of(work: Work) -> dict[str, Any]:
    """Tell what makes two jobs the same: all that decides what a recording of it says."""
    identity = {
        "backend": work.backend,
        "network": work.network.fingerprint,
        "inputs": hash_values(work.values),
        **{key: getattr(work.options, key) for key in OPTIONS if key != "inputs_fingerprint"},
    }
    same: dict[str, Any] = json.loads(json.dumps(identity))
    return same


def job_id(job: Path) -> str:
    """Name of a job, the same for the same job."""
    return hashlib.sha256(json.dumps(header_of_job(job)["identity"]).encode()).hexdigest()[:32]


def header_of_job(job: Path) -> dict[str, Any]:
    """Read ``job.json``.

    Raises
    ------
    BackendError
        If it is missing or broken.
    """
    try:
        wanted: dict[str, Any] = json.loads((job / "job.json").read_text())
        if {"identity", "backend", "samples", "network"} <= set(wanted):
            return wanted
    except FileNotFoundError:
        raise BackendError(
            f"{job}: no job.json there; give a folder that `neurodeploy run --job-only` wrote"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise BackendError(f"{job}/job.json: not readable ({error}); write the job again") from None
    raise BackendError(f"{job}/job.json: not of a job; write the job again")


def _is_free(job: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a job may be written here; False if this very one is here already."""
    if job.exists() and not job.is_dir():
        raise BackendError(f"{job}: a file; give a folder for the job")
    if not (job / "job.json").exists():
        if job.is_dir() and {path.name for path in job.iterdir()} - UNFINISHED:
            raise BackendError(f"{job}: not empty, and no job; give a new folder for the job")
        return True
    there = header_of_job(job)["identity"]
    other = [key for key, value in identity.items() if there.get(key) != value]
    if other:
        raise BackendError(
            f"{job}: holds another job (other {', '.join(other)}; {samples_done(job)} samples "
            f"done); give another folder, or delete this one"
        )
    return False


def read_job(job: Path) -> Work:
    """Read what `write_job` wrote, the values mapped from disk.

    Raises
    ------
    BackendError
        If a file is missing, or not as it was written.
    """
    wanted = header_of_job(job)
    try:
        with np.load(job / "network.npz", allow_pickle=False) as arrays:
            populations, projections = unflatten(wanted["network"], dict(arrays))
        network = Network(populations, projections, metadata=wanted["metadata"])
        values = np.load(job / "inputs.npy", mmap_mode="r", allow_pickle=False)
        options = {**wanted["options"], "record": tuple(wanted["options"]["record"])}
        followed = RunOptions(**options)
    except (OSError, EOFError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise BackendError(
            f"{job}: this job cannot be read ({error}); neurodeploy {wanted.get('neurodeploy')} "
            f"wrote it, this is {__version__}: write it again with this one"
        ) from error
    for what, found in (("network", network.fingerprint), ("inputs", hash_values(values))):
        if found != wanted["identity"][what]:
            raise BackendError(f"{job}: its {what} changed since it was written; write it again")
    return Work(wanted["backend"], network, values, followed)


@contextmanager
def job_kept_if_worth_it(work: Work, shared: bool = False) -> Iterator[Path]:
    """Write a job; its folder stays if the user named it, or a run fails with samples done.

    Without ``options.job`` it lies beside the output (``x.h5.job``) or, where there is none, among
    the temporary files; in the working folder if other machines must see it (`shared`).

    Raises
    ------
    NeurodeployError, KeyboardInterrupt
        Those of the block. Their message says how many samples are done, where, and how to go on.
    """
    options = work.options
    beside = None if options.out is None else Path(f"{options.out}.job").resolve()
    job = beside if options.job is None else options.job.resolve()
    mine = job == beside
    if job is None:
        parent = Path.cwd() if shared else None
        job, mine = _temporary(parent), True
    elif mine and (job / "job.json").is_file() and not samples_done(job):
        shutil.rmtree(job)  # of a run that was killed before anything was done
    try:
        write_job(job, *work)
    except BaseException:  # Ctrl-C too
        if mine and not (job / "job.json").exists():
            shutil.rmtree(job, ignore_errors=True)
        raise
    try:
        yield job
    except BaseException as error:
        if done := samples_done(job):
            _say_where(error, job, f"{done} of {len(work.values)}", named=options.job is not None)
        elif mine:
            shutil.rmtree(job, ignore_errors=True)
        raise
    if mine:
        shutil.rmtree(job)


def _temporary(parent: Path | None) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="neurodeploy-", dir=parent)).resolve()
    except OSError as error:
        raise BackendError(
            f"{parent or 'temporary files'}: no folder can be made there ({error.strerror}); name "
            f"one (--job)"
        ) from error


def _say_where(error: BaseException, job: Path, done: str, named: bool) -> None:
    """Add to an error's message how many samples are done, and where they are kept."""
    how = "the same call" if named else f"the same call with --job {job}"
    note = f"{done} samples are done and kept in {job}; {how} goes on from there"
    if isinstance(error, NeurodeployError):
        error.args = (f"{error}; {note}",)
    elif isinstance(error, KeyboardInterrupt):
        error.args = (f"interrupted; {note}",)
