"""The recipe of tinyRSNN on a synthetic cortex, from initial weights to integers; see README.md.

``python -m examples.tinyrsnn.train --out run --seed 0``: pretraining on several sessions,
fine-tuning on one, pruning in rounds, half precision, 8 bits. The same command goes on from the
checkpoint where it was stopped. Nothing here says anything about an animal.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import neurodeploy as nd
from examples.shared import commit, stated_errors, written_whole
from examples.training import Training
from neurodeploy.network import Dense, FloatLIF, Network, Population, Projection, Source
from neurodeploy.network.fixed_point import DECAY_UNITY
from neurodeploy.profiling.benchmarks import neurobench
from neurodeploy.training import init
from neurodeploy.training.layers import LIF
from neurodeploy.training.sparsity import Round, Schedule, half_precision, prune_in_rounds
from neurodeploy.training.surrogates import Surrogate
from neurodeploy.training.torch_network import compute_in

from .network import DT_SECONDS, MEMBRANE_SECONDS, SYNAPSE_SECONDS, cortex
from .rounded import decoded

INPUTS, HIDDEN, STEPS = 96, 64, 250
READOUT_SECONDS = 50e-3
"""Of the readout's membrane at the start, as published."""

SESSIONS = (1, 2, 3, 4)
"""All are pretrained on; the first is the one that is fine-tuned on and measured."""

SAMPLES = {"train": 192, "validation": 96, "test": 96}
EPOCHS = {"pretraining": 12, "fine-tuning": 30, "pruning": 12}
RATES = {"pretraining": 4e-3, "fine-tuning": 2e-3, "pruning": 2e-3}

SCHEDULE = Schedule(first=0.4, steps=(0.1, 0.05), tolerance=0.02)
DROPOUT = 0.3
LEAST_SPIKES, LEAST_PRICE = 1e-3, 100.0
MOST_SPIKES, MOST_PRICE = 10.0, 0.01
"""Spikes of a neuron in 2 s beyond which it pays, and the factors of the squares; as published."""

Data = tuple[torch.Tensor, torch.Tensor]
Parts = dict[str, Data]


def keep(seconds: float) -> float:
    """What a state keeps of itself in a step."""
    return math.exp(-DT_SECONDS / seconds)


def decoder(hidden: int = HIDDEN) -> torch.nn.Sequential:
    """96 inputs, recurrent neurons, 2 leaky integrators; each has time constants of its own.

    Neurons are in the chip's order of operations; stork's are in another, see `network`.
    """
    trains = ("current_keep", "voltage_keep")
    current_keep = keep(SYNAPSE_SECONDS)
    made = torch.nn.Sequential(
        torch.nn.Dropout(DROPOUT),
        LIF(
            torch.nn.Linear(INPUTS, hidden, bias=False),
            recurrent=torch.nn.Linear(hidden, hidden, bias=False),
            current_keep=current_keep, voltage_keep=keep(MEMBRANE_SECONDS), trains=trains,
            surrogate=Surrogate("super-spike", slope=20.0),
        ),
        torch.nn.Dropout(DROPOUT),
        LIF(
            torch.nn.Linear(hidden, 2, bias=False),
            current_keep=current_keep, voltage_keep=keep(READOUT_SECONDS), trains=trains,
            sends="voltage",
        ),
    )  # fmt: skip
    compute_in(made, whole=False)
    return made


def start(model: torch.nn.Sequential, inputs: torch.Tensor, seed: int) -> None:
    """Draw weights so that membranes fluctuate by half a threshold, at the inputs' own rate."""
    init.fluctuation(model, inputs, xi=2.0, alpha=0.9, seed=seed)
    for layer in (model[1], model[3]):
        layer.scale.fill_(1 << 10)  # a power of two: in floats the threshold is 1 exactly


def session(number: int, samples: Mapping[str, int] = SAMPLES, steps: int = STEPS) -> Parts:
    """Movements of one session that no other session and no other part has."""
    found = {}
    for index, (part, count) in enumerate(samples.items()):
        seed = 1000 + 10 * number + index
        spikes, velocity = cortex(count, steps, INPUTS, seed, session=number)
        found[part] = torch.from_numpy(spikes).float(), torch.from_numpy(velocity).float()
    return found


def together(sessions: list[Parts]) -> Parts:
    """Join the parts of several sessions."""
    return {
        part: (torch.cat([s[part][0] for s in sessions]), torch.cat([s[part][1] for s in sessions]))
        for part in sessions[0]
    }


def r_squared(wanted: NDArray[Any], given: NDArray[Any]) -> float:
    """R^2 over all samples and steps, mean of x and y."""
    axes = (0, 1)
    left = ((wanted - given) ** 2).sum(axes)
    return float(np.mean(1 - left / ((wanted - wanted.mean(axes)) ** 2).sum(axes)))


class FingerTraining(Training):
    """Of a decoder, in floats; what classifiers call accuracy is R^2 here."""

    batch = 64
    model: torch.nn.Sequential

    def make(self) -> torch.nn.Sequential:
        """See `Training`."""
        self.rate = RATES[self.settings["stage"]]
        return decoder(self.settings["hidden"])

    def learn_epoch(self, x: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
        """Go through all samples once; give the mean RMSE, and R^2 with dropout."""
        torch.manual_seed(1_000_003 * (self.settings["seed"] + 1) + self.epoch)
        done = self.epoch / self.settings["epochs"]
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * 0.5 * (1 + math.cos(math.pi * done))
        lost, given = 0.0, torch.empty_like(labels)
        for batch in torch.randperm(len(labels)).split(self.batch):
            hidden = self.model[:2](x[batch])
            out = self.model[2:](hidden)
            loss = (out - labels[batch]).square().mean().sqrt()
            self.optimiser.zero_grad()
            (loss + activity_price(hidden)).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
            self.optimiser.step()
            lost += loss.item() * len(batch)
            given[batch] = out.detach()
        self.epoch += 1
        return lost / len(labels), r_squared(labels.numpy(), given.numpy())

    def accuracy(self, x: torch.Tensor, labels: torch.Tensor) -> float:
        """R^2 without dropout."""
        self.model.eval()
        with torch.no_grad():
            return r_squared(labels.numpy(), self.model(x).numpy())


def activity_price(hidden: torch.Tensor) -> torch.Tensor:
    """What neurons pay that are silent or too busy: squares beyond two bounds, as published."""
    spikes = hidden.sum(1).mean(0) * (2.0 / (DT_SECONDS * hidden.shape[1]))
    least = (LEAST_SPIKES - spikes).clamp(min=0).square().mean()
    most = (spikes - MOST_SPIKES).clamp(min=0).square().mean()
    price: torch.Tensor = LEAST_PRICE * least + MOST_PRICE * most
    return price


def prune(
    model: torch.nn.Sequential, parts: Parts, settings: Mapping[str, Any], schedule: Schedule
) -> list[Round]:
    """Prune in rounds; each trains with an optimiser of its own, validation decides."""

    def stage() -> FingerTraining:
        made = FingerTraining(settings)
        made.model = model
        made.optimiser = torch.optim.Adam(made.groups(), lr=made.rate)
        return made

    def train() -> None:
        made = stage()
        while made.epoch < settings["epochs"]:
            made.learn_epoch(*parts["train"])

    def score() -> float:
        return stage().accuracy(*parts["validation"])

    rounds = prune_in_rounds(model, train, score, schedule)
    for one in rounds:
        what = "kept" if one.kept else "taken back"
        print(f"pruned {one.share:.0%}: validation R² {one.score:.3f}, {what}", flush=True)
    return list(rounds)


def to_floats(model: torch.nn.Sequential) -> Network:
    """The decoder as a network of float neurons."""
    held = {name: p.detach().numpy() for name, p in model.named_parameters()}
    hidden, readout = model[1], model[3]
    feed, loop = (
        held[f"1.{name}.weight"] * getattr(hidden, f"keep{index}").numpy()
        for index, name in enumerate(("synapse", "recurrent"))
    )
    read = held["3.synapse.weight"] * readout.keep0.numpy()
    keeps = {
        name: (1 - np.rint((1 - p.astype(np.float64)) * DECAY_UNITY) / DECAY_UNITY)
        for name, p in held.items()
        if name.endswith("_keep")
    }  # as layers have them, in the chip's steps
    firing, leaking = (
        {n: keeps[f"{layer}.{n}"].astype(np.float32) for n in ("current_keep", "voltage_keep")}
        for layer in (1, 3)
    )
    return Network(
        (
            Population("input", feed.shape[1:], Source()),
            Population("hidden", loop.shape[:1], FloatLIF(**firing)),
            Population("readout", read.shape[:1], FloatLIF(**leaking, sends="voltage",
                                                           reset="none")),
        ),
        (
            Projection("input", "hidden", Dense(feed)),
            Projection("hidden", "hidden", Dense(loop)),
            Projection("hidden", "readout", Dense(read)),
        ),
    )  # fmt: skip


def linear(parts: Parts) -> float:
    """R^2 on the test part of least squares on spikes that three exponentials smooth."""

    def smooth(x: torch.Tensor) -> NDArray[np.float64]:
        state, found = np.zeros((3, len(x), x.shape[2])), []
        keeps = np.array([keep(s) for s in (0.02, 0.05, 0.1)])[:, None, None]
        for now in x.numpy().swapaxes(0, 1):
            state = keeps * state + now
            found.append(np.concatenate([*state, np.ones((len(x), 1))], 1))
        return np.stack(found, 1)

    (x, y), (shown, wanted) = parts["train"], parts["test"]
    made = smooth(x)
    fit = np.linalg.lstsq(made.reshape(-1, made.shape[2]), y.numpy().reshape(-1, 2), rcond=None)[0]
    return r_squared(wanted.numpy(), smooth(shown) @ fit)


def footprint(half: Mapping[str, torch.Tensor]) -> int:
    """Bytes of the parameters in half precision; masks and scales are no parameters."""
    return sum(v.numel() * v.element_size() for v in half.values() if v.dtype == torch.float16)


def measured(net: Network, data: Data) -> dict[str, float]:
    """R^2 of a network on the engine, and figures under NeuroBench's names, a step."""
    inputs, wanted = data[0].numpy().astype(np.uint8), data[1].numpy()
    spikes, v = decoded(net, inputs)
    unit = 1.0
    if not net.is_float:
        made = nd.run(net, inputs[:1], record=("v",))["readout"]
        ours, chip = made.in_trained_units("v"), made.v
        unit = float(ours.sum() / chip.sum())
    backend = "float" if net.is_float else "engine"
    seen = neurobench(net, nd.run(net, inputs, backend=backend, record=("counts",)))
    return {
        "R2": r_squared(wanted, v * unit),
        "ConnectionSparsity": seen["ConnectionSparsity"],
        # Of the neurons that spike: a float readout counts as one that sends in every step.
        "ActivationSparsity": 1 - float(spikes.mean()),
        "Effective_ACs": seen["SynapticOperations"]["Effective_ACs"] / inputs.shape[1],
    }


def recipe(
    seed: int,
    sessions: list[Parts],
    out: Path,
    epochs: Mapping[str, int] = EPOCHS,
    hidden: int = HIDDEN,
    schedule: Schedule = SCHEDULE,
) -> dict[str, Any]:
    """Go through the whole recipe; give what was measured on the first session's test part."""
    folder, everything, own = out / str(seed), together(sessions), sessions[0]
    settings = {"seed": seed, "hidden": hidden}
    first = FingerTraining(settings | _stage("pretraining", epochs))
    start(first.model, everything["train"][0][:64], seed)
    found: dict[str, Any] = {"pretraining": first.run(everything, folder / "pretraining", 5)}
    tuned = FingerTraining(settings | _stage("fine-tuning", epochs))
    tuned.model.load_state_dict(first.model.state_dict())
    found["before fine-tuning"] = {name: tuned.accuracy(*part) for name, part in own.items()}
    found["fine-tuning"] = tuned.run(own, folder / "fine-tuning")
    model = tuned.model
    found["float"] = measured(to_floats(model), own["test"])
    began = time.process_time()
    rounds = prune(model, own, settings | _stage("pruning", epochs), schedule)
    found["pruning"] = {
        "rounds": [[one.share, one.score, one.kept] for one in rounds],
        "cpu_seconds": time.process_time() - began,
    }
    found["pruned"] = measured(to_floats(model), own["test"])
    half = half_precision(model)
    with written_whole(folder / "half.pt") as temporary:
        torch.save(half, temporary)
    model.load_state_dict(half)
    net = to_floats(model)
    found["half"] = measured(net, own["test"])
    found["Footprint"] = footprint(half)
    shown = own["validation"][0][:16].numpy().astype(np.uint8)
    fixed = nd.quantize(net, nd.QuantConfig(8), shown)
    found["integers"] = measured(fixed, own["test"])
    found["linear"] = linear(own)
    nd.save(fixed, folder / "decoder.net")
    return found


def _stage(name: str, epochs: Mapping[str, int]) -> dict[str, Any]:
    return {"stage": name, "epochs": epochs[name]}


def lines(seed: int, found: Mapping[str, Any]) -> list[str]:
    """What was measured, as rows of the README's table."""
    stages = ("float", "pruned", "half", "integers")
    return [
        f"| {seed} | {stage} | {one['R2']:.3f} | {one['ConnectionSparsity']:.3f} | "
        f"{one['ActivationSparsity']:.3f} | {one['Effective_ACs']:.0f} |"
        for stage, one in ((stage, found[stage]) for stage in stages)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("run"), help="folder; made if missing")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--figures", type=Path, metavar="JSON", help="write all figures, too")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sessions = [session(number) for number in SESSIONS]
    everything = {}
    for seed in given.seed:
        found = everything[str(seed)] = recipe(seed, sessions, given.out)
        print(f"synthetic cortex, seed {seed}, session {SESSIONS[0]}, test part:")
        print("\n".join(lines(seed, found)))
        print(f"linear decoder R² {found['linear']:.3f}; Footprint {found['Footprint']:,} B")
        if given.figures is not None:
            tree = commit(Path(__file__).parent)
            held = {"data": "synthetic", "commit": tree, "seeds": everything}
            with written_whole(given.figures) as temporary:
                temporary.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with stated_errors("tinyrsnn"):
        main()
