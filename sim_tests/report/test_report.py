from __future__ import annotations

import builtins
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import neurodeploy as nd
from neurodeploy.comparison import compare
from neurodeploy.errors import FormatError, InputError
from neurodeploy.network import (
    Audit,
    AuditEntry,
    Average,
    Conv,
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    Rating,
    Readout,
    Source,
)
from neurodeploy.numbers import count, percent, si, signed, wilson_interval
from neurodeploy.profiling import profile
from neurodeploy.quantization.bit_width_sweep import Sweep, SweepRow
from neurodeploy.quantization.costs import Costs
from neurodeploy.recording import Recording, RecordingWriter
from neurodeploy.recording.assemble import BlockAssembler, header_of
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.reporting import report
from neurodeploy.reporting.quantization import quantization_table, sweep_table
from neurodeploy.reporting.table_rows import limit_lines, network_rows, synapse_counts
from neurodeploy.reporting.terminal import audit_table, counts_table, network_table, profile_table

needs_plots = pytest.mark.skipif(
    find_spec("matplotlib") is None, reason="drawings need the extra plots"
)

NASTY = "<script>alert('$x_1$')</script> & [bold]\"q\""
STEPS = 12


def make_network(dense_name="3_dense"):
    rng = np.random.default_rng(1)
    neuron = CubaLIF(current_decay=1024, voltage_decay=128, threshold=80)

    def weights(*shape):
        return (rng.integers(-40, 40, shape) * 2 * (rng.random(shape) < 0.8)).astype(np.int32)

    populations = (
        Population("input", (2, 8, 8), Source()),
        Population("1_conv", (4, 7, 7), neuron),
        Population(dense_name, (20,), neuron, axon_delay=np.arange(20, dtype=np.int32) % 5),
        Population("4_average", (5,), Average(group_size=4)),
    )
    projections = (
        Projection("input", "1_conv", Conv(weights(4, 2, 2, 2))),
        Projection("1_conv", dense_name, Dense(weights(20, 4 * 7 * 7))),
        Projection(dense_name, dense_name, Dense(weights(20, 20))),
        Projection(dense_name, "4_average", Readout()),
    )
    audit = Audit(
        (
            AuditEntry("layer/0/neuron", Rating.FAITHFUL, "as SLAYER has it"),
            AuditEntry(NASTY, Rating.APPROXIMATE, f"rounded {NASTY}"),
        )
    )
    return Network(populations, projections, audit, {"data": NASTY})


def make_recording(network, backend="engine", flip=False, record=("counts", "spikes")):
    rng = np.random.default_rng(2)
    options = RunOptions(steps=STEPS, record=record, inputs_fingerprint="ab" * 32)
    spikes = {
        p.name: (rng.random((3, STEPS, p.size)) < 0.1).astype(np.int32) for p in network.populations
    }
    if flip:
        spikes[network.populations[2].name][1, 5, 7] ^= 1
    writer = RecordingWriter(header_of(network, backend, "1.0", options))
    BlockAssembler(network, options, writer).add(spikes)
    writer.finish(samples=3, seconds=0.25, warnings=(f"wrapped {NASTY}",))
    return writer.recording()


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.ids, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        names = ("src", "href", "xlink:href", "srcset", "data", "action", "poster")
        self.links += [value for name, value in attrs if name in names]

    def handle_data(self, data):
        self.text.append(data)


def full_report(path, dense_name="3_dense", **more):
    network = make_network(dense_name)
    a, b = make_recording(network), make_recording(network, "lava", flip=True)
    measured = replace(a.header, backend="loihi2", measured={"energy_joules": 1e-4})
    profiles = [profile(a, "loihi1"), profile(a), profile(Recording(measured, a.arrays))]
    arguments = {
        "net": network,
        "recordings": [a, b],
        "comparison": compare(a, b),
        "profiles": profiles,
        "title": "A report",
        "accuracy": [("engine", 97, 100), ("none", 0, 0)],
        "facts": [("weights", "8 bits")],
        "float_weights": {"input->1_conv": np.random.default_rng(0).normal(size=(4, 2, 2, 2))},
    }
    report(path, **{**arguments, **more})
    return path.read_text(encoding="utf-8")


def hide_matplotlib(monkeypatch):
    real = builtins.__import__

    def fake(name, *rest, **keywords):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **keywords)

    monkeypatch.setattr(builtins, "__import__", fake)


def lines_of(table, width=100):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue().splitlines()


# The page


def test_the_page_is_one_file_that_fetches_nothing(tmp_path):
    text = full_report(tmp_path / "report.html")
    page = Page(text)
    assert all(link.startswith("#") for link in page.links), page.links
    assert page.tags.count("script") == 1  # its own, inline
    assert not re.search(r"<script[^>]*\ssrc|fetch\(|import\(|XMLHttpRequest", text)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    text = text.replace("http://www.w3.org/2000/svg", "")  # a name that saved drawings need
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


@needs_plots
def test_the_page_shows_every_part(tmp_path):
    page = Page(full_report(tmp_path / "report.html"))
    sections = ["summary", "accuracy", "comparison", "spikes", "energy", "network", "audit"]
    sections += ["constants", "provenance"]
    assert [i for i in page.ids if i in sections] == sections
    assert page.tags.count("svg") == 10  # three of them rasters
    text = " ".join(page.text)
    assert "97.00 %" in text
    assert "sample 1, step 5, population '3_dense', neuron 7" in text
    assert make_network().fingerprint in text
    for word in ("estimated", "measured", "unavailable", "counted", "lava 1.0"):
        assert word in text


def test_states_that_met_their_limits_are_told(tmp_path):
    network = Network(
        (Population("input", (1,), Source()), Population("lif", (1,), CubaLIF(0, 4096, 131071))),
        (Projection("input", "lif", Dense(np.array([[255]], np.int32))),),
        metadata={"weights_clipped/input->lif": 7},
    )
    recording = nd.run(network, np.full((1, 60, 1), 60))
    wrapped = recording["lif"].overflows()["u_overflows"]
    assert limit_lines(recording) == (
        f"lif: u wrapped {wrapped} times in all samples; silicon may differ there",
        "input->lif: 7 weights were clipped to what the chip holds",
    )
    report(tmp_path / "a.html", net=network, recordings=[recording])
    assert f"lif: u wrapped {wrapped} times" in (tmp_path / "a.html").read_text()


def test_every_constant_of_an_estimate_is_shown_with_its_source(tmp_path):
    text = " ".join(" ".join(Page(full_report(tmp_path / "report.html")).text).split())
    network = make_network()
    for chip in ("loihi1", "loihi2"):
        result = profile(make_recording(network), chip)
        for constant in result.constants.values():
            assert " ".join(constant.source.split()) in text
        assert result.band.reason in text


@needs_plots
def test_names_with_special_characters_stay_text(tmp_path):
    text = full_report(
        tmp_path / "report.html",
        dense_name=NASTY,
        title=NASTY,
        facts=[(NASTY, NASTY)],
        accuracy=[(NASTY, 1, 2)],
    )
    page = Page(text)
    assert page.tags.count("script") == 1
    assert text.count("<script") == 1
    assert "".join(page.text).count(NASTY) > 10
    assert any(NASTY in data and "messages" in data for data in page.text)  # in a drawing, too


@needs_plots
def test_drawings_keep_names_that_look_like_numbers_or_colours(tmp_path):
    text = full_report(tmp_path / "report.html", dense_name="v1.23456 #0072b2")
    assert any("v1.23456 #0072b2: " in data for data in Page(text).text)


def test_without_matplotlib_the_page_says_how_to_get_plots(tmp_path, monkeypatch):
    hide_matplotlib(monkeypatch)
    page = Page(full_report(tmp_path / "report.html"))
    assert page.tags.count("svg") == 1  # the graph of the network is our own
    assert any("pip install '.[plots]'" in data for data in page.text)
    assert "comparison" in page.ids


def test_an_empty_report_still_has_its_provenance(tmp_path):
    report(tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.ids == ["provenance"]


def test_equal_recordings_are_called_equal(tmp_path):
    network = make_network()
    a, b = make_recording(network), make_recording(network, "lava")
    report(tmp_path / "report.html", comparison=[compare(a, b), compare(b, a)])
    text = " ".join(Page((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert text.count("Equal") == 2
    assert "Different" not in text


@needs_plots
def test_a_recording_of_counts_alone_has_a_raster_of_its_output_only(tmp_path):
    recording = make_recording(make_network(), record=("counts",))
    report(tmp_path / "report.html", recordings=[recording, recording], samples=[0])
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("svg") == 2
    assert [data for data in page.text if data.endswith(" messages")] == ["4_average: 6 messages"]
    assert "engine #2" in page.text


@needs_plots
@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"samples": [9]}, r"samples: 9; the recording has \d+, give 0 to \d+"),
        ({"samples": []}, "samples: 0 of them; give 1 to 64"),
        ({"neuron": ("none", 0)}, "neuron: no spikes of a population 'none'; there are 4_average"),
        ({"neuron": ("4_average", 99)}, r"neuron: 99 of '4_average'; give 0 to \d+"),
    ],
)
def test_samples_and_neurons_that_are_not_there_are_refused(tmp_path, asked, line):
    recording = make_recording(make_network(), record=("counts",))
    with pytest.raises(InputError, match=line):
        report(tmp_path / "report.html", recordings=[recording], **asked)
    assert not list(tmp_path.iterdir())


@needs_plots
@pytest.mark.parametrize("picked", [None, 1000])
def test_a_raster_holds_the_neuron_that_was_asked_for(picked):
    """Of a busy population every k-th neuron is drawn; the page has their messages, all of them."""
    import neurodeploy as nd
    from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source
    from neurodeploy.reporting import rasters

    rng = np.random.default_rng(0)
    weight = 2 * rng.integers(-60, 70, (2000, 40))
    net = Network(
        (Population("in", (40,), Source()), Population("big", (2000,), CubaLIF(1024, 300, 900))),
        (Projection("in", "big", Dense(weight.astype(np.int32))),),
    )
    inputs = (rng.random((2, 120, 40)) < 0.05).astype(np.int32)
    recording = nd.run(net, inputs, record=("spikes",))
    neuron = None if picked is None else ("big", picked)
    drawn = rasters.raster(recording, 1, picked=neuron)
    small, big = json.loads(drawn.sent)
    steps, neurons, _ = recording["big"].events_of(1, 2)
    every, first = big["every"], big["first"]
    assert every == -(-len(steps) // rasters.MOST_MARKS) > 1
    assert first == (picked or 0) % every
    for number in range(2000):
        found = big["sent"][""].get(str(number), [])
        wanted = steps[neurons == number].tolist() if number % every == first else []
        assert found == wanted
    assert (small["every"], small["first"]) == (1, 0)
    assert sum(map(len, small["sent"][""].values())) == inputs[1].sum()


def test_a_page_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    with pytest.raises(FormatError, match="cannot write there"):
        report(tmp_path / "missing" / "report.html")
    (tmp_path / "old.html").write_text("old")

    class Broken:
        cores_used = property(lambda self: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        report(tmp_path / "old.html", placement=Broken())
    assert (tmp_path / "old.html").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["old.html"]


# Tables


@pytest.mark.parametrize("name", ["3_dense", NASTY, "a_population_with_a_name_much_too_long" * 2])
def test_tables_fit_100_columns_and_cut_no_number(name):
    network = make_network(name)
    a, b = make_recording(network), make_recording(network, "lava", flip=True)
    profiles = [profile(a, "loihi1"), profile(a)] * 2
    tables = [
        network_table(network),
        counts_table([a]),
        counts_table([a, b], ["a very long label of a recording", "b"]),
        counts_table([a, b, a, b]),
        profile_table(profiles),
        audit_table(network.audit),
        compare(a, b).table(),
    ]
    for table in tables:
        lines = lines_of(table)
        assert max(map(len, lines)) <= 100
        assert not any("…" in line for line in lines if "very long" not in line)


def test_names_are_not_taken_for_markup():
    network = make_network(NASTY)
    text = "".join(line.strip() for line in lines_of(counts_table([make_recording(network)])))
    assert "[bold]" in text


def test_network_table_counts_synapses_not_weights():
    network = make_network()
    # A 2 x 2 kernel on 8 x 8 without padding: 7 x 7 places, 2 x 4 filters of 4 taps.
    weight = network.projections[0].synapse.weight
    expected = (int(np.count_nonzero(weight)) * 49, 4 * 2 * 4 * 49)
    assert synapse_counts(network, network.projections[0]) == expected
    rows = network_rows(network)
    assert [row.population for row in rows if row.leads] == [p.name for p in network.populations]
    assert rows[1].synapses == f"{expected[0]:,} / {expected[1]:,}"
    assert rows[2].delay == "0..4"
    assert (rows[3].leads, rows[3].source) == (False, "3_dense")
    assert rows[4].synapse == "readout"


def test_profile_table_tags_every_figure():
    a = make_recording(make_network())
    measured = Recording(replace(a.header, measured={"energy_joules": 1e-4}), a.arrays)
    lines = lines_of(profile_table([profile(a), profile(measured)]))
    figures = [
        line for line in lines if line.startswith((" energy", "   static", " time", " power"))
    ]
    assert len(figures) == 5
    for line in figures:
        assert len(re.findall("estimated|measured|unavailable", line)) == 2
    assert "100 µJ measured" in figures[0]


# Numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.234e-5, "12.3 µJ"),
        (999.6e-9, "1.00 µJ"),
        (0.0, "0 J"),
        (1.0, "1.00 J"),
        (123456.0, "123 kJ"),
        (float("nan"), "\N{EN DASH}"),
        (-4.5e-3, "-4.50 mJ"),
    ],
)
def test_si_prefixes(value, text):
    assert si(value, "J") == text


def test_counts_and_percentages():
    assert count(1234567) == "1,234,567"
    assert count(12.5) == "12.5"
    assert count(0.25) == "0.250"
    assert count(None) == "\N{EN DASH}"
    assert percent(0.9731) == "97.31 %"
    assert signed(-12) == "\N{MINUS SIGN}12"


def test_wilson_interval_against_published_values():
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263 and 0 of 20.
    low, high = wilson_interval(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = wilson_interval(0, 20)
    assert (round(low, 4), round(high, 4)) == (0.0, 0.1611)


def test_importing_the_rooms_is_light():
    code = (
        "import sys, neurodeploy.reporting, neurodeploy.profiling, neurodeploy.chip\n"
        "heavy = {'matplotlib', 'jinja2', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_placement_shows_how_full_cores_are_and_what_does_not_fit(tmp_path):
    network = nd.load(Path(__file__).parents[2] / "netx_exports/digits.net")
    placement = nd.fit(network, cores=1, board="oheo-gulch")
    page = tmp_path / "page.html"
    nd.report(page, placement=placement)
    text = page.read_text(encoding="utf-8")
    assert "How full the cores are" in text
    assert "synapse words" in text
    assert "network needs 2 chips, limit 1" in text


@needs_plots
def test_a_sweep_shows_each_width_and_the_front(tmp_path):
    def row(bits, tuned, right, memory, joules):
        costs = Costs(8192 * memory, {}, 100.0, {}, 10.0, 5.0, joules, 0.9, right, 0.97, 0.8)
        return SweepRow(bits, tuned, costs)

    rows = (
        row(8, False, 0.96, 30, 7e-7), row(8, True, 0.97, 31, 7e-7),
        row("ternary", False, 0.91, 12, 3e-7), row("ternary", True, 0.97, 13, 3e-7),
    )  # fmt: skip
    found = Sweep(rows, 360, 16, 50, True, "loihi2", 0.97)
    assert found.front == (rows[2], rows[3])
    path = tmp_path / "page.html"
    report(path, sweep=found)
    text = path.read_text(encoding="utf-8")
    for words in ("97.00 %", "91.00 %", "30 KiB", "300 nJ", "ternary", "fine-tuned", "held-out",
                  "synaptic memory, KiB", "accuracy, %", "not rounded"):  # fmt: skip
        assert words in text, words
    lines = lines_of(sweep_table(found))
    assert any("ternary" in line and "13 KiB" in line and "yes" in line for line in lines)
    unlabelled = [replace(r, costs=replace(r.costs, accuracy=None)) for r in rows]
    report(path, sweep=replace(found, rows=tuple(unlabelled), original_accuracy=None))
    assert "agreement, %" in path.read_text(encoding="utf-8")


def test_an_estimate_whose_recording_is_there_gets_its_four_drawings(tmp_path):
    pytest.importorskip("matplotlib")
    network = make_network()
    recording = make_recording(network)
    placement = nd.fit(network)
    page = tmp_path / "page.html"
    estimate = profile(recording, "loihi2", placement)
    report(page, net=network, recordings=[recording], placement=placement, profiles=[estimate])
    text = page.read_text()
    for caption in (
        "Dynamic energy by population, loihi2 (estimated).",
        "Power and the time of a step, loihi2",
        "Cost against sparsity, loihi2 (estimated)",
        "cores set the time of a step",
    ):
        assert caption in text
    # Without a placement there are no cores; without spikes no steps, which the page says.
    counted = make_recording(network, record=("counts",))
    report(page, net=network, recordings=[counted], profiles=[profile(counted, "loihi2")])
    text = page.read_text()
    assert "set the time of a step:" not in text
    assert "Power against time is left out: spikes of" in text
    assert "Cost against sparsity" in text
    # An estimate of another recording is not drawn from this one.
    other = make_recording(network, flip=True)
    report(page, recordings=[other], profiles=[estimate])
    assert "Cost against sparsity" not in page.read_text()


def test_a_membrane_that_should_be_zero_is_not_called_exact():
    from neurodeploy.quantization.report import Difference, PopulationReport, QuantReport

    same, other = (Difference(sqnr, 0, 0, 1.0, 0) for sqnr in (np.inf, -np.inf))
    found = QuantReport((PopulationReport("a", 8, same, other, 0, 0, 4),), 1, 5)
    table = quantization_table(found)
    assert list(table.columns[3].cells) == ["exact", "-inf"]
