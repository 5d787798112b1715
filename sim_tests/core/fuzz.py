"""Random networks through the core's C interface, built with address and UB sanitizers.

``python -m sim_tests.core.fuzz [--seconds 120] [--seed 0] [--best]`` compiles the core with
sanitizers, starts itself again with their runtime loaded first, and runs networks of every kind on
every instruction set (with --best on the machine's best alone, which compiles in a third of the
time), with threads and windows of all sizes, step by step, and by models' NumPy steps.
All must give the same; what a sanitizer finds ends it with status 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g")

EMULATED = ("-march=x86-64-v2", "-DND_WIDTH=64")
"""Registers of AVX-512's width on machines without: what the width decides is run all the same."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--best", action="store_true")
    options = parser.parse_args()
    if "NEURODEPLOY_CORE" in os.environ:
        return fuzz(options.seconds, options.seed)
    from neurodeploy.core.build import UNITS, Machine, compile_core, find_compiler, levels_here

    compiler, zig = find_compiler(Machine.here())
    if zig:
        print("fuzz: needs g++ or clang, whose sanitizers come with a runtime")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        flags, units = SANITIZERS, dict(UNITS[Machine.here().name])
        here = levels_here()
        if options.best:
            units = {here[-1]: units[here[-1]]}
        elif "x86_64_v4" in units and "x86_64_v4" not in here:
            flags += ("-DND_EMULATE_V4",)
            units["x86_64_v4"] = EMULATED
        library = compile_core(Path(folder, "core.so"), flags=flags, units=units, tell=print)
        asked = [*compiler, "-print-file-name=libasan.so"]
        runtime = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        own = {
            "NEURODEPLOY_CORE": str(library),
            "LD_PRELOAD": runtime,
            "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps what it has until it ends
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        command = [sys.executable, "-m", "sim_tests.core.fuzz", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, **own}, check=False).returncode


def fuzz(seconds: float, seed: int) -> int:
    from neurodeploy.core.library import units
    from sim_tests.random_synapses import KINDS, draw

    end = time.monotonic() + seconds
    done = 0
    while time.monotonic() < end:
        rng = np.random.default_rng([seed, done])
        network, inputs = _random_network(rng, seed + done, KINDS, draw)
        found, streamed = [], []
        ways = [(unit, "") for unit in units()] + [(units()[done % len(units())], "numpy")]
        for unit, steps in ways:
            os.environ["NEURODEPLOY_ISA"], os.environ["NEURODEPLOY_STEPS"] = unit, steps
            for threads, window in ((1, 0), (2, int(rng.integers(1, 9))), (3, 1)):
                found.append(_everything(network, inputs, threads, window))
            streamed.append(_step_by_step(network, inputs))
        for other in found[1:]:
            for where, array in other.items():
                np.testing.assert_array_equal(array, found[0][where], f"{done}, {where}")
        for other in streamed[1:]:
            np.testing.assert_array_equal(other, streamed[0], f"{done}, stream")
        _run_floats(rng, units(), done)
        done += 1
    print(f"fuzz: {done} networks, all equal on {', '.join(units())}")
    return 0


def _random_network(rng, seed, kinds, draw):
    """One of a few layers, or one operator between images; sometimes wide."""
    from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
    from sim_tests.random_networks import Draw

    choice = rng.integers(3)
    if choice == 0:
        drawn = Draw(seed, beyond_netx=bool(rng.integers(2)))
        return drawn.network, drawn.inputs(samples=2, steps=int(rng.integers(1, 40)))
    if choice == 1:
        kind = str(rng.choice([k for k in kinds if not k.startswith("complex")]))
        synapse, source, target = draw(kind, seed)
        neurons = (Source(signed=bool(rng.integers(2))), CubaLIF(900, 500, 60))
    else:
        sizes = int(rng.integers(1, 700)), int(rng.integers(1, 1200))
        span = int(rng.choice([2, 30, 120, 5000]))
        synapse = Dense(rng.integers(-span, span + 1, sizes[::-1]).astype(np.int32))
        source, target = sizes[:1], sizes[1:]
        neurons = (Source(), CubaLIF(900, 500, 200))
    populations = [Population("input", source, neurons[0]), Population("out", target, neurons[1])]
    network = Network(tuple(populations), (Projection("input", "out", synapse),))
    shape = (2, int(rng.integers(1, 20)), *source)
    inputs = rng.random(shape) < rng.choice([0.02, 0.3, 0.9])
    if neurons[0].signed:
        return network, (inputs * rng.integers(-999, 999, shape)).astype(np.int32)
    return network, inputs.astype(np.uint8)


def _everything(network, inputs, threads, window):
    from neurodeploy.core.simulate import simulate
    from neurodeploy.inputs import present
    from sim_tests.core.against_equations import STATES

    steps = inputs.shape[1] + 3
    values = present(network, inputs, steps, apply_transform=False)
    found = {}
    (block,) = simulate(
        network, values, states=STATES, threads=threads, window=window, block=len(inputs),
        reset_interval=9, reset_offset=2,
    )  # fmt: skip
    for name, result in block.items():
        for what in ("step_counts", "counts", "neuron", "payload"):
            found[name, what] = getattr(result, what)
        found.update({(name, what): a for what, a in {**result.states, **result.overflows}.items()})
    return found


def _run_floats(rng, units, number):
    """A float network: the same bits on every instruction set, in blocks and on threads."""
    from sim_tests.core.test_core_floats import bits, draw_messages, draw_network, run_core

    network = draw_network(rng)
    values = draw_messages(rng, (3, int(rng.integers(1, 40)), *network.input.shape))
    found = []
    for unit in units:
        os.environ["NEURODEPLOY_ISA"] = unit
        found += [run_core(network, values), run_core(network, values, block=1, threads=2)]
    for other in found[1:]:
        for name, arrays in other.items():
            for what, array in arrays.items():
                np.testing.assert_array_equal(
                    bits(array), bits(found[0][name][what]), f"{number}, floats, {name}, {what}"
                )


def _step_by_step(network, inputs):
    from neurodeploy.core.stream import CoreStream

    stream = CoreStream(network, count=True)
    steps = (stream.step(x.astype(np.int32)).ravel() for x in inputs[0])
    return np.array([[*sent, stream.synops] for sent in steps])


if __name__ == "__main__":
    sys.exit(main())
