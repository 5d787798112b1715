"""``neurodeploy export``: a user's folder in, a file out, and every way to go wrong in one line."""

from __future__ import annotations

import importlib
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
        dense(CUBA, 12, 16, weight_scale=3, delay=True), dense(CUBA, 16, 4, weight_scale=6)
    )

def wider():
    return torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 12, 20))

def broken():
    raise KeyError("no such option: 'hidden'")

def number():
    return 3

five = 5

def with_weights(change, **options):
    module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 12, 4, weight_scale=2, **options))
    change(module[0].synapse.weight.data)
    return module

def huge():
    return with_weights(lambda w: w.fill_(1e6), pre_hook_fx=None)

def zeros():
    return with_weights(lambda w: w.zero_())

def nan():
    return with_weights(lambda w: w[0].fill_(float("nan")))

def unknown():
    dense = slayer.block.cuba.Dense
    return torch.nn.Sequential(dense(CUBA, 12, 8), torch.nn.Softmax(1), dense(CUBA, 8, 4))

def plain():
    return torch.nn.Sequential(torch.nn.Linear(12, 4))

def wraps():
    relu = {"threshold": 0.1, "activation": torch.nn.functional.relu}
    module = torch.nn.Sequential(slayer.block.sigma_delta.Conv(relu, 8, 3, 3))
    module[0].synapse.weight.data.fill_(1.5)
    return module

def image():
    cuba = slayer.block.cuba
    return torch.nn.Sequential(cuba.Conv(CUBA, 2, 4, 3), cuba.Flatten(), cuba.Dense(CUBA, 36, 3))
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


def test_a_module_is_exported_as_its_factory_is(folder):
    """`nd.export` takes either, and arrays in place of files; both give the verb's file."""
    _, torch = import_slayer()
    place, name = folder
    sys.path.insert(0, str(place))
    example = (np.random.default_rng(3).random((2, 12, 12)) < 0.4).astype(np.float32)
    np.save("x.npy", example)
    module = importlib.import_module(name).make()
    made = nd.export(module, "module.net", example=example)
    torch.save(module.state_dict(), "weights.pt")  # its delays have their shape only once it ran
    again = nd.export(f"{name}:make", "factory.net", weights="weights.pt", example="x.npy")
    assert made.equal
    assert again.equal
    assert made.network == again.network
    assert nd.load("module.net") == made.network
    np.testing.assert_array_equal(made.inputs, again.inputs)
    assert made.example == "the given example of shape (2, 12, 12)"


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
    assert "lava-dl's netx reads it and runs it the same\n" in out


def test_payloads_need_netx_s_message_bits(folder, capsys):
    _, name = folder
    np.save("pay.npy", np.random.default_rng(2).integers(0, 8, (30, 12)))
    arguments = ("export", f"{name}:make", "-o", "a.net", "--example", "pay.npy")
    assert run(*arguments) == 0
    out = capsys.readouterr().out
    assert "lava-dl's netx reads it and runs it the same, if:" in out
    assert "give netx input_message_bits=8; its default, 0, counts each as 1" in out
    assert run(*arguments, "--json") == 0
    (need,) = json.loads(capsys.readouterr().out)["netx_needs"]
    assert "payloads (0..7)" in need


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
        (["{name}:make", "--example", "none.npy"], "none.npy"),
        (["{name}:make", "--example", "wide.npy"], "fails on an example of shape (1, 5, 9)"),
        (["{name}:make", "--example", "flat.npy"], "shape (5,); give [steps, *shape]"),
        (["{name}:make", "--steps", "0"], "steps 0: a random example needs 1 or more"),
        (["{name}:image"], "no block tells the shape of the input"),
        (["{name}:huge"], "0.synapse.weight: 1e+06 is 6.4e+07 in units of 1/64; the chip's 8 bits"),
        (["{name}:nan"], "0.synapse.weight: 12 of 48 weights are NaN or infinite"),
        (["{name}:unknown"], "2: torch's 'softmax' stands between it and what feeds it"),
        (["{name}:plain"], "Sequential: has no SLAYER block"),
        (["{name}:make", "-o", "nowhere/a.net"], "no folder 'nowhere'; make it first"),
        (["{name}:make", "-o", "a.nir"], "export writes NetX HDF5; name it .net"),
        (["{name}:make", "-o", "text.pt/.."], "export writes NetX HDF5"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, arguments, words):
    tmp_path, name = folder
    module = trained(tmp_path, name)
    _, torch = import_slayer()
    torch.save(module, "pickled.pt")
    torch.save([1, 2], "list.pt")
    (tmp_path / "text.pt").write_text("hello")
    np.save("wide.npy", np.zeros((5, 9), np.float32))
    np.save("flat.npy", np.zeros(5, np.float32))
    before = set(tmp_path.rglob("*"))
    given = [a.format(name=name) for a in arguments]
    assert run("export", *given, *([] if "-o" in given else ["-o", "a.net"])) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1, said
    assert words in said[0]
    assert {p for p in set(tmp_path.rglob("*")) - before if "__pycache__" not in str(p)} == set()


def test_a_layer_of_zeros_is_written_and_netx_said_to_refuse_it(folder, capsys):
    tmp_path, name = folder
    assert run("export", f"{name}:zeros", "-o", "a.net") == 0
    out = capsys.readouterr().out
    assert "nothing but 0 from" in out
    assert "netx refuses it:" in out
    assert "all weights are 0: netx crashes (log2 of 0)" in out
    assert not nd.load(tmp_path / "a.net").projections[0].synapse.weight.any()


def test_sums_that_wrap_are_split_where_asked(folder, capsys):
    _, name = folder
    np.save("x.npy", np.full((6, 8, 5, 5), 0.75, np.float32))
    assert run("export", f"{name}:wraps", "--example", "x.npy", "-o", "a.net") == 1
    out = capsys.readouterr().out
    assert "sums of convolutions left 24 bits and wrapped" in " ".join(out.split())
    options = ["--example", "x.npy", "--split-sums", "-o", "b.net", "--json"]
    assert run("export", f"{name}:wraps", *options) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["equal"] is True
    assert told["netx_layers"] is False
    assert "its sums in 4 parts, so that fewer wrap" in [e["reason"] for e in told["audit"]]


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


def test_without_lava_dl_it_says_what_brings_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "lava.lib.dl.slayer", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run("export", "a:b", "-o", "a.net") == 2
    assert "'neurodeploy doctor --add lava-dl'" in capsys.readouterr().err
