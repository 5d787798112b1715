"""Against the machine itself: adding int8 rows, nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import machine_limit as machine
from .. import ours
from ..measure import Row, Settings, interleaved, microseconds, ratio, timed
from ..networks import dense_network, spikes

WIDTH, ACTIVITY, STEPS = 1024, 0.05, 100
ROWS = round(WIDTH * ACTIVITY)


def machine_limit(settings: Settings) -> Iterator[Row]:
    """SynOps per second of a dense layer at 5 % activity, as a share of the machine's limit.

    1024 x 1024 int8 weights are 1 MiB, so they stay in L2.
    """
    network = dense_network((WIDTH, WIDTH), ACTIVITY)
    weight = network.projections[0].synapse.weight.T.astype(np.int8)  # type: ignore[attr-defined]
    for samples in (1, 16):
        inputs = spikes((samples, STEPS, WIDTH), ACTIVITY)
        rng = np.random.default_rng(3)
        index = rng.integers(0, WIDTH, (samples * STEPS, ROWS), dtype=np.int32)
        call, name = machine.fastest(np.ascontiguousarray(weight), index, settings.threads)
        sides = {
            "limit": timed(call),
            "run": timed(ours.as_user(network, inputs)),
            "engine": timed(ours.engine_alone(network, inputs)),
        }
        seconds = interleaved(sides, settings.repeats)
        synops, _ = ours.work(network, inputs)
        sample_steps = samples * STEPS
        # A zero weight is no SynOp but its addition is done all the same: count additions.
        done = int(inputs.sum()) * WIDTH
        share = done / (index.size * WIDTH)
        rate = {side: done / np.median(seconds[side]) for side in ("run", "engine")}
        limit = index.size * WIDTH / np.median(seconds["limit"])
        yield Row(
            "limit",
            f"SynOps/s, dense 1024 x 1024 at 5 %, T=100, batch {samples}",
            "the machine: int8 rows added",
            ours_run=microseconds(seconds["run"], sample_steps),
            ours_engine=microseconds(seconds["engine"], sample_steps),
            theirs=microseconds(seconds["limit"], sample_steps),
            run=ratio(seconds["limit"], seconds["run"], share),
            engine=ratio(seconds["limit"], seconds["engine"], share),
            target=0.75,
            note=f"G/s: nd.run {rate['run'] / 1e9:.1f}, engine {rate['engine'] / 1e9:.1f}, limit "
            f"{limit / 1e9:.1f} ({name}); {synops:,} SynOps",
            extra={"limit_per_second": limit, "engine_per_second": rate["engine"]},
        )
