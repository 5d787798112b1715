"""Runs neurodeploy's worker beside the stand-in, or many jobs in one process: see the package.

python -m sim_tests.loihi_standin -c START JOB
python -m sim_tests.loihi_standin --batch JOB...
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from . import install


def run_batch(folders: list[str]) -> None:
    """Run jobs one after the other: importing Lava takes longer than running them."""
    from neurodeploy.backends.loihi2.run import run_network
    from neurodeploy.remote.job import read_job

    for folder in map(Path, folders):
        _, network, values, options = read_job(folder)
        run_network(network, values, replace(options, out=folder / "recording.h5"))


if __name__ == "__main__":
    install()
    if sys.argv[1] == "--batch":
        run_batch(sys.argv[2:])
        os._exit(0)  # Lava's destructors would wait for ever
    from neurodeploy.backends.worker import main
    from neurodeploy.remote.places import START

    *_, code, job = sys.argv
    if code != START:
        sys.exit(f"the stand-in runs neurodeploy's worker only, not {code}")

    main(job)
