"""A million samples through `nd.evaluate`: one process beside two, and one that is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..measure import Ratio, Row, Settings, missing

EXPORTS = Path(__file__).parents[2] / "netx_exports"
SAMPLES = 1_000_000
WORK = "digits.net, {:,} x 16 steps (360 images repeated), two processes"


class Repeated:
    """The test images again and again: a data set of any length that is small to send."""

    def __init__(self, number: int) -> None:
        data = np.load(EXPORTS / "digits_test.npz")
        self.inputs, self.labels, self.number = data["inputs"], data["labels"], number

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        at = number % len(self.inputs)
        return self.inputs[at], self.labels[at]


def evaluation(settings: Settings) -> Iterator[Row]:
    """Throughput of two one-thread processes over that of one; a worker is killed on the way."""
    number = SAMPLES // 10 if settings.quick else SAMPLES
    work, against = WORK.format(number), "one process"
    try:
        from distributed import Client

        from neurodeploy.evaluation.clusters import _local
    except ImportError as error:
        yield missing("evaluate", work, against, f"needs the extra scale ({error})", 1.7)
        return
    import neurodeploy as nd

    net, data = nd.load(EXPORTS / "digits.net"), Repeated(number)

    def score(client: Client, killed: bool = False) -> tuple[float, nd.evaluation.Evaluation]:
        if killed:
            threading.Timer(1.0, _kill_one, (client,)).start()
        started = time.perf_counter()
        found = nd.evaluate(net, data, scheduler=client, threads=1)
        return time.perf_counter() - started, found

    ratios, ones, peaks = [], [], []
    with _local(1) as one, _local(2) as two, Client(one) as alone, Client(two) as both:
        for _ in range(settings.slow_repeats + 1):
            (first, a), (second, b) = score(alone), score(both)
            assert a.profile.as_dict() == b.profile.as_dict()
            assert (a.confusion == b.confusion).all()
            ratios.append(first / second)
            ones.append(first)
            peaks.append(max(both.run(_peak).values()))
        _, survived = score(both, killed=True)
        assert survived.profile.as_dict() == a.profile.as_dict()
    ratios, ones = ratios[1:], ones[1:]
    yield Row(
        "evaluate",
        work,
        against,
        ours_run=float(np.median(ones)) / number / 16 * 1e6,
        run=Ratio.of(ratios),
        target=1.7,
        note=f"{number / float(np.median(ones)):,.0f} samples a second in one process; the same "
        f"to the bit, also with a worker killed; peak of a worker {max(peaks):.0f} MB",
        extra={"peak_mb": peaks, "accuracy": a.accuracy},
    )


def _peak() -> float:
    """Largest memory that this process had, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1e3


def _kill_one(client: object) -> None:
    pids = client.run(os.getpid)  # type: ignore[attr-defined]
    os.kill(next(iter(pids.values())), signal.SIGKILL)
