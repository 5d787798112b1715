"""The drawing of a network has each population, operator and delay, and can be read as XML."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np

from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from neurodeploy.reporting.topology import BOX, MOST_POPULATIONS, topology


@dataclass(frozen=True)
class Step:
    name: str
    elements: tuple[str, ...]
    exact: bool = True
    text: str = ""


def branched(name="left"):
    neuron, eye = CubaLIF(1024, 128, 60), Dense(2 * np.eye(4, dtype=np.int32))
    delays = np.arange(4, dtype=np.int32)
    return Network(
        (
            Population("in", (4,), Source()),
            Population(name, (4,), neuron, axon_delay=delays),
            Population("right", (4,), neuron),
            Population("out", (4,), neuron),
        ),
        tuple(
            Projection(a, b, eye)
            for a, b in (
                ("in", name), ("in", "right"), (name, "out"), ("right", "out"), ("in", "out"),
                ("out", "right"), ("right", "right"),
            )
        ),
    )  # fmt: skip


def drawn(svg):
    root = ElementTree.fromstring(svg)
    boxes = {
        text.text: (float(rect.get("x")), float(rect.get("y")))
        for group in root.iter("g")
        if (rect := group.find("rect")) is not None and (text := group.find("text")) is not None
    }
    return root, boxes


def test_sources_stand_above_their_targets_and_no_boxes_overlap():
    root, boxes = drawn(topology(branched()))
    assert set(boxes) == {"in", "left", "right", "out"}
    assert boxes["in"][1] < boxes["left"][1] == boxes["right"][1] < boxes["out"][1]
    assert abs(boxes["left"][0] - boxes["right"][0]) > BOX
    assert len(root.findall(".//path[@marker-end]")) == 7
    width = float(root.get("viewBox").split()[2])
    assert all(x + BOX <= width for x, _ in boxes.values())


def test_delays_and_rewrites_are_said():
    svg = topology(branched(), [Step("split", ("left", "in->right"))])
    root, _ = drawn(svg)
    titles = [title.text for title in root.iter("title")]
    assert any("axon delays 0 to 3 steps" in title for title in titles)
    assert sum("changed by split" in title for title in titles) == 2
    assert svg.count("stroke-dasharray") == 2
    assert "stroke-dasharray" not in topology(branched())


def test_names_are_text():
    assert "<b>x" not in topology(branched("<b>x & y"))
    drawn(topology(branched("<b>x & y")))


def test_a_network_too_long_to_draw_is_left_to_the_table():
    neuron, eye = CubaLIF(1024, 128, 60), Dense(2 * np.eye(2, dtype=np.int32))
    names = ["in", *(f"n{i}" for i in range(MOST_POPULATIONS))]
    net = Network(
        tuple(Population(n, (2,), neuron if n != "in" else Source()) for n in names),
        tuple(Projection(a, b, eye) for a, b in pairwise(names)),
    )
    assert topology(net) == ""
