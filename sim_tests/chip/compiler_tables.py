"""What Intel's Loihi 2 compiler printed, row by row, and which rules explain the rows.

``python -m sim_tests.chip.compiler_tables`` prints what each rule predicts for each row, and
docs/chip.md says what follows. Sources are notebooks of lava-dl's public repository unless a row
says otherwise.
Tables in absolute numbers are of 2022 and 2023 and give means over cores, cut to whole numbers;
those in percent are of 2024 and give the fullest core.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from neurodeploy.network import Conv, CubaLIF, Network, Population, Projection, Source

# Population, axon inputs, neurons, synapse words, axon maps, cores, block; last layer first.
# netx/pilotnet_snn/benchmark.ipynb, netx/pilotnet_sdnn/benchmark.ipynb, netx/oxford/run.ipynb.
PILOTNET_LIF = (
    ("10_dense", 10, 1, 10, 1, 1, None),
    ("9_dense", 50, 10, 150, 10, 1, None),
    ("8_dense", 100, 50, 1300, 50, 1, None),
    ("7_dense", 2560, 8, 7253, 8, 12, None),
    ("5_conv", 1, 2048, 2880, 1280, 2, (16, 2, 64)),
    ("4_conv", 1, 2048, 2160, 29, 3, (8, 4, 64)),
    ("3_conv", 2, 2688, 1620, 112, 3, (8, 7, 48)),
    ("2_conv", 2, 2160, 864, 113, 13, (4, 15, 36)),
    ("1_conv", 2, 3072, 81, 253, 25, (4, 32, 24)),
    ("input", 1, 3168, 0, 1015, 13, (16, 66, 3)),
)
PILOTNET_SDNN = tuple(
    (name, axons, neurons, {"8_dense": 1500, "4_conv": 2592}.get(name, words), *rest)
    for name, axons, neurons, words, *rest in PILOTNET_LIF[:-1]
)
OXFORD = (
    ("1_dense", 256, 100, 8064, 100, 2, None),
    ("0_dense", 200, 85, 5400, 85, 3, None),
)

# netx/mnist/run.ipynb: percent of 16,000 axon inputs, 4,095 neurons, 16,000 words, 16,000 maps and
# of 20,000 words in all; cores.
MNIST = (
    ("2_dense", 0.40, 0.24, 1.60, 0.06, 1.71, 1),
    ("1_dense", 0.80, 1.56, 16.80, 0.40, 14.72, 1),
    ("0_dense", 4.90, 1.22, 78.40, 0.31, 67.14, 3),
)


@dataclass(frozen=True)
class YoloRow:
    """A layer of YOLO-KP, netx/yolo_kp/run.ipynb and run_eth.ipynb, which print the same.

    Attributes
    ----------
    size, channels, stride : int
        Of the layer, whose kernels are 3 x 3, or 1 x 1 where `stride` is 0.
    bits : int
        Of its weights. They are in no wheel: it is a width that the printed memory leaves room for.
    block : (int, int, int)
    cores : int
    neurons, words, maps, memory, total : float
        Printed percentages of 4,095, 16,000, 16,000, 16,000 and 20,000; `memory` is ``AxonMem``.
    """

    size: int
    channels: int
    stride: int
    bits: int
    block: tuple[int, int, int]
    cores: int
    neurons: float
    words: float
    maps: float
    memory: float
    total: float


YOLO_KP = (
    YoloRow(224, 16, 2, 5, (8, 28, 16), 224, 87.52, 0.34, 1.40, 0.70, 19.88),
    YoloRow(112, 32, 2, 5, (8, 14, 32), 112, 87.52, 3.60, 0.70, 0.35, 21.65),
    YoloRow(56, 64, 2, 4, (4, 14, 64), 56, 87.52, 10.80, 0.35, 0.17, 26.99),
    YoloRow(28, 128, 2, 4, (4, 7, 128), 28, 87.52, 39.60, 0.17, 0.35, 50.03),
    YoloRow(28, 256, 1, 5, (4, 7, 128), 56, 87.52, 79.20, 0.17, 0.17, 81.57),
    YoloRow(14, 256, 2, 3, (8, 7, 64), 16, 87.52, 72.00, 0.35, 2.80, 78.05),
    YoloRow(14, 512, 1, 5, (8, 7, 64), 32, 87.52, 86.40, 0.35, 0.35, 87.61),
    YoloRow(14, 256, 0, 5, (2, 7, 256), 14, 87.52, 67.20, 0.09, 0.35, 72.04),
    YoloRow(14, 512, 1, 5, (8, 7, 64), 32, 87.52, 86.40, 0.35, 0.17, 87.47),
    YoloRow(14, 48, 0, 6, (4, 14, 48), 4, 65.64, 19.20, 16.80, 0.00, 42.26),
)
"""First layer first. No width of 1 to 6 and 8 bits gives the last row's 19.20 %."""


def yolo_kp() -> Network:
    """YOLO-KP's layers with stand-in weights."""
    populations = [Population("input", (3, 448, 448), Source())]
    projections = []
    for number, row in enumerate(YOLO_KP):
        before, kernel = populations[-1], 3 if row.stride else 1
        weight = np.zeros((row.channels, before.shape[0], kernel, kernel), np.int32)
        weight[0, 0, 0, :1], weight[-1] = 2 ** (row.bits - 1) - 1, -(2 ** (row.bits - 1))
        synapse = Conv(weight, stride=(max(1, row.stride),) * 2, padding=(kernel // 2,) * 2)
        shape = (row.channels, row.size, row.size)
        populations.append(Population(f"{number}_conv", shape, CubaLIF(0, 0, 1)))
        projections.append(Projection(before.name, f"{number}_conv", synapse))
    return Network(tuple(populations), tuple(projections))


# Rows whose column Total is printed or given, in words: axon inputs, neurons, synapse words, axon
# maps, total. profiling_slayer_version.ipynb, then profiling_torch_version.ipynb (S4D), whose words
# and totals are percentages of 16,000 and 20,000, last layer first.
S4D_TOTALS = (
    (10, 10, 0.19, 10, 0.30),
    (128, 10, 2.39, 10, 2.66),
    (128, 128, 30.60, 128, 26.41),
    (512, 128, 3.20, 128, 6.41),
    (128, 1024, 0.80, 512, 8.96),
    (3, 128, 0.66, 128, 1.83),
    (10, 10, 0.06, 10, 0.21),
    (128, 10, 3.08, 10, 3.21),
    (128, 128, 30.21, 128, 26.09),
    (3, 128, 0.67, 128, 1.83),
)
# lava-optimization, tutorial_QUBO_solver: the same in absolute numbers, one neuron group each.
QUBO_TOTALS = ((100, 2, 100, 3, 206), (200, 100, 370, 400, 1071), (0, 1, 0, 1, 3))


@dataclass(frozen=True)
class Lists:
    """A layer of lists, and on how many cores a compiler put it.

    Attributes
    ----------
    name, compiler : str
    sources, targets, bits : int
    cores : int
        0: the compiler ended with "Partitioning could not converge".
    """

    name: str
    compiler: str
    sources: int
    targets: int
    bits: int
    cores: int


LISTS = (
    Lists("PilotNet LIF 10-1", "2022", 10, 1, 8, 1),
    Lists("PilotNet LIF 50-10", "2022", 50, 10, 4, 1),
    Lists("PilotNet LIF 100-50", "2022", 100, 50, 4, 1),
    Lists("PilotNet LIF 2560-100", "2022", 2560, 100, 3, 12),
    Lists("PilotNet SDNN 100-50", "2022", 100, 50, 6, 1),
    Lists("PilotNet SDNN 2560-100", "2022", 2560, 100, 4, 12),
    Lists("Oxford 256-200", "2022", 256, 200, 8, 2),
    Lists("Oxford 200-256", "2022", 200, 256, 8, 3),
    Lists("MNIST 64-10", "2024", 64, 10, 8, 1),
    Lists("MNIST 128-64", "2024", 128, 64, 8, 1),
    Lists("MNIST 784-128", "2024", 784, 128, 8, 3),
    Lists("S4D 256-256", "2024", 256, 256, 4, 3),
    Lists("S4D 128-10", "2024", 128, 10, 8, 1),
    Lists("S4D 128-128", "2024", 128, 128, 5, 1),
    # sgluege/sdnn_loihi2_compiler_test, lava_loihi 0.5.0; its weights' bits are not known here.
    Lists("heat maps 11352-1000", "2022", 11_352, 1000, 8, 0),
)

POOL = 20_000
"""Words of a core in all: axon inputs + neuron groups + neurons + synapse words + axon maps."""


def cores_by(
    row: Lists, limit: int, words_per_axon: float = 0.0, pool: int | None = POOL
) -> tuple[int, tuple[int, ...]]:
    """Cores by one rule, and the words of a core at each halving on the way.

    Parameters
    ----------
    row : Lists
    limit : int
        Of the words of its lists plus `words_per_axon` for each of its axon inputs.
    words_per_axon : float
    pool : int or None
        Of all that a core holds; None: no such limit.
    """
    most, way = 4095, []
    while True:
        held = min(most, row.targets)
        words = row.sources * math.ceil((held * (row.bits + 12) + 10) / 64)
        way.append(words)
        worst = (words + words_per_axon * row.sources) / limit
        if pool is not None:
            worst = max(worst, (words + row.sources + 2 * held + 1) / pool)
        if worst <= 1:
            return math.ceil(row.targets / most), tuple(way)
        if most == 1:
            return 0, tuple(way)
        most = max(1, most // max(2, math.ceil(worst)))


def axon_memory(number: int) -> float:
    """``AxonMem`` of a layer of YOLO-KP by the one rule that was found; see docs/chip.md.

    An entry for each position and each of the next layer's blocks along z, halved for every axis
    along which a block of the next layer covers more than the layer's own.
    """
    if number == len(YOLO_KP) - 1:
        return 0.0
    row, after = YOLO_KP[number], YOLO_KP[number + 1]
    stride = max(1, after.stride)
    wider = sum(after.block[axis] * stride > row.block[axis] for axis in (0, 1))
    blocks = math.ceil(after.channels / after.block[2])
    return row.block[0] * row.block[1] * blocks / 2**wider


def main() -> None:
    """Print what the rules predict."""
    _print_rules()
    print("\nAxonMem of YOLO-KP, entries: printed, by the rule")
    for number, row in enumerate(YOLO_KP):
        print(f"  {row.size} x {row.size} x {row.channels}: {160 * row.memory:.0f}", end=", ")
        print(f"{axon_memory(number):.0f}")


def _print_rules() -> None:
    rules = {
        "lists 12,000 and kernels 16,000": lambda row: (12_000, 0.0, POOL),
        "12,000 in 2022, 16,000 in 2024": lambda row: (
            _of_version(row),
            0.0,
            None,
        ),
        "12,000 in 2022, 16,000 in 2024, 20,000 in all": lambda row: (_of_version(row), 0.0, POOL),
    }
    explained, (limit, each) = best_single_rule()
    rules[f"one rule: words + {each:g} x axons <= {limit:,}"] = lambda row: (limit, each, POOL)
    head = ("layer", "printed", *(f"[{i}]" for i in range(1, len(rules) + 1)))
    for number, name in enumerate(rules, 1):
        print(f"[{number}] {name}")
    print(f"the best of all rules of the last form explains {explained} of {len(LISTS)} rows")
    print("{:28}{:>9}{:>6}{:>6}{:>6}{:>6}".format(*head))
    for row in LISTS:
        found = [cores_by(row, *rule(row))[0] for rule in rules.values()]
        print(f"{row.name:28}{row.cores:9}" + "".join(f"{cores:6}" for cores in found))
    right = [sum(cores_by(r, *rule(r))[0] == r.cores for r in LISTS) for rule in rules.values()]
    print(f"{'rows explained':28}{len(LISTS):9}" + "".join(f"{n:6}" for n in right))
    print("printed on the way, 2022: 2560-100 61,440 three times, then 12,800")
    for name, rule in rules.items():
        print(f"  {name}: {cores_by(LISTS[3], *rule(LISTS[3]))[1]}")


def _of_version(row: Lists) -> int:
    return {"2022": 12_000, "2024": 16_000}[row.compiler]


def best_single_rule() -> tuple[int, tuple[int, float]]:
    """Of one limit on words and axons for all tables, the one that explains the most rows."""
    tried = itertools.product(range(8_000, 24_001, 100), np.arange(0, 6.01, 0.25))
    return max(
        (sum(cores_by(row, limit, each)[0] == row.cores for row in LISTS), (limit, float(each)))
        for limit, each in tried
    )


if __name__ == "__main__":
    main()
