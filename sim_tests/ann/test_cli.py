"""``neurodeploy convert --calibration``: a network without spikes from a file."""

from __future__ import annotations

import json

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import cli

from .test_keras import image_layers, image_weights, write


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    random = np.random.default_rng(5)
    write(tmp_path / "a.h5", image_layers(), image_weights(random))
    np.save(tmp_path / "x.npy", random.random((20, 2, 9, 8)))
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return call


@pytest.mark.parametrize("form", ["graded", "sigma-delta", "rate"])
def test_the_file_holds_what_python_makes(call, form):
    status, out, _ = call(
        "convert", "a.h5", "b.net", "--calibration", "x.npy", "--to", form, "--bits", "6", "--json"
    )
    assert status == 0
    found = {entry["element"]: entry["rating"] for entry in json.loads(out)["audit"]}
    assert (found["c"], found["bn"], found["drop"]) == ("approximate", "faithful", "faithful")
    assert nd.load("b.net") == nd.convert_ann("a.h5", np.load("x.npy"), to=form, bits=6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("a.h5", "b.net"), "a Keras model, which has no spikes"),
        (("a.h5", "b.net", "--bits", "4"), "--bits: of a network without spikes"),
        (("a.h5", "b.net", "--calibration", "x.npy", "--to", "nir"), "to: 'nir'; give one of"),
        (("a.h5", "b.txt", "--calibration", "x.npy"), "unknown network suffix"),
        (("no.h5", "b.net", "--calibration", "x.npy"), "no.h5: no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line(call, tmp_path, arguments, words):
    status, _, err = call("convert", *arguments)
    assert status == 2
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "b.net").exists()
