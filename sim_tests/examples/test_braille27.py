"""The 27-letter reader: its events, its split, its training, what its README says."""

from __future__ import annotations

import json

import numpy as np
import pytest

import neurodeploy as nd
from examples.braille27 import data, published
from examples.shared import FOLDER, InputError, Result


@pytest.fixture(scope="module")
def taxels(cases):
    return data.load(cases / "braille27" / "taxels.npz")


@pytest.mark.parametrize("theta", [1.0, 2.0, 5.0, 10.0])
@pytest.mark.parametrize(
    "corners",
    [[0, 30], [30, 0], [5, 5, 5], [0, 7, 3, 3, 20], [0, 0, 13, 13, 1, 1, 9], [100, 0, 255, 254]],
)
def test_a_ramp_makes_as_many_events_as_thetas_fit_into_it(corners, theta):
    change = np.diff(corners)
    ups, downs = (int(sum(np.floor(d / theta) for d in sign * change if d > 0)) for sign in (1, -1))
    found = data.events(np.array(corners, float), theta)
    assert sum(up for _, up in found) == ups
    assert sum(not up for _, up in found) == downs


def test_ramps_of_several_frames_are_one():
    values = np.array([0.0, 1.0, 1.0, 2.5, 4.0, 4.0, 3.0, 0.5, 0.5])
    assert data.ramps(values) == [(0, 4), (5, 7)]
    found = data.events(values, 2.0)
    assert [up for _, up in found] == [True, True, False]
    np.testing.assert_allclose([t for t, _ in found], [2 + 1 / 1.5, 4.0, 6 + 1 / 2.5])


def test_events_of_random_walks_are_counted_by_a_slow_reference():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = np.cumsum(rng.integers(-3, 4, 40)).astype(float)
        kept = [values[0]]
        for now in values[1:]:
            if now != kept[-1]:
                if len(kept) > 1 and (now - kept[-1]) * (kept[-1] - kept[-2]) > 0:
                    kept.pop()
                kept.append(now)
        wanted = int((np.abs(np.diff(kept)) // 2).sum())
        found = data.events(values, 2.0)
        assert len(found) == wanted
        assert all(0 <= time <= 39 for time, _ in found)


def test_a_step_of_20_ms_holds_an_event_of_its_time():
    pressure = np.zeros((1, data.FRAMES, 1))
    pressure[0, 10:] = 2
    spikes = data.encode(pressure)
    assert spikes.shape == (1, data.STEPS, 2)
    assert np.argwhere(spikes[0]).tolist() == [[int(10 * 0.025 / 0.02), 0]]


def test_parts_are_apart_and_hold_each_letter_as_often(taxels):
    _, labels = taxels
    parts = data.split(labels)
    assert {name: len(index) for name, index in parts.items()} == {
        "train": 945, "validation": 135, "test": 270,
    }  # fmt: skip
    everything = np.concatenate(list(parts.values()))
    assert sorted(everything.tolist()) == list(range(1350))
    for name, each in (("train", 35), ("validation", 5), ("test", 10)):
        assert np.bincount(labels[parts[name]]).tolist() == [each] * 27
    again = data.split(labels)
    assert all(np.array_equal(parts[name], again[name]) for name in parts)


@pytest.mark.slow
def test_counts_alone_do_not_tell_the_letters(taxels):
    pytest.importorskip("sklearn", reason="needs scikit-learn: pip install '.[demo]'")
    pressure, labels = taxels
    assert pressure.shape == (1350, 76, 4)
    spikes, parts = data.encode(pressure), data.split(labels)
    found = data.baselines(spikes, labels, parts)
    assert 0.40 <= found["counts"] <= 0.48
    assert found["counts in 100 ms"] >= 0.93
    figures = Result.read(FOLDER / "braille27" / "result.json").figures["baselines"]
    assert found == pytest.approx(figures, abs=0.01)


@pytest.fixture(scope="module")
def small():
    """50 noisy copies of a random pattern for each of 27 letters."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(27), 50)
    shape = (rng.random((27, 95, 4)) < 0.1)[labels]
    noise = rng.random((1350, 95, 4)) < 0.02
    return (shape ^ noise).astype(np.uint8), labels


class TestTraining:
    def test_it_goes_on_as_if_never_stopped(self, small, tmp_path, capsys):
        torch = pytest.importorskip("torch", reason="needs torch: the extra train")
        from examples.braille27.train import LetterTraining as Training
        from examples.braille27.train import train

        whole = train(1, *small, tmp_path / "whole", epochs=2)
        learn = Training.learn_epoch

        def interrupted(self, *given):
            if self.epoch == 1:
                raise KeyboardInterrupt
            return learn(self, *given)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Training, "learn_epoch", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train(1, *small, tmp_path / "parts", epochs=2)
        assert not (tmp_path / "parts" / "1" / "trained.pt").exists()
        parts = train(1, *small, tmp_path / "parts", epochs=2)
        assert "goes on after epoch 1" in capsys.readouterr().out
        states = [
            torch.load(tmp_path / name / "1" / "trained.pt", weights_only=True)
            for name in ("whole", "parts")
        ]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        assert {k: v for k, v in whole.items() if k != "cpu_seconds"} == {
            k: v for k, v in parts.items() if k != "cpu_seconds"
        }
        held = json.loads((tmp_path / "parts" / "1" / "training.json").read_text())
        assert held == parts
        with pytest.raises(InputError, match="now asked for"):
            train(1, *small, tmp_path / "parts", epochs=3)
        (tmp_path / "parts" / "1" / "checkpoint.pt").write_bytes(b"half")
        with pytest.raises(InputError, match="no checkpoint"):
            train(1, *small, tmp_path / "parts", epochs=2)

    def test_the_float_network_is_the_torch_module(self):
        torch = pytest.importorskip("torch", reason="needs torch: the extra train")
        from examples.braille27.model import Reader

        torch.manual_seed(3)
        reader = Reader(8)
        spikes = (np.random.default_rng(1).random((6, 95, 8)) < 0.15).astype(np.uint8)
        with torch.no_grad():
            counts, hidden = reader(torch.from_numpy(spikes).float())
        found = nd.run(reader.network(), spikes, backend="float")
        assert hidden.sum() > 500
        np.testing.assert_array_equal(found["hidden"].counts, hidden.numpy())
        np.testing.assert_array_equal(found["letters"].counts, counts.numpy())

    def test_a_file_that_is_no_reader_is_refused(self, tmp_path):
        pytest.importorskip("torch", reason="needs torch: the extra train")
        from examples.braille27.deploy import reader_of

        path = tmp_path / "trained.pt"
        path.write_bytes(b"half a file")
        with pytest.raises(InputError, match="no reader of letters"):
            reader_of(path)


@pytest.mark.parametrize(
    ("name", "inputs", "parameters"),
    [(published.NAMES[0], 48, [2315, 327, 330]), (published.NAMES[1], 192, [1848, 238, 375])],
)
def test_published_networks_load_and_run(cases, name, inputs, parameters):
    """Decays and thresholds as the authors' notebook prints them."""
    found = published.seen(cases / "systems" / "braille_loihi1" / name, on_lava=False)
    assert found["inputs"] == inputs
    assert found["decays and threshold"] == parameters
    assert found["messages"]["2_dense_rec"] > 100
    assert found["messages"]["3_dense"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", published.NAMES)
def test_published_networks_are_equal_on_lava(lava, cases, name):
    found = published.seen(cases / "systems" / "braille_loihi1" / name)
    assert found["equal to Lava"] == "yes, 1 sample"


def test_the_readme_says_what_was_measured():
    result = Result.read(FOLDER / "braille27" / "result.json")
    readme = (FOLDER / "braille27" / "README.md").read_text(encoding="utf-8")
    found = result.figures["seeds"]
    assert len(found) == 3
    for number, one in enumerate(found):
        row = [one[name] for name in ("floats", "8 bits", "6 bits", "4 bits", "3 bits")]
        cells = " | ".join(f"{value:.1%}".replace("%", " %") for value in row)
        assert f"| {number} | {cells} |" in readme
        assert one["floats"] - one["8 bits"] <= 0.02
    assert np.mean([one["test"] for one in found]) >= 0.9
    for value in result.figures["baselines"].values():
        assert f"{value:.1%}".replace("%", " %") in readme
    assert result.lava == "yes, 20 samples"
    theirs = result.figures["published networks"]
    assert all(one["equal to Lava"] == "yes, 1 sample" for one in theirs.values())
