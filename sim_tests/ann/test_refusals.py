"""What has no form on the chip is refused: module path, operator, nearest substitute."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd

torch = pytest.importorskip("torch")
nn = torch.nn


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return torch.matmul(self.q(x), self.k(x))


class Gate(nn.Module):
    def forward(self, x):
        return torch.relu(x) * x


class Exponential(nn.Module):
    def forward(self, x):
        return torch.exp(x)


class Branch(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def body(*parts):
    return nn.Sequential(nn.Linear(4, 4), nn.Sequential(*parts), nn.ReLU())


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (body(nn.Softmax(1)), ("1.0", "softmax", "very end")),
        (body(nn.LayerNorm(4)), ("1.0", "layer norm", "BatchNorm")),
        (body(nn.Tanh()), ("1.0", "tanh", "Hardtanh")),
        (body(nn.Sigmoid()), ("1.0", "sigmoid", "ReLU")),
        (body(nn.GELU()), ("1.0", "GELU", "ReLU")),
        (body(nn.GroupNorm(2, 4)), ("1.0", "group norm", "BatchNorm")),
        (body(Attention()), ("1.0", "product of two activations", "convolutions")),
        (body(Gate()), ("1.0", "product of two activations", "gates")),
        (body(Exponential()), ("1.0", "exp", "ReLU")),
        (nn.Sequential(nn.LSTM(4, 4)), ("0", "recurrent cell", "nd.load")),
        (nn.Sequential(nn.Conv2d(1, 2, 3, padding_mode="circular", padding=1)), ("0", "circular")),
        (Branch(), ("Branch", "branches")),
        (nn.Sequential(nn.Linear(3, 2)), ("0", "Linear", "3 inputs", "Flatten")),
    ],
)  # fmt: skip
def test_refused_by_name(module, words):
    with pytest.raises(nd.NeurodeployError) as refused:
        nd.convert_ann(module, np.ones((3, 4), np.float32))
    for word in words:
        assert word.lower() in str(refused.value).lower(), refused.value


def test_a_max_pool_of_graded_values_is_refused_with_its_substitutes():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))
    with pytest.raises(nd.NeurodeployError, match=r"^2: graded max pool .* average pool"):
        nd.convert_ann(module, np.ones((3, 1, 8, 8)))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"to": "spikes"}, "to: .spikes.; give one of graded, sigma-delta, rate"),
        ({"bits": 9}, "bits: 9; give 2..8"),
        ({"activation_bits": 0}, "activation_bits: 0; give 1..16"),
        ({"percentile": 0}, "percentile: 0"),
    ],
)
def test_arguments_are_checked(how, words):
    with pytest.raises(nd.NeurodeployError, match=words):
        nd.convert_ann(nn.Linear(4, 2), np.ones((3, 4)), **how)


@pytest.mark.parametrize("calibration", [np.ones(4), np.full((2, 4), np.nan), ["a"]])
def test_calibration_is_checked(calibration):
    with pytest.raises(nd.NeurodeployError, match="calibration"):
        nd.convert_ann(nn.Linear(4, 2), calibration)


@pytest.mark.parametrize("target", ["lava", "loihi2"])
def test_deploy_says_which_form_runs_there_in_place_of_graded(target):
    torch.manual_seed(0)
    module, inputs = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)), torch.rand(20, 6)
    graded = nd.deploy(nd.convert_ann(module, inputs, measure=False), target)
    reason = next(entry.reason for entry in graded.left if entry.element == "0")
    assert "graded_spike True" in reason
    assert "sigma-delta" in reason
    assert "'engine'" in reason
    instead = nd.convert_ann(module, inputs, to="sigma-delta", measure=False)
    assert not nd.deploy(instead, target).left
