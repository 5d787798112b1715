"""Recordings of quantized networks say what 1 of u and v is worth in the one that was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import RecordingError
from neurodeploy.network import Dense, FloatLIF, Network, Population, Projection, Source
from neurodeploy.recording.header import Header, PopulationHeader
from sim_tests.compare.test_compare import network_of

RECORD = ("spikes", "u", "v")
HIDDEN = FloatLIF(current_keep=0.5, voltage_keep=0.75, threshold=1.5)
READOUT = FloatLIF(current_keep=0.25, voltage_keep=0.875, sends="voltage", reset="none")


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=size).astype(np.float32) for size in ((12, 8), (3, 12))]
    return Network(
        (
            Population("in", (8,), Source()),
            Population("hidden", (12,), HIDDEN),
            Population("out", (3,), READOUT),
        ),
        (
            Projection("in", "hidden", Dense(weights[0])),
            Projection("hidden", "out", Dense(weights[1])),
        ),
    )


@pytest.fixture(scope="module")
def inputs():
    return (np.random.default_rng(4).random((6, 40, 8)) < 0.3).astype(np.int32)


def apart(floats, fixed, name):
    """Root mean square of v off the float network's, as a share of it; clocks lined up."""
    exact, hops = floats[name].v.astype(np.float64), fixed[name].header.hops
    found = fixed[name].in_trained_units()[:, hops:]
    exact = exact[:, : found.shape[1]]
    return np.sqrt(((found - exact) ** 2).mean() / (exact**2).mean())


def test_states_come_back_in_the_trained_networks_unit(trained, inputs):
    """With the hidden spikes fed in as they are, what is left is rounding."""
    hidden = replace(
        trained, populations=trained.populations[:2], projections=trained.projections[:1]
    )
    silent = replace(
        hidden,
        populations=(
            hidden.input,
            replace(hidden["hidden"], neuron=replace(HIDDEN, threshold=1e3)),
        ),
    )
    fixed = nd.quantize(silent, nd.QuantConfig(), inputs)
    exact = nd.run(silent, inputs, backend="float", record=RECORD)
    found = nd.run(fixed, inputs, record=RECORD)["hidden"]
    assert found.unit == 1 / (64 * fixed.metadata["quantize/scale/hidden"])
    for state in ("u", "v"):
        np.testing.assert_array_equal(found.in_trained_units(state), found[state] * found.unit)
        back = found.in_trained_units(state)[:, 1:]
        wanted = exact["hidden"][state][:, :-1].astype(np.float64)
        assert np.abs(back - wanted).max() < 0.02 * np.abs(wanted).max()
    part = found.in_trained_units("v", 2, 4)
    np.testing.assert_array_equal(part, found.in_trained_units()[2:4])
    assert part.dtype == np.float64


def test_outputs_of_a_readout_are_the_trained_networks(trained, inputs):
    floats = nd.run(trained, inputs, backend="float", record=RECORD)
    assert floats["out"].unit == 1.0
    np.testing.assert_array_equal(floats["out"].in_trained_units(), floats["out"].v)
    for fixed in (
        nd.quantize(trained, nd.QuantConfig(), inputs),
        nd.deploy(trained, "loihi2", inputs=inputs, verified=False).network,
    ):
        made = nd.run(fixed, inputs, record=RECORD)
        assert apart(floats, made, "out") < 0.01  # some hidden spikes are other ones
        lost = nd.run(fixed, inputs, record=RECORD)["out"].v
        assert np.abs(lost).max() > 10 * np.abs(floats["out"].v).max()


def test_a_network_rounded_twice_is_still_told_in_the_first_ones_unit(trained, inputs):
    """Also by the search, which holds states of the second against those of the first."""
    floats = nd.run(trained, inputs, backend="float", record=RECORD)
    once = nd.quantize(trained, nd.QuantConfig(), inputs)
    for config in (
        nd.QuantConfig(bits=6, scale="power-of-two"),
        nd.QuantConfig(6, method="search"),
    ):
        twice = nd.quantize(once, config, inputs)
        first, second = (nd.run(net, inputs, record=RECORD)["out"] for net in (once, twice))
        assert apart(floats, nd.run(twice, inputs, record=RECORD), "out") < 0.05
        ratio = np.abs(second.in_trained_units()).max() / np.abs(first.in_trained_units()).max()
        assert 0.9 < ratio < 1.1


def test_files_keep_the_unit_and_files_without_it_are_read(trained, inputs, tmp_path):
    fixed = nd.quantize(trained, nd.QuantConfig(), inputs)
    made = nd.run(fixed, inputs, out=tmp_path / "a.h5", record=RECORD)
    read = nd.Recording.load(tmp_path / "a.h5")["out"]
    assert read.unit == made["out"].unit
    assert f"1 of u and v is {read.unit:.4g} of the trained network's" in repr(read)
    older = replace(
        made.header,
        populations=tuple(replace(p, unit=None) for p in made.header.populations),
    )
    assert '"unit"' not in older.to_json()
    assert Header.from_json(older.to_json()) == made.header
    for unit in (0.0, -1.0, float("inf"), float("nan"), 1, "1"):
        with pytest.raises(ValueError, match="unit: needs a number above 0"):
            PopulationHeader("a", (1,), 0, "cuba-lif", False, True, unit).check()


def test_where_no_unit_is_known_none_is_made_up(inputs):
    recording = nd.run(network_of(), inputs, record=("spikes", "v"))
    record = recording[recording.names[-1]]
    assert record.unit is None
    with pytest.raises(RecordingError, match="nothing says what was trained"):
        record.in_trained_units()
    with pytest.raises(RecordingError, match="'spikes' has no unit; give u or v"):
        record.in_trained_units("spikes")


def test_another_model_in_a_populations_place_has_no_unit(trained, inputs):
    """A soft reset becomes an adaptive threshold on Loihi 2: its v is no longer the trained one."""
    soft = replace(trained["hidden"], neuron=replace(HIDDEN, reset="subtract"))
    net = replace(trained, populations=(trained.input, soft, trained["out"]))
    ready = nd.deploy(net, "loihi2", inputs=inputs, verified=False).network
    assert ready["hidden"].neuron.kind != "cuba-lif-general"
    made = nd.run(ready, inputs, record=("v",))
    assert made["hidden"].unit is None
    assert made["out"].unit == 1 / (64 * ready.metadata["quantize/scale/out"])
