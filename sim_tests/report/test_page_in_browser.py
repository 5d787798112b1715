"""The page as a browser runs it: tables sort, drawings answer the pointer, nothing overflows."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec

import numpy as np
import pytest

import neurodeploy as nd
from sim_tests.compare.test_compare import RECORD, network_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or find_spec("matplotlib") is None,
    reason="needs chromium (apt-get install chromium) and the extra plots",
)

PROBE = """
<script>
const out = {};
const head = [...document.querySelectorAll("thead th")].find((th) => th.textContent === "weight");
const rows = head.closest("table").tBodies[0].rows;
const column = () => [...rows].map((row) => row.cells[2].textContent.trim());
head.click(); out.up = column(); head.click(); out.down = column();
out.sort = head.getAttribute("aria-sort");
const hover = (figure, x, y) => {
  const drawing = figure.querySelector("svg"), box = drawing.getBoundingClientRect();
  drawing.dispatchEvent(new PointerEvent("pointermove", {
    clientX: box.left + x * box.width, clientY: box.top + y * box.height }));
  const tip = document.querySelector(".tip");
  return tip.hidden ? null : [...tip.children].map((line) => line.textContent);
};
const figure = document.querySelector("figure"), panel = JSON.parse(figure.dataset.hover).at(-1);
out.tip = hover(figure, panel.box[0] + 0.5 * panel.box[2], panel.box[1] + 0.5 * panel.box[3]);
out.outside = hover(figure, 0.0, 0.0);
const choice = document.querySelector(".choice"), field = choice.querySelector("input");
const [sample, population] = choice.querySelectorAll("select");
const shown = () => [...choice.querySelectorAll("figure")].map((drawn) => !drawn.hidden);
const marked = () => ({
  shown: shown(), sample: sample.value, population: population.value, neuron: field.value,
  said: choice.querySelector("output").textContent,
  marks: choice.querySelectorAll(".picked rect").length,
});
out.picked = marked();
sample.selectedIndex = 1; field.value = 7; sample.dispatchEvent(new Event("change"));
out.chosen = marked();
const drawn = [...choice.querySelectorAll("figure")][1];
const last = JSON.parse(drawn.dataset.hover).at(-1);
const raster = drawn.querySelector("svg"), place = raster.getBoundingClientRect();
const share = (2 - last.y[0]) / (last.y[1] - last.y[0]);
raster.dispatchEvent(new MouseEvent("click", {
  clientX: place.left + (last.box[0] + 0.5 * last.box[2]) * place.width,
  clientY: place.top + (last.box[1] + (1 - share) * last.box[3]) * place.height }));
out.clicked = marked();
field.value = 10000; field.dispatchEvent(new Event("change"));
out.beyond = marked();
population.selectedIndex = 0; population.dispatchEvent(new Event("change"));
out.none = marked();
out.buttons = document.querySelectorAll("figure button").length;
out.figures = document.querySelectorAll("figure").length;
out.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const links = [...document.querySelectorAll("nav a")];
out.linked = links.map((link) => link.hash.slice(1));
out.sections = [...document.querySelectorAll("section")].map((section) => section.id);
out.reached = links.map((link) => {
  link.click();
  const section = document.querySelector(link.hash).getBoundingClientRect();
  const nav = document.querySelector("nav").getBoundingClientRect();
  const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  return section.top < innerHeight && (end || section.top >= nav.bottom - 2) && nav.top >= -1;
});
out.folded = [...document.querySelectorAll("details")].map((folded) => folded.open);
window.dispatchEvent(new Event("beforeprint"));
out.printed = [...document.querySelectorAll("details")].every((folded) => folded.open);
document.body.dataset.probe = JSON.stringify(out);
</script></body>"""


@pytest.fixture(scope="module")
def recorded():
    inputs = (np.random.default_rng(4).random((6, 30, 8)) < 0.3).astype(np.int32)
    a, b = (nd.run(network_of(n), inputs, record=RECORD) for n in (0, 20))
    return a, b, inputs


@pytest.fixture(scope="module")
def page(tmp_path_factory, recorded):
    a, b, inputs = recorded
    comparison = nd.compare(a, b, anyway=True, net=network_of(), inputs=inputs, local=True)
    path = tmp_path_factory.mktemp("page") / "page.html"
    nd.report(
        path,
        net=network_of(),
        recordings=[a, b],
        comparison=[comparison, nd.compare(a, a)],
        placement=nd.fit(network_of()),
        profiles=[nd.profile(a)],
        samples=[4, 2],
        neuron=(a.names[1], 3),
    )
    return path


def told(recorded, population, sample, neuron):
    """What the page says that a neuron sent, and how many marks that is with its band."""
    lines, marks = [], 2
    for recording, label in zip(recorded[:2], ("engine #1", "engine #2"), strict=True):
        steps, neurons, _ = recording[population].events_of(sample, sample + 1)
        steps = steps[neurons == neuron].tolist()
        marks += len(steps)
        listed = ", steps " + ", ".join(map(str, steps)) if steps else ""
        lines.append(f"{label}: {len(steps)} messages{listed}")
    return "; ".join(lines), marks


def probed(page, tmp_path, width):
    probe = tmp_path / "probe.html"
    probe.write_text(page.read_text().replace("</body>", PROBE))
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1000",
            probe.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    # What a page says on its console, errors among it, comes as lines with this word.
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    dom = done.stdout
    found = dom[dom.index('data-probe="') + len('data-probe="') :]
    return json.loads(found[: found.index('"')].replace("&quot;", '"').replace("&amp;", "&"))


@pytest.mark.parametrize("width", [1280, 820, 390])
def test_the_page_in_headless_chromium(page, recorded, tmp_path, width):
    result = probed(page, tmp_path, width)
    names = recorded[0].names
    for step, sample, name, neuron in (
        ("picked", 4, names[1], 3), ("chosen", 2, names[1], 7), ("clicked", 2, names[-1], 2),
        ("beyond", 2, names[-1], recorded[0][names[-1]].header.size - 1),
    ):  # fmt: skip
        found = result[step]
        assert found["shown"] == [sample == 4, sample == 2]
        assert found["sample"] == f"sample {sample}"
        assert (found["population"], found["neuron"]) == (name, str(neuron))
        assert (found["said"], found["marks"]) == told(recorded, name, sample, neuron)
    assert result["picked"]["marks"] > 2
    assert result["none"]["marks"] == 0
    up = [int(text.replace("\N{MINUS SIGN}", "-")) for text in result["up"]]
    assert up == sorted(up)
    down = [int(text.replace("\N{MINUS SIGN}", "-")) for text in result["down"]]
    assert down == sorted(up, reverse=True) != up
    assert result["sort"] == "descending"
    assert result["tip"][0].startswith("step ")
    assert any("recorded" in line for line in result["tip"])
    assert any(line.startswith("threshold: ") for line in result["tip"])
    assert result["outside"] is None
    assert result["buttons"] == result["figures"] >= 3
    assert result["linked"] == result["sections"]
    assert len(result["sections"]) >= 7
    assert all(result["reached"])
    assert result["folded"] == [False]  # what is equal; the tables of the other are shown
    assert result["printed"] is True
    assert result["wide"] <= 0  # only boxes of their own scroll sideways
