"""The lines of the table; each is a function from settings to rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..measure import Row, Settings
from . import energy, evaluation, growth, lava, limit, old, peers, process, sound

Line = Callable[[Settings], Iterator[Row]]

LINES: dict[str, Line] = {
    "pilotnet-lava": lava.pilotnet,
    "mnist-lava": lava.mnist,
    "learning-lava": lava.learning,
    **{f"random-{name}": peers.random_dense(name) for name in peers.RANDOM},
    "conv-spikingjelly": peers.convolutions,
    "sanafe": energy.sanafe,
    "profile": energy.profile_cost,
    "denoise": sound.denoise,
    "separate": sound.separate,
    "evaluate": evaluation.evaluation,
    "limit": limit.machine_limit,
    "growth-activity": growth.activity,
    "growth-width": growth.width,
    "growth-steps": growth.steps,
    "growth-batch": growth.batch,
    "memory": process.memory,
    "startup": process.startup,
    "old": old.old,
}
"""By the name that ``--only`` takes, in the order of the table."""
