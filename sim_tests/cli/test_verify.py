"""``verify`` and ``worker``: exit statuses, what is printed and what is left in the folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import neurodeploy as nd
from hw_tests.cases import dense
from neurodeploy import cli
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
        (("--on", "tpu"), "'tpu': nothing to compare the engine with; there are lava, loihi2"),
        (("--on", "engine"), "'engine': nothing to compare the engine with"),
        (("--on", "lava", "--host", "/no/python"), "no such program"),
        (("--on", "lava", "--record", "all"), "record 'all': unknown"),
        (
            ("--on", "lava", "--samples", "-1"),
            "'--samples': Input should be greater than or equal to 1",
        ),
        (("--on", "lava", "-o", "a.net"), "no folder can be made there"),
        (("--on", "lava", "--steps", "3", "--drain"), "drain: together with 3 steps; give one"),
        (("--on", "lava", "--chip-set", "measure=1"), "chip: backend 'lava' does not know it"),
        (("--on", "loihi2", "--chip-set", "partion=kp"), "'partion': unknown"),
        (("--on", "loihi2", "--chip-set", "measure"), "give NAME=VALUE"),
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
    chosen = [word for setting in settings for word in ("--chip-set", setting)]
    status, out, err = call(
        "verify", "a.net", "--input", "x.npz", "--on", "loihi2", "--host", standin.host, *chosen
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
    status, _, _ = call(*run, "--job", "job", "--host", "/bin/false", "-o", "out.h5")
    assert status == 0, "the recording that was brought back is taken; nothing runs"
    status, _, err = call("run", "a.net", "--input", "x.npz", "--job-only", "other")
    assert status == 2
    assert "--job-only: backend 'engine' runs in this process" in err
    assert not Path("other").exists()
