"""Intel's LSNN: its encoding, both forms of its adaptation, and what the README says."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import neurodeploy as nd
from examples.lsnn.deploy import deploy
from examples.lsnn.evaluate import read
from examples.lsnn.joined import joined
from examples.lsnn.network import LEVELS, STEPS, encode, images, network, weights
from examples.shared import FOLDER, Result
from neurodeploy.errors import InputError


@pytest.fixture(scope="module")
def folders(cases):
    return cases / "systems" / "lsnn_smnist", cases / "systems" / "mnist"


def test_each_crossing_of_a_level_is_a_spike():
    pixels = np.zeros((1, 784), np.uint8)
    pixels[0, 10:12] = 100, 255
    spikes = encode(pixels)[0]
    assert spikes.shape == (STEPS, 80)
    up = np.count_nonzero((LEVELS[1:39] > 0) & (LEVELS[1:39] <= 100))
    assert spikes[9, 2:78:2].sum() == up
    assert spikes[9, 3:78:2].sum() == 0
    assert spikes[10, 2:78:2].sum() == 38 - up
    assert spikes[11, 3:78:2].sum() == 38
    assert np.flatnonzero(spikes[:, 78]).tolist() == [11]
    assert np.flatnonzero(spikes[:, 79]).tolist() == list(range(784, 840))


def test_joined_compartments_are_right_as_often_as_in_intels_figure(folders):
    """94.5 % on silicon, of the first 200."""
    pixels, digits = images(folders[1], 200)
    assert (joined(folders[0], encode(pixels)).argmax(1) == digits).mean() == 0.94


def test_a_population_that_feeds_back_says_nearly_the_same(folders):
    pixels, digits = images(folders[1], 60)
    spikes = encode(pixels)
    here, there = read(network(folders[0]), spikes), joined(folders[0], spikes)
    assert (here.argmax(1) == there.argmax(1)).mean() > 0.9
    assert (here.argmax(1) == digits).mean() > 0.85


def test_without_adaptation_both_are_the_same_to_the_bit(folders, monkeypatch):
    """What differs is the step that the adaptation is late, and nothing else."""
    for module in ("network", "joined"):
        monkeypatch.setattr(f"examples.lsnn.{module}.COST", 0)
    spikes = encode(images(folders[1], 8)[0])
    np.testing.assert_array_equal(read(network(folders[0]), spikes), joined(folders[0], spikes))


def test_the_adaptation_leaks_and_joins_a_step_late(folders):
    net = network(folders[0])
    spikes = encode(images(folders[1], 1)[0])
    found = nd.run(net, spikes, record=("spikes", "v"))
    sent, v = found["adaptive"].spikes[0].astype(np.int64), found["adaptation"].v[0]
    state = np.zeros(100, np.int64)
    for step in range(1, 300):
        state = -(np.abs(state) * 4091 >> 12) - 384 * sent[step - 1]
        np.testing.assert_array_equal(v[step], state)
    assert state.min() < -5000


def test_what_targets_lack_is_named(folders):
    left = {entry.element: entry.reason for entry in deploy(*folders, "lava").left}
    assert "input_exponent" in left["adaptive"]
    assert "graded_spike" in left["adaptation"]


def test_the_readme_says_what_was_measured():
    result = Result.read(FOLDER / "lsnn" / "result.json")
    readme = (FOLDER / "lsnn" / "README.md").read_text(encoding="utf-8")
    for count in (200, 1000):
        here, there = (result.figures[f"{name}, first {count}"] for name in ("here", "joined"))
        assert f"| first {count} | {here:.1%} | {there:.1%} |".replace("%", " %") in readme


def test_other_files_are_refused(tmp_path):
    np.save(tmp_path / "w_in.npy", np.zeros((3, 4), np.float32))
    with pytest.raises(InputError, match="w_in"):
        weights(tmp_path)
    for name, header in (("images-idx3", 16), ("labels-idx1", 8)):
        with gzip.open(tmp_path / f"t10k-{name}-ubyte.gz", "wb") as file:
            file.write(bytes(header + 784))
    with pytest.raises(InputError, match="ask for fewer"):
        images(tmp_path, 2)
    assert images(tmp_path, 1)[0].shape == (1, 784)
