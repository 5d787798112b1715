"""The program over every hostile file: it runs, or says one line with status 2, soon and small."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOSTILE = Path(__file__).parents[2].parent / "shared" / "cases" / "faults" / "hostile"
SECONDS = 10.0
"""Of the processor's time, the program's start included."""

MEGABYTES = 1_000

VERBS = {"11": "inspect", "12": "inspect", "13": "compare", "14": "worker"}
"""By the kind of an exception's file: NetX, NIR, recordings, jobs."""


def commands() -> dict[str, list[str]]:
    """The arguments that read each file, by its name."""
    found = {}
    for path in sorted(HOSTILE.glob("*.*")):
        given = [str(path)]
        if path.suffix == ".toml":
            sound = Path(__file__).parents[2] / "netx_exports" / "digits.net"
            found[path.name] = ["fit", str(sound), "--chip", *given]
            continue
        more = ["--dt", "1e-4"] if path.suffix == ".nir" else []
        found[path.name] = ["inspect", *given, *more]
        if path.name.startswith("c_"):
            found[f"{path.name} fit"] = ["fit", *given]
    for path in sorted((HOSTILE / "exceptions").glob("*")):
        verb = VERBS[path.name[:2]]
        given = [str(path)] * (2 if verb == "compare" else 1)
        more = ["--dt", "1e-4"] if path.name.startswith("12") else []
        found[path.name] = [verb, *given, *more]
    return found


@pytest.mark.slow
@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile files are not here")
def test_every_hostile_file_runs_or_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("nir", reason="needs nir: pip install 'neurodeploy[nir]'")
    wrong, statuses = [], set()
    for name, arguments in commands().items():
        if arguments[0] == "worker":  # it writes there
            shutil.copytree(arguments[1], tmp_path / name, copy_function=shutil.copyfile)
            (tmp_path / name).chmod(0o755)
            arguments = ["worker", str(tmp_path / name)]
        said = tmp_path / "stderr"
        with said.open("wb") as stderr:
            program = subprocess.Popen(
                [sys.executable, "-m", "neurodeploy", *arguments],
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=Path(__file__).parents[2],
            )
            _, status, used = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        lines = said.read_text().splitlines()
        seconds, megabytes = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        one_line = len(lines) == 1 and lines[0].startswith("neurodeploy: ")
        fine = program.returncode == 0 or (program.returncode == 2 and one_line)
        fine = fine and all(line.isprintable() for line in lines) and "internal" not in str(lines)
        statuses.add(program.returncode)
        print(f"{name}: {program.returncode} {seconds:.1f} s {megabytes:.0f} MB {lines}")
        if not fine or seconds > SECONDS or megabytes > MEGABYTES:
            wrong.append(f"{name}: {program.returncode} {seconds:.1f} s {megabytes:.0f} MB {lines}")
    assert not wrong, "\n".join(wrong)
    assert 2 in statuses
