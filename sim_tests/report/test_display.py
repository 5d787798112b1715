"""What a REPL and a notebook show of the public objects: a few lines, sections of the report."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.exporting.verify import Verification
from neurodeploy.network import (
    Audit,
    AuditEntry,
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    Rating,
    Source,
)
from sim_tests.compare.test_compare import RECORD, network_of

KINDS = (
    "network", "audit", "recording", "record", "comparison", "profile", "placement",
    "evaluation", "deployment", "verification",
)  # fmt: skip


def against_itself(net, recording):
    """What `nd.verify` gives, where there is no other backend to run on."""
    same, cost = nd.compare(recording, recording), nd.profile(recording)
    return Verification(net, (recording, recording), same, (cost,), "loihi2")


@pytest.fixture(scope="module")
def shown():
    inputs = (np.random.default_rng(4).random((6, 30, 8)) < 0.3).astype(np.int32)
    entries = [AuditEntry("hidden", Rating.APPROXIMATE, "rounded <b>down</b>")]
    entries += [AuditEntry(f"output/{i}", Rating.FAITHFUL, "as it was") for i in range(4)]
    net = replace(network_of(), audit=Audit(tuple(entries)))
    recording, other = (nd.run(n, inputs, record=RECORD) for n in (net, network_of(20)))
    deployment = nd.deploy(net, target="loihi2", inputs=inputs)
    verification = deployment.verification or against_itself(net, recording)
    return {
        "network": net,
        "audit": net.audit,
        "recording": recording,
        "record": recording["hidden"],
        "comparison": nd.compare(recording, other, anyway=True, net=net, inputs=inputs),
        "profile": nd.profile(recording),
        "placement": nd.fit(net),
        "evaluation": nd.evaluate(net, inputs, np.arange(6) % 4),
        "deployment": deployment,
        "verification": verification,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_repr_is_a_few_lines_that_fit_a_terminal(shown, kind):
    lines = repr(shown[kind]).splitlines()
    assert 2 <= len(lines) <= 16 if kind == "evaluation" else 2 <= len(lines) <= 10
    assert all("array(" not in line for line in lines)
    assert type(shown[kind]).__name__ in lines[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_shows_sections_of_the_report(shown, kind):
    html = shown[kind]._repr_html_()
    assert html.startswith('<div class="neurodeploy">')
    assert html.count("<div") == html.count("</div>")
    assert "<section>" in html  # no ids: a notebook may show the same object twice
    assert "<script" not in html
    assert "<b>down" not in html


def test_a_deep_network_is_cut_in_the_middle():
    neuron = CubaLIF(1024, 128, 60)
    names = [f"layer{i}" for i in range(40)]
    net = Network(
        (Population("in", (4,), Source()), *(Population(name, (4,), neuron) for name in names)),
        tuple(
            Projection(a, b, Dense(2 * np.eye(4, dtype=np.int32)))
            for a, b in zip(["in", *names], names, strict=False)
        ),
    )
    text = repr(net)
    assert "41 populations, 164 neurons, 40 projections" in text
    assert "36 more populations" in text
    assert re.search(r"layer39 +cuba-lif +4 +dense from layer38", text)
    recording = nd.run(net, np.ones((2, 50, 4), np.int32))
    for thing in (net, recording, nd.fit(net), nd.compare(recording, recording)):
        assert 5 <= len(repr(thing).splitlines()) <= 10


def test_what_is_indexed_by_population_can_be_counted_and_gone_through(shown):
    net, recording = shown["network"], shown["recording"]
    names = ["input", "hidden", "output"]
    assert [population.name for population in net] == names
    assert [record.header.name for record in recording] == names
    assert len(net) == len(recording) == len(shown["comparison"]) == 3
    assert [row.population for row in shown["comparison"]] == names
    assert [p.population.name for p in shown["placement"]] == names[-len(shown["placement"]) :]
    assert "hidden" in net
    assert "hidden" in recording
    assert "hidden" in shown["placement"]
    assert "nobody" not in net
    assert list(shown["record"]) == ["counts", "spikes", "u", "v"]


def test_messages_in_a_repr_are_those_of_the_arrays(shown):
    record = shown["record"]
    sent = record.spikes.astype(bool).sum()
    assert f"{100 * sent / record.spikes.size:.2f} % of neurons and steps" in repr(record)


def test_profiles_say_their_figures_with_bands_and_tags(shown):
    text = repr(shown["profile"])
    assert re.search(r"energy +[\d.]+ .J +[\d.]+ .J to [\d.]+ .J +estimated", text)
    assert "bound by barrier" in text
