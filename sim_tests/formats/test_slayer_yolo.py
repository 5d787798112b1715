"""The two trained YOLO networks of lava-dl's wheel, exported and held against SLAYER.

SLAYER's sums are floats without end, Lava's and the chip's convolutions wrap at 24
bits; both networks leave 24 bits on ordinary frames. So two things are shown: up to
the first population in which a sum wrapped every number is equal, and with the sums
split into parts that do not wrap every number of every population is.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.exporting.export import split_until_none_wraps
from neurodeploy.exporting.forward_pass import compare_forward_pass, with_measured_audit
from neurodeploy.formats.slayer import export_slayer, quiet
from neurodeploy.formats.slayer.checkpoint import load_checkpoint
from neurodeploy.network import Rating
from neurodeploy.targets.rewrite import sums_in_parts
from sim_tests.slayer_oracle import import_slayer

pytestmark = pytest.mark.filterwarnings("ignore")

NETWORKS = {
    "yolo_kp": ("Trained_yolo_kp", 11),
    "tiny_yolov3_str": ("Trained_tiny_yolov3_str", 17),
}
OUTPUTS = 255


def frames(size, contrast, steps=3):
    """Random pictures, each step a little different, float32 [1, steps, 3, size, size]."""
    rng = np.random.default_rng(0)
    patches = rng.random((1, steps, 3, size // 32, size // 32))
    patches[:, 1:] = patches[:, :1] + 0.1 * (patches[:, 1:] - 0.5)
    picture = np.kron(0.47 + contrast * (patches - 0.5), np.ones((1, 1, 1, 32, 32)))
    noisy = picture + rng.normal(0, 0.01, picture.shape)
    return np.clip(noisy, 0, 1).astype(np.float32)


def load_yolo(name, example):
    import_slayer()
    with quiet():
        from lava.lib.dl.slayer.object_detection import models
        from lava.lib.dl.slayer.object_detection.models import tiny_yolov3_str, yolo_kp
    room = {"yolo_kp": yolo_kp, "tiny_yolov3_str": tiny_yolov3_str}[name]
    with quiet():
        module = room.Network(num_classes=OUTPUTS // 3 - 5)
    checkpoint = Path(next(iter(models.__path__))) / NETWORKS[name][0] / "network.pt"
    load_checkpoint(module, checkpoint, example)
    return module


def smooth(size, contrast, steps=3):
    """Pictures that change slowly from place to place and step to step."""
    rng = np.random.default_rng(0)
    corners, drift = rng.random((2, 3, 4, 4))
    place = np.linspace(0, 3, size)
    near = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(4)))
    found = [near @ (corners + 0.05 * t * (drift - 0.5)) @ near.T for t in range(steps)]
    return np.clip(0.47 + contrast * (np.stack(found)[None] - 0.5), 0, 1).astype(np.float32)


def up_to_the_first_wrap(found):
    """Populations before any that left 24 bits or was fed by one that did."""
    wrapped = [a.lag for a in found if a.wrapped or a.differing]
    first = min(wrapped, default=1000)
    return [a for a in found if a.lag < first]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) for n in ("yolo_kp", "tiny_yolov3_str")]
)
def test_small_frames(tmp_path, name):
    example = frames(64, 0.1)
    export = export_slayer(load_yolo(name, example), example=example)
    assert len(export.network.populations) == NETWORKS[name][1]
    assert export.network.audit.worst is Rating.FAITHFUL
    found = compare_forward_pass(export)
    equal = up_to_the_first_wrap(found)
    assert len(equal) >= 5
    assert all(a.equal and a.sent > 100 for a in equal)
    split = sums_in_parts(export.network, 32)
    for population in compare_forward_pass(replace(export, network=split)):
        assert population.equal, population.line()
    assert nd.fit(split).table() == nd.fit(export.network).table()
    nd.save(export.network, tmp_path / "a.net")
    assert nd.load(tmp_path / "a.net") == export.network


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_real_sized_frames(name):
    """448 x 448 pixels, as the networks were trained on: every number, once no sum wraps."""
    example = smooth(448, 0.05)
    export = export_slayer(load_yolo(name, example), example=example)
    whole = compare_forward_pass(export)
    assert len(up_to_the_first_wrap(whole)) >= 5
    told = with_measured_audit(export, whole, "a smooth frame").audit.rated(Rating.APPROXIMATE)
    differing = [a.population for a in whole if not a.equal]
    assert [e.element for e in told if e.effect.differing] == differing
    assert all("left 24 bits" in e.reason or "what feeds it differs" in e.reason for e in told)
    split, found = split_until_none_wraps(export, whole)
    assert [a.line() for a in found if not a.equal] == []
    assert not any(a.wrapped or a.inexact for a in found)
    assert all(a.sent > 5000 for a in found)
    assert len(split.network.projections) > len(export.network.projections)
