"""Whole processes: peak memory of a large run, and start-up."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import neurodeploy
from neurodeploy.core.library import library

from ..measure import Ratio, Row, Settings, missing
from ..networks import shipped, spikes
from .lava import MNIST_SPIKE

SAMPLES, STEPS, INPUTS = 10_000, 100, 784

MEMORY_MB, STARTUP_SECONDS = 300.0, 0.6
"""What each may take."""

MEMORY = """
import sys, threading, time
import numpy as np, neurodeploy as nd
path, inputs, out = sys.argv[1:]
peak = [0]
def watch():
    while True:
        for line in open("/proc/self/status"):
            if line.startswith("RssAnon"):
                peak[0] = max(peak[0], int(line.split()[1]))
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
started = time.perf_counter()
nd.run(nd.load(path), np.load(inputs, mmap_mode="r"), apply_transform=False, out=out)
seconds = time.perf_counter() - started
# Not ru_maxrss, which starts with what the parent held when it forked.
(rss,) = (int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(rss / 1e3, peak[0] / 1e3, seconds)
"""

PACKAGE = Path(neurodeploy.__file__).parent

STARTUP = """
import sys, numpy as np, neurodeploy as nd
net = nd.load(sys.argv[1])
nd.run(net, np.ones((10, *net.input.shape), np.uint8))
"""


def memory(settings: Settings) -> Iterator[Row]:
    """Peak memory of 10,000 samples x 100 steps of mnist.net, streamed to a file.

    The inputs are a uint8 file that is mapped into memory: its pages count in
    the peak while they are there, though the kernel may drop them.
    """
    samples = 1_000 if settings.quick else SAMPLES
    work = f"mnist.net, {samples:,} x {STEPS} steps, counts to a file: peak memory"
    path = shipped("mnist.net")
    if path is None:
        yield missing(
            "memory",
            work,
            "a limit",
            "needs lava-dl (extra lava)",
            MEMORY_MB,
            at_most=True,
            unit="MB",
        )
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        shape = (samples, STEPS, INPUTS)
        file = np.lib.format.open_memmap(folder / "inputs.npy", "w+", np.uint8, shape)
        for first in range(0, samples, 500):
            part = spikes((min(500, samples - first), *shape[1:]), 0.1, first)
            file[first : first + 500] = MNIST_SPIKE * part
        file.flush()
        del file
        arguments = [str(path), str(folder / "inputs.npy"), str(folder / "out.h5")]
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            yield missing("memory", work, "a limit", reason, MEMORY_MB, at_most=True, unit="MB")
            return
        size = (folder / "out.h5").stat().st_size / 1e6
    rss, anonymous, seconds = map(float, done.stdout.split())
    yield Row(
        "memory",
        work,
        "a limit",
        ours_run=seconds / samples / STEPS * 1e6,
        run=Ratio(rss, rss, rss),
        target=MEMORY_MB,
        at_most=True,
        unit="MB",
        note=f"of it not file pages: {anonymous:.0f} MB; inputs {np.prod(shape) / 1e6:.0f} MB as "
        f"uint8, recording {size:.1f} MB, {seconds:.1f} s",
        extra={"rss_mb": rss, "anonymous_mb": anonymous, "seconds": seconds},
    )


def startup(settings: Settings) -> Iterator[Row]:
    """Processes that load and run a network: the first on a machine, and later ones.

    The first finds the core compiled, as an installation leaves it, and none of our bytecode;
    both run a copy of the package, so that neither hangs on what ran here before.
    """
    works = {
        "first": "mnist.net, 10 steps: a whole process, no bytecode yet",
        "later": "mnist.net, 10 steps: a whole process, later ones",
    }
    path = shipped("mnist.net")
    if path is None:
        for work in works.values():
            reason, target = "needs lava-dl (extra lava)", STARTUP_SECONDS
            yield missing("startup", work, "a limit", reason, target, at_most=True, unit="s")
        return
    library()  # compiled, if it is not
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        places = {kind: Path(name, kind) for kind in works}
        for place in places.values():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PACKAGE, place / PACKAGE.name, ignore=ignored)

        def seconds(kind: str, code: str = STARTUP) -> tuple[float, float]:
            """Give wall and processor time."""
            environment = {**os.environ, "PYTHONPATH": str(places[kind])}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            if kind == "first":
                environment["PYTHONDONTWRITEBYTECODE"] = "1"
            busy, started = _processor_seconds(), time.perf_counter()
            command = [sys.executable, "-c", code, str(path)]
            subprocess.run(command, check=True, env=environment, cwd=places[kind])
            return time.perf_counter() - started, _processor_seconds() - busy

        seconds("later")  # writes the bytecode
        found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in works}
        for _ in range(settings.repeats):
            for kind, times in found.items():
                times.append(seconds(kind))
        bare = statistics.median(seconds("later", "import numpy, h5py")[0] for _ in range(3))
    for kind, work in works.items():
        walls, busy = map(list, zip(*found[kind], strict=True))
        yield Row(
            "startup",
            work,
            "a limit",
            run=Ratio.of(walls),
            target=STARTUP_SECONDS,
            at_most=True,
            unit="s",
            note=f"processor time {statistics.median(busy):.2f} s; Python with NumPy and h5py "
            f"alone {bare:.2f} s",
            extra={"seconds": walls, "processor_seconds": busy},
        )


def _processor_seconds() -> float:
    """Of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
