"""Intel's LSNN: its encoding, its two compartments beside the engine, what the README says."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import neurodeploy as nd
from examples.lsnn.deploy import deploy
from examples.lsnn.evaluate import read
from examples.lsnn.network import LEVELS, STEPS, encode, images, network, weights
from examples.shared import FOLDER, Result
from neurodeploy.errors import InputError

NAMES = ("w_in", "w_rec", "w_out")


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


def two_compartments(folder, spikes):
    """Spikes of all neurons and the readout's v, as Intel's notebook sets up Loihi 1.

    The second compartment of an adaptive neuron gathers -384 for each spike, a step later, and
    joins the first one's current in the same step.
    """
    into, across, out = (weights(folder)[name].T.astype(np.float64) for name in NAMES)
    count, scale = len(spikes), np.repeat([64, 256], [140, 100])
    v, sent = np.zeros((2, count, 240), np.int64)
    second, read = np.zeros((count, 100), np.int64), np.zeros((count, 10), np.int64)
    found = []

    def kept(state, decay):
        return np.sign(state) * (np.abs(state) * (4096 - decay) >> 12)

    for now in spikes.swapaxes(0, 1):
        # Sums of whole numbers below 2^53 are exact in float64, whose products are faster.
        current = (now @ into + sent @ across).astype(np.int64) * scale
        read = kept(read, 204) + 64 * (sent @ out).astype(np.int64)
        second = kept(second, 5) - 384 * sent[:, 140:]
        current[:, 140:] += second
        v = kept(v, 204) + current
        sent = (v > 127 * scale).astype(np.int64)
        v *= 1 - sent
        found.append(sent)
    return np.array(found).swapaxes(0, 1), read


def test_every_spike_is_that_of_the_joined_compartments(folders):
    spikes = encode(images(folders[1], 30)[0])
    expected, read_out = two_compartments(folders[0], spikes)
    found = nd.run(network(folders[0]), spikes, steps=STEPS + 1, record=("spikes", "v"))
    ours = np.concatenate([found[name].spikes for name in ("leaky", "adaptive")], axis=2)
    np.testing.assert_array_equal(ours[:, 1:], expected)
    np.testing.assert_array_equal(found["digits"].v[:, STEPS], read_out)
    assert expected.sum() > 100_000


def test_it_is_right_nearly_as_often_as_in_intels_figure(folders):
    """94.5 % on silicon, of the first 200."""
    pixels, digits = images(folders[1], 200)
    assert (read(network(folders[0]), encode(pixels)).argmax(1) == digits).mean() == 0.94


def test_an_adaptive_neuron_takes_two_compartments_of_loihi_1(folders):
    net = network(folders[0])
    assert nd.fit(net, "loihi1")["adaptive"].used[0]["neurons"] == 200
    assert nd.fit(net, "loihi2")["adaptive"].used[0]["neurons"] == 100


def test_what_targets_lack_is_named(folders):
    for target in ("lava", "loihi2"):
        (left,) = deploy(*folders, target).left
        assert left.element == "adaptive"
        assert "Loihi 1 joins 2 compartments for each" in left.reason
        assert "microcode of their own" in left.reason


def test_the_readme_says_what_was_measured():
    figures = Result.read(FOLDER / "lsnn" / "result.json").figures
    readme = (FOLDER / "lsnn" / "README.md").read_text(encoding="utf-8")
    for count in (200, 1000):
        assert f"| first {count} | {figures[f'first {count}']:.1%} |".replace("%", " %") in readme
    for chip in ("loihi1", "loihi2"):
        dynamic, whole = (figures[f"{chip}, {what}"] for what in ("dynamic µJ", "µJ in all"))
        assert f"| here, {chip}, estimated | {dynamic:.3g} µJ (" in readme
        assert f"| {whole:.3g} µJ (" in readme


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
