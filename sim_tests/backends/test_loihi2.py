"""The loihi2 backend through a stand-in for lava-loihi: every branch, and every fault."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from hw_tests.cases import CASES, dense
from neurodeploy.backends.loihi2.backend import check_supported
from neurodeploy.errors import BackendError, UnsupportedError
from neurodeploy.inputs import present
from neurodeploy.network import (
    ALIF,
    AdaptiveCubaLIF,
    AdaptiveResonateFire,
    ComplexDense,
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    Rating,
    Source,
)
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.remote.job import write_job
from neurodeploy.targets.look_ahead import look_ahead
from sim_tests.backends.standin import StandIn, run_batch

EVERYTHING = ("counts", "spikes", "u", "v")
EARLY_BIAS = "sigma_delta"
"""Its neurons cannot be reset, so with a late input their bias comes first; it is said."""

LATE = ("dense", "bias", "first_voltages", "image_layer", EARLY_BIAS)
"""Cases that run behind late adapters; the others behind prompt ones."""

KNOWN_LAGS = {"measure": False, "input_lag": 0, "output_lag": 0}
"""Settings that leave out what other tests look at, and what takes most of the time."""

pytestmark = pytest.mark.usefixtures("lava")


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn(tmp_path, monkeypatch)


def run(standin: StandIn, **options: object) -> nd.Recording:
    """The first case, measured nothing unless asked."""
    case = dense()
    given = {"chip": {"measure": False}, "host": standin.host, "timeout_seconds": 120.0, **options}
    return nd.run(case.network, case.inputs, backend="loihi2", **given)


def through_the_stand_in(
    folder: Path, names: Iterable[str], chip: dict[str, object], **faults: int
) -> dict[str, tuple[nd.Comparison, nd.Recording]]:
    """Run cases through the stand-in, and compare with the engine."""
    jobs = {}
    for name in names:
        case = CASES[name]()
        values = present(case.network, case.inputs, None, True)
        options = RunOptions(steps=values.steps, record=EVERYTHING, chip=chip, **case.options)
        check_supported(case.network, options)
        jobs[name] = folder / name
        jobs[name].mkdir()
        write_job(jobs[name], "loihi2", case.network, values[:], options)
    run_batch(list(jobs.values()), **faults)
    compared = {}
    for name, job in jobs.items():
        case = CASES[name]()
        engine = nd.run(case.network, case.inputs, record=EVERYTHING, **case.options)
        made = nd.Recording.load(job / "recording.h5")
        assert engine.output.any() or name == "current_wraps", f"{name}: nothing to see"
        compared[name] = nd.compare(engine, made, anyway=True), made
    return compared


@pytest.mark.slow
def test_every_other_case_is_the_engines_to_the_bit(tmp_path: Path) -> None:
    compared = through_the_stand_in(tmp_path, set(CASES) - set(LATE), KNOWN_LAGS)
    assert {name: c.summary() for name, (c, _) in compared.items() if not c.equal} == {}


@pytest.mark.slow
def test_late_adapters_are_found_out_and_made_up_for(tmp_path: Path) -> None:
    compared = through_the_stand_in(tmp_path, LATE, {"measure": False}, input_lag=1, output_lag=2)
    assert [name for name, (c, _) in compared.items() if not c.equal] == [EARLY_BIAS]
    early = [
        name
        for name, (_, made) in compared.items()
        if any("its bias acts 1 steps before" in line for line in made.header.warnings)
    ]
    assert early == [EARLY_BIAS]


@pytest.mark.slow
def test_measuring_takes_the_probes_apart_and_is_never_called_a_chips(standin: StandIn) -> None:
    standin.faults(chips=2, static_watts=8.0, dynamic_watts=0.5)
    settings = {"window_seconds": 0.5, "repeats": 3, "chips_on_board": 8}
    made = run(standin, chip=settings, out=standin.folder / "r.h5")
    assert made.header.backend == "loihi2-standin"
    assert "no hardware" in made.header.backend_version
    assert made.header.warnings[0].startswith("made without hardware")
    assert all(name.startswith("standin_") for name in made.header.measured)
    assert nd.profile(made).kind == "estimated"
    figures = {k.removeprefix("standin_"): v for k, v in made.header.measured.items()}
    runs = [call["probes"] for call in standin.calls("run")]
    timing = ["Loihi2ExecutionTime", "Loihi2Activity", "Loihi2Memory"]
    assert runs == [["StateProbe"], [], timing, *[["Loihi2Power"]] * 4]
    assert standin.calls("run")[-1]["steps"] == 25_008  # 0.5 s of 20 us, in whole samples of 16
    assert figures["watts"] == pytest.approx(8.5 - 6.0, abs=1e-3)
    assert figures["dynamic_watts"] == pytest.approx(0.5, abs=1e-3)
    assert figures["static_watts"] == pytest.approx(2.0)
    assert figures["steps_per_inference"] == 16
    assert figures["energy_joules"] == pytest.approx(2.5 * 16 * 20e-6, rel=1e-3)
    assert figures["used_cores"] == 8
    assert figures["chip_synops"] == 8 * 100 * 16
    assert made.header.counters["core"] == [0, 1, 2, 3, 120, 121, 122, 123]
    assert made.header.counters["syn_ops"] == [100.0] * 8
    assert standin.calls("N3Board")
    assert standin.calls("N3Board.disconnect")
    assert standin.calls("CyclicBuffer")[0]["frames"] == 32


@pytest.mark.slow
def test_power_below_the_noise_gives_no_energy_and_never_a_negative_one(standin: StandIn) -> None:
    standin.faults(dynamic_watts=-0.006, noise_watts=0.05)
    made = run(standin, chip={"window_seconds": 0.1, "repeats": 2, "chips_on_board": 1})
    assert "standin_dynamic_joules" not in made.header.measured
    assert made.header.measured["standin_dynamic_joules_at_most"] > 0
    assert any("below the meter's noise" in line for line in made.header.warnings)


@pytest.mark.slow
def test_what_a_board_lacks_is_said_or_left_out(standin: StandIn) -> None:
    standin.faults(no_cyclic_buffer=True, no_nxcore=True, empty_activity=True)
    made = run(standin, chip={"window_seconds": 0.1, "repeats": 1})
    assert any("no cyclic buffer" in line for line in made.header.warnings)
    assert any("whole board's" in line for line in made.header.warnings)
    assert "standin_idle_watts" not in made.header.measured
    assert "standin_energy_joules" in made.header.measured
    assert made.header.counters == {}
    assert "standin_chip_synops" not in made.header.measured


@pytest.mark.parametrize(
    "fault", ["empty_power", pytest.param("empty_time", marks=pytest.mark.slow)]
)
def test_a_meter_that_returns_nothing_costs_no_spike(standin: StandIn, fault: str) -> None:
    standin.faults(**{fault: True})
    made = run(standin, chip={"window_seconds": 0.1, "repeats": 1})
    assert made.header.measured == {}
    assert any("time and energy are unavailable" in line for line in made.header.warnings)
    assert made.output.any()


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"missing_lava_loihi": True}, "lava-loihi is not installed"),
        ({"loses_messages": True}, "is lost"),
        ({"compiler_fails": "conv1 needs 5120 input axons, limit 4096"}, "5120 input axons"),
        ({"ends_at_run": 2}, "ended with exit code 9"),
        ({"adapter_dies": True}, "ended with exit code 7 while the chip ran"),
        ({"empty_state_probe": True}, "state probe of u returned nothing"),
        ({"wrong_shape": True}, "expected 2 neurons x 32 steps"),
    ],
)
def test_faults_of_the_board_are_one_clear_line(
    standin: StandIn, faults: dict[str, object], message: str
) -> None:
    standin.faults(**faults)
    with pytest.raises(BackendError, match=message) as caught:
        run(standin)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_board_that_stops_answering_is_given_up_on(standin: StandIn) -> None:
    standin.faults(hangs_at_run=2)
    with pytest.raises(BackendError, match="not finished after"):
        run(standin, timeout_seconds=8.0)


def test_a_second_call_repeats_neither_samples_nor_readings(standin: StandIn) -> None:
    job = standin.folder / "job"
    settings = {"window_seconds": 0.1, "repeats": 2}
    standin.faults(ends_at_run=6)  # relay, samples, time, warm-up, power, here
    with pytest.raises(BackendError):
        run(standin, chip=settings, job=job)
    before = len(standin.calls("run"))
    standin.faults()
    made = run(standin, chip=settings, job=job)
    assert [c["probes"] for c in standin.calls("run")[before:]] == [["StateProbe"], ["Loihi2Power"]]
    assert made.header.measured["standin_repeats"] == 2
    assert made.output.any()


@pytest.mark.slow
def test_slurm_partitions_and_boards(standin: StandIn) -> None:
    standin.slurm()
    assert run(standin, chip={**KNOWN_LAGS, "partition": "oheogulch"}).output.any()
    for setting, message in (
        ({"partition": "kp"}, "partition kp is not found or is down"),
        ({"board": "ncl-og-02"}, "board ncl-og-02 is not found or board is down"),
        ({"address": "192.0.2.1"}, "ping 192.0.2.1"),
    ):
        with pytest.raises(BackendError, match=message):
            run(standin, chip={"measure": False, **setting})


def test_without_slurm_or_address_there_is_no_board(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NXSDKHOST")
    with pytest.raises(BackendError, match="no way to a board"):
        run(standin)
    with pytest.raises(BackendError, match="no sinfo on the PATH"):
        run(standin, chip={"partition": "oheogulch"})


def test_payloads_beyond_the_adapter_before_a_convolution_are_refused(standin: StandIn) -> None:
    case = CASES["delta_conv"]()
    with pytest.raises(UnsupportedError, match="exceed the 16 bits"):
        nd.run(
            case.network, case.inputs * 10_000, backend="loihi2", host=standin.host,
            chip=KNOWN_LAGS,
        )  # fmt: skip


def test_what_the_chip_cannot_run_is_refused_before_it_is_tried() -> None:
    case = dense()
    with pytest.raises(UnsupportedError, match=r"powers of two only, e\.g\. 16"):
        check_supported(case.network, RunOptions(steps=24, reset_interval=12))
    several = CubaLIF(1000, 300, np.array([100, 200], np.int32))
    network = Network(
        (Population("input", (3,), Source()), Population("two", (2,), several)),
        (Projection("input", "two", Dense(np.ones((2, 3), np.int32))),),
    )
    with pytest.raises(UnsupportedError, match="2 values of threshold"):
        check_supported(network, RunOptions(steps=24))
    (said,) = said_by_inspect(network)
    assert said.startswith("2 values of threshold")
    resonant = Population("two", (2,), AdaptiveResonateFire(300, 2000, 20, 20, 100, 5))
    ones = np.ones((2, 3), np.int32)
    network = Network(
        (network.input, resonant), (Projection("input", "two", ComplexDense(ones, ones)),)
    )
    with pytest.raises(UnsupportedError, match="need microcode of their own"):
        check_supported(network, RunOptions(steps=24))
    assert said_by_inspect(network)[0].startswith("adrf neurons")
    joined = Population("two", (2,), AdaptiveCubaLIF(4096, 204, 5, 100, 384))
    network = Network((network.input, joined), (Projection("input", "two", Dense(ones)),))
    with pytest.raises(UnsupportedError, match="has none; Loihi 1 joins 2 compartments for each"):
        check_supported(network, RunOptions(steps=24))
    biased = Population("two", (2,), ALIF(900, 300, 40, 60, 40, 9, bias=3))
    network = Network((network.input, biased), (Projection("input", "two", Dense(ones)),))
    with pytest.raises(UnsupportedError, match="'two': a bias of its current"):
        check_supported(network, RunOptions(steps=24))


def test_what_does_not_fit_a_core_is_refused_in_the_words_of_fit() -> None:
    """One neuron with more inputs than a core has axons."""
    weight = np.full((1, 70_000), 2, np.int32)
    network = Network(
        (Population("input", (70_000,), Source()), Population("wide", (1,), CubaLIF(9, 9, 9))),
        (Projection("input", "wide", Dense(weight)),),
    )
    (misfit, *_) = nd.fit(network, "loihi2").misfits
    with pytest.raises(UnsupportedError, match="'wide' needs 70,000") as caught:
        check_supported(network, RunOptions(steps=24))
    assert str(caught.value) == str(misfit)


def said_by_inspect(network: Network) -> list[str]:
    """Reasons of what ``inspect --target loihi2`` calls unsupported."""
    entries = look_ahead(network, "loihi2").entries
    return [entry.reason for entry in entries if entry.rating is Rating.UNSUPPORTED]
