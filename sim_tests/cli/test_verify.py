"""``verify`` and ``worker``: exit statuses, what is printed and what is left in the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import neurodeploy as nd
from hw_tests.cases import dense
from neurodeploy import cli
from neurodeploy.cli.app import VERBS
from neurodeploy.cli.older_spellings import OLDER_SPELLINGS
from neurodeploy.errors import BackendError
from neurodeploy.exporting import verify as module
from sim_tests.backends.standin import StandIn

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Call:
    """Calls the command line in a folder with ``a.net``, and inputs for it with labels."""
    case = dense()
    monkeypatch.chdir(tmp_path)
    nd.save(case.network, "a.net")
    np.savez("x.npz", inputs=case.inputs, labels=np.array([0, 1]))

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return call


def deviating(run: Any) -> Any:
    """`nd.run`, but anywhere but on the engine nothing arrives at the first population."""

    def deviate(network: nd.Network, inputs: Any, **options: Any) -> nd.Recording:
        backend = options.pop("backend", "engine")
        if backend == "engine":
            return cast(nd.Recording, run(network, inputs, **options))
        options = {k: v for k, v in options.items() if k in ("record", "steps", "apply_transform")}
        made = run(network, np.zeros_like(inputs), **options)
        given = run(network, inputs, **options).header.inputs
        return nd.Recording(replace(made.header, backend=backend, inputs=given), made.arrays)

    return deviate


@pytest.mark.usefixtures("lava")
def test_equal_on_lava(call: Call) -> None:
    recorded = ("--record", "spikes,u,v", "--drain")
    status, out, err = call("verify", "a.net", "--input", "x.npz", *recorded)
    assert status == 0, err
    assert "engine and lava are equal: spikes, u, v of 3 populations, 2 samples, 18 steps" in out
    assert "recordings and report: verified/report.html" in out
    names = {path.name for path in Path("verified").iterdir()}
    assert names == {"engine.h5", "lava.h5", "report.html"}
    assert nd.Recording.load("verified/lava.h5").header.backend == "lava"
    page = Path("verified/report.html").read_text()
    assert "Verified on lava" in page
    assert "Accuracy" in page, "the labels that the inputs brought"


def test_a_run_that_deviates(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "run", deviating(nd.run))
    status, out, err = call("verify", "a.net", "--input", "x.npz", "-o", "v", "--samples", 1)
    assert status == 1, err
    assert "first" in out
    assert "sent no messages and v was not recorded" in " ".join(out.split())  # no decisions
    assert "Different" in Path("v/report.html").read_text()
    status, out, _ = call("verify", "a.net", "--input", "x.npz", "-o", "v", "--json")
    assert status == 1
    assert json.loads(out)["comparison"]["equal"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--backend", "tpu"), "'tpu': nothing to compare the engine with; there are lava, loihi2"),
        (("--backend", "engine"), "'engine': nothing to compare the engine with"),
        (("--backend", "lava", "--place", "/no/python"), "no such program"),
        (("--backend", "lava", "--record", "all"), "record 'all': unknown"),
        (
            ("--backend", "lava", "--samples", "-1"),
            "'--samples'",
        ),
        (("--backend", "lava", "-o", "a.net"), "no folder can be made there"),
        (
            ("--backend", "lava", "--steps", "3", "--drain"),
            "drain: together with 3 steps; give one",
        ),
        (
            ("--backend", "lava", "--board-set", "measure=1"),
            "board_settings: backend 'lava' does not know it",
        ),
        (("--backend", "loihi2", "--board-set", "partion=kp"), "'partion': unknown"),
        (("--backend", "loihi2", "--board-set", "measure"), "give NAME=VALUE"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    call: Call, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = call("verify", "a.net", "--input", "x.npz", *arguments)
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
    assert not out
    assert {path.name for path in Path().iterdir()} == {"a.net", "x.npz"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "--on", "tpu"), "backend 'tpu': nothing to compare"),
        (("verify", "--on", "lava", "--host=/no/python"), "no such program"),
        (("run", "--backend", "loihi2", "--chip-set", "measure"), "--board-set 'measure': give"),
        (("profile", "--host", "x.npz"), "--input needs the network: add --net NET"),
        (("quantize", "--calibrate", "none.npy", "-o", "b.net"), "none.npy: no such file"),
        (("convert", "b.net", "--for", "tpu"), "'tpu'"),
    ],
)
def test_options_work_under_their_older_names(
    call: Call, arguments: tuple[str, ...], said: str
) -> None:
    verb, *options = arguments
    inputs = ("--input", "x.npz") if verb in ("verify", "run") else ()
    status, _, err = call(verb, "a.net", *inputs, *options)
    assert status == 2
    assert said in err


@pytest.mark.parametrize("option", [("--kernels", "dense"), ("--kernels=events",)])
def test_an_option_without_effect_is_still_taken(call: Call, option: tuple[str, ...]) -> None:
    status, *_ = call("run", "a.net", *option, "--input", "x.npz", "-o", "a.h5")
    assert status == 0
    assert Path("a.h5").exists()


def test_older_names_lead_to_options_that_are_there_and_no_help_shows_them() -> None:
    known = {
        verb.__name__: {
            flag
            for parameter in signature(verb, eval_str=True).parameters.values()
            for option in getattr(parameter.annotation, "__metadata__", ())
            for flag in (option.param_decls or (f"--{parameter.name.replace('_', '-')}",))
        }
        for verb in VERBS
    }
    for verb, names in OLDER_SPELLINGS.items():
        assert set(names.values()) <= known[verb], verb
        assert not set(names) & known[verb], verb


def test_arguments_work_under_their_older_names(call: Call) -> None:
    network, inputs = nd.load("a.net"), np.load("x.npz")["inputs"]
    with pytest.raises(BackendError, match="backend 'tpu': nothing to compare"):
        nd.verify(network, inputs, on="tpu")
    with pytest.raises(BackendError, match="place: backend 'engine' runs in this process"):
        nd.run(network, inputs, host="here")
    with pytest.raises(BackendError, match="board_settings: backend 'engine' runs in"):
        nd.run(network, inputs, chip={"measure": "no"})


def test_verify_gives_objects_and_writes_nothing(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "run", deviating(nd.run))
    network, inputs = nd.load("a.net"), np.load("x.npz")["inputs"]
    before = set(Path().iterdir())
    found = nd.verify(network, inputs)
    assert set(Path().iterdir()) == before
    engine, other = found.recordings
    assert (engine.header.backend, other.header.backend) == ("engine", "lava")
    assert not found.equal
    assert not found.comparison.equal
    assert [profile.kind for profile in found.profiles] == ["estimated"]
    assert found.placement.cores_used == nd.fit(network).cores_used


def test_inputs_of_another_shape(call: Call) -> None:
    np.save("y.npy", np.int32(3))
    for verb in (("verify", "a.net"), ("run", "a.net", "--drain", "-o", "r.h5")):
        status, _, err = call(*verb, "--input", "y.npy")
        assert status == 2
        assert err.count("\n") == 1
        assert "shape" in err


@pytest.mark.usefixtures("lava")
def test_on_the_chip_with_its_figures(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the stand-in, whose figures stand in the report but are nowhere called measured."""
    (tmp_path / "chip").mkdir()
    standin = StandIn(tmp_path / "chip", monkeypatch)
    standin.faults(dynamic_watts=-0.006, noise_watts=0.05)
    settings = (
        "window_seconds=0.1",
        "repeats=1",
        "chips_on_board=1",
        "input_lag=0",
        "output_lag=0",
    )
    chosen = [word for setting in settings for word in ("--board-set", setting)]
    status, out, err = call(
        "verify",
        "a.net",
        "--input",
        "x.npz",
        "--backend",
        "loihi2",
        "--place",
        standin.host,
        *chosen,
    )
    assert status == 0, err
    assert "standin seconds per step: 20.0 µs" in out
    assert "made without hardware" in out
    assert "are equal: spikes of 3 populations" in out
    page = Path("verified/report.html").read_text()
    assert "standin seconds per step" in page
    assert "20.0 µs" in page
    assert "made without hardware" in page
    assert "below the meter&#39;s noise" in page
    assert "loihi2 (estimated)" in page
    assert ">measured<" not in page


@pytest.mark.usefixtures("lava")
@pytest.mark.slow
def test_a_job_carried_by_hand(call: Call) -> None:
    run = ("run", "a.net", "--input", "x.npz", "--backend", "lava")
    status, out, _ = call(*run, "--job-only", "job")
    assert status == 0
    assert "neurodeploy worker job" in out
    status, out, _ = call("worker", "job", "--json")
    assert status == 0
    assert json.loads(out)["samples"] == 2
    status, _, _ = call(*run, "--job", "job", "--place", "/bin/false", "-o", "out.h5")
    assert status == 0, "the recording that was brought back is taken; nothing runs"
    status, _, err = call("run", "a.net", "--input", "x.npz", "--job-only", "other")
    assert status == 2
    assert "--job-only: backend 'engine' runs in this process" in err
    assert not Path("other").exists()
