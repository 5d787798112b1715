"""Fit ``loihi2-fitted.toml`` to the published rows: ``python -m benchmarks.fit_loihi2``.

Prints every figure beside its prediction with its workload left out of the fit, and writes the
chip file. Needs lava-dl, whose wheel holds PilotNet LIF and one of its frames.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import neurodeploy as nd
from neurodeploy.chip import Chip, load_chip
from neurodeploy.demo.pilotnet import FRAME_STEPS, folder, load_pilotnet
from neurodeploy.profiling.constant_fitting import (
    Row,
    leave_one_out,
    measured_rows,
    median_error,
    scale,
    static_power,
)

BASE = "loihi2"
ENERGIES = (
    "synop_energy",
    "neuron_update_active_energy",
    "neuron_update_inactive_energy",
    "message_energy",
    "hop_east_west_energy",
    "hop_north_south_energy",
)
TIMES = (
    "synop_time",
    "neuron_update_active_time",
    "neuron_update_inactive_time",
    "message_time",
    "hop_east_west_time",
    "hop_north_south_time",
)
FILE = Path(nd.__file__).parent / "chip/data/loihi2-fitted.toml"


def predicted_rows() -> tuple[Row, ...]:
    """The published rows with what `BASE` predicts for those that can be run here."""
    place = folder()
    if place is None:
        raise SystemExit("lava-dl is not installed; install the extra 'lava'")
    case = load_pilotnet(place)
    inputs = np.broadcast_to(case.frame, (1, FRAME_STEPS, *case.frame.shape))
    recording = nd.run(case.network, inputs, apply_transform=False, record=("counts", "spikes"))
    result = nd.profile(recording, BASE, nd.fit(case.network, BASE, compiler="2022"))
    predictions = {
        "PilotNet LIF": {
            "step_us": result.seconds_per_step * 1e6,
            "dynamic_mj": result.dynamic_joules * 1e3,
        }
    }
    return tuple(replace(r, predicted=predictions.get(r.workload, {})) for r in measured_rows())


def chip_file(rows: tuple[Row, ...]) -> str:
    """The fitted chip file as text."""
    base = load_chip(BASE)
    energy, time = scale(rows, "energy"), scale(rows, "time")
    left_out = leave_one_out(rows)
    used = [row for row in rows if row.predicted and row.usable]
    worst = max(
        max(one.measured / one.predicted, one.predicted / one.measured)
        for one in left_out
        if one.figure == "step_us"
    )
    idle = [row for row in rows if "static_w" in row.measured]
    on = "; ".join(f"{row.name} ({row.source})" for row in used)
    errors = ", ".join(
        f"{one.figure} {one.error:+.0%}" for one in left_out if one.figure != "static_w"
    )
    parts = [
        "# Intel Loihi 2, fitted to what was measured on boards. Written by",
        "# `python -m benchmarks.fit_loihi2` from profiling/measured.toml; do not edit.",
        "",
        'name = "loihi2-fitted"',
        'title = "Intel Loihi 2 (fitted)"',
        f'base = "{BASE}"',
        "notes = [",
        f'    "FITTED: energies of {BASE} x {energy:.3f}, times x {time:.3f}, from '
        f'{len({row.workload for row in used})} workload. With it left out: {errors}.",',
        f'    "Static power is the median of {len(idle)} rows; they range from '
        f"{min(r.measured['static_w'] for r in idle) * 1e3:.0f} to "
        f'{max(r.measured["static_w"] for r in idle) * 1e3:.0f} mW.",',
        '    "Use it with a placement (nd.fit): without one, busiest cores and links are averaged '
        'away.",',
        "]",
        "",
    ]
    for name in ENERGIES:
        parts += _constant(base, name, energy, [r for r in used if "dynamic_mj" in r.usable])
    for name in TIMES:
        parts += _constant(base, name, time, [r for r in used if "step_us" in r.usable])
    values = ", ".join(f"{row.measured['static_w']:.3f} ({row.name})" for row in idle)
    parts += _table("static_power", static_power(rows), "W", f"FITTED: median of {values}")
    said = f"Its own worst error with the workload left out, a factor of {worst:.2f} ({on})"
    parts += _table("step_time_low", round(1 / worst, 2), "1", said)
    parts += _table("step_time_high", round(worst, 2), "1", said)
    return "\n".join(parts).rstrip() + "\n"


def _constant(base: Chip, name: str, factor: float, rows: list[Row]) -> list[str]:
    constant = base.constants[name]
    source = "; ".join(f"{row.name} ({row.source})" for row in rows)
    said = f"{constant.value:g} {constant.unit} of {BASE}.toml x {factor:.3f}"
    value = float(f"{constant.value * factor:.4g}")
    return _table(name, value, constant.unit, f"FITTED on {source}: {said}")


def _table(name: str, value: float, unit: str, source: str) -> list[str]:
    return [
        f"[constants.{name}]",
        f"value = {value:g}",
        f'unit = "{unit}"',
        f'source = "{source}"',
        "",
    ]


def main() -> int:
    """Print the table, write the file."""
    rows = predicted_rows()
    left_out = leave_one_out(rows)
    for one in left_out:
        print(
            f"{one.row:62} {one.figure:11} measured {one.measured:9.4g} "
            f"predicted {one.predicted:9.4g} {one.error:+7.1%}"
        )
    for what, figures in (
        ("energy", ("dynamic_mj", "total_mj")),
        ("time", ("step_us",)),
        ("static power", ("static_w",)),
    ):
        print(f"median error, {what}: {median_error(left_out, figures):.1%}")
    FILE.write_text(chip_file(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
