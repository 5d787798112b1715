"""The floor plan: who sits where, what the fullest core holds, where a step's time goes."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.chip.balance import busiest_link, core_seconds, in_stripes, neuron_seconds
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
from neurodeploy.numbers import si
from neurodeploy.reporting.blocks import Drawing, Note
from neurodeploy.reporting.floor_plan import MOST_CHIPS, floor_plan
from neurodeploy.reporting.report_sources import Sources

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = "<script>&'\"x"


@pytest.fixture(scope="module")
def ran():
    """A network of three layers on several tiles, one of a hostile name, and a run of it."""
    rng = np.random.default_rng(2)
    sizes = {"input": 256, "wide": 900, HOSTILE: 300, "out": 4}
    populations = [Population(n, (s,), CubaLIF(4095, 4095, 1)) for n, s in sizes.items()]
    populations[0] = Population("input", (256,), Source())
    projections = []
    for a, b in itertools.pairwise(populations):
        weight = rng.integers(-60, 100, (b.size, a.size)).astype(np.int32)
        projections.append(Projection(a.name, b.name, Dense(weight)))
    network = Network(tuple(populations), tuple(projections))
    inputs = (rng.random((2, 20, 256)) < 0.2).astype(np.int32)
    return network, nd.run(network, inputs, record=("counts",))


def blocks_of(placement, *recordings):
    return floor_plan(Sources("plan", placement=placement, recordings=recordings))


def drawings(blocks):
    found = [block for block in blocks if isinstance(block, Drawing)]
    for drawing in found:
        ElementTree.fromstring(drawing.svg)
    return found


def texts(drawing):
    return [text.text for text in ElementTree.fromstring(drawing.svg).iter("text")]


def titles(drawing):
    return [title.text for title in ElementTree.fromstring(drawing.svg).iter("title")]


def test_every_core_is_drawn_where_it_lies_with_how_full_it_is(ran):
    network, _ = ran
    placement = nd.fit(network)
    chip, _ = drawings(blocks_of(placement))
    numbers = [int(text) for text in texts(chip)]
    cores = [part.cores for part in placement.partitions]
    assert numbers == sorted(np.repeat(np.arange(len(cores)) + 1, cores).tolist())
    for place, (says, (name, percent)) in enumerate(
        zip(titles(chip), placement.per_core, strict=True)
    ):
        shares = {r: share for r, share in percent.items() if r != "neuron groups"}
        binds = max(shares, key=shares.get)
        assert says == f"core {place}: {name}, {shares[binds]:.1f} % of its {binds}"
    assert f"{placement.cores_used} of 120 usable cores" in chip.caption
    striped = replace(placement, places=in_stripes(placement))
    (first, *_) = titles(drawings(blocks_of(striped))[0])
    assert re.match(r"core 0: ", first)


def test_names_are_escaped(ran, tmp_path):
    network, recording = ran
    blocks = blocks_of(nd.fit(network), recording)
    for drawing in drawings(blocks):
        assert "<script" not in drawing.svg
    page = tmp_path / "page.html"
    nd.report(page, placement=nd.fit(network), recordings=[recording])
    assert "<script>&'" not in page.read_text(encoding="utf-8")


def test_the_memory_of_the_fullest_core_is_what_the_placement_counted(ran):
    network, _ = ran
    placement = nd.fit(network)
    _, memory = drawings(blocks_of(placement))
    fullest = max(
        (max(v for r, v in percent.items() if r != "neuron groups"), -place)
        for place, (_, percent) in enumerate(placement.per_core)
    )[1]
    fullest = -fullest  # the first of several that are as full
    assert f"core {fullest}," in memory.caption
    used = [u for part in placement.partitions for u in part.used][fullest]
    said = texts(memory)
    for name, value in used.items():
        assert said[said.index(name) + 1].startswith(f"{value:,} of ")
    pool = ElementTree.fromstring(memory.svg)
    wide = [float(r.get("width")) for r in pool.iter("rect") if r.find("title") is not None]
    parts = [value for name, value in used.items() if name != "words of core memory" and value]
    drawn = [share * 520 / 20_000 for share in parts]
    assert wide[: len(drawn)] == pytest.approx(drawn, abs=0.01)


def test_the_hottest_core_and_link_are_those_of_the_model(ran):
    network, recording = ran
    placement = nd.fit(network)
    chip, _, step = drawings(blocks_of(placement, recording))
    busy = {}
    for part in placement.partitions:
        name = part.population.name
        seconds = core_seconds(placement, {name: neuron_seconds(recording, placement, name)}, name)
        busy |= dict(zip(placement.places_of(name).tolist(), seconds.tolist(), strict=True))
    hottest = max(busy, key=busy.get)
    assert f"the hottest core, {hottest}," in chip.caption
    assert si(busy[hottest], "s") in chip.caption
    assert si(busiest_link(placement, recording), "s") in chip.caption
    whole = nd.profile(recording, placement=placement)
    assert texts(step)[-1].startswith(si(whole.seconds_per_step, "s"))
    assert whole.bound in step.caption
    rects = ElementTree.fromstring(step.svg).iter("rect")
    wide = [float(r.get("width")) for r in rects if r.find("title") is not None]
    scale = 520 / max(whole.seconds_per_step, *busy.values())
    assert sum(wide[:2]) == pytest.approx(busy[hottest] * scale, abs=0.02)
    assert sum(wide[3:]) == pytest.approx(whole.seconds_per_step * scale, abs=0.02)
    synapses = neuron_synapses(placement, recording, hottest)
    assert wide[1] == pytest.approx(synapses * scale, abs=0.02)


def neuron_synapses(placement, recording, place):
    """Seconds of a mean step in which a core reads synapses, written out."""
    network, steps = placement.network, recording.samples * recording.steps
    for part in placement.partitions:
        places = placement.places_of(part.population.name).tolist()
        if place in places:
            held = part.held[places.index(place)]
            (projection,) = network.into(part.population.name)
            messages = recording[projection.source].counts.sum()
            return held * messages * placement.chip["synop_time"] / steps
    raise AssertionError(place)


def test_without_a_run_of_this_network_there_is_no_heat(ran):
    network, recording = ran
    other = nd.fit(nd.sketch("in 20; dense 30"))
    for placement, recordings in ((nd.fit(network), ()), (other, (recording,))):
        found = drawings(blocks_of(placement, *recordings))
        assert len(found) == 2
        assert "hottest" not in found[0].caption


def test_of_many_chips_those_with_the_fullest_core_are_drawn():
    text = "in 3x448x448; conv 16k3s2p1; conv 32k3s2p1; conv 256k3p1; dense 10"
    placement = nd.fit(nd.sketch(text))
    assert placement.chips_used > MOST_CHIPS
    blocks = blocks_of(placement)
    *chips, _ = drawings(blocks)
    assert len(chips) == MOST_CHIPS
    assert f"Chip {placement.chips_used} of {placement.chips_used}:" in chips[-1].caption
    assert "var(--bad)" in chips[-1].svg  # its dense layer does not fit
    notes = [block.text for block in blocks if isinstance(block, Note)]
    assert f"{placement.chips_used - MOST_CHIPS} more chips are not drawn." in notes
    counted = nd.fit(nd.sketch("in 10; dense 2147483647"))
    assert [type(block) for block in blocks_of(counted)] == [Note]
    assert blocks_of(nd.fit(Network((Population("input", (4,), Source()),), ()))) == []


def test_loihi1_has_no_pool_of_memory(ran):
    network, recording = ran
    _, memory, _ = drawings(blocks_of(nd.fit(network, "loihi1"), recording))
    assert "words of core memory" not in texts(memory)
    assert "dendritic accumulators" in texts(memory)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)")
@pytest.mark.parametrize("width", [360, 820, 1400])
def test_the_plan_fits_the_page_at_every_width(ran, tmp_path, width):
    network, _ = ran
    page = tmp_path / "page.html"
    nd.report(page, placement=nd.fit(network))
    probe = (
        "<script>document.body.dataset.probe = JSON.stringify({"
        "page: document.documentElement.scrollWidth - document.documentElement.clientWidth, "
        "drawings: [...document.querySelectorAll('figure .scroll')].map("
        "(box) => box.scrollWidth - box.clientWidth)})</script></body>"
    )
    text = page.read_text(encoding="utf-8").replace("</body>", probe)
    page.write_text(text, encoding="utf-8")
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'data-probe="([^"]*)"', shown.stdout)[1]
    assert found.replace("&quot;", '"') == '{"page":0,"drawings":[0,0]}'
