"""NIR graphs on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import cli

nir = pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    tau = np.full(4, 1e-3)
    rng = np.random.default_rng(0)
    nodes = {
        "input": nir.Input({"input": np.array([3])}),
        "fc": nir.Linear(rng.normal(0.5, 1, (4, 3)).astype(np.float32)),
        "lif": nir.LIF(tau=tau, r=tau / 1e-4, v_leak=0 * tau, v_threshold=0 * tau + 1),
        "output": nir.Output({"output": np.array([4])}),
    }
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
    nir.write("net.nir", nir.NIRGraph(nodes, edges))
    np.save("x.npy", (rng.random((3, 20, 3)) < 0.5).astype(np.uint8))

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return call


def test_from_nir_to_integers_and_compare(call):
    status, out, _ = call("inspect", "net.nir", "--dt", "1e-4", "--preset", "norse")
    assert status == 0
    assert "float-lif" in out
    assert "preset norse" in out
    run = ("--input", "x.npy", "--record", "spikes,v")
    assert call("run", "net.nir", "--dt", "1e-4", "--backend", "float", *run, "-o", "f.h5")[0] == 0
    status, out, _ = call("quantize", "net.nir", "--dt", "1e-4", "-o", "fixed.nir", "--json")
    assert status == 0
    assert json.loads(out)["fingerprint"] == nd.load("fixed.nir").fingerprint
    assert call("run", "fixed.nir", *run, "-o", "e.h5")[0] == 0
    status, out, _ = call("compare", "f.h5", "e.h5", "--anyway", "--json")
    assert status in (0, 1)
    assert nd.Recording.load("f.h5").output.any()


def test_the_reset_of_each_layer_and_its_delay_are_options(call):
    preset = ("--dt", "1e-4", "--preset", "snntorch")
    for options, expected in (
        (("--reset", "soft"), {"reset": "soft"}),
        (("--reset", "lif=hard"), {"reset": {"lif": "hard"}}),
        (("--reset", "none", "--reset", "lif=soft"), {"reset": {"*": "none", "lif": "soft"}}),
        (("--reset", "soft", "--no-reset-delay"), {"reset": "soft", "reset_delay": False}),
    ):
        status, out, _ = call("inspect", "net.nir", *preset, *options, "--json")
        assert status == 0
        network = nd.load("net.nir", dt=1e-4, preset="snntorch", **expected)
        assert json.loads(out)["fingerprint"] == network.fingerprint


def test_convert_between_formats(call):
    assert call("quantize", "net.nir", "--dt", "1e-4", "-o", "a.net")[0] == 0
    assert call("convert", "a.net", "b.nir", "--dt", "1e-3")[0] == 0
    assert call("convert", "b.nir", "c.net")[0] == 0
    assert nd.load("c.net") == nd.load("a.net") == nd.load("b.nir")
    options = ("--dt", "1e-4", "--preset", "lava", "--to", "norse")
    status, _, err = call("convert", "net.nir", "d.nir", *options)
    assert status == 2
    assert "NIR read with preset 'norse' cannot say" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("inspect", "net.nir"), "give it in seconds: --dt"),
        (("inspect", "net.nir", "--dt", "1e-4", "--preset", "brian"), "preset 'brian': unknown"),
        (("inspect", "net.nir", "--dt", "1e-4", "--reset", "late"), "reset: 'late'; give hard"),
        (("inspect", "net.nir", "--dt", "1e-4", "--preset", "snntorch"), "give --reset soft"),
        (("inspect", "net.nir", "--preset", "snntorch", "--reset", "soft"), "for --dt 1e-4"),
        (("inspect", "net.nir", "--dt", "1e-4", "--no-reset-delay"), "resets in one way only"),
        (("inspect", "net.nir", "--dt", "1e-4", "--reset", "x=soft"), "there are lif"),
        (("run", "net.nir", "--dt", "1e-4", "--input", "x.npy", "-o", "a.h5"),
         "population 'lif': float neurons; quantize the network first"),
        (("quantize", "net.nir", "--dt", "1e-4", "-o", "a.nir", "--bits", "12"), "bits: 12"),
    ],
)  # fmt: skip
def test_errors_are_one_line(call, arguments, words):
    status, _, err = call(*arguments)
    assert status == 2
    assert len(err.strip().splitlines()) == 1
    assert words in err
