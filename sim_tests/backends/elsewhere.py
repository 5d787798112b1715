"""Stand-ins for other places: programs ``ssh`` and ``srun``, and a Python with a slow backend.

The Python has, in place of the module that drives Lava, a backend that computes a known answer two
samples at a time, notes which, and meets with whatever `Lab.fault` says. `ssh` does what the real
one does: it drops its options, joins the words after the host with spaces, and gives them to a
shell in another home folder and process group, connected by pipes only.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

needs_lava = pytest.mark.skipif(
    find_spec("lava") is None, reason="lava is not installed in this interpreter"
)

BACKEND = """
import os, resource, signal, time
from pathlib import Path
import numpy as np
from neurodeploy.recording.assemble import header_of
from neurodeploy.remote.blocks import Blocks

LAB = Path({lab!r})


def meet_fault(start):
    fault = LAB / "fault"
    if not fault.is_file():
        return
    at, what = fault.read_text().split()
    if int(at) != start:
        return
    fault.unlink()
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "hang":
        (LAB / "hangs").touch()
        time.sleep(60)
    elif what == "wait":
        (LAB / "hangs").touch()
        while (LAB / "hangs").exists():
            time.sleep(0.05)
    elif what == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
    elif what == "raise":
        raise ArithmeticError("two and two")


def respond(network, values):
    sums = values.reshape(*values.shape[:2], -1).sum(axis=2, keepdims=True).cumsum(axis=1)
    spikes, states = {{}}, {{}}
    for population in network.populations:
        u = (sums * np.arange(3, 3 + population.size)).astype(np.int32)
        spikes[population.name] = (u % 4 == 0).astype(np.int32)
        states[population.name] = {{"u": u, "v": -u}}
    return spikes, states


def run_network(network, values, options):
    blocks = Blocks(options.out.parent, network, options, len(values))
    for start, stop in blocks.missing(2):
        meet_fault(start)
        blocks.add(start, *respond(network, values[start:stop]), {{"joules": start + 1.0}})
        with (LAB / "ran").open("a") as ran:
            ran.write(f"{{start}} ")
    joules = sum(measured["joules"] for *_, measured in blocks.measured)
    blocks.join(header_of(network, "lava", "slow", options), measured={{"joules": joules}})
"""

CUSTOMIZE = """
import importlib.util, sys


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "neurodeploy.backends.lava.processes":
            return importlib.util.spec_from_file_location(name, {backend!r})


sys.meta_path.insert(0, Finder)
"""

PYTHON = """#!/bin/sh
PYTHONPATH={fakes} exec {python} "$@"
"""

SSH = """#!{python}
import json, os, subprocess, sys, threading
from pathlib import Path

lab = Path({lab!r})
words = sys.argv[1:]
while words[0] != "--":
    words = words[2:] if words[0] == "-o" else words[1:]
_, host, *command = words
home = lab / "homes" / host.rpartition("@")[2]
if not home.is_dir():
    print(f"ssh: Could not resolve hostname {{host}}: Name or service not known", file=sys.stderr)
    sys.exit(255)
os.write(1, b"Welcome to the lab")
shell = subprocess.Popen(
    ["sh", "-c", " ".join(command)],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=home, start_new_session=True, bufsize=0,
    env={{"HOME": str(home), "PATH": f"{{lab}}/there:/usr/bin:/bin"}},
)
(lab / "ssh.pid").write_text(str(os.getpid()))


def carry_input():
    while data := os.read(0, 1 << 16):
        shell.stdin.write(data)
    shell.stdin.close()


threading.Thread(target=carry_input, daemon=True).start()
while data := shell.stdout.read(1 << 16):
    os.write(1, data)
os._exit(shell.wait())
"""

SRUN = """#!{python}
import json, os, signal, subprocess, sys, time
from pathlib import Path

lab = Path({lab!r})
words = sys.argv[1:]
(lab / "srun.json").write_text(json.dumps(words))
what = (lab / "srun").read_text() if (lab / "srun").is_file() else ""
if what == "busy":
    print("srun: error: Unable to allocate resources: Requested partition configuration not "
          "available now", file=sys.stderr)
    sys.exit(1)
while words[0].startswith("--"):
    words = words[1:]
task = subprocess.Popen(words)
signal.signal(signal.SIGTERM, lambda *_: task.terminate())
while task.poll() is None:
    time.sleep(0.05)
    if what == "cancel" and (lab / "hangs").exists():
        print("srun: Job step aborted: Waiting up to 32 seconds for job step to finish.",
              file=sys.stderr)
        print("slurmstepd: error: *** STEP 7.0 ON b1 CANCELLED AT 2026-01-01T00:00:00 ***",
              file=sys.stderr)
        task.kill()
        print("srun: error: b1: task 0: Killed", file=sys.stderr)
sys.exit(task.returncode if task.returncode >= 0 else 128 - task.returncode)
"""


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.05)


@dataclass(frozen=True)
class Lab:
    """A folder with the programs, and how to break them."""

    folder: Path

    @classmethod
    def build(cls, folder: Path) -> Lab:
        """Write the programs: ``here`` belongs on the PATH, ``there`` is the other machine's."""
        values = {"lab": str(folder), "python": sys.executable, "fakes": str(folder / "fakes")}
        texts = {
            "fakes/backend.py": BACKEND.format(**values),
            "fakes/sitecustomize.py": CUSTOMIZE.format(backend=str(folder / "fakes/backend.py")),
            "there/python3": PYTHON.format(**values),
            "here/ssh": SSH.format(**values),
            "here/srun": SRUN.format(**values),
        }
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        (folder / "homes" / "board").mkdir(parents=True)
        return cls(folder)

    @property
    def python(self) -> str:
        """The Python with the slow backend."""
        return str(self.folder / "there" / "python3")

    @property
    def remote_jobs(self) -> list[Path]:
        """Job folders that are on the other machine."""
        return list(self.folder.glob("homes/board/.cache/neurodeploy/jobs/*"))

    def fault(self, start: int, what: str) -> None:
        """Have the backend meet a fault, once, before the block that starts at a sample."""
        (self.folder / "hangs").unlink(missing_ok=True)
        (self.folder / "fault").write_text(f"{start} {what}")

    def srun_says(self, what: str) -> None:
        """Have srun refuse (``busy``), cancel once a fault hangs (``cancel``) or work (empty)."""
        (self.folder / "srun").write_text(what)

    def ran(self) -> list[int]:
        """First samples of the blocks that ran since this was last asked."""
        note = self.folder / "ran"
        starts = [int(word) for word in note.read_text().split()] if note.is_file() else []
        note.unlink(missing_ok=True)
        return starts

    def wait_until_it_hangs(self) -> None:
        """Wait until the backend has met the fault ``hang``."""
        wait_for(self.folder / "hangs")

    def lose_connection(self) -> None:
        """Kill ssh."""
        os.kill(int((self.folder / "ssh.pid").read_text()), 9)
