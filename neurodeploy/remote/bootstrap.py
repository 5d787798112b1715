"""What a worker on another machine does first: unpacks the job that was sent and starts work.

Its text is sent ahead of the job and run there before anything of ours is, so it needs nothing but
Python's own library, and says so in plain words to a Python that is too old to run the rest.

Standard input, as `r`: the job's name, the archive's size in bytes, the archive; then it stays
open, because the worker ends when it closes.
"""

import os
import shutil
import sys
import tarfile
import tempfile
from importlib import import_module
from pathlib import Path
from typing import IO

LEAST_PYTHON = (3, 10)


def unpack_and_run(given: "IO[bytes]") -> None:
    """Unpack the job below ``~/.cache/neurodeploy/jobs`` and run it."""
    if sys.version_info < LEAST_PYTHON:
        sys.exit(
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old; give one from 3.10 on"
        )
    name = given.readline().decode("ascii").strip()
    size = int(given.readline())
    if not name.isalnum():
        sys.exit(f"no name of a job: {name!r}")
    job = Path.home() / ".cache" / "neurodeploy" / "jobs" / name
    os.makedirs(str(job), mode=0o700, exist_ok=True)
    # What is done at home is told anew each time; the code is whatever is sent now.
    for old in job.glob("blocks/*.home"):
        old.unlink()
    shutil.rmtree(str(job / "path"), ignore_errors=True)
    with tempfile.TemporaryFile(dir=str(job)) as archive:
        while size:
            chunk = given.read(min(size, 1 << 20))
            if not chunk:
                sys.exit("the connection was lost while the job was being sent")
            archive.write(chunk)
            size -= len(chunk)
        archive.seek(0)
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            # Pythons 3.10.0 to 3.10.11 have no filters; the archive is the user's own.
            safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            tar.extractall(str(job), **safely)  # type: ignore[arg-type]
    os.chdir(str(job / "path"))  # nothing but our package is there
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ.pop("PYTHONPATH", None)
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.path.insert(0, str(job / "path"))
    try:
        worker = import_module("neurodeploy.backends.worker")
    except ImportError as error:
        sys.exit(f"{sys.executable} lacks what a worker needs: {error}")
    worker.main(str(job), sends=True)


if "r" in globals():  # as `places.TAKE_OFF` runs it
    unpack_and_run(globals()["r"])
