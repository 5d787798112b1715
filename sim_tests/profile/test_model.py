"""Times and energies of the chip model that no published network needs all at once."""

from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.chip import Constant, load_chip
from neurodeploy.chip.energy import update_times
from neurodeploy.chip.routes import routes
from neurodeploy.errors import ChipError, InputError
from neurodeploy.exporting.verify import price
from neurodeploy.network import (
    ALIF,
    AdaptiveCubaLIF,
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    SigmaDelta,
    Source,
    Threshold,
)
from neurodeploy.profiling.barrier import Barrier


def chain(neuron, size=50, inputs=20, more=()):
    populations = (
        Population("input", (inputs,), Source()),
        Population("layer", (size,), neuron),
        *more,
    )
    weight = np.full((size, inputs), 2, np.int32)
    return Network(populations, (Projection("input", "layer", Dense(weight)),))


def profiled(network, steps=10, chip="loihi2", record=("counts",), every=1, **how):
    inputs = np.zeros((1, steps, *network.input.shape), np.int32)
    inputs[:, ::every] = 1
    recording = nd.run(network, inputs, record=record)
    return nd.profile(recording, chip, nd.fit(network, chip), **how)


def alif():
    return ALIF(0, 410, 0, 0, 1000, 0)


def test_updates_of_own_microcode_come_before_the_barrier():
    plain, own = profiled(chain(CubaLIF(0, 0, 9999))), profiled(chain(alif()))
    assert plain.bound == "barrier"
    assert plain.seconds_per_step == pytest.approx(1.164e-6)
    assert own.seconds_per_step == pytest.approx(1.164e-6 + 50 * 27.4e-9, rel=1e-3)
    assert own.bound == "core of 'layer'"  # 1.37 us of updates, more than the barrier's 1.16
    few = profiled(chain(alif(), size=5))
    assert few.bound == "barrier"
    assert few.seconds_per_step == pytest.approx(1.164e-6 + 5 * 27.4e-9, rel=1e-3)
    # Loihi 1 has no microcode: its times are those of any neuron.
    assert update_times(load_chip("loihi1"), "alif").own == 0.0


def test_joined_compartments_cost_places_and_updates_where_there_is_no_microcode():
    network = chain(AdaptiveCubaLIF(4096, 204, 5, 9999, 384), size=600)
    plain = chain(CubaLIF(4096, 204, 9999), size=600)
    assert nd.fit(network, "loihi1")["layer"].cores == 2  # of 1024 compartments each
    assert nd.fit(plain, "loihi1")["layer"].cores == nd.fit(network)["layer"].cores == 1
    joined, alone = (profiled(net, chip="loihi1") for net in (network, plain))
    one = load_chip("loihi1")["neuron_update_inactive_energy"]
    copies = joined.dynamic_joules - alone.dynamic_joules - 600 * 10 * one
    assert 0 < copies < 600 * 10 * one  # inputs reach two cores, too
    spread = nd.profile(nd.run(network, np.zeros((1, 10, 20), np.int32)), "loihi1")
    assert spread.dynamic_joules == pytest.approx(2 * 600 * 10 * one)
    times = (update_times(load_chip("loihi1"), kind) for kind in ("cuba-lif-adaptive", "cuba-lif"))
    two, single = times
    assert two.inactive == 2 * single.inactive
    assert two.active == single.active + single.inactive
    assert two.own == 0.0
    assert update_times(load_chip("loihi2"), "cuba-lif-adaptive").own == pytest.approx(27.4e-9)


def test_a_sigma_delta_neuron_is_updated_in_two_passes():
    chip = load_chip("loihi2")
    assert update_times(chip, "sigma-delta").inactive == pytest.approx(8e-9)
    assert update_times(chip, "cuba-lif").inactive == pytest.approx(4e-9)
    result = profiled(chain(SigmaDelta(6), size=2000, inputs=1), every=11)
    assert result.bound == "core of 'layer'"
    assert result.seconds_per_step == pytest.approx(2000 * 8e-9 + 2000 * 0.66e-9 / 10, rel=0.02)


def test_a_barrier_hides_work_or_is_added_to_it():
    work = {"a core": np.array([[1.0, 5.0, 1.0]])}
    hides, adds = (Barrier(2.0, 1.5, 3.0, hidden) for hidden in (True, False))
    busy, step, bound = hides.step(work)
    assert (busy[0], step[0], bound) == (pytest.approx(7 / 3), 3.0, "barrier")
    assert adds.step(work)[1][0] == pytest.approx(7 / 3 + 2)
    # What is not hidden comes before it, of the core that has most of it.
    assert hides.step(work, own=0.5)[1][0] == pytest.approx((2.5 + 5 + 2.5) / 3)
    assert hides.band(1.0, 4.0) == (1.5, 7.0)
    assert adds.band(1.0, 4.0) == (2.5, 7.0)


def test_every_core_takes_energy_in_every_step_whatever_happens():
    quiet = profiled(chain(CubaLIF(0, 0, 9999)), steps=100, every=101)
    part = next(part for part in quiet.parts if part.kind == "step of a core")
    assert part.number == 100
    assert part.joules == pytest.approx(100 * 8e-9)
    assert (part.low_each, part.high_each) == (pytest.approx(3.6e-9), pytest.approx(20e-9))
    assert part.joules > 0.6 * quiet.dynamic_joules


def test_stored_zeros_have_a_band_that_covers_both_rows():
    weight = np.zeros((10, 8), np.int32)
    weight[:3] = 2
    network = replace(
        chain(CubaLIF(0, 0, 9999), 10, 8),
        projections=(Projection("input", "layer", Dense(weight)),),
    )
    part = next(p for p in profiled(network).parts if p.kind == "stored zero read")
    assert part.number == 10 * 8 * 7
    assert part.low_each == 0.0
    assert part.high_each == part.joules_each == pytest.approx(23.6e-12)


def test_embedded_programs_set_the_step_unless_the_chip_is_slower():
    network = chain(CubaLIF(0, 0, 9999))
    fed = profiled(network, embedded_io=True)
    assert fed.seconds_per_step == pytest.approx(31e-6)
    assert fed.bound == "embedded input and output"
    assert "embedded input and output" in fed.model
    assert fed.band.low_seconds == pytest.approx(10 * 30.9e-6)
    slow = profiled(chain(alif(), size=3000), embedded_io=True)
    assert slow.bound == "core of 'layer'"
    assert slow.seconds_per_step > 31e-6
    on_loihi1 = profiled(network, chip="loihi1", embedded_io=True)
    assert on_loihi1.seconds_per_step == pytest.approx(16.65e-6)
    assert any(part.kind == "embedded processors" for part in on_loihi1.parts)
    with pytest.raises(InputError, match="host_io, embedded_io: one of them"):
        profiled(network, host_io=True, embedded_io=True)
    lacking = replace(
        load_chip("loihi2"),
        constants=MappingProxyType(
            {k: v for k, v in load_chip("loihi2").constants.items() if k != "embedded_io_time"}
        ),
    )
    with pytest.raises(ChipError, match="constant 'embedded_io_time' is missing"):
        profiled(network, chip=lacking, embedded_io=True)


def test_messages_between_chips_take_their_link():
    """A chip of one core: all messages from the hidden layer leave it."""
    one = {
        name: Constant(1, "1", "a test") for name in ("cores_per_chip", "cores_per_tile")
    }  # fmt: skip
    chip = load_chip("loihi2")
    small = replace(chip, constants=MappingProxyType({**chip.constants, **one}))
    network = chain(Threshold(-1), 3000, 1, (Population("output", (1,), CubaLIF(0, 0, 9999)),))
    weight = np.ones((1, 3000), np.int32)
    network = replace(
        network, projections=(*network.projections, Projection("layer", "output", Dense(weight)))
    )
    recording = nd.run(network, np.ones((1, 10, 1), np.int32), record=("counts", "spikes"))
    placement = nd.fit(network, small)
    assert placement.chips_used == 2
    assert routes(placement, network.projections[1]).off_chip.tolist() == [1.0]
    result = nd.profile(recording, small, placement)
    sent = recording["layer"].counts.sum() / 10
    assert sent > 2500
    assert result.bound == "link between chips"
    assert result.seconds_per_step == pytest.approx(sent * 10e-9, rel=0.15)
    within = nd.profile(recording, "loihi2", nd.fit(network))
    assert within.chips == 1
    assert within.bound != "link between chips"


def test_power_of_the_board_stands_beside_the_figures():
    result = profiled(chain(CubaLIF(0, 0, 9999)))
    x86 = next(part for part in result.beside if part.kind == "x86 cores of the board")
    assert x86.joules_each == 1.56
    assert x86.joules == pytest.approx(1.56 * result.seconds)
    assert sum(part.joules for part in result.parts) == pytest.approx(result.energy_joules)


def test_static_power_is_that_of_the_stepping():
    network = chain(CubaLIF(0, 0, 9999))
    old, new = profiled(network), profiled(network, chip="loihi2-n3c1")
    assert old.static_joules / new.static_joules == pytest.approx(0.281 / 0.121)
    assert new.seconds == old.seconds
    assert new.band.high_joules < old.band.high_joules


def test_the_headline_says_all_that_a_figure_hangs_on():
    result = profiled(chain(CubaLIF(0, 0, 9999)), record=("counts", "spikes"))
    for said in (
        "loihi2",
        "10 steps",
        "mean of 1 sample,",
        "placed on 1 core (compiler)",
        "in all",
        "dynamic",
        "1.16 µs a step, bound by the barrier",
        "estimated",
    ):
        assert said in result.headline
    assert result.as_dict()["headline"] == result.headline
    json.dumps(result.as_dict(), allow_nan=False)
    assert result.stepwise
    recording = nd.run(chain(CubaLIF(0, 0, 9999)), np.ones((1, 10, 20), np.int32))
    assert "without a placement" in nd.profile(recording).headline
    measured = replace(recording.header, measured={"energy_joules": 3e-3})
    headline = nd.profile(nd.Recording(measured, dict(recording.arrays.items()))).headline
    assert "3.00 mJ in all" in headline
    assert headline.endswith("measured")


def _quoted(profile):
    return profile.energy_joules, profile.dynamic_joules, profile.seconds_per_step


def spiking():
    rng = np.random.default_rng(7)
    weight = 2 * rng.integers(-10, 40, (60, 20)).astype(np.int32)
    network = replace(
        chain(CubaLIF(2048, 512, 40), 60),
        projections=(Projection("input", "layer", Dense(weight)),),
    )
    return network, (rng.random((1, 30, 20)) < 0.3).astype(np.int32)


def test_verify_and_deploy_quote_what_run_and_profile_do(lava, tmp_path):
    network, inputs = spiking()
    found = nd.verify(network, inputs, drain=True)
    recording = nd.run(network, inputs, record=("spikes",), drain=True)
    alone = nd.profile(recording, "loihi2", nd.fit(network))
    ready = nd.deploy(network, "lava", inputs=inputs)
    assert alone.messages > 0
    assert found.equal
    assert not ready.steps
    assert _quoted(found.profiles[0]) == pytest.approx(_quoted(alone))
    assert _quoted(ready.profile) == pytest.approx(_quoted(alone))
    assert ready.profile.headline in ready.lines()
    assert found.profiles[0].headline == alone.headline


def test_deploy_quotes_the_engine_where_there_is_no_lava(monkeypatch):
    network, inputs = spiking()
    monkeypatch.setattr(
        "neurodeploy.exporting.deploy._Way._verified", lambda *_: (None, "lava: not here")
    )
    ready = nd.deploy(network, "lava", inputs=inputs)
    recording = nd.run(network, inputs, record=("spikes",), drain=True)
    alone = nd.profile(recording, "loihi2", nd.fit(network))
    assert _quoted(ready.profile) == pytest.approx(_quoted(alone))


def test_what_fits_nowhere_is_priced_without_a_placement():
    network, inputs = spiking()
    recording = nd.run(network, inputs)
    chip = load_chip("loihi2")
    tiny = replace(
        chip,
        constants=MappingProxyType(
            {**chip.constants, "input_axons_per_core": Constant(1, "1", "a test")}
        ),
    )
    assert not nd.fit(network, tiny).fits
    assert price(recording, network, tiny).placed == ""
    assert price(recording, network).placed == "compiler"
