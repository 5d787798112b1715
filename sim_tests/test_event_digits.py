"""The event digits: what the sensor sends, the way from events to scores, and the shipped net."""

from __future__ import annotations

import importlib
import json
import re
import sys
from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError
from neurodeploy.inputs.events import EVENT

from .conftest import HAS_LAVA, ROOT

EXAMPLE = ROOT / "examples" / "event_digits"
NET = ROOT / "netx_exports" / "event_digits.net"
MODULES = ("saccades", "train", "run")

needs_digits = pytest.mark.skipif(
    find_spec("sklearn") is None, reason="needs scikit-learn: the extra demo"
)


@pytest.fixture(scope="module")
def example():
    """The example's modules; other examples have some of the same names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLE)
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            sys.modules.pop(name, None)


def drawn(seed=0):
    image = np.random.default_rng(seed).integers(0, 17, (8, 8))
    image[:, :2] = 0
    return image


def test_the_sensor_sees_an_image_that_moves_along_a_triangle(example):
    """Each pixel against the definition of linear interpolation, in fractions."""
    image = drawn()
    seen = example.saccades.brightness(image)
    assert seen.shape == (301, 12, 12)
    corners = {0: (0, 0), 100: (2, 4), 200: (4, 0), 300: (0, 0)}  # right, down
    for ms, (right, down) in corners.items():
        whole = np.zeros((12, 12), int)
        whole[down : down + 8, right : right + 8] = 50**2 * image
        np.testing.assert_array_equal(seen[ms], whole)
    padded = np.pad(image, 5)  # 37 ms: 0.74 to the right, 1.48 down
    for row, column in np.ndindex(12, 12):
        y, x = row + 5 - 2, column + 5 - 1
        rows = 24 * padded[y, x : x + 2] + 26 * padded[y + 1, x : x + 2]
        assert seen[37, row, column] == 37 * rows[0] + 13 * rows[1]


def test_events_follow_the_brightness(example):
    saccades = example.saccades
    for seed in range(5):
        image = drawn(seed)
        events = saccades.saccades(image)
        assert events.dtype == EVENT
        assert len(events) > 200
        assert (np.diff(events["t"]) >= 0).all()
        assert events["t"].min() >= 0
        assert events["t"].max() <= 300_000
        assert min(events["x"].min(), events["y"].min()) >= 0
        assert max(events["x"].max(), events["y"].max()) < saccades.SENSOR
        # What a pixel has sent so far is what it has seen so far, but for less than a contrast.
        seen = saccades.brightness(image)
        for ms in (50, 150, 299, 300):
            told = np.zeros((12, 12), int)
            early = events[events["t"] <= 1000 * ms]
            np.add.at(told, (early["y"], early["x"]), np.where(early["p"], 1, -1))
            error = np.abs(seen[ms] - seen[0] - saccades.CONTRAST * told)
            assert error.max() < saccades.CONTRAST
        assert not told.any()  # the image is back where it was


def test_nothing_moves_without_an_image_and_odd_images_are_refused(example):
    assert len(example.saccades.saccades(np.zeros((8, 8), int))) == 0
    for image in (np.zeros((8, 9), int), np.zeros((8, 8))):
        with pytest.raises(InputError, match="give whole grey levels"):
            example.saccades.saccades(image)


@needs_digits
def test_parts_are_apart_and_always_the_same(example):
    parts = {split: example.saccades.load(split) for split in example.saccades.SPLITS}
    assert {split: len(part) for split, part in parts.items()} == {
        "train": 1149, "validation": 288, "test": 360,
    }  # fmt: skip
    whole = np.concatenate([part.images.reshape(-1, 64) for part in parts.values()])
    from sklearn.datasets import load_digits

    np.testing.assert_array_equal(whole, load_digits().data)
    events, label = parts["test"][3]
    again, _ = example.saccades.load("test")[3]
    assert events.tobytes() == again.tobytes()
    assert (label, len(events)) == (5, 934)


def tiny(example, folder, seed=0):
    """A network that nobody trained, as train.py writes one."""
    rng = np.random.default_rng(seed)
    arrays = {
        "0_conv": rng.normal(0, 40, (3, 2, 3, 3)).astype(np.float32),
        "1_conv": rng.normal(0, 40, (4, 3, 3, 3)).astype(np.float32),
        "3_dense": rng.normal(0, 40, (10, 64)).astype(np.float32),
    }
    np.savez(folder / "tiny_float.npz", **arrays)
    rounded = {name: 2 * np.rint(weight / 2) for name, weight in arrays.items()}
    neuron = nd.load(NET).output.neuron
    exact = example.train.float_network(rounded)
    network = replace(
        exact,
        populations=tuple(
            p if p.neuron.is_port else replace(p, neuron=neuron) for p in exact.populations
        ),
        projections=tuple(
            replace(p, synapse=p.synapse.with_arrays(lambda w: w.astype(np.int32)))
            for p in exact.projections
        ),
    )
    nd.save(network, folder / "tiny.net")
    return folder / "tiny.net"


@pytest.mark.slow
@needs_digits
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of distributed and what it imports
def test_an_untrained_network_goes_the_whole_way(example, tmp_path, capsys):
    net = tiny(example, tmp_path)
    found = {}
    ways = ["threads:1"] + ["processes:2"] * (find_spec("distributed") is not None)
    for way in ways:
        out = tmp_path / "result.json"
        given = ["--net", str(net), "--samples", "24", "--lava", "0", "--scheduler", way]
        assert example.run.main([*given, "--json", str(out)]) == 0
        found[way] = json.loads(out.read_text())["figures"]
        said = capsys.readouterr().out
        assert "samples: 24 x 30 steps" in said
        assert f"{found[way]['cores']} core" in said
    assert all(figures == found["threads:1"] for figures in found.values())
    figures = found["threads:1"]
    assert figures["lava_equal"] is None
    # Scored once more without the example's own way: bins, run, decisions.
    part = example.saccades.load("test")
    inputs, labels = example.run.first(part, 24)
    assert inputs.shape == (24, 30, 2, 12, 12)
    assert figures["integers"] == round(nd.run(nd.load(net), inputs).accuracy(labels), 4)
    assert figures["energy_joules"] > 0
    assert example.run.main(["--net", str(tmp_path / "none.net")]) == 2
    assert "none.net" in capsys.readouterr().err


@needs_digits
@pytest.mark.skipif(not HAS_LAVA, reason="training needs lava-dl: neurodeploy doctor --add lava-dl")
def test_training_goes_down_and_reads_as_the_same_spikes(example):
    train = example.train
    items = example.saccades.load("train")
    part = example.saccades.EventDigits(items.images[:64], items.labels[:64])
    inputs, labels = example.run.first(part, 64)
    told = []
    module = train.train(0, (inputs, labels), epochs=3, tell=told.append)
    losses = [float(re.search(r"loss ([\d.]+)", line)[1]) for line in told]
    assert losses[-1] < losses[0]
    network = nd.load(module, example=inputs[:4])
    assert nd.run(network, inputs).output.any()
    train.agrees(module, network, inputs)
    exact = train.float_network(train.float_weights(module))
    assert [p.shape for p in exact.populations] == [p.shape for p in network.populations]


def test_shipped_integers_are_the_shipped_floats_rounded():
    assert NET.stat().st_size < 100_000
    network = nd.load(NET)
    with np.load(NET.with_name("event_digits_float.npz"), allow_pickle=False) as floats:
        for projection in network.projections:
            weight = floats[projection.target]
            rounded = np.clip(2 * np.rint(weight / 2), -256, 254)
            held = projection.synapse.weight
            np.testing.assert_array_equal(held, rounded.reshape(held.shape))


@pytest.mark.slow
@needs_digits
def test_the_shipped_network_scores_what_its_page_says(example, tmp_path, capsys):
    out = tmp_path / "result.json"
    lava = ["--lava", "1" if HAS_LAVA else "0"]
    assert example.run.main(["--scheduler", "threads:1", "--json", str(out), *lava]) == 0
    found = json.loads(out.read_text())["figures"]
    said = json.loads((EXAMPLE / "result.json").read_text())["figures"]
    for name in ("integers", "cores", "energy_joules"):
        assert found[name] == said[name]
    assert abs(found["float"] - said["float"]) <= 1.01 / 360  # sums of floats vary by machine
    assert found["lava_equal"] in (True, None)
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert f"{said['integers']:.2%}".replace("%", " %") in readme


def test_the_readme_holds_all_seeds():
    made = json.loads((EXAMPLE / "seeds.json").read_text())
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    for row in made["seeds"]:
        line = f"seed {row['seed']}: validation {row['validation']:.2%}, test {row['test']:.2%}, "
        assert f"{line}{row['cpu_seconds']} CPU-seconds" in readme
    best = max(made["seeds"], key=lambda row: row["validation"])
    assert best["seed"] == made["picked"]
    mean = np.mean([row["test"] for row in made["seeds"]])
    assert f"{mean:.2%}".replace("%", " %") in readme
