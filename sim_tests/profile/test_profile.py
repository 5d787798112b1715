from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.chip import load_chip
from neurodeploy.errors import ChipError, RecordingError
from neurodeploy.profiling import estimate, profile
from neurodeploy.profiling.barrier import barrier_of
from neurodeploy.recording import Header, PopulationHeader, ProjectionHeader, Recording

STEPS = 10


def population(name, size, on_chip=True):
    return PopulationHeader(name, (size,), 0, "cuba-lif", False, on_chip)


def recording(measured=None, drop=(), steps=STEPS):
    """Two samples: 4 inputs from outside, 2000 hidden neurons, 3 outputs, 1 readout of the host."""
    header = Header(
        backend="engine",
        backend_version="1",
        network="n",
        inputs="i",
        steps=steps,
        record=("counts",),
        populations=(
            population("input", 4, on_chip=False),
            population("hidden", 2000),
            population("output", 3),
            population("readout", 1, on_chip=False),
        ),
        projections=(
            ProjectionHeader("input", "hidden", "dense"),
            ProjectionHeader("hidden", "hidden", "dense"),
            ProjectionHeader("hidden", "output", "dense"),
            ProjectionHeader("output", "readout", "readout"),
        ),
        samples=2,
        measured=measured or {},
    )
    hidden = np.zeros((2, 2000), np.int64)
    hidden[0, :100] = 1
    hidden[1, :300] = 1
    arrays = {
        "populations/input/counts": np.array([[5, 5, 0, 0], [5, 5, 5, 5]], np.int64),
        "populations/hidden/counts": hidden,
        "populations/output/counts": np.array([[1, 0, 0], [0, 2, 1]], np.int64),
        "populations/readout/counts": np.array([[7], [7]], np.int64),
        "projections/input->hidden/synops": np.array([20_000, 40_000], np.int64),
        "projections/hidden->hidden/synops": np.array([100, 300], np.int64),
        "projections/hidden->output/synops": np.array([300, 900], np.int64),
    }
    return Recording(header, {k: v for k, v in arrays.items() if k not in drop})


def test_events_are_means_over_samples():
    result = profile(recording())
    # Synops: 20,400 and 41,200. Messages: 10 + 100 + 1 and 20 + 300 + 3, none of the readout.
    assert result.synops == 30_800
    assert result.messages == (111 + 323) / 2
    assert result.neuron_updates == 2003 * STEPS
    assert (result.steps, result.samples) == (STEPS, 2)


def test_dynamic_energy_is_that_of_the_counted_events():
    result = profile(recording(), chip="loihi1")
    active = ((100 + 1) + (300 + 3)) / 2  # inputs from outside are no neurons of the chip
    expected = 30_800 * 23.6e-12 + active * 81e-12 + (20_030 - active) * 52e-12 + 217 * 1.7e-12
    assert result.dynamic_joules == pytest.approx(expected)
    assert result.kind == "estimated"
    assert result.chip == "loihi1"


def test_the_chip_is_loihi2_unless_another_is_asked_for():
    assert profile(recording()).as_dict() == profile(recording(), chip="loihi2").as_dict()


def test_step_time_is_the_busiest_core_and_the_barrier():
    result = profile(recording(), chip="loihi1")
    # hidden: 2000 neurons on 2 cores of 1024, so 1000 each; output on a third core, idle by far.
    # Per step and core: 10 and 30 spikes over 2 cores; 2,010 and 4,030 synops over 2 cores.
    first = 1000 * 5.3e-9 + 5 * 3.1e-9 + 1005 * 3.5e-9
    second = 1000 * 5.3e-9 + 15 * 3.1e-9 + 2015 * 3.5e-9
    barrier = 113e-9  # 3 cores are within one tile of 4
    assert result.cores == 3
    assert result.chips == 1
    assert result.seconds_per_step == pytest.approx((first + second) / 2 + barrier)
    assert result.seconds == pytest.approx(STEPS * result.seconds_per_step)


def test_static_energy_is_power_times_chips_times_time_and_never_left_out():
    for chip, watts in (("loihi1", 0.104), ("loihi2", 0.281), ("loihi2-n3c1", 0.121)):
        result = profile(recording(), chip=chip)
        assert result.static_joules == pytest.approx(watts * 1 * result.seconds)
        assert result.energy_joules == pytest.approx(result.dynamic_joules + result.static_joules)
        assert result.watts == pytest.approx(result.energy_joules / result.seconds)


def test_parts_add_up_to_the_energy_and_name_their_sources():
    result = profile(recording())
    assert sum(part.joules for part in result.parts) == pytest.approx(result.energy_joules)
    for part in result.parts:
        assert part.number * part.joules_each == pytest.approx(part.joules)
        assert part.source
    assert result.constants["synop_energy"].unit == "pJ"


def test_populations_add_up_to_the_dynamic_energy():
    result = profile(recording())
    shares = {share.name: share for share in result.per_population}
    assert list(shares) == ["input", "hidden", "output"]
    assert sum(s.dynamic_joules for s in shares.values()) == pytest.approx(result.dynamic_joules)
    assert shares["input"].neuron_updates == 0
    assert shares["input"].synops == 0
    assert shares["hidden"].synops == (20_100 + 40_300) / 2
    assert shares["output"].messages == 2
    expected = 600 * 23.6e-12 + 2 * 81e-12 + 28 * 52e-12 + 2 * 1.7e-12
    expected += STEPS * 8e-9  # one core that takes part in every step
    assert shares["output"].dynamic_joules == pytest.approx(expected)


def test_spread_is_over_samples():
    result = profile(recording(), chip="loihi1")
    seconds = [
        STEPS * (1000 * 5.3e-9 + 5 * 3.1e-9 + 1005 * 3.5e-9 + 113e-9),
        STEPS * (1000 * 5.3e-9 + 15 * 3.1e-9 + 2015 * 3.5e-9 + 113e-9),
    ]
    dynamic = [
        20_400 * 23.6e-12 + 101 * 81e-12 + (20_030 - 101) * 52e-12 + 111 * 1.7e-12,
        41_200 * 23.6e-12 + 303 * 81e-12 + (20_030 - 303) * 52e-12 + 323 * 1.7e-12,
    ]
    energies = [d + 0.104 * s for d, s in zip(dynamic, seconds, strict=True)]
    assert result.energy_joules == pytest.approx(np.mean(energies))
    assert result.spread == pytest.approx(np.std(energies))


def test_the_band_holds_the_estimate_and_starts_from_work_shared_by_all_cores():
    result = profile(recording(), chip="loihi1")
    band = result.band
    assert band.low_joules < result.energy_joules < band.high_joules
    assert band.low_seconds < result.seconds < band.high_seconds
    spikes, synops = (101 + 303) / 2 / STEPS, 30_800 / STEPS
    shared = (2003 * 5.3e-9 + spikes * 3.1e-9 + synops * 3.5e-9) / 128
    assert band.low_seconds == pytest.approx(STEPS * 0.67 * (shared + 113e-9), rel=1e-2)
    assert band.high_seconds == pytest.approx(6.6 * result.seconds)
    assert "128 cores" in band.reason


def test_the_barrier_grows_with_tiles_and_jumps_with_chips():
    chip = load_chip("loihi1")
    assert barrier_of(1, chip).seconds == pytest.approx(113e-9)
    assert barrier_of(4, chip).seconds == pytest.approx(113e-9)
    assert barrier_of(128, chip).seconds == pytest.approx(465e-9)
    assert 113e-9 < barrier_of(60, chip).seconds < 465e-9
    assert barrier_of(129, chip).seconds == pytest.approx(6.58e-6)
    assert barrier_of(33 * 128, chip).seconds == pytest.approx(14.3e-6)
    two = load_chip("loihi2")
    assert [barrier_of(cores, two).seconds for cores in (1, 4, 5, 69)] == pytest.approx(
        [1.164e-6, 1.164e-6, 1.78e-6, 1.78e-6]
    )


def test_a_network_larger_than_a_chip_pays_the_static_power_of_each():
    big = recording()
    neurons = 1024 * 129
    populations = list(big.header.populations)
    populations[1] = replace(populations[1], shape=(neurons,))
    arrays = dict(big.arrays.items())
    arrays["populations/hidden/counts"] = np.zeros((2, neurons), np.int64)
    big = Recording(replace(big.header, populations=tuple(populations)), arrays)
    result = profile(big, chip="loihi1")
    assert (result.cores, result.chips) == (130, 2)
    assert result.static_joules == pytest.approx(2 * 0.104 * result.seconds)
    assert result.seconds_per_step > 6.58e-6


def test_a_meter_reading_makes_a_profile_measured():
    meter = {
        "energy_joules": 3e-3,
        "dynamic_joules": 1e-3,
        "static_joules": 2e-3,
        "seconds_per_step": 1e-4,
    }
    result = profile(recording(measured=meter), chip="loihi2")
    assert result.kind == "measured"
    assert result.chip == "engine"  # the device that was metered, not the one asked for
    assert result.energy_joules == 3e-3
    assert result.seconds == pytest.approx(1e-3)
    assert result.watts == pytest.approx(3.0)
    assert result.synops == 30_800
    assert result.band is None
    assert result.parts == ()
    assert "meter" in result.model


def test_what_the_meter_did_not_read_is_unavailable_not_estimated():
    result = profile(recording(measured={"energy_joules": 3e-3}))
    assert result.tag("energy_joules") == "measured"
    for figure in ("dynamic_joules", "static_joules", "seconds", "watts"):
        assert math.isnan(getattr(result, figure))
        assert result.tag(figure) == "unavailable"


def test_readings_of_a_host_are_not_taken_for_the_chip():
    result = profile(recording(measured={"host_energy_joules": 5.0}))
    assert result.kind == "estimated"


def test_a_measured_inference_takes_until_the_next_sample_begins():
    """Samples are a power of two apart on the chip, which is more than the steps of one."""
    apart = 2 * STEPS
    meter = {
        "energy_joules": 3e-3,
        "seconds_per_step": 1e-4,
        "seconds_per_inference": apart * 1e-4,
        "steps_per_inference": float(apart),
    }
    result = profile(recording(measured=meter), chip="loihi2")
    assert result.kind == "measured"
    assert result.seconds == pytest.approx(apart * 1e-4)
    assert result.tag("seconds") == "measured"
    assert result.watts == pytest.approx(3e-3 / (apart * 1e-4))
    assert result.energy_delay == pytest.approx(3e-3 * apart * 1e-4)
    assert (result.tag("dynamic_joules"), result.tag("spread")) == ("unavailable", "unavailable")


def test_a_metered_run_without_counted_events_keeps_its_measured_energy():
    metered = recording(
        measured={"energy_joules": 3e-3}, drop=("projections/hidden->output/synops",)
    )
    result = profile(metered)
    assert result.energy_joules == 3e-3
    assert result.tag("synops") == "unavailable"
    assert "hidden->output" in result.notes[0]


def test_estimate_stands_beside_a_measurement():
    result = estimate(recording(measured={"energy_joules": 3e-3}), chip="loihi2")
    assert result.kind == "estimated"
    assert result.energy_joules != 3e-3


def test_a_recording_without_synops_is_refused():
    with pytest.raises(RecordingError, match=r"projection hidden->output: synops were not"):
        profile(recording(drop=("projections/hidden->output/synops",)))


def test_a_recording_without_counts_is_refused():
    with pytest.raises(RecordingError, match=r"population 'hidden': counts was not recorded"):
        profile(recording(drop=("populations/hidden/counts",)))


def test_recorded_spikes_stand_in_for_counts():
    whole = recording()
    arrays = dict(whole.arrays.items())
    del arrays["populations/output/counts"]
    events = np.zeros((2, STEPS), np.int32)
    events[0, 3] = 1
    events[1, 4:7] = 1
    arrays["populations/output/event_counts"] = events
    arrays["populations/output/neuron"] = np.array([0, 1, 1, 2], np.int32)
    assert profile(Recording(whole.header, arrays)).messages == profile(whole).messages


def test_a_recording_without_samples_or_steps_is_refused():
    empty = recording()
    with pytest.raises(RecordingError, match="0 samples"):
        profile(Recording(replace(empty.header, samples=0), empty.arrays))
    with pytest.raises(RecordingError, match="0 time steps"):
        profile(recording(steps=0))


def test_an_unknown_chip_is_refused():
    with pytest.raises(ChipError, match="loihi1, loihi1-sanafe, loihi2"):
        profile(recording(), chip="truenorth")


def test_as_dict_is_json_and_has_no_nan():
    for measured in ({}, {"energy_joules": 3e-3}):
        text = json.dumps(profile(recording(measured=measured)).as_dict(), allow_nan=False)
        read = json.loads(text)
        assert read["kind"] == ("measured" if measured else "estimated")
    assert read["static_joules"] is None
