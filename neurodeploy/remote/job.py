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
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..errors import BackendError, NeurodeployError
from ..network import Network
from ..network.canonical import flatten, hash_values, unflatten
from ..numpy_files import map_array, read_archive, write_archive
from ..recording.run_options import RunOptions, to_record
from .blocks import samples_done, write_into_place
from .folder import check_plain, fresh, take_lock

OPTIONS = (
    "steps",
    "record",
    "reset_interval",
    "reset_offset",
    "learn_across_samples",
    "inputs_fingerprint",
    "chip",
)
"""The options that a worker follows; the others concern the process that started it."""

LOCK_SECONDS = 10.0
"""How long to wait for a worker that was there before and is about to end."""

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
        with fresh(job / "network.npz") as file:
            write_archive(file, arrays)
        with fresh(job / "inputs.npy") as file:
            np.save(file, values, allow_pickle=False)
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
    if not work.options.learn_across_samples:  # which jobs of older releases do not name
        del identity["learn_across_samples"]
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
        If it is missing or broken, or something in the folder is no plain file.
    """
    check_plain(job)
    try:
        wanted: dict[str, Any] = json.loads((job / "job.json").read_text())
        kinds = {"identity": dict, "backend": str, "samples": int, "network": list}
        if all(isinstance(wanted.get(key), kind) for key, kind in kinds.items()):
            return wanted
    except FileNotFoundError:
        raise BackendError(
            f"{job}: no job.json there; give a folder that `neurodeploy run --job-only` wrote"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BackendError(f"{job}/job.json: not readable ({error}); write the job again") from None
    except AttributeError:  # no table
        pass
    raise BackendError(f"{job}/job.json: not of a job; write the job again")


def _is_free(job: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a job may be written here; False if this very one is here already."""
    if job.exists() and not job.is_dir():
        raise BackendError(f"{job}: a file; give a folder for the job")
    check_plain(job)
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
        arrays = read_archive(job / "network.npz", error=BackendError, packed=False)
        populations, projections = unflatten(wanted["network"], arrays)
        network = Network(populations, projections, metadata=wanted["metadata"])
        values = map_array(job / "inputs.npy", BackendError)
        work = Work(wanted["backend"], network, values, _options_of(wanted["options"], network))
        steps = work.options.steps
        if values.dtype.name not in ("int32", "float32") or values.ndim < 2:
            raise ValueError(f"inputs.npy holds {values.dtype} {values.shape}")
        if values[:1, :1].size != network.input.size or values.shape[1] != steps:
            raise ValueError(
                f"inputs.npy is {values.shape}, not of {steps} steps and {network.input.shape}"
            )
        identity = identity_of(work)
    except Exception as error:  # whatever a stranger's file makes NumPy and a network raise
        raise BackendError(
            f"{job}: this job cannot be read ({str(error) or type(error).__name__}); neurodeploy "
            f"{wanted.get('neurodeploy')} wrote it, this is {__version__}: write it again with "
            f"this one"
        ) from error
    for what, found in identity.items():
        if wanted["identity"].get(what) != found:
            raise BackendError(f"{job}: its {what} changed since it was written; write it again")
    return work


def _options_of(told: Mapping[str, Any], network: Network) -> RunOptions:
    """Options that a job may give: those that a worker follows, each of its kind."""
    found = RunOptions(**{key: told[key] for key in OPTIONS if key in told})
    found = replace(found, record=to_record(network, found.record))
    kinds = (
        (found.steps, int),
        (found.reset_interval, (int, type(None))),
        (found.reset_offset, int),
        (found.learn_across_samples, bool),
        (found.inputs_fingerprint, str),
        (found.chip, (dict, type(None))),
    )
    if not all(isinstance(value, kind) for value, kind in kinds) or (found.reset_interval or 1) < 1:
        raise ValueError(f"an option has a value of another kind: {dict(told)}")
    return found


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
    beside = None if options.out is None else Path(f"{options.out}.job")
    if options.job is None and beside is not None and beside.is_symlink():
        raise BackendError(f"{beside}: a symbolic link; delete it, or name a folder (--job)")
    beside = None if beside is None else beside.resolve()
    job = beside if options.job is None else options.job.resolve()
    mine = job == beside
    if job is None:
        parent = Path.cwd() if shared else None
        job, mine = _temporary(parent), True
    with _held(job), _written(job, work, mine):
        yield job


@contextmanager
def _written(job: Path, work: Work, mine: bool) -> Iterator[None]:
    """Write a job into a folder that is held; see `job_kept_if_worth_it`."""
    options = work.options
    try:
        if mine and (job / "job.json").is_file() and not samples_done(job):
            _empty(job)  # of a run that was killed before anything was done
        write_job(job, *work)
    except BaseException:  # Ctrl-C too
        if mine and job.is_dir() and {path.name for path in job.iterdir()} <= UNFINISHED:
            shutil.rmtree(job, ignore_errors=True)
        raise
    try:
        yield
    except BaseException as error:
        if done := samples_done(job):
            _say_where(error, job, f"{done} of {len(work.values)}", named=options.job is not None)
        elif mine:
            shutil.rmtree(job, ignore_errors=True)
        raise
    if mine:
        shutil.rmtree(job)


@contextmanager
def _held(job: Path) -> Iterator[None]:
    """Be the only run that a job folder belongs to: nobody removes what another is at work on."""
    with suppress(OSError):  # said when the job is written
        job.mkdir(parents=True, exist_ok=True)
    handle = None
    if job.is_dir():
        handle = take_lock(
            job, 0.0, "another run is at work there; wait for it, or give another output or --job"
        )
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _empty(job: Path) -> None:
    """Remove what is in a job folder, once its worker has ended."""
    check_plain(job)
    handle = take_lock(job / "lock", LOCK_SECONDS, "a worker is at work there; wait, or end it")
    for path in job.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if handle is not None:
        os.close(handle)


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
