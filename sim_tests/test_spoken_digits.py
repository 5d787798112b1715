"""The digit spotter: trains, goes on where it stopped, and is what its card says."""

from __future__ import annotations

import hashlib
import importlib
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.audio.files import write_audio
from neurodeploy.errors import InputError

from .conftest import HAS_LAVA, ROOT

EXAMPLE = ROOT / "examples" / "spoken_digits"
NET = ROOT / "netx_exports" / "spoken_digits.net"
MODULES = ("spoken", "train", "quick", "evaluate")

needs_slayer = pytest.mark.skipif(
    not HAS_LAVA, reason="training needs lava-dl: neurodeploy doctor --add lava-dl"
)


@pytest.fixture(scope="module")
def example():
    """The example's modules; other examples have some of the same names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE)
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        found = {n: importlib.import_module(n) for n in MODULES if n != "quick"}
        yield SimpleNamespace(**found)
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two tones for each digit: some of each split."""
    folder = tmp_path_factory.mktemp("recordings")
    seconds = np.arange(2400) / 8000
    rng = np.random.default_rng(0)
    for digit in range(10):
        for index in (0, 5, 10, 11):
            tones = sum(np.sin(2 * np.pi * f * seconds) for f in (200 + 90 * digit, 1500))
            noisy = 0.2 * tones + 0.01 * rng.standard_normal(len(seconds))
            with write_audio(folder / f"{digit}_anna_{index}.wav", 8000) as write:
                write(noisy.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def digits(cases):
    folder = cases / "spoken_digits" / "recordings"
    if not folder.is_dir():
        pytest.skip("needs the spoken digits in ../shared/cases, which are not part of a clone")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("encoded")


@pytest.fixture(scope="module")
def clips(example, digits, cache):
    return example.spoken.load(digits, "test", cache)


def test_splits_are_apart(example, recordings, tmp_path):
    spoken = example.spoken
    names = {s: {c.path.name for c in spoken.recordings(recordings, s)} for s in spoken.SPLITS}
    assert [len(names[s]) for s in ("test", "validation", "train")] == [10, 10, 20]
    assert not names["test"] & (names["validation"] | names["train"])
    assert sorted(i for split in spoken.SPLITS.values() for i in split) == list(range(50))
    shutil.copy(recordings / "3_anna_0.wav", tmp_path)
    shutil.copy(recordings / "3_anna_10.wav", tmp_path)
    with pytest.raises(InputError, match="no validation recordings; give the folder"):
        spoken.recordings(tmp_path, "validation")
    with pytest.raises(InputError, match="no such folder"):
        spoken.recordings(tmp_path / "none", "test")


def test_encoded_clips_are_kept(example, recordings, tmp_path, monkeypatch):
    first = example.spoken.load(recordings, "test", tmp_path)
    assert first.inputs.dtype == np.uint8
    assert first.inputs.max() == 1
    assert len(first.inputs[0]) == example.spoken.STEPS
    assert first.inputs[0, :37].any()
    assert not first.inputs[0, 37:].any()  # 0.3 s are 37 hops of 8 ms
    monkeypatch.setattr(example.spoken, "encode", None)
    again = example.spoken.load(recordings, "test", tmp_path)
    assert again.inputs.tobytes() == first.inputs.tobytes()
    assert again.speakers.tolist() == ["anna"] * 10


def test_another_rate_is_refused(example, tmp_path):
    with write_audio(tmp_path / "0_anna_0.wav", 16000) as write:
        write(np.zeros(800, np.float32))
    with pytest.raises(InputError, match="16000 Hz; give recordings of 8000 Hz"):
        example.spoken.encode(tmp_path / "0_anna_0.wav")


def state(path):
    import torch

    held = torch.load(path, weights_only=True)
    return {name: tensor.numpy() for name, tensor in held.items()}


@needs_slayer
def test_training_goes_on_as_if_never_stopped(example, recordings, tmp_path, capsys, monkeypatch):
    train = example.train

    def ran(out, *more):
        given = [str(recordings), "--out", str(tmp_path / out), "--small", "--epochs", "3", *more]
        return train.main(given)

    assert ran("whole") == 0
    assert "epoch 3/3" in capsys.readouterr().out
    learn = train.Training.learn_epoch

    def interrupted(self, clips):
        for number, batch in enumerate(learn(self, clips)):
            if self.epoch == 1 and number == 0:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(train.Training, "learn_epoch", interrupted)
    assert ran("parts") == 130
    assert not (tmp_path / "parts" / "trained.pt").exists()
    assert "the same command goes on" in capsys.readouterr().err
    monkeypatch.setattr(train.Training, "learn_epoch", learn)
    assert ran("parts", "--seed", "1") == 2
    assert "now asked for" in capsys.readouterr().err
    assert ran("parts", "--minutes", "0") == 0
    assert "time is up" in capsys.readouterr().out
    assert ran("parts") == 0
    assert "goes on after epoch 1" in capsys.readouterr().out
    whole, parts = (state(tmp_path / out / "trained.pt") for out in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
    (tmp_path / "parts" / "checkpoint.pt").write_bytes(b"half a file")
    assert ran("parts") == 2
    assert "not a checkpoint of this script" in capsys.readouterr().err


@needs_slayer
def test_quick_loops_are_slayers(example):
    """Outputs and gradients to the bit, delays learning."""
    import torch

    quick = importlib.import_module("quick").quick
    torch.manual_seed(3)
    module = example.spoken.make(hidden=24)
    for block in module:  # so that all of it spikes
        block.synapse.weight.data *= 3
    spikes = (torch.rand(5, example.spoken.CHANNELS, 40) < 0.1).float()

    def done():
        module.zero_grad()
        output = module(spikes)
        (output.sum(dim=-1) ** 2).sum().backward()
        learned = [p.grad.clone() for p in module.parameters() if p.requires_grad]
        return output.detach().clone(), learned

    theirs, gradients = done()
    with quick():
        ours, found = done()
    assert theirs.sum() > 50
    assert torch.equal(ours, theirs)
    assert len(found) == 5
    assert all(g.any() and torch.equal(g, f) for g, f in zip(gradients, found, strict=True))


@needs_slayer
def test_the_module_reads_as_chip_integers(example, recordings):
    import torch

    clips = example.spoken.load(recordings, "test")
    torch.manual_seed(0)
    module = example.spoken.make(hidden=16)
    for block in module:
        weight = block.synapse.weight
        weight.data = torch.round(weight.data * 3 * 128).clamp(-128, 127) / 128
    x = torch.from_numpy(clips.inputs.transpose(0, 2, 1)).float()
    theirs = module(x).detach().numpy().transpose(0, 2, 1)
    network = nd.load(module, example=clips.inputs)
    assert theirs.any()
    np.testing.assert_array_equal(nd.run(network, clips.inputs).output, theirs)
    # These weights are on the grid: floats differ from integers by the states' rounding alone.
    exact = example.spoken.float_network(example.spoken.float_weights(module))
    floats = nd.run(exact, clips.inputs, backend="float").output
    hops = network.hops(network.output.name)  # of the chip's clock, which floats have not
    assert np.mean(floats[:, :-hops] != theirs[:, hops:]) < 0.01


def card(pattern):
    found = re.search(pattern, NET.with_suffix(".md").read_text(encoding="utf-8"))
    assert found is not None
    return found.groups()


def test_card_and_readme_name_the_encoder(example):
    for page in (NET.with_suffix(".md"), EXAMPLE / "README.md"):
        assert example.spoken.ENCODER in page.read_text(encoding="utf-8")


def test_the_card_is_of_this_file():
    assert NET.stat().st_size < 2e6
    (sha256,) = card(r"\| sha256 of spoken_digits\.net \| `([0-9a-f]{64})`")
    assert hashlib.sha256(NET.read_bytes()).hexdigest() == sha256


def test_shipped_integers_are_the_shipped_floats_rounded():
    """SLAYER's 8 bits: even integers, halves to the even multiple."""
    network = nd.load(NET)
    with np.load(NET.with_name("spoken_digits_float.npz"), allow_pickle=False) as floats:
        for projection in network.projections:
            rounded = np.clip(2 * np.rint(floats[projection.target] / 2), -256, 254)
            np.testing.assert_array_equal(projection.synapse.weight, rounded)
        for population in network.populations[1:-1]:
            delays = floats[population.name.replace("dense", "delay")]
            np.testing.assert_array_equal(population.axon_delay, delays)
            assert delays.max() <= 62
            assert np.ptp(delays) > 10


def test_shipped_network_scores_what_its_card_says(example, clips):
    right, tested = map(int, card(r"test accuracy, 8 bits \| (\d+) of (\d+)"))
    output = nd.run(nd.load(NET), clips.inputs).output
    assert tested == len(clips.labels) == 300
    assert int((example.spoken.decide(output) == clips.labels).sum()) == right
    assert right / tested >= 0.94


def test_evaluation_says_what_the_readme_says(example, digits, clips, cache, capsys):
    assert len(clips.labels) == 300
    assert example.evaluate.main([str(digits), "--cache", str(cache)]) == 0
    said = capsys.readouterr().out
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    shares = {}
    for line, row in {
        "float": "float32",
        "engine, 8 bits": "8 bits, engine",
        "engine, delays taken out": "8 bits, delays taken out",
    }.items():
        found = re.search(rf"^{line}: ([\d.]+)%$", said, re.MULTILINE)
        written = re.search(rf"^\| {row}[^|]*\| ([\d.]+) %", readme, re.MULTILINE)
        assert found is not None, line
        assert written is not None, row
        shares[line] = float(found[1])
        assert float(written[1]) == pytest.approx(shares[line], abs=0.34)  # a clip
    assert shares["float"] >= 94
    assert abs(shares["float"] - shares["engine, 8 bits"]) <= 1
    assert "equals the whole run: 30 of 30 clips" in said


def test_the_shell_spots_digits(digits, tmp_path, example):
    """``neurodeploy run`` with the example's encoder does what the example does."""
    from neurodeploy.cli import main

    path = digits / "7_theo_0.wav"
    with pytest.raises(SystemExit) as left:
        main(["run", str(NET), "--input", str(path), "--encoder", example.spoken.ENCODER,
              "--steps", str(example.spoken.STEPS), "-o", str(tmp_path / "a.h5")])  # fmt: skip
    assert left.value.code == 0
    output = nd.Recording.load(tmp_path / "a.h5").output
    ours = nd.run(nd.load(NET), example.spoken.encode(path)).output
    np.testing.assert_array_equal(output, ours)


@pytest.mark.slow
@pytest.mark.usefixtures("lava")
def test_lava_sends_the_same_spikes(clips):
    network, inputs = nd.load(NET), clips.inputs[::75]
    ours = nd.run(network, inputs, record=("spikes",))
    theirs = nd.run(network, inputs, record=("spikes",), backend="lava")
    for population in network.populations[1:]:
        sent = ours[population.name].spikes
        assert sent.any()
        np.testing.assert_array_equal(sent, theirs[population.name].spikes)


@pytest.mark.slow
@pytest.mark.usefixtures("lava")
def test_lava_dls_own_importer_runs_the_shipped_file(clips, tmp_path):
    shutil.copy(NET, tmp_path)
    np.save(tmp_path / "spoken_digits.npy", clips.inputs[150])
    command = [sys.executable, "-m", "sim_tests.netx_changes", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=500, cwd=ROOT)
    theirs = np.load(tmp_path / "spoken_digits.out.npy")
    ours = nd.run(nd.load(NET), clips.inputs[150:151]).output[0]
    assert ours.any()
    np.testing.assert_array_equal(theirs, ours)
