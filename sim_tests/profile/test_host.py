"""The host's own meter: counters where there are any, else one line that says what is missing."""

from __future__ import annotations

import json
import math
import sys
import threading
import time

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import BackendError, InputError, RecordingError
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from neurodeploy.profiling import host, profile_host

SHORT = {"window_seconds": 0.05, "windows": 3}


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(4)
    network = Network(
        (
            Population("input", (20,), Source()),
            Population("output", (10,), CubaLIF(4096, 0, 200)),
        ),
        (Projection("input", "output", Dense(2 * rng.integers(0, 40, (10, 20)).astype(np.int32))),),
    )
    inputs = (rng.random((4, 25, 20)) < 0.3).astype(np.uint8)
    return network, inputs, nd.run(network, inputs)


class Counter:
    """A meter whose counter rises by so many watts."""

    def __init__(self, watts):
        self.watts, self.started = watts, time.perf_counter()

    def __call__(self):
        return 1000.0 + self.watts * (time.perf_counter() - self.started)


def test_energy_is_the_rise_of_the_counter_over_the_inferences(case):
    network, inputs, recording = case
    found = profile_host(network, inputs, meter=Counter(50.0), **SHORT)
    assert found.kind == "measured"
    assert found.watts == pytest.approx(50, rel=0.1)
    assert found.energy_joules == pytest.approx(50 * found.seconds, rel=0.1)
    # A machine that draws as much at rest spends nothing on the inference.
    assert found.static_joules == pytest.approx(found.energy_joules, rel=0.1)
    assert found.energy_joules == found.dynamic_joules + found.static_joules
    assert found.seconds_per_step == pytest.approx(found.seconds / 25)
    assert found.synops == nd.profile(recording).synops
    assert (found.samples, found.steps, found.band, found.parts) == (4, 25, None, ())
    assert found.notes[0].startswith("Read from the meter that was given")
    assert "shorter than MLPerf Tiny's 10 s" in found.notes[-1]


def test_power_at_rest_is_the_static_part(case, monkeypatch):
    network, inputs, _ = case
    resting = []
    sleep = time.sleep
    monkeypatch.setattr(host.time, "sleep", lambda s: (resting.append(s), sleep(s)))
    before = time.perf_counter()

    def meter():
        """30 W since the windows of work began, 10 W before: at rest."""
        now = time.perf_counter() - before
        rest = sum(resting)
        return 10 * rest + 30 * max(0.0, now - rest)

    found = profile_host(network, inputs, meter=meter, **SHORT)
    assert resting == [SHORT["window_seconds"]]
    assert found.static_joules == pytest.approx(10 * found.seconds, rel=0.25)
    assert found.energy_joules == pytest.approx(30 * found.seconds, rel=0.1)


def test_without_a_meter_energy_is_unavailable_with_the_reason_and_time_is_measured(
    case, monkeypatch
):
    network, inputs, _ = case
    monkeypatch.setitem(sys.modules, "zeus", None)
    monkeypatch.setitem(sys.modules, "zeus.device", None)
    with pytest.raises(BackendError, match=r"pip install '\.\[power\]'"):
        host.host_meter()
    found = profile_host(network, inputs, **SHORT)
    assert found.kind == "unavailable"
    assert "zeus is not installed" in found.notes[0]
    for figure in ("energy_joules", "dynamic_joules", "static_joules", "watts"):
        assert math.isnan(getattr(found, figure))
        assert found.tag(figure) == "unavailable"
    assert found.seconds > 0
    assert found.tag("seconds") == "measured"
    json.dumps(found.as_dict(), allow_nan=False)


def test_counters_that_stand_still_are_no_measurement(case):
    network, inputs, _ = case
    found = profile_host(network, inputs, meter=lambda: 7.0, **SHORT)
    assert found.kind == "unavailable"
    assert "stood still" in found.notes[0]


def test_only_the_recorded_inference_is_measured(case):
    network, inputs, _ = case
    recording = nd.run(network, inputs, steps=30)
    found = profile_host(network, inputs, recording=recording, meter=Counter(1.0), **SHORT)
    assert found.steps == 30
    with pytest.raises(InputError, match="not those of the recording"):
        profile_host(network, 1 - inputs, recording=recording)
    weight = np.eye(10, 20, dtype=np.int32)
    other = Network(network.populations, (Projection("input", "output", Dense(weight)),))
    with pytest.raises(RecordingError, match="made by another network"):
        profile_host(other, inputs, recording=recording)
    with pytest.raises(InputError, match="windows: 0 of 1 s"):
        profile_host(network, inputs, window_seconds=1, windows=0)


class Folder:
    """A folder of counters as the kernel shows them, whose package counts 20 W, its memory 5 W."""

    def __init__(self, root):
        self.root, self.stop = root, threading.Event()
        self.zone("intel-rapl:0", "package-0")
        self.zone("intel-rapl:0/intel-rapl:0:0", "dram")
        self.zone("intel-rapl:1", "psys")

    def zone(self, place, name):
        folder = self.root / place
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text("262143328850\n")
        (folder / "energy_uj").write_text("1000000\n")

    def count(self):
        started = time.perf_counter()
        while not self.stop.wait(0.002):
            passed = time.perf_counter() - started
            for place, watts in (("intel-rapl:0", 20), ("intel-rapl:0/intel-rapl:0:0", 5)):
                # Whole at once: a reader must not find the file empty.
                new = self.root / place / "new"
                new.write_text(f"{int(1e6 * (1 + watts * passed))}\n")
                new.rename(self.root / place / "energy_uj")


@pytest.fixture
def zeus(monkeypatch):
    pytest.importorskip("zeus", reason="needs zeus: pip install '.[power]'")
    import zeus.device.cpu
    import zeus.device.cpu.rapl

    monkeypatch.setattr(zeus.device.cpu, "_cpus", None)
    zeus.device.cpu.rapl.rapl_is_available.cache_clear()
    yield zeus.device.cpu.rapl
    zeus.device.cpu.rapl.rapl_is_available.cache_clear()


def test_zeus_reads_packages_and_memory_but_not_the_platform(case, zeus, monkeypatch, tmp_path):
    network, inputs, _ = case
    folder = Folder(tmp_path)
    monkeypatch.setattr(zeus, "RAPL_DIR", str(tmp_path))
    # Zeus watches for counters that wrap around from a process of its own; not here.
    monkeypatch.setattr(zeus.RaplWraparoundTracker, "__init__", lambda *_: None)
    monkeypatch.setattr(zeus.RaplWraparoundTracker, "get_num_wraparounds", lambda _: 0)
    counting = threading.Thread(target=folder.count)
    counting.start()
    try:
        found = profile_host(network, inputs, window_seconds=0.3, windows=3)
    finally:
        folder.stop.set()
        counting.join()
    assert found.kind == "measured"
    assert found.watts == pytest.approx(25, rel=0.2)
    assert found.notes[0].startswith("Read from zeus: counters of the CPU packages")


def test_zeus_without_counters_says_so(case, zeus, monkeypatch, tmp_path):
    monkeypatch.setattr(zeus, "RAPL_DIR", str(tmp_path / "none"))
    monkeypatch.setattr(zeus, "CONTAINER_RAPL_DIR", str(tmp_path / "none"))
    with pytest.raises(BackendError, match="zeus reads no CPU counter here: RAPL"):
        host.host_meter()
    monkeypatch.setattr(zeus, "RAPL_DIR", str(tmp_path))
    zeus.rapl_is_available.cache_clear()
    with pytest.raises(BackendError, match="finds no CPU package"):
        host.host_meter()
