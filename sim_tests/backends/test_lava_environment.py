"""Lava is added here or in an environment of its own, whole or not at all, and found there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.backends import BACKENDS, available
from neurodeploy.backends.lava import environment, interpreter
from neurodeploy.demo.shipped import shipped_digits
from neurodeploy.errors import BackendError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for Lava's own environment, where there is none yet and none is named."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv(interpreter.PYTHON_VARIABLE, raising=False)
    return tmp_path / "data"


def own_interpreter(text: str) -> Path:
    """Stand in for the interpreter of Lava's own environment."""
    python = environment.own_environment() / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{text}\n")
    python.chmod(0o755)
    return python


def without_lava_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_here", lambda: (False, "no Lava here"))


def test_nothing_is_found_where_nothing_was_added(
    data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_lava_here(monkeypatch)
    assert environment.own_python() is None
    assert interpreter.lava_place() == "here"
    assert available("lava") == (False, "no Lava here")


def test_its_own_environment_is_known_by_being_there(
    data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_lava_here(monkeypatch)
    python = own_interpreter("echo 'Python 3.13: lava-nc 0.10.0'")
    assert BACKENDS["lava"].place_by_default() == str(python)
    there, told = available("lava")
    assert there
    assert told == f"its own environment, {python.parents[1]}, Python 3.13: lava-nc 0.10.0"


def test_this_interpreters_lava_comes_first_and_the_variable_before_all(
    data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_interpreter("exit 1")
    monkeypatch.setattr(interpreter, "_here", lambda: (True, "here"))
    assert interpreter.lava_place() == "here"
    assert available("lava") == (True, "here")
    monkeypatch.setenv(interpreter.PYTHON_VARIABLE, "/opt/python")
    assert interpreter.lava_place() == "/opt/python"


def test_an_environment_that_broke_says_how_to_make_it_anew(
    data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_lava_here(monkeypatch)
    own_interpreter("echo 'no h5py' >&2; exit 1")
    there, told = available("lava")
    assert not there
    assert "no h5py; 'neurodeploy doctor --add lava' brings it" in told


@pytest.mark.skipif(find_spec("lava") is None, reason="lava is not installed here")
def test_lava_without_what_it_imports_is_not_there(
    data_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(name: str) -> object:
        return None if name == "asteval" else find_spec(name)

    monkeypatch.setattr(interpreter, "find_spec", find)
    there, told = available("lava")
    assert not there
    assert "lava-nc, but no asteval; 'neurodeploy doctor --add lava'" in told


@pytest.mark.parametrize("failing", range(4))
@pytest.mark.parametrize("error", [BackendError("no network"), KeyboardInterrupt()])
def test_an_environment_is_there_whole_or_not_at_all(
    data_home: Path, monkeypatch: pytest.MonkeyPatch, failing: int, error: BaseException
) -> None:
    calls: list[Sequence[str]] = []

    def call(what: str, command: Sequence[str], path: str | None = None) -> None:
        if len(calls) == failing:
            raise error
        calls.append(command)
        if "venv" in command:
            (Path(command[-1]) / "bin").mkdir(parents=True)
            (Path(command[-1]) / "bin" / "python").touch()

    monkeypatch.setattr(environment, "_call", call)
    with pytest.raises(type(error)):
        environment.make_own(lambda line: None)
    assert not list((data_home / "neurodeploy").iterdir())
    # And where one was there before, it stays.
    python = own_interpreter("echo old")
    calls.clear()
    with pytest.raises(type(error)):
        environment.make_own(lambda line: None)
    assert python.read_text().endswith("echo old\n")
    failing = 9
    calls.clear()
    environment.make_own(lambda line: None)
    assert python.read_text() == ""
    assert [path.name for path in (data_home / "neurodeploy").iterdir()] == ["lava-nc-0.10.0"]


def test_what_a_program_says_last_becomes_one_line(tmp_path: Path) -> None:
    program = tmp_path / "pip"
    program.write_text("#!/bin/sh\necho 'ERROR: No disk\nERROR: No wheel\nnotice' >&2; exit 1\n")
    program.chmod(0o755)
    with pytest.raises(BackendError, match=r"^lava-nc: could not be installed \(No wheel\); check"):
        environment._call("lava-nc", [str(program)])
    with pytest.raises(BackendError, match=r"cannot be started \(No such file"):
        environment._call("lava-nc", [str(tmp_path / "none")])


def test_slayer_is_not_put_into_a_systems_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(BackendError, match="no virtual environment's interpreter"):
        environment.add_lava_dl(lambda line: None)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ended_midway_nothing_is_left_and_nothing_runs_on(
    data_home: Path, tmp_path: Path, how: signal.Signals
) -> None:
    # The interpreter that shall make the environment writes its process id and then hangs.
    slow, pid = tmp_path / "slow", tmp_path / "pid"
    slow.write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 60\n")
    slow.chmod(0o755)
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from neurodeploy.cli import main\nsys.executable = {str(slow)!r}\n"
        "sys.argv = ['neurodeploy', 'doctor', '--add', 'lava-worker']\nsys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (pid.is_file() and pid.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert not list((data_home / "neurodeploy").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.slow
def test_its_own_environment_runs_networks_as_the_engine_does(data_home: Path) -> None:
    environment.make_own(lambda line: None)
    shipped = shipped_digits()
    network, inputs = nd.load(shipped.network), shipped.inputs[:8]
    record = ("counts", "spikes", "u", "v")
    ours = nd.run(network, inputs, record=record)
    python = str(environment.own_python())
    theirs = nd.run(network, inputs, record=record, backend="lava", place=python)
    assert nd.compare(ours, theirs).equal
    for name in ("0_dense", "1_dense"):
        for what in ("spikes", "u", "v"):
            mine, other = (getattr(recording[name], what) for recording in (ours, theirs))
            np.testing.assert_array_equal(other, mine)
