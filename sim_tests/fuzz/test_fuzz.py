"""Damaged files of every kind are read or refused, in one line, in seconds and bounded memory."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.audio.encoders.named import parse_encoder
from neurodeploy.audio.enhancement.codec import MaskCodec
from neurodeploy.chip.specification import load_chip
from neurodeploy.comparison.junit import write_junit
from neurodeploy.errors import NeurodeployError, RecordingError
from neurodeploy.hdf5 import open_hdf5
from neurodeploy.inputs import read_inputs, read_labels

from .sound_files import RNG, chain, network

HOSTILE = Path(__file__).parents[2].parent / "shared" / "cases" / "faults" / "hostile"
samples = pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile files are not here")


def test_a_few_hundred_damaged_files_are_read_or_refused():
    needs_nir()
    command = [sys.executable, "-m", "sim_tests.fuzz", "--files", "270", "--seed", "11"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert ran.returncode == 0, ran.stdout
    assert "refused" in ran.stdout
    assert " read" in ran.stdout


REFUSED = {
    "S0.nir": "claims 1,073,731,824 bytes more",
    "clash.net": "lies within that of population 'a'",
    "dag60.nir": "more than 1000 ways",
    "dia30.nir": "more than 1000 ways",
    "dotx.net": "no name that a file can hold",
    "esc.net": "no terminal can show",
    "hash1t.net": "claims 4,000,000,000,000 bytes more",
    "hash3g.net": "claims 3,000,000,000 bytes more",
    "layerds.net": "claims 16,000,000 bytes more",
    "leak.net": "lies in another file",
    "next.nir": "lies in another file",
    "nlink.net": "a link to somewhere else",
    "nvds.nir": "lies in another file",
    "recur.net": "there twice or within itself",
    "vlen.nir": "bytes more than what is stored",
    "whole3g.net": "claims 3,000,000,000 bytes more",
    "c_convT.net": "more than 2147483647 neurons",
    "c_in.net": "more than 2147483647 neurons",
    "c_pad2.net": "more than 2147483647 neurons",
}


def needs_nir():
    pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")


@samples
@pytest.mark.parametrize("name", REFUSED)
def test_hostile_networks_are_refused_by_name(name):
    path = HOSTILE / name
    if path.suffix == ".nir":
        needs_nir()
    options = {"dt": 1e-4} if path.suffix == ".nir" else {}
    with pytest.raises(NeurodeployError) as refused:
        nd.load(path, **options)
    words = str(refused.value)
    assert REFUSED[name] in words
    assert str(path) in words
    assert words.isprintable()


@samples
@pytest.mark.parametrize("kind", ["11", "12", "13"])
def test_damaged_files_raise_no_foreign_exception(kind):
    if kind == "12":
        needs_nir()
    files = sorted((HOSTILE / "exceptions").glob(f"{kind}-*"))
    assert files
    read = nd.Recording.load if kind == "13" else nd.load
    for path in files:
        with pytest.raises(NeurodeployError) as refused:
            read(path, **({"dt": 1e-4} if kind == "12" else {}))
        assert str(refused.value).isprintable()


def test_a_heap_of_strings_that_leads_nowhere_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["words"] = "some text"
    data = bytearray(path.read_bytes())
    free = data.index(b"GCOL\x01") + 16 + 16 + 16  # behind the header and the one string
    assert data[free : free + 2] == b"\0\0"
    data[free + 8 : free + 16] = bytes(8)  # free space of no size, over which libhdf5 loops
    path.write_bytes(data)
    with pytest.raises(NeurodeployError, match="leads nowhere"):
        open_hdf5(path)


def test_an_archive_that_claims_too_much_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.npz"
    np.save(tmp_path / "a.npy", np.zeros((3, 4), np.uint8))
    array = (tmp_path / "a.npy").read_bytes()
    claims = array.replace(b"(3, 4), }" + b" " * 20, b"(3000000, 4000000), }" + b" " * 8)
    assert len(claims) == len(array)
    assert claims != array
    for held, sound in ((array, True), (claims, False)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inputs.npy", held)
        if sound:
            assert read_inputs(path)[0].shape == (3, 4)
        else:
            with pytest.raises(NeurodeployError, match="an array of shape"):
                read_inputs(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("inputs.npy", array)
    with pytest.raises(NeurodeployError, match="another way"):
        read_inputs(path)


def test_a_pipe_is_no_input(tmp_path):
    """Opening one waits until somebody writes."""
    readers = {
        "a.net": nd.load,
        "a.nir": nd.load,
        "a.h5": nd.Recording.load,
        "a.npz": read_inputs,
        "a.npy": read_labels,
        "a.toml": load_chip,
        "codec.npz": MaskCodec.load,
        "filters.npz": lambda path: parse_encoder(f"conv:weights={path},stride=2", 16000),
    }
    for name, read in readers.items():
        os.mkfifo(tmp_path / name)
        with pytest.raises(NeurodeployError, match=r"no regular file|no such file"):
            read(tmp_path / name)


@pytest.mark.parametrize("kind", ["external link", "soft link", "virtual", "external storage"])
def test_a_recording_holds_its_own_data(tmp_path, kind):
    path, name = tmp_path / "a.h5", "populations/out/v"
    nd.run(network(), np.ones((2, 9, 2, 4, 4), np.uint8), record=("counts", "v")).save(path)
    other = tmp_path / "other.h5"
    shutil.copyfile(path, other)
    with h5py.File(path, "a") as file:
        held = file[name]
        shape, dtype = held.shape, held.dtype
        del file[name]
        if kind == "external link":
            file[name] = h5py.ExternalLink(str(other), name)
        elif kind == "soft link":
            file[name] = h5py.SoftLink("/populations/conv/v")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource(str(other), name, shape)
            file.create_virtual_dataset(name, layout)
        else:
            file.create_dataset(name, shape, dtype, external=[(str(other), 0, 1 << 20)])
    with pytest.raises(RecordingError, match=rf"{name}: .*(somewhere else|in another file)"):
        nd.Recording.load(path)


def test_a_recording_whose_neurons_are_truths_is_refused(tmp_path):
    path, name = tmp_path / "a.h5", "populations/out/neuron"
    nd.run(network(), np.ones((2, 9, 2, 4, 4), np.uint8), record=("counts", "spikes")).save(path)
    with h5py.File(path, "a") as file:
        neurons = file[name][()] > 0
        del file[name]
        file[name] = neurons
    with pytest.raises(RecordingError, match=f"{name}: no array of numbers"):
        nd.Recording.load(path)


@pytest.mark.parametrize("megabytes", [300, 600])
def test_want_of_address_space_is_one_line(tmp_path, megabytes):
    """Or no want at all."""
    nd.save(network(), tmp_path / "a.net")
    np.save(tmp_path / "a.npy", np.ones((2, 2000, 2, 4, 4), np.uint8))
    given = ["run", "a.net", "--input", "a.npy", "-o", "a.h5"]
    room = megabytes << 20
    ran = subprocess.run(
        [sys.executable, "-m", "neurodeploy", *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (room, room)),
    )
    assert ran.returncode == 0 or (ran.returncode == 2 and ran.stderr.count("\n") == 1), ran


@pytest.mark.parametrize("room", [0, 300, 3_000, 10_000])
@pytest.mark.parametrize("name", ["a.net", "b.net", "a.nir", "a.h5", "a.html", "a.xml", "a.npz"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, room, name):
    if name.endswith(".nir"):
        needs_nir()
    inputs = np.ones((20, 50, 2, 4, 4), np.uint8)
    recording = nd.run(network(), inputs, record=("counts", "spikes", "u", "v"))
    path = tmp_path / name
    if name == "a.xml" and room > 300:
        pytest.skip("a JUnit file has less than 3,000 bytes")
    whole = network() if name == "a.net" else chain()
    compared = nd.compare(recording, recording)
    codec = MaskCodec(*(RNG.random(shape) for shape in ((9, 80), 9, (9, 80), 9)), 1.0, 3, 7, 0.1, 9)

    def write():
        writers = {
            ".h5": lambda: recording.save(path),
            ".html": lambda: nd.report(path, net=whole, comparison=compared),
            ".xml": lambda: write_junit(path, compared),
            ".npz": lambda: codec.save(path),
        }
        writers.get(path.suffix, lambda: nd.save(whole, path))()

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(NeurodeployError, match="cannot be written whole"):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
    write()
    assert path.stat().st_size > room
