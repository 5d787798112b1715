"""What rounding the decoder to 8 bits costs, beside half a percent of noise; see README.md.

``python -m examples.tinyrsnn.rounded indy01_seed1.npz [--report rounded.html]``
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from neurodeploy.network import Network

from .network import load, poisson

STEPS, RATE, NOISE = 4000, 0.05, 0.005
Decoded = tuple[NDArray[Any], NDArray[np.float64]]


def decoded(net: Network, inputs: NDArray[Any]) -> Decoded:
    """Spikes of the recurrent neurons and the readout's voltage, hops taken off."""
    late = int(not net.is_float)
    backend = "float" if net.is_float else "engine"
    steps = inputs.shape[1]
    made = nd.run(net, inputs, backend=backend, steps=steps + 2 * late, record=("spikes", "v"))
    return (
        made["hidden"].spikes[:, late : steps + late],
        made["readout"].v[:, 2 * late : steps + 2 * late].astype(np.float64),
    )


def agreement(a: Decoded, b: Decoded) -> tuple[float, float]:
    """Coincidence of spikes and mean correlation of the readout."""
    (spikes, v), (others, w) = a, b
    coincidence = 2 * (spikes * others).sum() / (spikes.sum() + others.sum())
    correlations = [
        np.corrcoef(v[s, :, k], w[s, :, k])[0, 1] for s in range(len(v)) for k in range(2)
    ]
    return float(coincidence), float(np.mean(correlations))


def noisy(net: Network, seed: int) -> Network:
    """Every weight times 1 + half a percent of a normal deviate."""
    random = np.random.default_rng(seed)
    projections = []
    for p in net.projections:
        exact: Any = p.synapse
        factor = 1 + NOISE * random.normal(size=exact.weight.shape)
        weight = (exact.weight * factor).astype(np.float32)
        projections.append(replace(p, synapse=replace(exact, weight=weight)))
    return replace(net, projections=tuple(projections))


def against_noise(net: Network, fixed: Network, seed: int) -> dict[str, tuple[float, float]]:
    """Agreement with the float network, of noise (mean of 4 draws) and of integers, new inputs."""
    inputs = poisson(6, STEPS, RATE, seed, net.input.size)
    exact = decoded(net, inputs)
    noise = [agreement(exact, decoded(noisy(net, draw), inputs)) for draw in range(4)]
    mean = float(np.mean([c for c, _ in noise])), float(np.mean([r for _, r in noise]))
    return {"noise": mean, "integers": agreement(exact, decoded(fixed, inputs))}


def mismatches(fixed: Network, seed: int) -> tuple[int, int]:
    """Spikes that stork's equations and the engine do not share, with the same integers; spikes."""
    inputs = poisson(1, STEPS, RATE, seed, fixed.input.size)
    into: dict[str, Any] = dict.fromkeys(("input", "hidden"), 0)
    for p in fixed.into("hidden"):
        synapse: Any = p.synapse
        weight = synapse.to_dense() if synapse.kind == "sparse" else synapse.weight
        into[p.source] = into[p.source] + weight.astype(np.int64)
    hidden = fixed["hidden"].neuron
    spikes = stork(into["input"], into["hidden"], hidden, inputs[0].astype(np.int64))
    ours, _ = decoded(fixed, inputs)
    return int((ours[0, : STEPS - 2] != spikes[2:STEPS]).sum()), int(spikes.sum())


def stork(w_in: Any, w_rec: Any, hidden: Any, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Spike from the last voltage; then current into voltage, input into current.

    As ``stork.nodes.LIFGroup.forward`` has it, v and current of the step before.
    """
    size = len(w_rec)
    syn, mem, sent = (np.zeros(size, np.int64) for _ in range(3))
    made = np.zeros((len(x), size), np.int64)
    for t, now in enumerate(x):
        current = w_in @ now + w_rec @ sent
        sent = (mem > 64 * hidden.threshold).astype(np.int64)
        made[t] = sent
        mem = (shrunk(mem, hidden.voltage_decay) + syn) * (1 - sent)
        syn = shrunk(syn, hidden.current_decay) + 64 * current
    return made


def shrunk(x: NDArray[np.int64], decay: Any) -> Any:
    return np.sign(x) * (np.abs(x) * (4096 - decay) >> 12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parameters", type=Path, metavar="NPZ", help="indy01_seed1.npz")
    parser.add_argument("--seed", type=int, default=2, help="of the inputs measured on")
    parser.add_argument("--report", type=Path, metavar="HTML", help="write a page, too")
    given = parser.parse_args()
    net = load(given.parameters)
    fixed = nd.quantize(net, nd.QuantConfig(8), poisson(4, 500, RATE, 1, net.input.size))
    found = against_noise(net, fixed, given.seed)
    differ, spikes = mismatches(fixed, given.seed)
    kinds = (("0.5 % of noise", found["noise"]), ("8 bits", found["integers"]))
    facts = [(f"{kind}: spikes that coincide", f"{values[0]:.1%}") for kind, values in kinds]
    facts += [(f"{kind}: readout correlation", f"{values[1]:.2f}") for kind, values in kinds]
    facts.append(("spikes that differ from stork's", f"{differ} of {spikes:,}"))
    for what, says in facts:
        print(f"{what}: {says}")
    if given.report is not None:
        nd.report(given.report, net=fixed, facts=facts, title="Finger decoder in 8 bits")


if __name__ == "__main__":
    main()
