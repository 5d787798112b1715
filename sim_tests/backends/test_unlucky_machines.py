"""Outputs that are no files, runs that were killed, and signals at every moment of a program."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import files
from neurodeploy.errors import FormatError
from neurodeploy.files import check_place, written_whole

from .test_worker import NETWORK, ones

# Outputs.


@pytest.mark.parametrize("kind", ["fifo", "link", "dangling", "device", "folder"])
def test_what_is_no_regular_file_is_no_output(kind: str, tmp_path: Path) -> None:
    out, victim = tmp_path / "out.h5", tmp_path / "victim"
    victim.write_text("precious")
    if kind == "fifo":
        os.mkfifo(out)
    elif kind == "folder":
        out.mkdir()
    elif kind == "device":
        try:
            os.mknod(out, 0o600 | 0o020000, os.makedev(1, 7))
        except PermissionError:
            out = Path("/dev/full")
    else:
        out.symlink_to(victim if kind == "link" else tmp_path / "nothing")
    before = out.lstat()
    says = "is a folder" if kind == "folder" else "is a link, a pipe or a device; give the path"
    with pytest.raises(FormatError, match=says):
        check_place(out)
    with pytest.raises(FormatError, match=says), written_whole(out):
        raise AssertionError("nothing may be written")
    with pytest.raises(FormatError, match=says):
        nd.run(NETWORK, ones(2), out=out)
    assert os.path.samestat(before, out.lstat())
    assert victim.read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} <= {"out.h5", "victim"}


def test_a_name_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    for name in ("a\0b.h5", "a" * 300):
        with pytest.raises(FormatError, match="cannot write there"), written_whole(tmp_path / name):
            raise AssertionError("nothing may be written")
    longest = tmp_path / ("\u00e9" * 127)  # 254 bytes: the part beside it is named shorter
    with written_whole(longest) as part:
        part.write_text("whole")
    assert longest.read_text() == "whole"


def test_the_next_run_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    code = (
        "import os, sys; from neurodeploy.files import written_whole\n"
        "with written_whole(sys.argv[1]) as part:\n"
        "    part.write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.h5")], check=False)
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    machine = files._this_machine()
    mine = left.with_name(f".a.h5.{machine}-{os.getpid()}.abcdefgh.part")
    others = [
        mine,  # of a process that lives
        left.with_name(left.name.replace(machine, "0123abcd")),  # of another machine
        left.with_name(".a.h5.abcdefgh.part"),  # not ours
        left.with_name("thesis.part"),
    ]
    for path in others:
        path.write_text("precious")
    files._remove_left.cache_clear()
    with written_whole(tmp_path / "b.h5") as part:
        part.write_text("whole")
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "b.h5"])


# Signals.

PROGRAM = """
import os, sys


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {number})


sys.meta_path.insert(0, Finder)
sys.argv = ["neurodeploy", "run", "net.net", "--input", "in.npy", "-o", "out.h5"]
from neurodeploy.cli import main
main()
"""

MODULES = ("typer", "rich", "neurodeploy.cli.run", "numpy", "numpy.linalg", "h5py", "h5py._hl")
"""Some that are imported before a verb begins, some within it, some by compiled code."""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("module", [*MODULES, "neurodeploy.recording.assemble"])
def test_a_signal_at_any_import_is_one_line(module: str, name: str, tmp_path: Path) -> None:
    if name != "SIGINT" and module not in ("typer", "numpy"):
        pytest.skip("as Ctrl-C")
    nd.save(NETWORK, tmp_path / "net.net")
    np.save(tmp_path / "in.npy", ones(2))
    number = int(getattr(signal, name))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module, number=number)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=120,
    )
    line = "neurodeploy: interrupted; nothing half-written is left\n"
    assert (done.returncode, done.stderr, done.stdout) == (128 + number, line, "")
    assert {path.name for path in tmp_path.iterdir()} == {"net.net", "in.npy"}


def test_ctrl_c_in_a_destructor_is_not_lost(tmp_path: Path) -> None:
    """Python prints what a destructor raises and goes on; here it comes back a moment later."""
    code = (
        "import os, signal, sys, time\n"
        "import neurodeploy.cli as cli, neurodeploy.cli.app as app\n"
        "class Held:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT); time.sleep(1)\n"
        "def verb(**how):\n"
        "    held = Held(); del held\n"
        "    for _ in range(1000): time.sleep(0.02)\n"
        "app.app = verb\n"
        "sys.argv = ['neurodeploy', 'doctor']\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr.count("\n")) == (130, 1), done.stderr


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "import neurodeploy.cli as cli\n"
        "sys.argv = ['neurodeploy', '--version']\n"
        "cli.stop.listen(); os.kill(os.getpid(), signal.SIGHUP)\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("neurodeploy ")


def test_little_is_imported_before_signals_are_heard() -> None:
    """Until then Ctrl-C shows Python's own traceback."""
    code = (
        "import re, sys\n"  # as the programs that pip writes do
        "before = set(sys.modules)\n"
        "from neurodeploy.cli import main\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = {name for name in done.stdout.split() if name.split(".")[0] != "neurodeploy"}
    light = {"__future__", "signal", "warnings", "importlib", "importlib.machinery"}
    assert others <= {*light, *(f"importlib.{m}" for m in ("_bootstrap", "_bootstrap_external"))}
