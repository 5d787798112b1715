"""Where a worker begins, in every place: finds the backend of its job and has the job done."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..recording import Recording
from ..recording.run_options import Progress, RunOptions
from ..remote import worker_main
from ..remote.job import header_of_job
from ..remote.places import parse_place
from ..remote.worker import finish_job
from .registry import worker_backend


def main(folder: str, sends: bool = False) -> NoReturn:
    """Do the job in `folder`; with `sends`, give each finished file to who sent the job."""
    worker_main.main(folder, _run_network, sends)


def _run_network(
    backend: str, network: Network, values: NDArray[np.int32], options: RunOptions
) -> None:
    import_module(worker_backend(backend).worker_module).run_network(network, values, options)


def work(
    job: Path,
    host: str | None = None,
    progress: Progress | None = None,
    timeout_seconds: float | None = None,
) -> Recording:
    """Do the job in a folder, or what is left of it; the verb ``worker``.

    Parameters
    ----------
    job : Path
        As ``neurodeploy run --job-only`` wrote it. ``recording.h5`` is left there.
    host : str, optional
        See `places.parse_place`; by default as the backend's variable says, else here.
    progress, timeout_seconds
        See `RunOptions`.

    Raises
    ------
    NeurodeployError, KeyboardInterrupt
        As `remote.worker.run_in_worker`.
    """
    backend = worker_backend(header_of_job(job)["backend"])
    place = parse_place(host or backend.place_by_default())
    return finish_job(job, place, progress, timeout_seconds)


if __name__ == "__main__":
    main(sys.argv[1])
