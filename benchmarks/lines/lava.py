"""Against Lava's CPU simulator, as our `lava` backend runs it.

Lava's time per step is the difference of two runs of different length, by the worker's own clock,
so that neither its start-up nor what it does once per run counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from neurodeploy.demo import pilotnet as shipped_pilotnet
from neurodeploy.errors import NeurodeployError
from neurodeploy.network import (
    CubaLIF,
    Dense,
    LearningRule,
    Network,
    Population,
    Projection,
    Source,
)
from neurodeploy.network.learning import stdp

from .. import ours
from ..measure import Row, Settings, interleaved, microseconds, missing, ratio, timed
from ..networks import shipped, spikes

PILOTNET_LONG, PILOTNET_SHORT = 24, 4
MNIST_LONG, MNIST_SHORT = 2000, 200
LEARNING_LONG, LEARNING_SHORT = 1000, 100
MNIST_SPIKE = 140
"""Presented as it is, makes an input neuron of mnist.net (threshold 80) spike at once."""

AGAINST = "Lava CPU simulator"


def pilotnet(settings: Settings) -> Iterator[Row]:
    """PilotNet LIF on its recorded frame, one sample and 32."""
    works = [("PilotNet LIF, its frame, 1 sample", 1, 800.0)]
    works.append(("PilotNet LIF, its frame, 32 samples", 32, 1000.0))
    place = shipped_pilotnet.folder()
    if place is None:
        for work, _, target in works:
            yield missing("pilotnet-lava", work, AGAINST, "needs lava-dl (extra lava)", target)
        return
    model = shipped_pilotnet.load_pilotnet(place)
    frame = np.broadcast_to(model.frame, (1, PILOTNET_LONG, *model.frame.shape))
    options = {"apply_transform": False, "reset_interval": shipped_pilotnet.RESET_INTERVAL}
    yield from _against_lava(
        "pilotnet-lava", settings, model.network, frame, PILOTNET_SHORT, works, options
    )


def mnist(settings: Settings) -> Iterator[Row]:
    """mnist.net, an untrained 784-512-512-10 that lava-dl ships, 10 % of the inputs spiking."""
    works = [("mnist.net, 10 % input, 1 sample", 1, 600.0)]
    path = shipped("mnist.net")
    if path is None:
        yield missing("mnist-lava", works[0][0], AGAINST, "needs lava-dl (extra lava)", 600.0)
        return
    inputs = MNIST_SPIKE * spikes((1, MNIST_LONG, 784), 0.1).astype(np.int32)
    options = {"apply_transform": False}
    yield from _against_lava(
        "mnist-lava", settings, nd.load(path), inputs, MNIST_SHORT, works, options
    )


def learning(settings: Settings) -> Iterator[Row]:
    """A layer that learns by STDP at every step, and by a rule with tags at every fourth."""
    rng = np.random.default_rng(0)
    rules = {
        "STDP, 128-64, epoch 1": stdp(impulse=20, gain=-4),
        "tags and weights, 128-64, epoch 4": LearningRule(
            "dw = 2^-4*u0*x1*y1 - 2^-5*u0*t*y2; dt = 2^-3*x0*y1 - 2^-4*u0*t",
            x1_impulse=20, x1_tau=10, y1_impulse=20, y1_tau=10, y2_impulse=20, y2_tau=30, epoch=4,
        ),
    }  # fmt: skip
    inputs = spikes((1, LEARNING_LONG, 128), 0.05).astype(np.int32)
    for work, rule in rules.items():
        network = Network(
            (
                Population("in", (128,), Source()),
                Population("out", (64,), CubaLIF(2048, 256, 3000)),
            ),
            (Projection("in", "out", Dense(rng.integers(0, 60, (64, 128))), rule=rule),),
        )
        works = [(work, 1, 100.0)]
        yield from _against_lava(
            "learning-lava", settings, network, inputs, LEARNING_SHORT, works, {}
        )


def _against_lava(
    line: str,
    settings: Settings,
    network: Network,
    inputs: NDArray[Any],
    short: int,
    works: list[tuple[str, int, float]],
    options: dict[str, Any],
) -> Iterator[Row]:
    steps = inputs.shape[1]

    def lava() -> float:
        longer = ours.lava_seconds(network, inputs, **options)
        return (longer - ours.lava_seconds(network, inputs[:, :short], **options)) / (steps - short)

    try:
        same = nd.compare(
            nd.run(network, inputs, record=("spikes",), **options),
            nd.run(network, inputs, record=("spikes",), backend="lava", **options),
        ).equal
    except NeurodeployError as error:
        for work, _, target in works:
            yield missing(line, work, AGAINST, str(error), target)
        return
    sides = {"lava": lava}
    for work, samples, _ in works:
        batch = np.broadcast_to(inputs, (samples, *inputs.shape[1:]))
        sides[f"{work}, run"] = timed(ours.as_user(network, batch, **options))
        sides[f"{work}, engine"] = timed(ours.engine_alone(network, batch, **options))
    sides["lava"] = _without_first(lava)  # the comparison above was its warm-up
    seconds = interleaved(sides, settings.slow_repeats)
    for work, samples, target in works:
        run, engine = seconds[f"{work}, run"], seconds[f"{work}, engine"]
        sample_steps = samples * steps
        yield Row(
            line,
            work,
            AGAINST,
            ours_run=microseconds(run, sample_steps),
            ours_engine=microseconds(engine, sample_steps),
            theirs=microseconds(seconds["lava"], 1),
            run=ratio(seconds["lava"], run, sample_steps),
            engine=ratio(seconds["lava"], engine, sample_steps),
            target=target,
            note=f"spikes of all populations {'equal' if same else 'DIFFER'}; "
            f"Lava {steps} - {short} steps",
        )


def _without_first(measure: Any) -> Any:
    """Skip the warm-up round of what takes long and has been warmed up."""
    calls = 0

    def skipping() -> float:
        nonlocal calls
        calls += 1
        return 0.0 if calls == 1 else float(measure())

    return skipping
