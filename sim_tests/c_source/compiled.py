"""Compiles what is emitted and looks at all of its struct after every step, beside the engine."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.c_source.lowering import lower
from neurodeploy.core.neurons import core_neuron
from sim_tests.core.against_equations import run_core

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow", "-Wundef")
UNDEFINED = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
OWN_NAMES = {"rise": "threshold"}
"""States that the struct keeps otherwise than a recording does: see `as_recorded`."""


def compiler(name="gcc"):
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}, which is not installed")
    return found


def run(*command, **how):
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, timeout=120, check=False, **how
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return done.stdout


def dump_of(program, name):
    """Source of a program that writes messages, states and outputs of each step."""
    lines = [
        f'#include "{name}.h"', "#include <stdio.h>", "#include <stdlib.h>",
        f"static struct {name} state;",
        f"static int32_t input[{program.input.size}], output[{program.output.size}];",
        "static void put(int32_t x) { fwrite(&x, 4, 1, stdout); }",
        "int main(int argc, char **argv) {",
        "int samples = argc > 2 ? atoi(argv[1]) : 0, steps = argc > 2 ? atoi(argv[2]) : 0;",
        "put((int32_t)sizeof state);",
        "for (int sample = 0; sample < samples; sample++) {",
        f"{name}_reset(&state);",
        "for (int t = 0; t < steps; t++) {",
        "if (fread(input, sizeof input, 1, stdin) != 1) return 1;",
        f"{name}_step(&state, input, output);",
    ]  # fmt: skip
    for laid in program.populations:
        fields = [laid.sent(0).replace("s->", "state.")] if laid.sends else []
        fields += [f"state.{laid.ident}_{name_of}" for name_of in laid.states]
        lines += [
            f"for (int i = 0; i < {laid.size}; i++) put((int32_t){field}[i]);" for field in fields
        ]
    lines += [
        f"for (int i = 0; i < {program.output.size}; i++) put(output[i]);", "}",
        f"for (int i = 0; i < {len(program.populations)}; i++)",
        "for (int k = 0; k < 3; k++) put((int32_t)state.overflows[i][k]);",
        "}", "return 0; }",
    ]  # fmt: skip
    return "\n".join(lines)


def run_emitted(network, inputs, folder, flags=UNDEFINED, with_own_test=False):
    """All that the C does: {population: {spikes, states, overflows}}, and its outputs."""
    made = nd.emit_c(network, folder, inputs, name="net", apply_transform=False)
    program = lower(network)
    (folder / "dump.c").write_text(dump_of(program, "net"))
    gcc = compiler()
    run(gcc, *STRICT, *flags, "-c", "-o", folder / "net.o", folder / "net.c")
    for main in ("dump", "net_test") if with_own_test else ("dump",):
        run(gcc, *STRICT, *flags, "-o", folder / main, folder / f"{main}.c", folder / "net.o")
    if with_own_test:
        assert run(folder / "net_test").startswith(b"equal: ")
    samples, steps = inputs.shape[:2]
    given = np.ascontiguousarray(inputs, np.int32).tobytes()
    raw = np.frombuffer(run(folder / "dump", samples, steps, input=given), np.int32)
    assert raw[0] == made.state_bytes == program.state_bytes
    return sorted_out(program, raw[1:].reshape(samples, -1), steps)


def sorted_out(program, raw, steps):
    counts = 3 * len(program.populations)
    overflows = raw[:, -counts:].reshape(len(raw), -1, 3)
    each = raw[:, :-counts].reshape(len(raw), steps, -1)
    found, at = {}, 0
    for laid in program.populations:
        mine = found[laid.population.name] = {}
        for what in (*(["spikes"] if laid.sends else []), *laid.states):
            inside = each[..., at : at + laid.size]
            mine[what] = inside[..., laid.places]
            at += laid.size
        as_recorded(laid, mine)
        for k, what in enumerate(("u_overflows", "v_overflows", "input_overflows")):
            mine[what] = overflows[:, laid.number, k]
    return found, each[..., at:]


def as_recorded(laid, mine):
    """An adaptive threshold is kept as its rise above rest."""
    if "rise" in mine:
        rest = core_neuron(laid.population.neuron).at_zero["threshold"]
        mine["threshold"] = mine.pop("rise") + np.asarray(rest, np.int32)


def hold_against_the_engine(network, inputs, folder, **how):
    """Compare everything that the C keeps; give the messages of all populations."""
    found, outputs = run_emitted(network, inputs, folder, **how)
    engine = run_core(network, inputs)
    sent = 0
    for population in network.populations:
        mine, theirs = found[population.name], engine[population.name]
        for what, values in mine.items():
            if what in theirs:
                flat = values.reshape(theirs[what].shape)
                np.testing.assert_array_equal(flat, theirs[what], f"{population.name}: {what}")
            else:  # overflows that a port has none of
                assert what.endswith("overflows")
                assert not values.any()
        missing = set(population.neuron.states) - set(mine)
        assert missing <= {"u"}, missing
        sent += np.count_nonzero(theirs["spikes"])
    last = network.output
    told = engine[last.name]["v" if last.neuron.is_readout else "spikes"]
    np.testing.assert_array_equal(outputs, told)
    return sent
