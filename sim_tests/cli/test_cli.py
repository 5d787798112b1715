"""The command line as a person meets it: output, exit statuses, one-line errors."""

from __future__ import annotations

import builtins
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import typer

import neurodeploy as nd
from neurodeploy import cli
from neurodeploy.cli.app import VERBS, app
from sim_tests.conftest import HAS_TORCH
from sim_tests.random_networks import Draw


def parameters_of(verb):
    """The options of a verb, annotated as they are declared."""
    function = next(f for f in VERBS if f.__name__ == verb)
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    return [p for p in parameters if hasattr(p.annotation, "__metadata__")]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A network that moves, inputs for it, and the same with one weight changed."""
    folder = tmp_path_factory.mktemp("cli")
    draws = (Draw(seed, sigma_delta=False) for seed in range(100))
    draw = next(
        d for d in draws
        if d.network.input.neuron.kind == "source"
        and nd.run(d.network, d.inputs(), record=("counts",)).output.sum() > 20
    )  # fmt: skip
    nd.save(draw.network, folder / "a.net")
    np.save(
        folder / "x.npy",
        (np.random.default_rng(1).random((3, 20, *draw.network.input.shape)) < 0.5) * 1,
    )
    return folder


@pytest.fixture
def call(capsys, monkeypatch, files):
    monkeypatch.chdir(files)

    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return call


def test_run_then_compare_equal(call):
    for name in ("one.h5", "two.h5"):
        status, out, _ = call(
            "run", "a.net", "--input", "x.npy", "-o", name, "--record", "spikes,u,v"
        )
        assert status == 0
        assert name in out
    status, out, _ = call("compare", "one.h5", "two.h5")
    assert status == 0
    assert "are equal" in out
    status, out, _ = call("compare", "one.h5", "two.h5", "--json")
    assert json.loads(out)["equal"] is True


def test_threads_change_nothing_and_none_are_refused(call):
    for threads in ("1", "2"):
        status, _, _ = call(
            "run", "a.net", "--input", "x.npy", "-o", f"{threads}.h5", "--threads", threads
        )
        assert status == 0
    assert call("compare", "1.h5", "2.h5")[0] == 0
    status, _, err = call("run", "a.net", "--input", "x.npy", "-o", "0.h5", "--threads", "0")
    assert status == 2
    assert err.strip().endswith("threads: 0; give at least 1")


def test_compare_says_where_two_runs_differ(call, files):
    network = nd.load("a.net")
    with h5py.File("a.net") as file:
        where = next(f"layer/{i}/weight" for i in file["layer"] if "weight" in file[f"layer/{i}"]
                     and file[f"layer/{i}/weight"].ndim >= 2)  # fmt: skip
    (files / "b.net").write_bytes((files / "a.net").read_bytes())
    with h5py.File("b.net", "a") as file:
        weight = file[where][:]
        file[where][...] = np.where(weight < 100, weight + 40, weight - 40)
    assert nd.load("b.net") != network
    for name in "ab":
        call("run", f"{name}.net", "--input", "x.npy", "-o", f"{name}.h5", "--record", "spikes,u,v")
    status, _, err = call("compare", "a.h5", "b.h5")
    assert status == 2
    assert "different networks" in err
    assert "give `anyway`" in err
    status, out, _ = call("compare", "a.h5", "b.h5", "--anyway", "--report", "page.html")
    assert status == 1
    assert "first differ at sample 0" in out
    assert (files / "page.html").stat().st_size > 5000
    status, out, _ = call("compare", "a.h5", "b.h5", "--anyway", "--json")
    assert json.loads(out)["first_divergence"]["sample"] == 0
    assert status == 1


def test_a_report_draws_what_is_asked_for(call):
    pytest.importorskip("matplotlib", reason="rasters need matplotlib: pip install '.[plots]'")
    for name in "ab":
        call("run", "a.net", "--input", "x.npy", "-o", f"{name}.h5", "--record", "spikes")
    shown = ("compare", "a.h5", "b.h5", "--report", "page.html")
    assert call(*shown, "--report-samples", "0")[0] == 0
    for given, line in (
        (("--report-samples", "0;1"), "give numbers of samples, such as 0,7"),
        (("--report-samples", "99"), "samples: 99; the recording has"),
        (("--report-neuron", "input"), "give POPULATION:N"),
        (("--report-neuron", "none:0"), "no spikes of a population 'none'"),
    ):
        status, _, err = call(*shown, *given)
        assert status == 2
        assert line in err


def test_run_json_and_profile_json(call):
    status, out, _ = call("run", "a.net", "--input", "x.npy", "-o", "j.h5", "--json", "--drain")
    result = json.loads(out)
    network = nd.load("a.net")
    assert status == 0
    assert result["steps"] == 20 + network.hops(network.output.name)
    status, out, _ = call("profile", "j.h5", "--json")
    assert status == 0
    assert json.loads(out)["kind"] == "estimated"
    status, out, _ = call("profile", "j.h5")
    assert "estimated" in out


def test_fit_says_what_fits_and_exits_1_where_something_does_not(call):
    status, out, _ = call("fit", "a.net")
    assert status == 0
    assert "cores on 1 chip loihi2" in out
    assert call("run", "a.net", "--input", "x.npy", "-o", "fit.h5")[0] == 0
    status, out, _ = call("fit", "a.net", "--recording", "fit.h5")
    assert status == 0
    assert "a step in place of" in out.splitlines()[-1]
    _, out, _ = call("fit", "a.net", "--recording", "fit.h5", "--json")
    found = json.loads(out)
    assert found["strategy"] == "balanced"
    assert 0 < found["busiest_core_seconds"] <= found["plain_busiest_core_seconds"]
    status, out, _ = call("fit", "a.net", "--json")
    cores = json.loads(out)["cores_used"]
    assert (status, cores) == (0, nd.fit(nd.load("a.net")).cores_used)
    assert json.loads(call("fit", "a.net", "--compiler", "2022", "--json")[1])["compiler"] == "2022"
    status, _, err = call("fit", "a.net", "--compiler", "gcc")
    assert (status, err) == (2, "neurodeploy: loihi2: no compiler 'gcc'; there are 2022, 2024\n")
    digits = Path(__file__).parents[2] / "netx_exports/digits.net"
    status, out, _ = call("fit", digits, "--cores", "1", "--board", "oheo-gulch")
    assert status == 1
    assert "does not fit: network needs 2 chips, limit 1" in out


def test_fit_before_training(call):
    status, out, _ = call("fit", "in 2x34x34; conv 16k5s2; dense 10", "--bits", "4")
    assert (status, out.splitlines()[-1]) == (0, "2 cores on 1 chip loihi2, compiler 2024")
    status, out, _ = call("fit", "in 11352; dense 100; dense 4", "--json")
    found = json.loads(out)
    assert (status, found["fits"]) == (1, False)
    assert "Partitioning could not converge" in found["misfits"][0]
    assert found["changes"][0]["kind"] == "sparsity"
    _, out, _ = call("fit", "in 11352; dense 100; dense 4")
    assert "would fit with 7" in out.splitlines()[-1]
    for given, says in (
        (("in 4; dense",), "description: layer 1 'dense': it has no size; write dense 10"),
        (("in 4; dense 4", "--bits", "many"), "--bits 'many': give 1 to 8, or ternary"),
        (("in 4; dense 4", "--bits", "9"), "bits 9: weights take 1 to 8 bits; give one of these"),
        (("nothing.net",), "nothing.net: no such file"),
        (("no_such_module:make",), "no_such_module" if HAS_TORCH else "needs torch"),
        (("json:loads", "--shape", "4,4"), "--shape '4,4': give C,H,W or a number of neurons"),
    ):
        status, _, err = call("fit", *given)
        assert status == 2, given
        assert says in err, err
        assert len(err.splitlines()) == 1


def test_fit_writes_a_page_with_the_floor_plan(call, tmp_path):
    assert call("run", "a.net", "--input", "x.npy", "-o", "plan.h5")[0] == 0
    page = tmp_path / "plan.html"
    status, out, _ = call("fit", "a.net", "--recording", "plan.h5", "--report", page)
    assert (status, out.splitlines()[-1]) == (0, f"report: {page}")
    text = page.read_text(encoding="utf-8")
    assert "the hottest core" in text
    assert "What the fullest core holds" in text
    status, _, err = call("fit", "in 4; dense 3", "--report", tmp_path / "no" / "plan.html")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert call("fit", "in 11352; dense 4", "--report", tmp_path / "bad.html")[0] == 1
    assert "Partitioning could not converge" in (tmp_path / "bad.html").read_text(encoding="utf-8")


def test_profile_places_the_network_that_ran(call):
    assert call("run", "a.net", "--input", "x.npy", "-o", "placed.h5")[0] == 0
    plain = json.loads(call("profile", "placed.h5", "--json")[1])
    placed = json.loads(call("profile", "placed.h5", "--net", "a.net", "--json")[1])
    assert "no placement" in plain["model"]
    assert "placed on" in placed["model"]
    assert placed["synops"] == plain["synops"]
    by = call("profile", "placed.h5", "--net", "a.net", "--compiler", "2022", "--json")
    assert json.loads(by[1])["cores"] == placed["cores"]
    status, _, err = call("profile", "placed.h5", "--balance")
    assert status == 2
    assert "--balance needs the network" in err


def test_profile_prices_the_run_elsewhere_and_by_the_benchmarks_metrics(call, files, monkeypatch):
    from functools import partial

    from neurodeploy.profiling import host

    assert call("run", "a.net", "--input", "x.npy", "-o", "p.h5", "--record", "spikes,v")[0] == 0
    short = partial(host.profile_host, window_seconds=0.01, windows=2, meter=None)
    monkeypatch.setattr(host, "profile_host", short)
    flags = ["--net", "a.net", "--elsewhere", "--neurobench", "--ndns", "0.001", "0.02"]
    status, out, _ = call("profile", "p.h5", *flags, "--input", "x.npy", "--json")
    found = json.loads(out)
    assert status == 0
    assert {device["name"] for device in found["elsewhere"]} >= {"cpu", "gpu", "arm"}
    assert found["neurobench"]["SynapticOperations"]["Effective_ACs"] == found["synops"]
    assert found["ndns"]["pdp_proxy"] == pytest.approx(0.02 * found["ndns"]["power_proxy"])
    assert found["host"]["kind"] in ("measured", "unavailable")
    assert found["host"]["seconds"] > 0
    status, out, _ = call("profile", "p.h5", *flags, "--input", "x.npy", "--report", "p.html")
    assert status == 0
    for word in ("this host", "ARM Cortex-A", "MembraneUpdates", "power_proxy", "report: p.html"):
        assert word in out
    assert "The same work elsewhere" in (files / "p.html").read_text()


def test_profile_begins_with_the_line_to_quote_and_prices_part_by_part(call, files):
    assert call("run", "a.net", "--input", "x.npy", "-o", "q.h5", "--record", "spikes")[0] == 0
    status, out, _ = call("profile", "q.h5", "--net", "a.net", "--json")
    headline = json.loads(out)["headline"]
    assert status == 0
    status, out, _ = call("profile", "q.h5", "--net", "a.net", "--parts", "--report", "q.html")
    assert status == 0
    assert " ".join(out.split()).startswith(headline)
    for word in ("step of a core", "band of each", "x86 cores of the board", "bound by"):
        assert word in out
    page = (files / "q.html").read_text()
    assert "To quote" in page
    assert "band of each" in page
    status, out, _ = call("profile", "q.h5", "--net", "a.net", "--embedded-io", "--json")
    assert json.loads(out)["bound"] == "embedded input and output"
    status, _, said = call("profile", "q.h5", "--host-io", "--embedded-io")
    assert status == 2
    assert "one of them feeds a network" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--neurobench"], "--neurobench needs the network: add --net NET"),
        (["--input", "x.npy"], "--input needs the network: add --net NET"),
        (["--ndns", "0", "1"], "N-DNS proxy: step 0 s, latency 1 s"),
        (["--chip", "loihi9"], "no chip 'loihi9'; there are loihi1"),
        (["--chip", "none.toml"], "none.toml: cannot be read"),
        (["--net", "x.npy"], "x.npy"),
    ],
)
def test_profile_says_in_one_line_what_it_cannot_do(call, flags, said):
    assert call("run", "a.net", "--input", "x.npy", "-o", "q.h5")[0] == 0
    status, out, err = call("profile", "q.h5", *flags)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_run_says_where_limits_were_met(call, files):
    (files / "large.net").write_bytes((files / "a.net").read_bytes())
    with h5py.File("large.net", "a") as file:
        index = max(i for i in file["layer"] if "weight" in file[f"layer/{i}"])
        weight = file[f"layer/{index}/weight"]
        weight[...] = np.where(np.arange(weight.size).reshape(weight.shape) == 0, 999, -2)
    projection = next(key for key in nd.load("large.net").metadata).split("/", 1)[1]
    status, out, _ = call("run", "large.net", "--input", "x.npy", "-o", "l.h5")
    assert status == 0
    assert f"{projection}: 1 weights were clipped to what the chip holds" in out
    _, out, _ = call("run", "large.net", "--input", "x.npy", "-o", "l.h5", "--json")
    assert json.loads(out)["weights_clipped"][projection] == 1


def test_inspect_for_a_target(call, files):
    status, out, _ = call("inspect", "a.net", "--target", "lava")
    assert status == 0
    assert "on lava:" in out
    network = nd.load(files / "a.net")
    adaptive = nd.network.AdaptiveResonateFire(300, 200, 30, 40, 100, 9)
    alone = nd.network.Population("a", (3,), adaptive, starts=2)
    source, weight = network.input, np.ones((3, network.input.size), np.int32)
    weight[0, 0] = 999
    nd.save(
        nd.network.Network(
            (source, alone),
            (nd.network.Projection(source.name, "a", nd.network.ComplexDense(weight, weight)),),
        ),
        files / "adrf.net",
    )
    status, out, _ = call("inspect", "adrf.net", "--target", "loihi2", "--json")
    assert status == 1
    told = json.loads(out)
    ahead = [(e["element"], e["rating"], e["reason"]) for e in told["ahead"]]
    assert told["target"] == "loihi2"
    assert [entry[:2] for entry in ahead[1:]] == [
        ("a", "unsupported"),
        (f"{source.name}->a", "unsupported"),
    ]
    assert "microcode" in ahead[1][2]
    assert "weights 1..999 do not fit 8 bits" in ahead[2][2]
    status, _, err = call("inspect", "a.net", "--target", "tpu")
    assert status == 2
    assert "there are lava, loihi2" in err


def test_inspect_and_convert(call):
    status, out, _ = call("inspect", "a.net")
    assert status == 0
    assert "input" in out
    status, out, _ = call("inspect", "a.net", "--json")
    assert json.loads(out)["fingerprint"] == nd.load("a.net").fingerprint
    status, _, _ = call("convert", "a.net", "copy.net")
    assert status == 0
    assert nd.load("copy.net") == nd.load("a.net")


@pytest.mark.parametrize("json_flag", [(), ("--json",)])
def test_convert_for_a_target_ends_with_what_it_still_cannot_run(call, files, json_flag):
    """The converted file is written all the same, and the exit status is 1."""
    graded = nd.network.ALIF(1000, 200, 64, 100, 200, 5, 9, graded_spike=True)
    nd.save(network_of("a", graded), "alif.net")
    status, out, _ = call("convert", "alif.net", "left.net", "--target", "lava", *json_flag)
    assert status == 1
    assert nd.load("left.net").output.name == "a"
    if json_flag:
        assert [entry["element"] for entry in json.loads(out)["left"]] == ["a"]
    else:
        assert "lava cannot run 1 elements of it" in out
    assert call("convert", "a.net", "whole.net", "--target", "lava", *json_flag)[0] == 0


def test_axes_in_another_order_run_the_same(call, files):
    inputs = np.load("x.npy")  # [samples, steps, *shape]
    np.save("time_first.npy", np.moveaxis(inputs, 0, 1))
    assert call("run", "a.net", "--input", "x.npy", "-o", "right.h5")[0] == 0
    status, _, err = call(
        "run", "a.net", "--input", "time_first.npy", "-o", "turned.h5", "--axes", "TB..."
    )
    assert status == 0, err
    right, turned = (nd.Recording.load(files / name) for name in ("right.h5", "turned.h5"))
    assert right.header.inputs == turned.header.inputs
    assert np.array_equal(right.output, turned.output)


def test_doctor(call, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")  # no sinfo must not take it down
    status, out, _ = call("doctor")
    assert status == 0
    assert "backend engine" in out
    status, told, _ = call("doctor", "--json")
    items = {item["name"]: item for item in json.loads(told)}
    whole = " ".join(out.replace("│", " ").split())
    for item in items.values():  # brackets and all
        assert item["detail"] in whole, item["name"]
    assert items["backend engine"]["present"]
    assert not items["SLURM"]["present"]
    assert not items["backend loihi2"]["present"]


def test_version_and_help(call):
    assert call("--version")[1] == f"neurodeploy {nd.__version__}\n"
    status, out, _ = call("--help")
    assert status == 0
    verbs = "demo doctor inspect run compare verify worker convert export fit profile quantize"
    for verb in verbs.split():
        assert verb in out
        assert call(verb, "--help")[0] == 0


@pytest.mark.parametrize("verb", [verb.__name__ for verb in VERBS])
def test_help_shows_its_brackets(call, verb, monkeypatch):
    """Shapes and places are written with brackets, which a markup language would eat."""
    monkeypatch.setenv("COLUMNS", "400")
    _, out, _ = call(verb, "--help")
    shown = " ".join(out.replace("│", " ").split())
    texts = [next(f for f in VERBS if f.__name__ == verb).__doc__]
    texts += [
        option.help
        for option in (p.annotation.__metadata__[0] for p in parameters_of(verb))
        if option.help
    ]
    brackets = [
        found for text in texts for found in re.findall(r"\[[^\]]*\]", " ".join(text.split()))
    ]
    assert [text for text in brackets if text not in shown] == []


def network_of(name, neuron):
    """A source of three channels and one population of two neurons."""
    populations = (nd.network.Population("in", (3,), nd.network.Source()),)
    populations += (nd.network.Population(name, (2,), neuron),)
    projection = nd.network.Projection("in", name, nd.network.Dense(np.ones((2, 3), np.int32)))
    return nd.network.Network(populations, (projection,))


def test_names_with_brackets_are_shown_whole(call):
    nd.save(network_of("out[red]", nd.network.CubaLIF(1000, 200, 64)), "brackets.net")
    assert "out[red]" in call("inspect", "brackets.net")[1]


def test_ctrl_c_while_the_verbs_are_loaded(call, monkeypatch):
    def stop(name, *given):
        if name == "app":
            raise KeyboardInterrupt
        return load(name, *given)

    load = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", stop)
    status, _, err = call("--version")
    assert (status, err) == (130, "neurodeploy: interrupted; nothing half-written is left\n")


BAD = {
    "no such network": ("inspect none.net", "no such file"),
    "network is a recording": ("inspect x.npy", "not an HDF5 file"),
    "no such input": ("run a.net --input none.npy -o o.h5", "no such file"),
    "input is no array": ("run a.net --input a.net -o o.h5", "damaged, or no array"),
    "wrong shape": ("run a.net --input wrong.npy -o o.h5", "shape"),
    "negative spikes": ("run a.net --input negative.npy -o o.h5", "outside 0"),
    "unknown backend": ("run a.net --input x.npy -o o.h5 --backend abacus", "'abacus'"),
    "unknown record": ("run a.net --input x.npy -o o.h5 --record mood", "'mood'"),
    "unwritable": ("run a.net --input x.npy -o no/o.h5", "cannot write there"),
    "output is a folder": ("run a.net --input x.npy -o folder", "is a folder"),
    "convert unwritable": ("convert a.net no/b.net", "cannot write there"),
    "convert suffix": ("convert a.net b.txt", "suffix"),
    "no recording": ("compare a.net a.net", "not a recording"),
    "fit on an unknown chip": ("fit a.net --chip abacus", "no chip 'abacus'"),
    "fit on an unknown board": ("fit a.net --board abacus", "no board 'abacus'"),
    "unknown chip": ("profile ok.h5 --chip abacus", "abacus"),
    "unknown verb": ("fly", "fly"),
    "mistyped verb": ("runn", "Did you mean 'run'? See neurodeploy --help"),
    "unknown flag": ("inspect a.net --sideways", "; see neurodeploy inspect --help"),
    "missing argument": ("run a.net", "'--input'; see neurodeploy run --help"),
    "not a number": ("run a.net --input x.npy -o o.h5 --steps many", "--steps"),
    "no steps": ("run a.net --input x.npy -o o.h5 --steps 0", "steps"),
    "nowhere to write": ("run a.net --input x.npy", "--out: says nowhere to write"),
    "axes of fewer letters": ("run a.net --input x.npy -o o.h5 --axes T", "axes 'T': needs one"),
    "a time limit on the engine": (
        "run a.net --input x.npy -o o.h5 --timeout 5",
        "--timeout: backend 'engine' runs in this process",
    ),
    "no time among the axes": ("run a.net --input x.npy -o o.h5 --axes B...", "name it T"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_input_gets_one_line_and_status_2(call, files, fault):
    line, text = BAD[fault]
    shape = nd.load("a.net").input.shape
    np.save("wrong.npy", np.zeros((4, *shape, 2), int))
    np.save("negative.npy", np.full((4, *shape), -1))
    (files / "folder").mkdir(exist_ok=True)
    if not (files / "ok.h5").exists():
        assert call("run", "a.net", "--input", "x.npy", "-o", "ok.h5")[0] == 0
    before = sorted(p.name for p in files.iterdir())
    status, out, err = call(*line.split())
    assert status == 2
    assert err.startswith("neurodeploy: ")
    assert err.count("\n") == 1
    assert text in err
    assert "Traceback" not in out + err
    assert "Invalid value: " not in err or "'--" in err  # an option by its name
    assert sorted(p.name for p in files.iterdir()) == before


def test_debug_shows_the_traceback(call):
    status, _, err = call("inspect", "none.net", "--debug")
    assert status == 2
    assert "Traceback" in err
    assert "neurodeploy: none.net: no such file" in err.splitlines()[-1]


def test_an_unforeseen_error_is_one_line(call, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("boo\nhoo")

    monkeypatch.setattr("neurodeploy.load", broken)
    status, _, err = call("inspect", "a.net")
    assert status == 2
    assert "internal error: ZeroDivisionError: boo hoo" in err
    assert err.count("\n") == 1


def test_interrupt_leaves_nothing(call, files, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurodeploy.backends.engine.Engine.run", interrupted)
    status, _, err = call("run", "a.net", "--input", "x.npy", "-o", "never.h5")
    assert status == 130
    assert "interrupted" in err
    assert not (files / "never.h5").exists()


def test_a_closed_pipe_is_no_error(files):
    command = f"{sys.executable} -m neurodeploy inspect a.net | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=files, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONWARNINGS": "error"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_options_are_in_small_letters():
    """Some versions of the library take an option's name from its metavar."""
    options = [
        option
        for command in typer.main.get_command(app).commands.values()
        for parameter in command.params
        for option in parameter.opts
    ]
    assert len(options) > 100
    assert [option for option in options if option != option.lower()] == []


def soft_network():
    neuron = nd.network.GeneralCubaLIF(4096, 300, 4, reset="subtract")
    return network_of("a", neuron)


def test_deploy_ends_with_what_runs_there(call, files):
    nd.save(soft_network(), "soft.net")
    size = nd.load("soft.net").input.size
    rng = np.random.default_rng(0)
    np.savez("soft.npz", inputs=(rng.random((2, 30, size)) < 0.4).astype(np.int8))
    status, out, _ = call(
        "deploy", "soft.net", "--target", "loihi2", "--input", "soft.npz", "--no-verify",
        "--report", "page.html", "-o", "chip.net",
    )  # fmt: skip
    assert status == 0
    assert "soft-reset-approximated" in out
    assert "measured on soft.npz" in out.replace("\n", " ")
    assert "core of loihi2" in out
    assert "Deployment" in (files / "page.html").read_text()
    again = call("deploy", "chip.net", "--input", "soft.npz", "--no-verify", "-o", "again.net")
    assert again[0] == 0
    assert "nothing to change" in again[1]
    assert nd.load("again.net") == nd.load("chip.net")
    status, out, _ = call(
        "deploy", "soft.net", "--target", "lava", "--no-soft-reset-approximated", "--no-verify",
        "--json",
    )  # fmt: skip
    assert status == 1
    told = json.loads(out)
    assert told["steps"] == []
    assert [entry["element"] for entry in told["left"]] == ["a"]
    assert nd.load("soft_lava.net") == nd.load("soft.net")
    status, _, err = call("deploy", "soft.net", "--target", "tpu")
    assert status == 2
    assert "there are lava, loihi2, netx" in err
