"""``neurodeploy quantize`` on the command line: options, budgets, sweeps, and bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import cli
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source

LABELS = np.arange(6) % 3


def network(first=None):
    """CUBA neurons in integers, 5-8-3; `first`: other weights of the first projection."""
    rng = np.random.default_rng(0)
    weight = (2 * rng.integers(-60, 90, (8, 5))).astype(np.int32) if first is None else first
    populations = (
        Population("in", (5,), Source()),
        Population("a", (8,), CubaLIF(1024, 300, 200)),
        Population("b", (3,), CubaLIF(1024, 300, 150)),
    )
    second = (2 * rng.integers(-60, 90, (3, 8))).astype(np.int32)
    return Network(
        populations, (Projection("in", "a", Dense(weight)), Projection("a", "b", Dense(second)))
    )


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    nd.save(network(), "net.net")
    rng = np.random.default_rng(1)
    x = (rng.random((6, 30, 5)) < 0.4).astype(np.uint8)
    np.save("x.npy", x)
    np.savez("labelled.npz", inputs=x, labels=LABELS)
    np.save("wrong.npy", x[..., :4])
    np.save("nan.npy", np.full((6, 30, 5), np.nan))
    np.save("few.npy", LABELS[:2])
    np.save("many.npy", LABELS + 7)
    Path("odd.json").write_text('{"colour": 1}')
    Path("x.json").write_text("bits: 4")
    Path("fine.json").write_text(
        nd.QuantConfig(6, method="max", population_bits=(("b", 4),)).to_json()
    )
    Path("stranger.json").write_text(nd.QuantConfig(population_bits=(("z", 4),)).to_json())
    made = set(tmp_path.iterdir())

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    call.new = lambda: {path.name for path in set(tmp_path.iterdir()) - made}
    return call


def test_calibration_gives_a_report(call):
    status, out, _ = call(
        "quantize", "net.net", "-o", "a.net", "--bits", 4, "--calibration", "x.npy", "--json"
    )
    assert status == 0
    found = json.loads(out)
    assert {p["population"] for p in found["report"]["populations"]} == {"a", "b"}
    fixed = nd.load("a.net")
    assert fixed.fingerprint == found["fingerprint"]
    config = nd.QuantConfig.from_json(found["config"])
    assert (config.bits, config.split) == (4, 0)
    assert fixed == nd.quantize(network(), config, np.load("x.npy"))
    status, out, _ = call("quantize", "net.net", "-o", "b.net", "--calibration", "x.npy")
    assert status == 0
    assert "coincide" in out


@pytest.mark.parametrize("method", ["max", "percentile", "mse", "search"])
def test_method_is_the_one_that_was_asked_for(call, method):
    options = ("--method", method, "--rounding", "nearest", "--calibration", "x.npy")
    assert call("quantize", "net.net", "-o", "a.net", "--bits", 5, *options)[0] == 0
    config = nd.QuantConfig.from_json(nd.load("a.net").metadata["quantize/config"])
    assert (config.method, config.rounding, config.bits) == (method, "nearest", 5)


def test_configuration_from_a_file_gives_way_to_options(call):
    assert call("quantize", "net.net", "-o", "a.net", "--config", "fine.json")[0] == 0
    assert call("quantize", "net.net", "-o", "b.net", "--config", "fine.json", "--bits", 5)[0] == 0
    a, b = (
        nd.QuantConfig.from_json(nd.load(name).metadata["quantize/config"])
        for name in ("a.net", "b.net")
    )
    assert (a.bits, a.method, a.population_bits) == (6, "max", (("b", 4),))
    assert b == replace(a, bits=5)


@pytest.mark.parametrize(
    ("option", "limit", "key"),
    [("--budget", 2500, "memory_bits"), ("--budget-energy", 5.56e-7, "joules")],
)
def test_budget_is_kept(call, option, limit, key):
    options = ("--method", "mse", "--calibration", "x.npy", option, limit, "--json")
    status, out, err = call("quantize", "net.net", "-o", "a.net", *options)
    assert status == 0, err
    found = json.loads(out)
    assert found["costs"][key] <= limit
    assert json.loads(found["config"])["population_bits"]
    assert nd.load("a.net").fingerprint == found["fingerprint"]


def test_loss_by_labels_is_kept(call):
    options = ("--method", "mse", "--calibration", "labelled.npz", "--budget-loss", 0.2)
    status, out, err = call("quantize", "net.net", "-o", "a.net", *options)
    assert status == 0, err
    assert "synaptic memory" in out
    assert "accuracy" in out


def test_sweep_prints_json_and_writes_a_page(call):
    options = ("--sweep", "8,3", "--calibration", "x.npy", "--method", "mse")
    more = ("--test", "labelled.npz", "--report", "page.html", "--json")
    status, out, err = call("quantize", "net.net", *options, *more)
    assert status == 0, err
    found = json.loads(out)
    assert [(row["bits"], row["tuned"]) for row in found["rows"]] == [(8, False), (3, False)]
    assert found["rows"][0]["costs"]["accuracy"] == found["original_accuracy"]
    page = Path("page.html").read_text()
    assert "Bits of a weight" in page
    status, out, _ = call("quantize", "net.net", *options)
    assert status == 0
    assert "agrees" in out
    assert call.new() == {"page.html"}


@pytest.mark.slow  # imports torch: 10 s and more
def test_sweep_with_fine_tuning(call):
    pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")
    options = ("--sweep", "4", "--fine-tune", "--calibration", "labelled.npz", "--json")
    status, out, err = call("quantize", "net.net", *options)
    assert status == 0, err
    assert [row["tuned"] for row in json.loads(out)["rows"]] == [False, True]


BAD = [
    (("-o", "a.net", "--calibration", "wrong.npy"), "inputs of shape [6, 30, 4] do not fit"),
    (("-o", "a.net", "--calibration", "nan.npy"), "the inputs hold NaN or infinity"),
    (("-o", "a.net", "--calibration", "none.npy"), "none.npy: no such file"),
    (("-o", "a.net", "--bits", "0"), "bits: 0; the chip holds weights of 1 to 8 bits"),
    (("-o", "a.net", "--bits", "few"), "bits: few"),
    (("-o", "a.net", "--method", "guess"), "method: 'guess'; choose auto, max"),
    (("-o", "a.net", "--method", "search"), "method 'search': needs calibration inputs"),
    (("-o", "a.net", "--rounding", "up"), "rounding: 'up'"),
    (("-o", "a.net", "--rounding", "compensated"), "rounding 'compensated': needs calibration"),
    (("-o", "a.net", "--split", "2"), "split: 2"),
    (("-o", "a.net", "--config", "odd.json"), "'colour' unknown"),
    (("-o", "a.net", "--config", "none.json"), "none.json: No such file"),
    (("-o", "a.net", "--config", "x.npy"), "x.npy: no text"),
    (("-o", "a.net", "--config", "stranger.json"), "population_bits: no population 'z' to round"),
    (("-o", "a.net", "--budget", "900"), "budget: needs --calibration"),
    (("-o", "a.net", "--calibration", "x.npy", "--budget", "9"), "is the least reachable"),
    (("-o", "a.net", "--calibration", "x.npy", "--budget-energy", "1e-15"), "the least reachable"),
    (("-o", "a.net", "--calibration", "x.npy", "--budget", "-1"), "give one of memory, energy"),
    (("-o", "a.net", "--calibration", "x.npy", "--budget", "9", "--budget-loss", "0.1"),
     "give one of memory, energy and loss"),
    (("-o", "a.net", "--calibration", "x.npy", "--budget", "9", "--chip", "tpu"), "no chip 'tpu'"),
    (("-o", "a.net", "--calibration", "x.npy", "--budget-loss", "0.1", "--labels", "few.npy"),
     "labels: 2, 0..1, for 6 samples"),
    (("--sweep", "8,4", "--calibration", "x.npy", "--labels", "many.npy"),
     "labels: 6, 7..9, for 6 samples and 3 outputs"),
    (("-o", "a.net", "--calibration", "wrong.npy", "--budget", "2500"), "do not fit the network"),
    (("-o", "a.net", "--calibration", "nan.npy", "--budget-loss", "0.1"), "hold NaN or infinity"),
    (("--sweep", "8", "--calibration", "x.npy", "--test", "wrong.npy"), "do not fit the network"),
    (("--sweep", "", "--calibration", "x.npy"), "name each width once"),
    (("--sweep", "8,4"), "sweep: needs --calibration"),
    (("--sweep", "8,8", "--calibration", "x.npy"), "sweep: bits 8, 8; name each width once"),
    (("--sweep", "8,12", "--calibration", "x.npy"), "bits: 12"),
    (("--sweep", "8", "--calibration", "x.npy", "-o", "a.net"), "sweep: writes no network"),
    (("-o", "a.net", "--fine-tune"), "--fine-tune: goes with --sweep"),
    ((), "nowhere to write to; give -o OUT"),
    (("-o", "a.net", "--config", "x.json"), "x.json: config: not JSON"),
    (("-o", "a.net", "--chip", "loihi2"), "--chip: goes with a budget or --sweep"),
    (("-o", "a.net", "--labels", "few.npy"), "--labels: goes with a budget or --sweep"),
    (("-o", "a.net", "--calibration", "x.npy", "--bits", "ternary", "--budget", "9999"),
     "budget: bits: ternary; populations go from these to fewer"),
    # Said before the inputs are looked at, which are not there.
    (("-o", "a.txt", "--calibration", "none.npy"), "a.txt: unknown network suffix"),
    (("-o", "no/a.net", "--calibration", "none.npy"), "no folder 'no'; make it first"),
    (("--sweep", "8", "--calibration", "none.npy", "--report", "no/a.html"), "no folder 'no'"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_errors_are_one_line_and_nothing_is_written(call, arguments, words):
    quick = () if "--method" in arguments else ("--method", "mse")
    status, _, err = call("quantize", "net.net", *arguments, *quick)
    assert status == 2
    assert len(err.strip().splitlines()) == 1, err
    assert words in err
    assert not call.new()


def test_a_format_that_cannot_hold_the_result_is_refused_before_the_search(call, monkeypatch):
    """NIR has no soft reset in integers."""
    nir = pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    tau = np.full(4, 1e-3)
    nodes = {
        "input": nir.Input({"input": np.array([5])}),
        "fc": nir.Linear(np.ones((4, 5), np.float32)),
        "lif": nir.LIF(tau=tau, r=tau / 1e-4, v_leak=0 * tau, v_threshold=0 * tau + 1),
        "output": nir.Output({"output": np.array([4])}),
    }
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
    nir.write("late.nir", nir.NIRGraph(nodes, edges))

    def search(*given):
        raise AssertionError("the search has begun")

    monkeypatch.setattr("neurodeploy.quantization.search.search", search)
    read = ("late.nir", "--preset", "snntorch", "--dt", "1e-4", "--reset", "soft")
    status, _, err = call("quantize", *read, "--calibration", "x.npy", "-o", "out.nir")
    assert status == 2
    assert "late.nir" not in err
    assert "out.nir" in err or "write .net" in err
    assert not call.new() - {"late.nir"}


def test_weights_that_nothing_holds_and_layers_of_zeros(call):
    nir = pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
    tau = np.full(4, 1e-3)

    def graph(name, weight):
        nodes = {
            "input": nir.Input({"input": np.array([5])}),
            "fc": nir.Linear(weight.astype(np.float32)),
            "lif": nir.LIF(tau=tau, r=tau / 1e-4, v_leak=0 * tau, v_threshold=0 * tau + 1),
            "output": nir.Output({"output": np.array([4])}),
        }
        edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
        nir.write(name, nir.NIRGraph(nodes, edges))

    weight = np.random.default_rng(0).normal(size=(4, 5))
    for wrong, words in ((np.nan, "are NaN or infinite"), (1e30, "whatever the weight")):
        graph("g.nir", np.where(np.eye(4, 5) > 0, wrong, weight))
        status, _, err = call("quantize", "g.nir", "--dt", "1e-4", "-o", "a.nir", "--split", 0)
        assert status == 2
        assert len(err.strip().splitlines()) == 1, err
        assert words in err
        assert call.new() == {"g.nir"}
    graph("g.nir", 0 * weight)
    options = ("--dt", "1e-4", "--calibration", "x.npy", "--bits", 4)
    assert call("quantize", "g.nir", *options, "-o", "a.nir")[0] == 0
    assert not nd.load("a.nir").projections[0].synapse.weight.any()
