"""Deploy the event digits and evaluate them; see README.md beside this file.

``python examples/event_digits/run.py [--lava SAMPLES] [--json result.json]``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import saccades
from train import NAME, float_network

import neurodeploy as nd
from neurodeploy.errors import NeurodeployError
from neurodeploy.evaluation import Evaluation
from neurodeploy.exporting.deploy import Deployment
from neurodeploy.files import written_whole
from neurodeploy.inputs.data_sets import as_data_set
from neurodeploy.network import Network
from neurodeploy.numbers import si

HERE = Path(__file__).resolve().parent
EXPORTS = HERE.parents[1] / "netx_exports"
SCHEDULER = "processes:2"
CHIP = "loihi2"


def deployed(network: Network, items: saccades.EventDigits) -> Deployment:
    """The network made ready for Loihi 2, measured on some samples, its first run on Lava."""
    inputs, labels = first(items, 20)
    return nd.deploy(network, CHIP, inputs=inputs, labels=labels, what="20 validation samples")


def first(items: saccades.EventDigits, number: int) -> tuple[np.ndarray, Any]:
    """The first samples of a part, binned as ``nd.evaluate`` bins them."""
    number = min(number, len(items))
    return as_data_set(items, steps=saccades.STEPS, bin=saccades.BIN).read(0, number)


def evaluated(
    network: Network, items: saccades.EventDigits, backend: str = "engine", **how: Any
) -> Evaluation:
    """Streams of events in, scores out. Floats have no chip's steps and no energy."""
    steps, chip = saccades.STEPS, CHIP
    if backend == "float":  # the chip takes a step for each hop: both decide on the same events
        steps, chip = steps - network.hops(network.output.name), None
    return nd.evaluate(
        network, items, bin=saccades.BIN, steps=steps, backend=backend, chip=chip, **how
    )


def on_lava(network: Network, items: saccades.EventDigits, number: int) -> bool:
    """Whether Lava sends the same spikes in every population."""
    inputs, labels = first(items, number)
    found = nd.verify(network, inputs, backend="lava", labels=labels)
    print(f"Lava, {len(inputs)} test samples: {found.comparison.summary()}")
    return found.equal


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", type=Path, default=EXPORTS / f"{NAME}.net")
    parser.add_argument("--scheduler", default=SCHEDULER, help="as of neurodeploy evaluate")
    parser.add_argument("--samples", type=int, help="the first of the test part alone")
    parser.add_argument("--lava", type=int, default=5, metavar="SAMPLES", help="so many on Lava")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    given = parser.parse_args(arguments)
    try:
        figures = run(given)
        if given.json is not None:
            with written_whole(given.json) as temporary:
                text = json.dumps(result(figures, given), indent=1, ensure_ascii=False)
                temporary.write_text(text + "\n", encoding="utf-8")
    except NeurodeployError as error:
        print(f"run: {error}", file=sys.stderr)
        return 2
    return 0 if figures["lava_equal"] is not False else 1


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Print all of it, and give it."""
    test = saccades.load("test")
    if given.samples is not None:
        test = saccades.EventDigits(test.images[: given.samples], test.labels[: given.samples])
    network = nd.load(given.net)
    with np.load(given.net.with_name(f"{given.net.stem}_float.npz"), allow_pickle=False) as data:
        floats = float_network({name: data[name] for name in data.files})
    ready = deployed(network, saccades.load("validation"))
    print(*(f"{step.name}: {step.text}" for step in ready.steps), *ready.lines(), sep="\n")
    before = evaluated(floats, test, "float")
    print(f"floats: {before.figures['accuracy']}")
    assert ready.placement is not None
    how = {"placement": ready.placement, "scheduler": given.scheduler}
    score = evaluated(ready.network, test, **how)
    assert score.profile is not None
    print(score)
    equal = on_lava(ready.network, test, given.lava) if given.lava else None
    return {
        "float": round(before.accuracy, 4),
        "integers": round(score.accuracy, 4),
        "lava_equal": equal,
        "cores": ready.placement.cores_used,
        "energy_joules": float(f"{score.profile.energy_joules:.3g}"),
        "dynamic_joules": float(f"{score.profile.dynamic_joules:.3g}"),
    }


def result(figures: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    """What ``result.json`` says: a row of text, the figures, and what made them."""
    made = json.loads((HERE / "seeds.json").read_text(encoding="utf-8"))
    seed = next(row for row in made["seeds"] if row["seed"] == made["picked"])
    lava = {None: "not tried", True: f"yes, {given.lava} samples", False: "no"}
    return {
        "system": "Event digits, saccades of an ideal sensor",
        "reference": "none: the data is made here",
        "floats": f"{figures['float']:.2%}",
        "integers": f"{figures['integers']:.2%}",
        "lava": lava[figures["lava_equal"]],
        "cores": str(figures["cores"]),
        "energy": f"{si(figures['dynamic_joules'], 'J')} dynamic, "
        f"{si(figures['energy_joules'], 'J')} in all ({CHIP}, estimated)",
        "training": f"{seed['cpu_seconds']} CPU-seconds, SLAYER; validation picks 1 of "
        f"{len(made['seeds'])} seeds",
        "data": "scikit-learn's digits as events, the last 360 to test",
        "command": "python examples/event_digits/run.py --json examples/event_digits/result.json",
        "figures": {**figures, "training_seconds": seed["cpu_seconds"], "seeds": made["seeds"]},
        "commit": commit(),
    }


def commit() -> str:
    """The commit of this tree; with a ``+`` where it was changed since, empty without git."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=HERE, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
