"""Spoken digits with learned delays: steps joined, training, the network that is deployed."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from examples.learned_delays import data
from examples.shared import FOLDER, InputError, Result
from neurodeploy.network import DelayedDense

torch = pytest.importorskip("torch", reason="needs torch: the extra train")


def clips(number=20, seed=0):
    """Noisy copies of ten random patterns."""
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % data.CLASSES
    pattern = np.random.default_rng(7).random((data.CLASSES, data.STEPS, data.CHANNELS)) < 0.1
    noise = rng.random((number, data.STEPS, data.CHANNELS)) < 0.02
    return (pattern[labels] ^ noise).astype(np.uint8), labels.astype(np.int64)


PARTS = {name: clips(20, seed) for seed, name in enumerate(data.PARTS)}


def test_joined_steps_hold_each_spike_once():
    spikes = (np.random.default_rng(0).random((3, 7, 5)) < 0.3).astype(np.uint8)
    found = data.joined(spikes)
    assert found.shape == (3, 3, 5)
    np.testing.assert_array_equal(found, spikes[:, 0:6:2] | spikes[:, 1:6:2])


def test_the_wider_network_has_as_many_trained_numbers():
    from examples.learned_delays.model import Digits
    from examples.learned_delays.train import NETWORKS

    sizes = {
        kind: sum(p.numel() for p in Digits(**how).parameters()) for kind, how in NETWORKS.items()
    }
    assert sizes["none"] < 0.6 * sizes["delays"]
    assert abs(sizes["wider"] / sizes["delays"] - 1) < 0.02


@pytest.mark.parametrize("longest", [0, 12])
def test_the_float_network_is_the_torch_module(longest):
    from examples.learned_delays.model import Digits
    from neurodeploy.training import LearnedDelays

    torch.manual_seed(1)
    reader = Digits(20, longest)
    for module in reader.modules():
        if isinstance(module, LearnedDelays):
            module.sigma.zero_()  # one delay for each synapse, as at the end of training
    spikes = PARTS["test"][0][:6]
    with torch.no_grad():
        logits, hidden = reader(torch.from_numpy(spikes).float())
    net = reader.network()
    assert (type(net.projections[0].synapse) is DelayedDense) == bool(longest)
    hops = net.hops("digits")
    found = nd.run(net, spikes, backend="float", steps=data.STEPS + hops)
    assert hidden.sum() > 100
    # The module computes in doubles, the network in floats.
    assert np.mean(found["hidden"].counts == hidden.numpy()) > 0.98
    np.testing.assert_allclose(found["digits"].counts * 0.5, logits.numpy(), atol=0.5)


def test_training_narrows_the_kernels_and_goes_on_as_if_never_stopped(tmp_path, capsys):
    from examples.learned_delays.train import DigitTraining, train

    whole = train("delays", 1, PARTS, tmp_path / "whole", epochs=4)
    learn, widths = DigitTraining.learn_epoch, []

    def interrupted(self, *given):
        if self.epoch == 3 and len(widths) == 3:
            raise KeyboardInterrupt
        done = learn(self, *given)
        widths.append(float(self.model.hidden.synapse.sigma))
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DigitTraining, "learn_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train("delays", 1, PARTS, tmp_path / "parts", epochs=4)
    assert widths[0] == 6 > widths[1] > 0 == widths[2]
    parts = train("delays", 1, PARTS, tmp_path / "parts", epochs=4)
    assert "goes on after epoch 3" in capsys.readouterr().out
    states = [
        torch.load(tmp_path / name / "delays-1" / "trained.pt", weights_only=True)
        for name in ("whole", "parts")
    ]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert {k: v for k, v in whole.items() if k != "cpu_seconds"} == {
        k: v for k, v in parts.items() if k != "cpu_seconds"
    }
    with pytest.raises(InputError, match="now asked for"):
        train("delays", 1, PARTS, tmp_path / "parts", epochs=5)


def test_what_is_measured_of_a_trained_network(tmp_path):
    from examples.learned_delays.evaluate import measured, without_delays
    from examples.learned_delays.train import train

    train("delays", 0, PARTS, tmp_path, epochs=2)
    one, ready = measured(tmp_path / "delays-0", PARTS, verified=False)
    feed = ready.network.projections[0].synapse
    weights = [p.synapse.only_array for p in ready.network.projections]
    assert type(feed) is DelayedDense
    assert one["synapses"] == sum(int((w != 0).sum()) for w in weights)
    assert one["trained numbers"] == 2 * 64 * 32 + 32 * 10
    assert 0 < one["mean delay"] < 12
    assert one["synops"] > one["messages"] > 0
    plain = without_delays(ready.network)
    np.testing.assert_array_equal(plain.projections[0].synapse.only_array, weights[0])
    assert plain.hops("digits") == ready.network.hops("digits")


def test_a_file_that_is_no_reader_is_refused(tmp_path):
    from examples.learned_delays.deploy import network_of

    path = tmp_path / "trained.pt"
    path.write_bytes(b"half a file")
    with pytest.raises(InputError, match="no reader of digits"):
        network_of(path)


def test_the_readme_says_what_was_measured():
    result = Result.read(FOLDER / "learned_delays" / "result.json")
    readme = (FOLDER / "learned_delays" / "README.md").read_text(encoding="utf-8")
    assert {kind: len(seeds) for kind, seeds in result.figures.items()} == {
        "delays": 3, "none": 3, "wider": 3,
    }  # fmt: skip
    shown = ("validation", "floats", "8 bits", "6 bits", "4 bits")
    for kind, seeds in result.figures.items():
        for seed, one in seeds.items():
            cells = [f"{one[name]:.1%}".replace("%", " %") for name in shown]
            cells += [f"{one['synapses']:,}", f"{one['synops']:,.0f}"]
            cells += [f"{one['dynamic microjoules']:.2f}"]
            assert f"| {kind} | {seed} | {' | '.join(cells)} |" in readme
            assert one["floats"] == pytest.approx(one["in training's own forward pass"], abs=0.01)
    assert result.lava == "yes, 5 samples"
