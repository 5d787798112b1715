"""Layer-by-layer fine-tuning for rates: the prefix stays, and few steps cost less accuracy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.ann import tandem
from neurodeploy.ann.tandem import rates
from neurodeploy.errors import InputError

torch = pytest.importorskip("torch")
nn = torch.nn


def small():
    torch.manual_seed(5)
    body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten())
    return nn.Sequential(body, nn.Linear(48, 12), nn.ReLU(), nn.Linear(12, 4)), torch.rand(
        40, 1, 6, 6
    )


def test_what_was_converted_stays_and_what_is_behind_it_is_trained():
    module, inputs = small()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    tuned = tandem(module, inputs, torch.arange(40) % 4, steps=4, epochs=2)
    again = tandem(module, inputs, torch.arange(40) % 4, steps=4, epochs=2)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name
    for name, value in tuned.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert torch.equal(tuned[0].weight, module[0][0].weight)  # a prefix from the first pass on
    assert not torch.equal(tuned[3].weight, module[1].weight)
    assert not torch.equal(tuned[5].weight, module[3].weight)
    net = nd.convert_ann(tuned, inputs, to="rate", steps=4, measure=False)
    first = nd.convert_ann(module, inputs, to="rate", steps=4, measure=False)
    (mine,), (theirs,) = net.into("0"), first.into("0.0")
    assert np.array_equal(mine.synapse.only_array, theirs.synapse.only_array)
    assert net["0"].neuron.threshold == first["0.0"].neuron.threshold


def test_rates_of_a_prefix_are_those_of_the_whole_network():
    module, inputs = small()
    flat = nn.Sequential(*module[0], *module[1:])
    net = nd.convert_ann(flat, inputs, to="rate", steps=6, measure=False)
    shown = np.broadcast_to(inputs.numpy()[:, None], (40, 6, 1, 6, 6))
    rec = nd.run(net, shown, drain=True, record=("spikes",))
    for end, name in ((2, "0"), (5, "3")):
        first = net.hops(name)
        wanted = rec[name].spikes[:, first : first + 6].mean(axis=1)
        wanted = wanted / net.metadata[f"ann/scale/{name}"]
        found = rates(flat[:end], inputs, 6).numpy()
        assert np.allclose(found, wanted.reshape(found.shape), rtol=1e-6), name


def test_without_labels_the_networks_own_outputs_are_learned():
    module, inputs = small()
    tuned = tandem(module, inputs, steps=4, epochs=30)
    with torch.no_grad():
        wanted = module(inputs)
        sent = rates(tuned[:5], inputs, 4)
        after = float(((tuned[5](sent) - wanted) ** 2).mean())
        untuned = nn.Sequential(*module[0], *module[1:])
        before = float(((module[3](rates(untuned[:5], inputs, 4)) - wanted) ** 2).mean())
    assert after < 0.8 * before


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"steps": 0}, "steps: 0"),
        ({"epochs": 1.5}, "epochs: 1.5"),
        ({"batch": True}, "batch: True"),
        ({"learning_rate": -1.0}, "learning_rate: -1.0"),
        ({"labels": torch.zeros(3)}, "labels: shape"),
    ],
)
def test_arguments_are_checked(how, words):
    module, inputs = small()
    with pytest.raises(InputError, match=words):
        tandem(module, inputs, **how)


def test_a_module_that_is_no_row_of_layers_is_refused():
    with pytest.raises(InputError, match=r"Linear; give a torch\.nn\.Sequential"):
        tandem(nn.Linear(3, 2), torch.rand(4, 3))


def accuracy(module, calibration, inputs, labels, steps):
    net = nd.convert_ann(module, calibration, to="rate", steps=steps, measure=False)
    shown = inputs.reshape(len(inputs), 1, *net.input.shape)
    shown = np.broadcast_to(shown, (len(inputs), steps, *net.input.shape))
    rec = nd.run(net, shown, drain=True, record=("v",))
    return 100 * rec.accuracy(labels)


@pytest.mark.slow
def test_digits_lose_less_in_few_steps():
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_digits()
    images, labels = (data.data / 16).astype(np.float32), data.target
    gains = {2: [], 4: []}
    for seed in (10, 11, 12):
        torch.manual_seed(seed)
        order = np.random.default_rng(seed).permutation(len(images))
        train, test = order[:1000], order[1000:]
        x, y = torch.tensor(images[train]), torch.tensor(labels[train])
        sizes = (64, 48, 32, 24)
        parts = [p for a, b in pairwise(sizes) for p in (nn.Linear(a, b), nn.ReLU())]
        module = nn.Sequential(*parts, nn.Linear(24, 10))
        optimizer = torch.optim.Adam(module.parameters(), 3e-3)
        for _ in range(60):
            for chosen in torch.randperm(1000).split(32):
                loss = nn.functional.cross_entropy(module(x[chosen]), y[chosen])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        for steps, found in gains.items():
            tuned = tandem(module, x, y, steps=steps)
            scores = [
                accuracy(m, images[train], images[test], labels[test], steps)
                for m in (module, tuned)
            ]
            found.append(scores[1] - scores[0])
            print(f"seed {seed}, T={steps}: {scores[0]:.1f} % -> {scores[1]:.1f} %")
    assert np.mean(gains[2]) > 2
    assert np.mean(gains[4]) > 0
