"""What does not fit into memory is refused before anything runs, with sizes and a way out."""

from __future__ import annotations

import re

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import memory
from neurodeploy.errors import FormatError, TooLargeError
from neurodeploy.network import CubaLIF, Dense, Network, OneToOne, Population, Projection, Source

GIGABYTE = 10**9


@pytest.fixture
def machine_with(monkeypatch):
    return lambda size: monkeypatch.setattr(memory, "available_bytes", lambda: size)


def network_of(size):
    weight = np.full((size, 2), 60, np.int32)
    return Network(
        (
            Population("input", (2,), Source()),
            Population("wide", (size,), CubaLIF(1024, 300, 90)),
        ),
        (Projection("input", "wide", Dense(weight)),),
    )


def inputs_of(samples, steps):
    return np.broadcast_to(np.int32(1), (samples, steps, 2))


def test_a_recording_that_does_not_fit_is_refused_with_bytes_and_a_way_out(machine_with):
    machine_with(2 * GIGABYTE)
    with pytest.raises(TooLargeError) as refused:
        nd.run(network_of(1000), inputs_of(100, 5000), record=("u", "v"))
    message = str(refused.value)
    assert "population 'wide': u and v of 100 samples x 5000 steps" in message
    assert f"needs {2 * 4 * 100 * 5000 * 1000:,} bytes" in message
    assert "has 2,000,000,000 available" in message
    assert "out=FILE" in message
    assert "\n" not in message


def test_lava_refuses_the_same_before_it_starts(machine_with):
    machine_with(2 * GIGABYTE)
    with pytest.raises(TooLargeError, match="population 'wide': u and v"):
        nd.run(network_of(1000), inputs_of(100, 5000), record=("u", "v"), backend="lava")


def test_counts_of_very_many_samples_are_foreseen_too(machine_with):
    machine_with(GIGABYTE)
    with pytest.raises(TooLargeError, match=r"'wide': counts of 20000 samples: needs 1,600,000,0"):
        nd.run(network_of(10_000), inputs_of(20_000, 1))


@pytest.mark.slow
def test_streamed_to_a_file_the_same_run_fits(machine_with, tmp_path):
    network, inputs = network_of(200), inputs_of(60, 500)
    machine_with(40 << 20)
    with pytest.raises(TooLargeError):
        nd.run(network, inputs, record=("u", "v"), threads=2)
    recording = nd.run(network, inputs, record=("u", "v"), threads=2, out=tmp_path / "a.h5")
    assert recording["wide"].u.shape == (60, 500, 200)


def test_a_single_sample_too_long_is_refused_even_to_a_file(machine_with, tmp_path):
    machine_with(GIGABYTE)
    with pytest.raises(TooLargeError, match="record less or run fewer steps"):
        nd.run(network_of(1000), inputs_of(2, 200_000), record=("v",), out=tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_states_of_one_sample_are_in_memory_once(machine_with, tmp_path):
    size = 8 * 40 * 50
    image = Network(
        (
            Population("input", (8, 40, 50), Source()),
            Population("image", (8, 40, 50), CubaLIF(0, 0, 1)),
        ),
        (Projection("input", "image", OneToOne(1)),),
    )
    inputs = np.broadcast_to(np.uint8(1), (1, 500, *image.input.shape))
    states = 4 * 500 * size
    machine_with(states - 1)
    with pytest.raises(TooLargeError, match=rf"'image': v of .*: needs {states:,} bytes"):
        nd.run(image, inputs, record=("v",), out=tmp_path / "a.h5")
    machine_with(states + states // 10)  # what is not states is less than a tenth
    for out in (None, tmp_path / "a.h5"):
        assert nd.run(image, inputs, record=("v",), out=out)["image"].v.nbytes == states


def test_where_nothing_tells_nothing_is_refused(machine_with):
    machine_with(None)
    network = network_of(2000)
    recording = nd.run(network, inputs_of(3, 1000), record=("v",))
    assert recording["wide"].v.shape == (3, 1000, 2000)


def test_a_file_whose_numbers_do_not_fit_is_refused_unread(machine_with, tmp_path):
    nd.save(network_of(4), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "a") as file:
        del file["layer/0/weight"]
        file.create_dataset("layer/0/weight", data=np.zeros((4, 2_000_000), "f4"), compression=9)
    machine_with(GIGABYTE // 10)
    with pytest.raises(TooLargeError, match="layer/0/weight: 8,000,000 numbers") as refused:
        nd.load(tmp_path / "a.net")
    assert "needs 288,000,000 bytes" in str(refused.value)


def test_a_file_that_claims_more_than_it_stores_is_refused(tmp_path):
    nd.save(network_of(4), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "a") as file:
        del file["layer/0/weight"]
        # Nothing is stored: a damaged or malicious file may claim any size.
        file.create_dataset("layer/0/weight", (4, 50_000_000), "f4", chunks=(4, 1 << 16))
    with pytest.raises(FormatError, match="layer/0/weight: claims 800,000,000 bytes more"):
        nd.load(tmp_path / "a.net")


def test_memory_available_is_that_of_the_machine_or_the_smaller_control_group(
    monkeypatch, tmp_path
):
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:    500 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "none")
    assert memory.available_bytes() == 500 * 1024
    group = tmp_path / "group"
    group.mkdir()
    (group / "memory.max").write_text("300000\n")
    (group / "memory.current").write_text("200000\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 5000\nactive_file 7000\n")
    monkeypatch.setattr(memory, "CGROUP", group)
    assert memory.available_bytes() == 112_000
    (group / "memory.max").write_text("max\n")
    assert memory.available_bytes() == 500 * 1024


def test_this_machine_tells():
    available = memory.available_bytes()
    assert available is None or available > 1 << 20


def test_every_refusal_is_one_line_of_plain_numbers(machine_with):
    machine_with(0)
    with pytest.raises(TooLargeError) as refused:
        nd.run(network_of(1000), inputs_of(100, 5000), record=("spikes", "v"))
    assert re.search(r"needs [\d,]+ bytes of memory .*has 0 available; ", str(refused.value))
