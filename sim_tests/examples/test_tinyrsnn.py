"""The published finger decoders: their footprints, a synthetic cortex, integers beside noise."""

from __future__ import annotations

import json

import numpy as np
import pytest

from examples.shared import FOLDER, Result
from examples.tinyrsnn.deploy import deploy
from examples.tinyrsnn.evaluate import Agreement, agreement, correlation, metrics, quantized
from examples.tinyrsnn.network import connection_sparsity, cortex, footprint, load, parameters
from neurodeploy.errors import InputError

BYTES = {"indy": 21_000, "loco": 33_288}
"""As printed by the authors."""


@pytest.fixture(scope="module")
def decoders(cases):
    found = sorted((cases / "systems" / "tinyrsnn_all").glob("*.npz"))
    assert len(found) == 20
    return found


def test_footprints_are_the_published_ones(decoders):
    assert {p.stem: footprint(p) for p in decoders} == {p.stem: BYTES[p.stem[:4]] for p in decoders}


def test_weights_and_constants_are_half_precision(decoders):
    for path in decoders:
        for array in parameters(path).values():
            np.testing.assert_array_equal(array.astype(np.float16).astype(array.dtype), array)


def test_pruning_went_to_round_shares(decoders):
    """40, 45 or 50 % by the recipe: it stops where R2 falls."""
    for path in decoders:
        share = connection_sparsity(path)
        assert min(abs(share - wanted) for wanted in (0.4, 0.45, 0.5)) < 2e-4


def test_the_cortex_is_tuned_to_the_direction_of_movement():
    spikes, velocity = cortex(8, 500, 96, seed=5)
    assert spikes.shape == (8, 500, 96)
    assert spikes.mean() == pytest.approx(0.05, rel=0.03)
    direction = np.arctan2(velocity[..., 1], velocity[..., 0]).ravel()
    flat = spikes.reshape(-1, 96).astype(float)
    waves = np.stack([np.cos(direction), np.sin(direction), np.ones(len(direction))], 1)
    fit = np.linalg.lstsq(waves, flat, rcond=None)[0]
    depth = np.hypot(fit[0], fit[1]) / fit[2]
    assert depth.mean() == pytest.approx(0.9, abs=0.1)
    again = cortex(8, 500, 96, seed=5)[0]
    np.testing.assert_array_equal(spikes, again)


@pytest.mark.parametrize("name", ["indy02_seed5", "loco02_seed5"])
def test_integers_are_not_below_noise_on_the_decoders_own_weights(decoders, name):
    """96 and 192 inputs."""
    path = next(p for p in decoders if p.stem == name)
    net = load(path)
    fixed = quantized(net)
    inputs, _ = cortex(6, 500, net.input.size, seed=2)
    found = agreement(net, fixed, inputs, draws=4)
    assert found.holds
    assert max(found.noise) < 1
    seen = metrics(path, net, fixed, inputs)
    assert seen["Dense"] == {"indy": 10_368, "loco": 16_512}[name[:4]]
    assert 0.95 < seen["ActivationSparsity"] < 1
    assert 0 < seen["Effective_ACs"] < seen["Dense"] / 20


def test_what_is_below_every_draw_does_not_hold():
    assert Agreement(0.9, (0.89, 0.95)).holds
    assert Agreement(0.981, (0.99, 0.995)).holds
    assert not Agreement(0.9, (0.91, 0.95)).holds
    x = np.random.default_rng(0).normal(size=(2, 9, 2))
    assert correlation(x, x) == pytest.approx(1)
    assert correlation(x, -x) == pytest.approx(-1)


def test_another_archive_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, weight=np.zeros(3))
    with pytest.raises(InputError, match="no con1"):
        load(path)


@pytest.mark.slow
def test_a_decoder_ends_equal_on_lava(lava, decoders):
    ready = deploy(decoders[0])
    assert ready.verification is not None, ready.not_verified
    assert ready.verification.equal
    assert not ready.left


def test_what_loihi2_would_need_is_named(decoders):
    left = deploy(decoders[0], "loihi2", verified=False).left
    assert {entry.element for entry in left} == {"hidden", "readout"}
    assert all("current_decay" in entry.reason for entry in left)


def test_the_readme_says_what_was_measured():
    figures = Result.read(FOLDER / "tinyrsnn" / "result.json").figures
    readme = (FOLDER / "tinyrsnn" / "README.md").read_text(encoding="utf-8")
    assert len(figures) == 20
    for name, one in figures.items():
        noise = one["noise"]
        row = (
            f"| {name} | {one['integers']:.3f} | {np.mean(noise):.3f} ({min(noise):.3f} to "
            f"{max(noise):.3f}) | {one['Footprint']:,} | {one['ConnectionSparsity']:.3f} |"
        )
        assert row in readme
        assert Agreement(one["integers"], noise).holds


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A recipe of few neurons and epochs: what it was given, and its figures."""
    pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
    from examples.tinyrsnn import train

    sizes = {"train": 48, "validation": 24, "test": 24}
    sessions = [train.session(number, sizes, steps=60) for number in (1, 2)]
    given = {
        "sessions": sessions,
        "out": tmp_path_factory.mktemp("recipe"),
        "epochs": {"pretraining": 12, "fine-tuning": 4, "pruning": 1},
        "hidden": 16,
        "schedule": train.Schedule(most=0.6),
    }
    return given, train.recipe(0, **given)


def test_the_recipe_ends_in_integers_that_decode(course):
    _, found = course
    assert found["fine-tuning"]["validation"] > 0.15
    for stage in ("float", "pruned", "half", "integers"):
        assert found[stage]["R2"] > 0.15
        assert 0 < found[stage]["Effective_ACs"] < 96 * 16
    assert found["half"]["R2"] == pytest.approx(found["pruned"]["R2"], abs=0.05)
    assert found["integers"]["R2"] == pytest.approx(found["half"]["R2"], abs=0.1)
    # The engine's float network decodes as the module that was trained.
    assert found["float"]["R2"] == pytest.approx(found["fine-tuning"]["test"], abs=0.02)
    assert found["Footprint"] == 2 * (96 * 16 + 16 * 16 + 2 * 16 + 2 * 16 + 2 * 2)
    rounds = found["pruning"]["rounds"]
    kept = [share for share, _, kept in rounds if kept]
    assert kept == sorted(kept)
    assert found["pruned"]["ConnectionSparsity"] == pytest.approx(kept[-1], abs=0.01)
    least = rounds[0][1] * (1 - 0.02)
    assert all((score >= least) == kept for _, score, kept in rounds[1:])


def test_the_recipe_goes_on_from_its_checkpoints(course, monkeypatch):
    from examples.tinyrsnn import train

    given, found = course
    made = []
    monkeypatch.setattr(train.FingerTraining, "run", recording(train.FingerTraining.run, made))
    again = train.recipe(0, **given)
    assert made == [0, 0]  # epochs that were trained a second time
    for stage in ("pretraining", "float", "pruned", "half", "integers"):
        assert again[stage] == found[stage]


def recording(run, made):
    def counted(self, parts, folder, *more):
        learn, epochs = self.learn_epoch, []
        self.learn_epoch = lambda *data: epochs.append(1) or learn(*data)
        found = run(self, parts, folder, *more)
        made.append(len(epochs))
        return found

    return counted


def test_a_full_decoder_is_as_large_as_the_published_ones():
    pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
    from examples.tinyrsnn.train import decoder, footprint
    from neurodeploy.training.sparsity import half_precision

    assert footprint(half_precision(decoder())) == BYTES["indy"]


def test_sessions_drift_and_session_zero_is_what_it_was():
    plain, moved = cortex(2, 50, 96, seed=5), cortex(2, 50, 96, seed=5, session=1)
    np.testing.assert_array_equal(plain[1], moved[1])
    np.testing.assert_array_equal(plain[0], cortex(2, 50, 96, seed=5, session=0)[0])
    assert (plain[0] != moved[0]).any()


def test_the_float_network_is_the_module_that_was_trained(course):
    import torch

    from examples.tinyrsnn import train
    from examples.tinyrsnn.rounded import decoded

    model = train.decoder(16).eval()
    inputs, _ = course[0]["sessions"][0]["test"]
    train.start(model, inputs, seed=3)
    spikes, v = decoded(train.to_floats(model), inputs.numpy().astype(np.uint8))
    with torch.no_grad():
        hidden = model[:2](inputs)
        out = model[2:](hidden)
    assert hidden.mean() > 0.01
    np.testing.assert_array_equal(spikes.reshape(hidden.shape), hidden.numpy())
    np.testing.assert_allclose(v.reshape(out.shape), out.numpy(), atol=1e-4)


def test_r_squared_of_a_mean_is_nothing_and_of_itself_is_one():
    pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
    from examples.tinyrsnn.train import r_squared

    y = np.random.default_rng(0).normal(size=(3, 20, 2))
    assert r_squared(y, y) == 1
    assert r_squared(y, np.broadcast_to(y.mean((0, 1)), y.shape)) == pytest.approx(0)


def test_the_readme_says_what_the_recipe_gave():
    pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
    from examples.tinyrsnn.train import SCHEDULE, lines

    held = json.loads((FOLDER / "tinyrsnn" / "training.json").read_text(encoding="utf-8"))
    readme = (FOLDER / "tinyrsnn" / "README.md").read_text(encoding="utf-8")
    assert held["data"] == "synthetic"
    assert not held["commit"].endswith("+")
    for seed, found in held["seeds"].items():
        assert all(line in readme for line in lines(int(seed), found))
        first, *others = found["pruning"]["rounds"]
        assert all(
            kept == (first[1] - score <= SCHEDULE.tolerance * first[1]) for _, score, kept in others
        )
        assert found["Footprint"] == BYTES["indy"]
