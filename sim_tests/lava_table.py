"""What each process of Lava is here, as the table in docs/lava.md: found out by building each.

python -m sim_tests.lava_table      writes the table anew
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy import network as n

PAGE = Path(__file__).parents[1] / "docs" / "lava.md"
START, END = "<!-- table: python -m sim_tests.lava_table -->\n", "<!-- end of table -->\n"
SIZE = 3

NEURONS = (
    n.CubaLIF(10, 20, 30),
    n.GeneralCubaLIF(10, 20, 30),
    n.ModulatedLIF(10, 20, 30),
    n.LeakyIntegrator(10, 20),
    n.Threshold(30),
    n.TernaryLIF(10, 20, 30, -30),
    n.ALIF(10, 20, 30, 40, 50, 6),
    n.ResonateFire(10, 20, 30),
    n.ResonateFireIzhikevich(10, 20, 30),
    n.ResonateFireZero(10, 20, 30),
    n.Product(30),
    n.GradedThreshold(30),
    n.GradedThreshold(30, rectify=True),
    n.Delta(30),
    n.SigmaDelta(30),
    n.GeneralSigmaDelta(30),
    n.Sigma(),
)
_MATRIX = np.full((SIZE, SIZE), 2, np.int32)
SYNAPSES = (
    n.Dense(_MATRIX),
    n.Sparse.from_dense(_MATRIX),
    n.DelayedDense(_MATRIX, np.ones((SIZE, SIZE), np.int32)),
    n.DelayedSparse.of(_MATRIX, np.ones((SIZE, SIZE), np.int32)),
    n.ComplexDense(_MATRIX, _MATRIX),
    n.Complex(n.Sparse.from_dense(_MATRIX), n.Sparse.from_dense(_MATRIX)),
    n.Conv(np.full((1, 1, 1, 1), 2, np.int32)),
    n.ComplexConv(*[np.full((1, 1, 1, 1), 2, np.int32)] * 2),
)

MISSING = {
    "ATRLIF": "on Lava graded spikes and another unit of the input; its bias enters v, SLAYER's "
    "(and ours) the current: `lava` sends it there from a process of its own, `loihi2` refuses it",
    "Conv": "on Lava delays of axons before it",
    "ConvInTime": "it sends floats, which no fixed-point neuron of Lava's takes; `TemporalFIR` "
    "runs as a `DelayDense` for each tap (`taps_as_delays`)",
    "DelayDense": "delays beyond 63 steps",
    "DelaySparse": "as DelayDense",
    "Delta": "here `cum_error`",
    "Dense": "weights beyond 8 bits and an exponent",
    "GradedReluVec": "",
    "GradedVec": "",
    "IdBroadcast": "is `GradedThreshold(0)`; not built",
    "InvSqrt": "a model here; Lava's takes one neuron and ignores `fp_base`",
    "LIF": "on Lava soft and late resets, refractory periods, graded spikes, other units of the "
    "input, biases beyond 16 bits",
    "LIFRefractory": "a fixed-point model in Lava; the engine has `GeneralCubaLIF(refractory=)`",
    "LIFReset": "`loihi2` builds it; `lava` sets u and v of LIF to zero in the same steps",
    "LearningDense": "learning here",
    "LearningLIF": "learning here",
    "LearningSparse": "learning here",
    "NormVecDelay": "neurons here with two outputs",
    "ProdNeuron": "",
    "PrototypeLIF": "learning here",
    "RF": "on Lava graded spikes, inputs in a unit below the state's",
    "RFZero": "",
    "RF_IZ": "as RF",
    "S4d": "a fixed-point model in Lava",
    "Sigma": "",
    "SigmaDelta": "here `cum_error`; on Lava an activation with a bound above",
    "SigmaS4dDelta": "a fixed-point model in Lava",
    "SigmaS4dDeltaLayer": "a fixed-point model in Lava",
    "Sparse": "as Dense",
    "TernaryLIF": "on Lava a lower threshold above the upper one",
}
"""What is missing between a process and what is ours, on which side."""


def modules() -> Iterator[Any]:
    """All modules of ``lava.proc``, most of whose folders are no packages."""
    import lava.proc

    for root in map(Path, lava.proc.__path__):
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield importlib.import_module(".".join(("lava.proc", *parts)))


def processes() -> dict[type, set[str]]:
    """Lava's processes that have a model, with the tags of all their models."""
    from lava.magma.core.model.model import AbstractProcessModel

    found: dict[type, set[str]] = {}
    for module in modules():
        for made in vars(module).values():
            if isinstance(made, type) and issubclass(made, AbstractProcessModel):
                process = getattr(made, "implements_process", None)
                if process and made.__module__ == module.__name__:
                    tags = set(getattr(made, "tags", ())) or {"fixed_pt"}
                    found.setdefault(process, set()).update(tags)
    return {p: tags for p, tags in found.items() if p.__module__.startswith("lava.proc.")}


def built() -> dict[str, tuple[list[str], list[str]]]:
    """Of each process that the backends build: our models, and its variables of one value."""
    from neurodeploy.backends.lava import build

    found: dict[str, tuple[list[str], list[str]]] = {}

    def note(process: Any, ours: object) -> None:
        shared = [v.name for v in process.vars if v.shape == (1,) and v.name not in INNER]
        names, _ = found.setdefault(type(process).__name__, ([], shared))
        if type(ours).__name__ not in names:
            names.append(type(ours).__name__)

    for neuron in NEURONS:
        note(build.neurons(neuron, (SIZE,)), neuron)
        process = build.neurons(neuron, (SIZE,), resets=(8, 1))
        if type(process).__name__ == "LIFReset":
            note(process, neuron)
    source = n.Population("a", (1, SIZE, 1), n.Source())
    for synapse in SYNAPSES:
        for part in build.parts_of(n.Projection("a", "b", synapse)):
            if build.is_conv(part.synapse):
                note(build.conv(part.synapse, source.shape, 0), synapse)
            else:
                note(build.matrix(part, source, 0), synapse)
    return found


INNER = {"num_message_bits", "num_weight_bits", "state_exp", "spike_exp", "decay_bits", "exp",
         "cum_error", "weight_exp", "groups"}  # fmt: skip
"""Variables that are no parameter of a neuron."""


def table() -> str:
    """The table's lines: neurons and synapses; what only moves data to and from the host is not."""
    ours = built()
    lines = [
        "| process of Lava 0.10 | fixed point | here | one value for all neurons | missing |\n",
        "|---|---|---|---|---|\n",
    ]
    for process, tags in sorted(processes().items(), key=lambda item: item[0].__name__):
        name = process.__name__
        if name not in MISSING:
            continue
        fixed = "yes" if tags - {"floating_pt"} else "no"
        names, shared = ours.get(name, ([], []))
        here = ", ".join(f"`{model}`" for model in names) or "no"
        one = ", ".join(f"`{name}`" for name in shared)
        lines.append(f"| `{name}` | {fixed} | {here} | {one} | {MISSING[name]} |\n")
    return "".join(lines)


def others() -> set[str]:
    """Names of the processes that the table leaves out."""
    return {process.__name__ for process in processes()} - set(MISSING)


def main() -> None:
    """Write the table into its page."""
    before, rest = PAGE.read_text().split(START)
    _, after = rest.split(END)
    PAGE.write_text(before + START + table() + END + after)


if __name__ == "__main__":
    main()
