"""Activities: levels as spikes, a split by subject, an L2MU whose hops are trained."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from examples.l2mu.network import l2mu
from examples.shared import FOLDER, InputError, Result
from examples.wisdm import data

torch = pytest.importorskip("torch", reason="needs torch: the extra train")

from examples.l2mu.cell import Cell, legendre  # noqa: E402
from examples.wisdm.deploy import network_of  # noqa: E402
from examples.wisdm.train import ActivityTraining, parts_of  # noqa: E402


@pytest.fixture(scope="module")
def windows(cases):
    return data.load(cases / "systems" / "wisdm_watch_accel" / "watch_accel_6.npz")


def test_a_held_memory_is_the_exact_solution_of_its_equation():
    """Of order 1: dm/dt = -m / window + u / window."""
    a, b = legendre(1, 8.0)
    assert a.item() == pytest.approx(np.exp(-1 / 8), rel=1e-6)
    assert b.item() == pytest.approx(1 - np.exp(-1 / 8), rel=1e-6)


def test_a_legendre_memory_holds_a_window():
    """Its state, times Legendre's polynomials, is the input of some steps before."""
    order, window, steps = 6, 40.0, 200
    a, b = (x.double().numpy() for x in legendre(order, window))
    inputs = np.sin(np.arange(steps) * 2 * np.pi / 60)
    state = np.zeros(order)
    for now in inputs:
        state = a @ state + b[:, 0] * now
    for share in (0.25, 0.5, 0.75):
        shifted = np.polynomial.legendre.Legendre
        values = [shifted.basis(i)(2 * share - 1) for i in range(order)]
        late = steps - 1 - share * window
        assert state @ values == pytest.approx(np.sin(late * 2 * np.pi / 60), abs=0.1)


def test_what_is_trained_is_the_float_network_with_a_step_for_each_hop():
    """Without rounding of weights: spikes of all populations, counted."""
    torch.manual_seed(0)
    cell = Cell(12, 5, channels=6, order=4, hidden=20)
    with torch.no_grad():
        for layer in (cell.e_x, cell.W_x):
            layer.weight.mul_(4)
        cell.output_transformation.bias.zero_()  # a bias begins a step before the first input
    spikes = (np.random.default_rng(0).random((7, 40, 12)) < 0.2).astype(np.uint8)
    with torch.no_grad():
        counts, inside = cell(torch.from_numpy(spikes).float())
    net = l2mu({name: value.numpy() for name, value in cell.state_dict().items()})
    fixed = nd.quantize(net, nd.QuantConfig(8), spikes)
    found = nd.run(fixed, spikes, steps=40 + fixed.hops("out"))
    whole = np.concatenate([found[name].counts for name in ("u", "m", "h")], axis=1)
    assert inside.sum() > 1000
    assert whole.sum() == pytest.approx(float(inside.sum()), rel=0.03)
    same = np.corrcoef(whole.ravel(), inside.numpy().ravel())[0, 1]
    assert same > 0.97
    assert abs(found.output.sum() - float(counts.sum())) <= 0.1 * float(counts.sum()) + 5


def test_gradients_reach_every_parameter():
    torch.manual_seed(0)
    cell = Cell(12, 5, channels=6, order=4, hidden=20)
    counts, _ = cell((torch.rand(4, 30, 12) < 0.3).float())
    (counts * torch.arange(5)).sum().backward()
    for name, parameter in cell.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_no_subject_is_in_two_parts(windows):
    parts = windows.split()
    who = {name: set(windows.subjects[index].tolist()) for name, index in parts.items()}
    assert {name: len(some) for name, some in who.items()} == {
        "train": 35, "validation": 6, "test": 10,
    }  # fmt: skip
    assert not who["train"] & who["test"]
    assert not who["train"] & who["validation"]
    assert not who["validation"] & who["test"]
    assert sum(len(index) for index in parts.values()) == len(windows.labels) == 18_600


def test_each_axis_is_at_one_level_in_every_step(windows):
    edges = data.edges_of(windows.values[windows.split()["train"]])
    spikes = data.encode(windows.values[:50], edges).reshape(50, data.STEPS, 3, data.LEVELS)
    assert (spikes.sum(axis=-1) == 1).all()
    value = windows.values[7, 11]
    for axis in range(3):
        level = int(spikes[7, 11, axis].argmax())
        assert level == np.count_nonzero(edges[axis] <= value[axis])


def test_training_shows_other_levels_and_fewer_spikes():
    torch.manual_seed(0)
    training = ActivityTraining({"seed": 0, "epochs": 1, "inputs": 48})
    x = torch.nn.functional.one_hot(torch.randint(0, 16, (20, 40, 3)), 16).reshape(20, 40, 48)
    made = training.varied(x.float()).reshape(20, 40, 3, 16)
    assert 0.75 < made.sum() / x.sum() < 0.85
    kept = made.sum(-1) > 0
    moved = made.argmax(-1) - x.reshape(20, 40, 3, 16).argmax(-1)
    assert moved[kept].abs().max() == 2


def test_parts_and_files(cases, windows, tmp_path):
    parts = parts_of(windows)
    assert parts["test"][0].shape == (3540, 40, 48)
    np.savez(tmp_path / "other.npz", accel=np.zeros((3, 3), np.int16))
    with pytest.raises(InputError, match="no activity"):
        data.load(tmp_path / "other.npz")
    (tmp_path / "trained.pt").write_bytes(b"half a file")
    with pytest.raises(InputError, match="no trained L2MU"):
        network_of(tmp_path / "trained.pt")


def test_the_readme_says_what_was_measured():
    result = Result.read(FOLDER / "wisdm" / "result.json")
    readme = (FOLDER / "wisdm" / "README.md").read_text(encoding="utf-8")
    for number, one in enumerate(result.figures["seeds"]):
        row = " | ".join(
            f"{one[name]:.1%}" for name in ("validation", "test", "8 bits", "deployed")
        )
        assert f"| {number} | {row} |".replace("%", " %") in readme
    for value in result.figures["baselines"].values():
        assert f"{value:.1%}".replace("%", " %") in readme
