"""Whole networks on the chip: digits, PilotNet, and what their inference costs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.demo.shipped import shipped_digits


def test_digits_on_the_chip_equal_the_engine(chip: dict[str, str]) -> None:
    shipped = shipped_digits()
    network = nd.load(shipped.network)
    inputs = shipped.inputs[:40]
    engine = nd.run(network, inputs, record=("counts", "spikes"))
    made = nd.run(
        network,
        inputs,
        record=("counts", "spikes"),
        backend="loihi2",
        board_settings={**chip, "measure": "no"},
    )
    result = nd.compare(engine, made, net=network, inputs=inputs)
    assert result.equal, result.summary()


def test_pilotnet_on_the_chip_equals_the_engine(chip: dict[str, str]) -> None:
    found = importlib.util.find_spec("lava")
    places = list(found.submodule_search_locations or []) if found else []
    truth = [Path(p).parent / "tests/lava/lib/dl/netx/gts/pilotnet_lif" for p in places]
    if not any(path.is_dir() for path in truth):
        pytest.skip("lava-dl's wheel, which brings PilotNet, is not installed in this interpreter")
    network = nd.load(next(path for path in truth if path.is_dir()) / "network.net")
    frames = np.random.default_rng(0).integers(0, 256, (2, 1, *network.input.shape))
    inputs = frames.repeat(16, axis=1).astype(np.int32)
    options = {"apply_transform": False, "record": ("counts", "spikes")}
    engine = nd.run(network, inputs, **options)
    made = nd.run(
        network, inputs, backend="loihi2", board_settings={**chip, "measure": "no"}, **options
    )
    result = nd.compare(engine, made, net=network, inputs=inputs)
    assert result.equal, result.summary()


def test_power_and_time_are_sane(chip: dict[str, str]) -> None:
    """Within what any Loihi 2 board can be: a unit that is off by a thousand shows."""
    shipped = shipped_digits()
    network = nd.load(shipped.network)
    made = nd.run(network, shipped.inputs[:8], backend="loihi2", board_settings=chip)
    assert made.header.backend == "loihi2", "not measured on hardware"
    figures = made.header.measured
    assert figures, made.header.warnings
    assert 1e-6 < figures["seconds_per_step"] < 1e-2
    assert 0.01 < figures["watts"] < 100
    assert 0 < figures["static_watts"] <= figures["watts"] + figures["noise_watts"]
    rails = figures["vdd_watts"] + figures["vddm_watts"] + figures["vddio_watts"]
    assert rails == pytest.approx(figures["board_watts"], rel=0.1)
    assert figures["window_seconds"] >= 10 or any("too short" in w for w in made.header.warnings)
    cost = nd.profile(made)
    assert cost.kind == "measured"
    assert cost.energy_joules == pytest.approx(figures["energy_joules"])
