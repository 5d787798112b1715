"""Runs networks on the `loihi2` backend through the stand-in for lava-loihi."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sim_tests.conftest import ROOT
from sim_tests.loihi_standin import CALLS, FAULTS

SINFO = """#!/bin/sh
if [ "$1" = "-N" ]; then
  echo "NODELIST NODES PARTITION STATE"
  echo "ncl-og-01 1 oheogulch idle"
  echo "ncl-og-02 1 oheogulch down"
else
  echo "PARTITION AVAIL TIMELIMIT NODES STATE NODELIST"
  echo "oheogulch* up 20:00 1 idle ncl-og-01"
  echo "kp up 20:00 1 down ncl-kp-01"
fi
"""


class StandIn:
    """An interpreter with the stand-in, and what it is told.

    Attributes
    ----------
    host : str
        For ``nd.run(place=...)``.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.calls_file = folder / "calls.jsonl"
        program = folder / "python-standin"
        program.write_text(
            f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{ROOT}" '
            f'exec "{sys.executable}" -m sim_tests.loihi_standin "$@"\n'
        )
        program.chmod(0o755)
        self.host = str(program)
        monkeypatch.setenv(CALLS, str(self.calls_file))
        monkeypatch.setenv("NXSDKHOST", "stand-in")
        self.faults()

    def faults(self, **faults: Any) -> None:
        """What goes wrong from now on; see `sim_tests.loihi_standin.state.Faults`."""
        self.monkeypatch.setenv(FAULTS, json.dumps(faults))

    def slurm(self) -> None:
        """Have SLURM, with one board that is up, in place of an address; no host answers a ping."""
        program = self.folder / "bin" / "sinfo"
        program.parent.mkdir(exist_ok=True)
        for name, text in (("sinfo", SINFO), ("ping", "#!/bin/sh\nexit 1\n")):
            (program.parent / name).write_text(text)
            (program.parent / name).chmod(0o755)
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        self.monkeypatch.setenv("PATH", path)
        self.monkeypatch.delenv("NXSDKHOST")

    def calls(self, what: str) -> list[dict[str, Any]]:
        """Calls of one thing, in order."""
        if not self.calls_file.exists():
            return []
        told = [json.loads(line) for line in self.calls_file.read_text().splitlines()]
        return [call for call in told if call["what"] == what]


def run_batch(jobs: Sequence[Path], **faults: Any) -> None:
    """Run job folders in one process, since importing Lava takes longer than running them."""
    subprocess.run(
        [sys.executable, "-m", "sim_tests.loihi_standin", "--batch", *map(str, jobs)],
        cwd=ROOT,
        env={**os.environ, FAULTS: json.dumps(faults), "NXSDKHOST": "stand-in"},
        check=True,
        capture_output=True,
        timeout=300,
    )
