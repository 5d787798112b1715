"""The DPSNN example: it learns, goes on where it stopped; what is shipped is what its card says."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile

import neurodeploy as nd
from neurodeploy.audio.enhancement import MaskCodec, MaskFront, enhance_whole, separator, si_snr
from neurodeploy.network import Network
from neurodeploy.targets import rewrite
from sim_tests.sound.nets import speechlike
from sim_tests.sound.test_denoise import streamed

from .conftest import ROOT

EXAMPLE = ROOT / "examples" / "dpsnn"
EXPORTS = ROOT / "netx_exports"
NETWORK = EXPORTS / "dpsnn.net"

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="needs torch: neurodeploy doctor --add lava-dl",
)


@pytest.fixture(scope="module")
def shipped():
    return nd.load(NETWORK), MaskCodec.load(EXPORTS / "dpsnn.npz")


def test_the_card_is_of_these_files():
    card = (EXPORTS / "dpsnn.md").read_text()
    for name in ("dpsnn.net", "dpsnn.npz"):
        content = (EXPORTS / name).read_bytes()
        assert len(content) < 2e6
        assert f"`{hashlib.sha256(content).hexdigest()}`" in card


def test_the_shipped_network_streams_to_the_bit(shipped):
    network, codec = shipped
    sound = speechlike(8000)
    whole = enhance_whole(network, sound, MaskFront(codec, network.hops("mask")))
    for gated in (True, False):
        live = separator(network, codec, gated)
        assert streamed(live, sound, range(0, 8000, 777)).tobytes() == whole.tobytes()
        assert all(live.meter.read().messages_per_step.values())


def test_its_first_layers_equal_lavas(shipped, lava):
    """Lava has no neurons for the next two; SLAYER's are compared in engine/."""
    network, codec = shipped
    names = ("input", "project", "temporal")
    part = Network(
        [replace(network[name], starts=0) for name in names],
        [p for p in network.projections if p.target in names],
    )
    front, record = MaskFront(codec), ("spikes", "u", "v")
    values = np.stack([front.inputs(hop) for hop in speechlike(60 * 40).reshape(-1, 40)])
    ours = nd.run(part, values, record=record)
    theirs = nd.run(rewrite.rewritten_for(part, "lava"), values, record=record, backend="lava")
    for name in names[1:]:
        assert ours[name].spikes.sum() > 50
        for what in record:
            np.testing.assert_array_equal(getattr(theirs[name], what), getattr(ours[name], what))


@pytest.fixture
def recordings(tmp_path):
    """Two speakers whose digits are tones, at 16 kHz: nothing is to be resampled."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for speaker, pitch in (("ann", 200), ("bob", 120)):
        for digit, index in itertools.product(range(2), (0, 5, 10)):
            t = np.arange(4000) / 16000
            tone = np.sin(2 * np.pi * pitch * (1 + digit) * t) * np.hanning(4000)
            soundfile.write(folder / f"{digit}_{speaker}_{index}.wav", 0.4 * tone, 16000)
    return folder


DRIVER = """
import sys
sys.path.insert(0, {example!r})
import train
train.BETWEEN, train.VALIDATED, train.BATCH, train.SECONDS = 2, 1, 2, 0.1
sys.argv[1:] = {arguments!r}
train.main()
"""


def call_train(*arguments, status=0):
    code = DRIVER.format(example=str(EXAMPLE), arguments=[str(a) for a in arguments])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


@pytest.mark.slow
@needs_torch
def test_training_goes_on_where_it_stopped_and_what_it_made_is_deployed(recordings, tmp_path):
    import torch

    flags = ("--small", "--steps", "4")
    call_train(recordings, "-o", tmp_path / "whole.pt", *flags)
    call_train(recordings, "-o", tmp_path / "parts.pt", *flags, "--until", "2")
    said = call_train(recordings, "-o", tmp_path / "parts.pt", *flags)
    assert "going on from step 2" in said
    whole, parts = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 4
    assert len(parts["history"]) == 2
    for name, value in whole["model"].items():
        assert torch.equal(value, parts["model"][name]), name
    done = subprocess.run(
        [sys.executable, EXAMPLE / "deploy.py", tmp_path / "whole.pt", recordings,
         "-o", tmp_path / "made.net"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    network, codec = nd.load(tmp_path / "made.net"), MaskCodec.load(tmp_path / "made.npz")
    sound = speechlike(16000)
    made = streamed(separator(network, codec), sound)
    np.save(tmp_path / "sound.npy", sound)
    code = FLOATS.format(example=str(EXAMPLE), folder=str(tmp_path))
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
    floats = np.load(tmp_path / "floats.npy")
    assert si_snr(made[: len(floats)], floats) > 15  # what rounding changes is far below the sound
    said = call_train(recordings, "-o", tmp_path / "whole.pt", "--steps", "4", status=2)
    assert "was begun with shape" in said


FLOATS = """
import sys
sys.path.insert(0, {example!r})
import numpy as np, torch, train
model, _ = train.load(train.Path({folder!r}) / "whole.pt")
with torch.no_grad():
    made, sent = model(torch.from_numpy(np.load({folder!r} + "/sound.npy"))[None])
assert all((layer != 0).any() for layer in sent.values())
np.save({folder!r} + "/floats.npy", made[0].numpy())
"""


@pytest.mark.slow
@needs_torch
def test_it_trains_on_noisy_vctk_where_that_is(tmp_path):
    for kind in ("noisy", "clean"):
        folder = tmp_path / f"{kind}_trainset_28spk_wav"
        folder.mkdir()
        for number, length in enumerate((3000, 900, 2000)):
            sound = speechlike(length, level=0.2 if kind == "noisy" else 0.1)
            soundfile.write(folder / f"p226_{number:03d}.wav", sound, 16000)
    said = call_train(
        tmp_path, "--data", "vctk", "-o", tmp_path / "a.pt", "--small", "--steps", "2"
    )
    assert "step 2, " in said


@pytest.mark.slow
@needs_torch
def test_it_separates_as_the_readme_says(cases):
    """The deployed network on the official test speech, each noise at three ratios."""
    pytest.importorskip("soxr", reason="needs soxr: pip install '.[audio]'")
    done = subprocess.run(
        [sys.executable, EXAMPLE / "evaluate.py", NETWORK, NETWORK.with_suffix(".npz"),
         cases / "spoken_digits" / "recordings"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = re.search(r"^all .*si_snr_noisy (\S+) +si_snr (\S+)", done.stdout, re.MULTILINE)
    table = re.search(
        r"^\| all \| (\S+) \| \S+ \| (\S+) \|", (EXAMPLE / "README.md").read_text(), re.M
    )
    assert abs(float(found[1]) - float(table[1])) < 0.05
    assert abs(float(found[2]) - float(table[2])) < 0.1
    assert "to the bit: 60 of 60" in done.stdout


TURNED_BACK = """
import sys
sys.path.insert(0, {example!r})
import numpy as np, torch
import fewer_bits as fewer
from deploy import grid, network_of

network = fewer.nd.load(fewer.EXPORTS / "dpsnn.net")
codec = fewer.MaskCodec.load(fewer.EXPORTS / "dpsnn.npz")
model = fewer.model_of(network, codec)
again, unit = network_of(model, 8, int(network["readout"].neuron.parameters["input_exponent"]))
assert abs(unit / codec.mask_unit - 1) < 1e-5
for theirs, ours in zip(network.projections, again.projections, strict=True):
    np.testing.assert_array_equal(theirs.synapse.only_array, ours.synapse.only_array)
for theirs, ours in zip(network.populations, again.populations, strict=True):
    for name, value in theirs.neuron.parameters.items():
        if name not in ("signed", "reset"):
            np.testing.assert_allclose(ours.neuron.parameters[name], value, atol=1)

held = fewer.Rounded(model, 4).weights()
whole, _ = network_of(model, 4)
for projection in whole.projections:
    exact = held[{names!r}[projection.source, projection.target]].detach().numpy()
    array = projection.synapse.only_array
    assert len(np.unique(array)) <= 15
    np.testing.assert_allclose(exact / np.abs(exact).max(), array / np.abs(array).max(), atol=1e-5)
held["mask.weight"].sum().backward()
assert bool((model.mask.weight.grad == 1).all())  # rounding passes gradients on
"""


@needs_torch
def test_what_is_trained_in_fewer_bits_is_what_is_deployed():
    names = {
        ("input", "project"): "project.weight", ("project", "temporal"): "temporal.weight",
        ("temporal", "adaptive"): "adaptive.forth.weight",
        ("adaptive", "adaptive"): "adaptive.back.weight",
        ("adaptive", "readout"): "readout.forth.weight", ("readout", "mask"): "mask.weight",
    }  # fmt: skip
    code = TURNED_BACK.format(example=str(EXAMPLE), names=names)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
