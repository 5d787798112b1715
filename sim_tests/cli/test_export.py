"""``neurodeploy export``: a user's folder in, a file out, and every way to go wrong in one line."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.cli import main
from sim_tests.slayer_oracle import import_slayer

MODEL = """
import torch
from lava.lib.dl import slayer

CUBA = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.08}

def make():
    dense = slayer.block.cuba.Dense
    return torch.nn.Sequential(
        dense(CUBA, 12, 16, weight_scale=2, delay=True), dense(CUBA, 16, 4, weight_scale=3)
    )

def wider():
    return torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 12, 20))

def broken():
    raise KeyError("no such option: 'hidden'")

def number():
    return 3

five = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    import_slayer()
    name = f"model_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODEL)
    (tmp_path / "bad_import.py").write_text("import nothing_like_this")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path, name
    for loaded in (name, "bad_import"):
        sys.modules.pop(loaded, None)


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(a) for a in arguments])
    return stopped.value.code


def trained(folder, name, factory="make"):
    """A checkpoint of the model with weights of its own."""
    _, torch = import_slayer()
    sys.path.insert(0, str(folder))
    module = getattr(__import__(name), factory)()
    with torch.no_grad():
        module(torch.zeros(1, 12, 3))
    torch.save(module.state_dict(), folder / "ckpt.pt")
    torch.save(module.state_dict(), folder / f"{factory}.pt")
    return module


def test_export_agrees_and_lava_dl_s_layers_are_there(folder, capsys):
    tmp_path, name = folder
    module = trained(tmp_path, name)
    assert run("export", f"{name}:make", "--weights", "ckpt.pt", "-o", "a.net", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["equal"] is True
    assert told["netx_reads"] is True
    assert {e["rating"] for e in told["in_netx"]} == {"faithful"}
    assert told["example"] == "a random example of 24 steps, seed 0"
    assert [p["population"] for p in told["populations"]] == ["0_dense", "1_dense"]
    assert all(p["sent"] > 5 for p in told["populations"])
    assert nd.load(tmp_path / "a.net") == nd.load(module)


def test_an_example_of_the_user_s(folder, capsys):
    _, name = folder
    np.save("x.npy", (np.random.default_rng(2).random((30, 12)) < 0.5).astype(np.uint8))
    assert run("export", f"{name}:make", "-o", "a.net", "--example", "x.npy") == 0
    out = capsys.readouterr().out
    assert "on x.npy" in out
    assert "they agree to the bit" in out
    assert "lava-dl's netx reads it and runs it the same" in out


def test_a_difference_is_said_and_exits_1(folder, capsys, monkeypatch):
    from neurodeploy.formats import slayer as room

    tmp_path, name = folder
    true = room.export_slayer

    def spoilt(*args, **kwargs):
        export = true(*args, **kwargs)
        export.sent[1].values[0, 5, 2] += 1
        return export

    monkeypatch.setattr(room, "export_slayer", spoilt)
    assert run("export", f"{name}:make", "-o", "a.net") == 1
    out = capsys.readouterr().out
    assert "1_dense: 1 of 96 spikes differ, first at sample 0, step 5, neuron 2" in out
    assert (tmp_path / "a.net").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "not MODULE:FACTORY"),
        (["no_such_module:make"], "no module 'no_such_module' here"),
        (["bad_import:make"], "importing it raised ModuleNotFoundError: No module named 'nothing_"),
        (["{name}:nothing"], "has no 'nothing'"),
        (["{name}:five"], "is int; name a function or class"),
        (["{name}:number"], "gives int; return a torch.nn.Module"),
        (["{name}:broken"], "the factory raised KeyError: \"no such option: 'hidden'\""),
        (["{name}:make", "--weights", "none.pt"], "no such file"),
        (
            ["{name}:wider", "--weights", "make.pt"],
            "has besides 0.delay.delay, 1.neuron.current_decay",
        ),
        (["{name}:make", "--weights", "pickled.pt"], "holds a pickled module"),
        (["{name}:make", "--weights", "text.pt"], "not a checkpoint of torch"),
        (["{name}:make", "--weights", "list.pt"], "holds no state dict"),
        (["{name}:make", "--shape", "a,b"], "shape 'a,b'"),
        (["{name}:make", "--shape", "13"], "forward pass fails on an example"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, arguments, words):
    tmp_path, name = folder
    module = trained(tmp_path, name)
    _, torch = import_slayer()
    torch.save(module, "pickled.pt")
    torch.save([1, 2], "list.pt")
    (tmp_path / "text.pt").write_text("hello")
    given = [a.format(name=name) for a in arguments]
    assert run("export", *given, "-o", "a.net") == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1, said
    assert words in said[0]
    assert not (tmp_path / "a.net").exists()


def test_a_wrong_shape_in_a_checkpoint_is_named(folder, capsys):
    tmp_path, name = folder
    module = trained(tmp_path, name)
    _, torch = import_slayer()
    state = module.state_dict()
    state["0.synapse.weight"] = torch.zeros(16, 11, 1, 1, 1)
    torch.save({"state_dict": state}, "bad.pt")
    assert run("export", f"{name}:make", "--weights", "bad.pt", "-o", "a.net") == 2
    said = capsys.readouterr().err
    assert "differs in 0.synapse.weight (16, 11, 1, 1, 1), module (16, 12, 1, 1, 1)" in said


def test_without_lava_dl_it_says_which_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "lava.lib.dl.slayer", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("export", "a:b", "-o", "a.net") == 2
    assert "pip install 'neurodeploy[lava]' on Python 3.10" in capsys.readouterr().err
