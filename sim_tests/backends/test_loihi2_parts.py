"""Parts of the loihi2 backend that need no Lava: schedules, energies, settings, alignment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import neurodeploy as nd
from hw_tests.cases import CASES
from neurodeploy.backends.loihi2.energy import Measured, PowerReading, energy
from neurodeploy.backends.loihi2.schedule import Lag, carried_over, schedules
from neurodeploy.backends.loihi2.settings import ChipSettings
from neurodeploy.errors import BackendError, InputError
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from neurodeploy.recording import Recording, RecordingWriter
from neurodeploy.recording.assemble import BlockAssembler, header_of
from neurodeploy.recording.run_options import RunOptions


@pytest.mark.parametrize("lag", [Lag(), Lag(input=3)])
@pytest.mark.parametrize("name", ["dense", "conv", "average"])
def test_samples_back_to_back_are_those_one_by_one(name: str, lag: Lag) -> None:
    """The engine simulates the chip's resets, so it can stand for the chip here."""
    case = CASES[name]()
    network = case.network
    flat = case.inputs.reshape(*case.inputs.shape[:2], -1)
    ((start, schedule),) = schedules(network, len(flat), flat.shape[1], lag, True)
    assert start == 0
    assert schedule.slot == 16
    # The engine has no lag: what is presented is shifted in its place.
    laid = np.roll(schedule.presented(flat), lag.input, axis=0)
    laid = laid.reshape(1, -1, *network.input.shape)
    how = {"record": ("spikes",), "reset_interval": 16, "reset_offset": lag.input}
    made = nd.run(network, laid, **how)[network.output.name].spikes[0]
    trace = made.reshape(len(made), -1)
    cut = schedule.cut(trace, network.hops(network.output.name))
    alone = nd.run(network, case.inputs).output
    assert alone.any()
    np.testing.assert_array_equal(cut, alone.reshape(cut.shape))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dense", ""),
        ("conv", ""),
        ("bias", "its bias acts from step 0 on"),
        ("recurrent", "goes from hop 1 to hop 1"),
        ("branches", "goes from hop 1 to hop 1"),
        ("axon_delays", "axons delay messages beyond"),
        ("synapse_delays", "delays reach beyond"),
        ("sigma_delta", "sigma-delta neurons are not reset"),
    ],
)
def test_what_leaks_from_one_sample_into_the_next_is_named(name: str, reason: str) -> None:
    said = carried_over(CASES[name]().network)
    assert (reason in said) if reason else not said


def test_neurons_that_start_with_their_input_do_not_leak() -> None:
    network = CASES["bias"]().network
    late = tuple(replace(p, starts=network.hops(p.name)) for p in network.populations)
    assert carried_over(replace(network, populations=late)) == ""


def test_long_jobs_are_several_runs_of_the_chip() -> None:
    network = CASES["dense"]().network
    planned = list(schedules(network, 5000, 100, Lag(1, 1), back_to_back=True))
    assert [start for start, _ in planned] == list(range(0, 5000, 512))
    assert sum(schedule.samples for _, schedule in planned) == 5000
    assert planned[0][1].chip_steps == 512 * 128 + 2
    assert planned[0][1].reset_of(hops=2) == (128, 4)


def readings(dynamic: float, noise: float = 1e-3, static: float = 1.0) -> list[PowerReading]:
    rng = np.random.default_rng(0)
    return [
        PowerReading(
            total := static + dynamic + noise * rng.standard_normal(1000),
            0.6 * total, 0.3 * total, 0.1 * total, static, 10.0,
        )
        for _ in range(5)
    ]  # fmt: skip


def of(power: list[PowerReading], **changes: Any) -> Measured:
    given = {
        "seconds_per_step": 150e-6, "slot": 16, "board_chips": 1, "used_chips": 1,
        "idle_watts": None, "wanted_seconds": 10.0,
    }  # fmt: skip
    return energy(power, **{**given, **changes})


def test_energy_is_the_formula_of_the_published_benchmark() -> None:
    """lava-dl's pilotnet_snn/benchmark.ipynb, as quoted: 0.679 W, 408.9 frames a second."""
    made = of(readings(0.447, static=0.232), seconds_per_step=1 / 408.9 / 16).figures
    assert made["energy_joules"] == pytest.approx(1.661e-3, rel=2e-3)
    assert made["dynamic_joules"] == pytest.approx(1.094e-3, rel=2e-3)
    assert made["static_joules"] + made["dynamic_joules"] == pytest.approx(made["energy_joules"])


def test_static_power_of_unused_chips_is_taken_off() -> None:
    made = of(readings(0.5, static=8.0), board_chips=8, used_chips=2).figures
    assert made["watts"] == pytest.approx(2.5, abs=1e-3)
    assert made["static_watts"] == pytest.approx(2.0)
    unknown = of(readings(0.5, static=8.0), board_chips=None)
    assert unknown.figures["watts"] == pytest.approx(8.5, abs=1e-3)
    assert any("whole board's" in line for line in unknown.warnings)


@pytest.mark.parametrize("dynamic", [-0.006, 0.0, 0.001])
def test_dynamic_power_below_the_noise_is_no_energy(dynamic: float) -> None:
    made = of(readings(dynamic, noise=0.1))
    assert "dynamic_joules" not in made.figures
    assert made.figures["dynamic_joules_at_most"] > 0
    assert any("below the meter's noise" in line for line in made.warnings)


def test_a_drifting_board_is_noise_too() -> None:
    made = of(readings(0.05), idle_watts=0.9)
    assert made.figures["noise_watts"] >= 0.2
    assert "dynamic_joules" not in made.figures


def test_used_chips_never_give_power_however_the_board_drifts() -> None:
    made = of(readings(0.5, static=7.0), board_chips=8, used_chips=1, idle_watts=8.5).figures
    assert made["static_joules"] > 0
    assert made["energy_joules"] > made["static_joules"]


def test_a_single_reading_has_no_noise_and_no_dynamic_energy() -> None:
    one = np.array([1.5])
    made = of([PowerReading(one, one, one, one, 1.0, 10.0)])
    assert not [name for name in made.figures if name.startswith(("dynamic", "noise"))]
    assert np.all(np.isfinite(list(made.figures.values())))
    assert any("single reading" in line for line in made.warnings)


def test_the_noise_of_a_series_whose_readings_resemble_each_other_is_not_underrated() -> None:
    slow = np.repeat(np.random.default_rng(1).standard_normal(20), 50)
    reading = PowerReading(slow, slow, slow, slow, 1.0, 10.0)
    assert reading.error > 3 * slow.std() / np.sqrt(len(slow))


def test_short_windows_and_meters_without_readings_are_said() -> None:
    assert any("too short" in line for line in of(readings(0.5), wanted_seconds=20.0).warnings)
    empty = replace(readings(0.5)[0], total=np.array([]))
    with pytest.raises(BackendError, match="no readings"):
        of([empty])
    with pytest.raises(BackendError, match="no readings"):
        of([replace(readings(0.5)[0], static_total=float("nan"))])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"partion": "kp"}, "'partion': unknown; there are partition"),
        ({"generation": "N2A2"}, "N3B2, N3B3"),
        ({"repeats": "0"}, "give at least 1"),
        ({"repeats": "many"}, "give a whole number"),
        ({"window_seconds": "nan"}, "give at least 0"),
        ({"measure": "perhaps"}, "give yes or no"),
        ({"address": "192.0.2.1", "partition": "kp"}, "leave partition and board out"),
        ({"input_lag": 1}, "give both or none"),
    ],
)
def test_wrong_settings_are_one_clear_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ChipSettings.read(given)


def test_settings_come_as_text_too() -> None:
    read = ChipSettings.read({"measure": "no", "repeats": "3", "back_to_back": "auto"})
    assert (read.measure, read.repeats, read.back_to_back) == (False, 3, None)
    assert ChipSettings.read({"partition": "kp_stack"}).board_chips == 8
    assert ChipSettings.read({"partition": "oheogulch_2h"}).board_chips == 1
    assert ChipSettings.read({"partition": "other"}).board_chips is None


def test_the_silicon_trace_is_equal_once_lined_up_and_masked(cases) -> None:
    """As `compare` sees it: v is the refractory counter in the steps in which silicon spiked."""
    path = cases / "loihi2_single_lif" / "lif_lava_loihi_fixed.csv"
    given, voltage, spikes = np.loadtxt(path, delimiter=",").T
    network = Network(
        (Population("input", (1,), Source()), Population("lif", (1,), CubaLIF(4096, 163, 25))),
        (Projection("input", "lif", Dense(np.array([[10]], np.int32))),),
    )
    inputs = given.astype(np.int32)[None, :, None]

    def recorded(counter: bool) -> Recording:
        options = RunOptions(steps=len(given), record=("counts", "spikes", "v"))
        writer = RecordingWriter(header_of(network, "loihi2", "a trace", options))
        v = voltage if counter else np.where(voltage == 0, 1, voltage)
        BlockAssembler(network, options, writer).add(
            {"input": inputs, "lif": spikes.astype(np.int32)[None, :, None]},
            {"lif": {"v": v.astype(np.int32)[None, :, None]}},
        )
        writer.finish(samples=1)
        return writer.recording()

    engine = nd.run(network, inputs, record=("counts", "spikes", "v"))
    equal = nd.compare(engine, recorded(counter=True), anyway=True)
    assert equal.equal, equal.summary()
    assert (engine["lif"].v[0, :, 0] != voltage).sum() == 4
    assert not nd.compare(engine, recorded(counter=False), anyway=True).equal
