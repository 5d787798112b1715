"""All 20 published decoders in integers beside floats, on a synthetic cortex; see README.md.

``python -m examples.tinyrsnn.evaluate [--cases FOLDER]`` prints a line for each decoder, its
figures under NeuroBench's names, and writes ``result.json``.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import neurodeploy as nd
from examples.shared import Result, add_cases, case, energy_of, priced, progress, stated_errors
from neurodeploy.network import Network
from neurodeploy.profiling.benchmarks import neurobench

from .deploy import deploy
from .network import DT_SECONDS, connection_sparsity, cortex, footprint, load
from .rounded import decoded, noisy

SAMPLES, STEPS, DRAWS = 24, 500, 8
"""Samples are as long as those that the decoders were trained on: 2 s."""

WANTED = 0.98
REFERENCE = "R² 0.660 (mean of six sessions; recordings not here)"


@dataclass(frozen=True)
class Agreement:
    """How near integers stay to floats.

    Attributes
    ----------
    integers : float
        Correlation of the readout with the float network's, mean of x and y.
    noise : tuple of float
        The same of the float network with half a percent of noise on its own weights, each draw.
    """

    integers: float
    noise: tuple[float, ...]

    @property
    def holds(self) -> bool:
        """Whether integers reach 0.98, or are not below what the noise leaves."""
        return self.integers >= WANTED or self.integers >= min(self.noise)


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Of readouts [samples, steps, 2], over all samples and steps; mean of x and y."""
    return float(np.mean([np.corrcoef(a[..., k].ravel(), b[..., k].ravel())[0, 1] for k in (0, 1)]))


def agreement(
    net: Network, fixed: Network, inputs: NDArray[np.uint8], draws: int = DRAWS
) -> Agreement:
    """Compare integers, and floats with noise, with the float network."""
    exact = decoded(net, inputs)[1]
    noise = tuple(correlation(exact, decoded(noisy(net, draw), inputs)[1]) for draw in range(draws))
    return Agreement(correlation(exact, decoded(fixed, inputs)[1]), noise)


def quantized(net: Network) -> Network:
    """Round to 8 bits, calibrated on samples of the cortex that nothing is measured on."""
    return nd.quantize(net, nd.QuantConfig(8), cortex(4, STEPS, net.input.size, seed=1)[0])


def metrics(
    path: Path, net: Network, fixed: Network, inputs: NDArray[np.uint8]
) -> dict[str, float]:
    """Figures under NeuroBench's names: of the file, of the float network, of the integers."""
    floats = nd.run(net, inputs, backend="float", record=("counts",))
    whole = neurobench(fixed, nd.run(fixed, inputs, record=("counts",)), bytes_per_weight=1)
    operations = neurobench(net, floats, bytes_per_weight=2)["SynapticOperations"]
    return {
        "Footprint": footprint(path),
        "ConnectionSparsity": connection_sparsity(path),
        "ActivationSparsity": whole["ActivationSparsity"],
        "Effective_ACs": operations["Effective_ACs"] / STEPS,
        "Dense": operations["Dense"] / STEPS,
        "Effective_ACs, integers": whole["SynapticOperations"]["Effective_ACs"] / STEPS,
    }


def line(name: str, found: Agreement, seen: dict[str, float]) -> str:
    """A decoder in a line."""
    return (
        f"{name}: r {found.integers:.3f} in integers, {np.mean(found.noise):.3f} "
        f"({min(found.noise):.3f} to {max(found.noise):.3f}) of noise, "
        f"{'holds' if found.holds else 'BELOW'}; Footprint {seen['Footprint']:,} B, "
        f"ConnectionSparsity {seen['ConnectionSparsity']:.3f}, "
        f"ActivationSparsity {seen['ActivationSparsity']:.3f}, "
        f"Effective_ACs {seen['Effective_ACs']:.0f} of Dense {seen['Dense']:,.0f} a step"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_cases(parser)
    given = parser.parse_args()
    folder = case(given, "systems", "tinyrsnn_all")
    figures, everything = {}, []
    with progress() as bar:
        for path in bar.track(sorted(folder.glob("*.npz")), description="decoders"):
            net = load(path)
            fixed = quantized(net)
            inputs, _ = cortex(SAMPLES, STEPS, net.input.size, seed=2)
            found, seen = agreement(net, fixed, inputs), metrics(path, net, fixed, inputs)
            everything.append(found)
            figures[path.stem] = asdict(found) | seen
            print(line(path.stem, found, seen), flush=True)
    first = sorted(folder.glob("*.npz"))[0]
    ready = deploy(first)
    equal = ready.verification is not None and ready.verification.equal
    print("\n".join(ready.lines()))
    net = load(first)
    fixed = quantized(net)
    cost = priced(fixed, cortex(4, STEPS, net.input.size, seed=2)[0])
    held = sum(f.holds for f in everything)
    above = sum(f.integers >= np.mean(f.noise) for f in everything)
    mean, noise = (np.mean([getattr(f, n) for f in everything]) for n in ("integers", "noise"))
    integers = (
        f"r {mean:.3f} to floats, mean of {len(everything)} nets ({noise:.3f} under 0.5 % of "
        f"noise); {held} of {len(everything)} not below that noise"
    )
    print(f"{integers}; {above} at or above its mean")
    place = Result(
        system="Finger velocity, tinyRSNN (synthetic cortex)",
        reference=REFERENCE,
        floats="1 (the reference of r)",
        integers=integers,
        lava="yes, 1 sample" if equal else "no",
        cores=str(nd.fit(fixed, "loihi2").cores_used),
        energy=f"{energy_of(cost)}, for 2 s",
        training="none here: published weights",
        data=f"synthetic: cosine-tuned Poisson neurons, {SAMPLES} x {STEPS * DT_SECONDS:g} s",
        command="python -m examples.tinyrsnn.evaluate",
        figures=figures,
    ).write(Path(__file__).parent)
    print(f"{place} written")


if __name__ == "__main__":
    with stated_errors("tinyrsnn"):
        main()
