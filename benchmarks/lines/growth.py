"""How the engine's cost grows with activity, width, time steps and batch; see `plots`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.network import Network

from .. import ours
from ..measure import Ratio, Row, Settings, interleaved, microseconds, timed
from ..networks import dense_network, spikes

SIZES, ACTIVITY_IN, STEPS, SAMPLES = (700, 256, 20), 0.02, 100, 16
ACTIVITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
WIDTHS = (128, 256, 512, 1024, 2048)
LENGTHS = (25, 50, 100, 200, 400, 800)
BATCHES = (1, 2, 4, 8, 16, 32, 64)
ALLOWED = 1.15
"""Growth of cost over growth of work: 1 but for noise."""

Case = tuple[float, Network, NDArray[Any]]


def activity(settings: Settings) -> Iterator[Row]:
    """A dense layer 1024 x 1024 with ever more of its inputs active."""
    network = dense_network((1024, 1024), 0.05)
    cases = [(100 * a, network, spikes((8, STEPS, 1024), a)) for a in ACTIVITIES]
    yield _curve(
        "growth-activity",
        "activity 1 % to 50 %",
        "active inputs / %",
        "dense 1024 x 1024, ever busier",
        cases,
        settings,
    )


def width(settings: Settings) -> Iterator[Row]:
    """Two dense layers of ever more neurons, 5 % active."""
    cases = [
        (n, dense_network((n, n, n), 0.05), spikes((4, STEPS, n), 0.05))
        for n in (WIDTHS[:-1] if settings.quick else WIDTHS)
    ]
    yield _curve(
        "growth-width",
        "width 128 to 2048",
        "neurons per layer",
        "two dense layers, ever wider, 5 % active",
        cases,
        settings,
    )


def steps(settings: Settings) -> Iterator[Row]:
    """More and more time steps; the cost per step should stay."""
    network = dense_network(SIZES, ACTIVITY_IN)
    cases = [(t, network, spikes((4, t, SIZES[0]), ACTIVITY_IN)) for t in LENGTHS]
    yield _curve(
        "growth-steps", "T 25 to 800", "time steps", "700-256-20, ever longer", cases, settings
    )


def batch(settings: Settings) -> Iterator[Row]:
    """More and more samples; the cost per sample should fall or stay."""
    network = dense_network(SIZES, ACTIVITY_IN)
    cases = [(b, network, spikes((b, STEPS, SIZES[0]), ACTIVITY_IN)) for b in BATCHES]
    yield _curve(
        "growth-batch", "batch 1 to 64", "samples", "700-256-20, ever larger batch", cases, settings
    )


def _curve(
    line: str, work: str, label: str, title: str, cases: list[Case], settings: Settings
) -> Row:
    sides = {
        f"{i} {how}": timed(make(network, inputs), 0.05)
        for i, (_, network, inputs) in enumerate(cases)
        for how, make in (("run", ours.as_user), ("engine", ours.engine_alone))
    }
    seconds = interleaved(sides, settings.repeats)
    sample_steps = [inputs.shape[0] * inputs.shape[1] for _, _, inputs in cases]
    done = [
        sum(ours.work(network, inputs)) / n
        for (_, network, inputs), n in zip(cases, sample_steps, strict=True)
    ]
    cost = {
        how: [microseconds(seconds[f"{i} {how}"], n) for i, n in enumerate(sample_steps)]
        for how in ("run", "engine")
    }
    x = [case[0] for case in cases]
    run, run_at = _growth(seconds, "run", done, sample_steps)
    engine, engine_at = _growth(seconds, "engine", done, sample_steps)
    return Row(
        line,
        f"cost per sample-step, {work}",
        "itself: worst growth of cost / of work",
        ours_run=cost["run"][-1],
        ours_engine=cost["engine"][-1],
        theirs=cost["engine"][0],
        run=run,
        engine=engine,
        target=ALLOWED,
        at_most=True,
        note=f"worst from {label} {x[run_at[0]]:g} to {x[run_at[1]]:g} (run), "
        f"{x[engine_at[0]]:g} to {x[engine_at[1]]:g} (engine); at {_list(x)}: run "
        f"{_list(cost['run'])} µs, engine {_list(cost['engine'])} µs, SynOps + updates "
        f"{_list(done)}; ours µs is at the last point, theirs µs the engine's at the first",
        extra={"x": x, "work": done, "microseconds": cost, "label": label, "title": title},
    )


def _growth(
    seconds: dict[str, list[float]], how: str, done: list[float], sample_steps: list[int]
) -> tuple[Ratio, tuple[int, int]]:
    """Worst growth of cost over growth of work between any two points, and between which.

    The pair is that with the largest median; least and most are of its repeats.
    """
    per_work = [
        np.asarray(seconds[f"{i} {how}"]) / n / work
        for i, (work, n) in enumerate(zip(done, sample_steps, strict=True))
    ]
    pairs = combinations(range(len(done)), 2)
    worst = max(pairs, key=lambda pair: float(np.median(per_work[pair[1]] / per_work[pair[0]])))
    return Ratio.of(list(map(float, per_work[worst[1]] / per_work[worst[0]]))), worst


def _list(values: list[float]) -> str:
    return " ".join(f"{value:.3g}" for value in values)
