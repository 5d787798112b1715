"""The program over every hostile file: it runs, or says one line with status 2, soon and small."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOSTILE = Path(__file__).parents[2].parent / "shared" / "cases" / "faults" / "hostile"
SECONDS = 10.0
"""Of the processor's time."""

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


CHILD = """
import contextlib, io, json, resource, sys, time, warnings
from neurodeploy.cli import main

for name, arguments in json.loads(sys.stdin.read()).items():
    print("begin", name, file=sys.__stdout__, flush=True)
    out, err, start, status = io.StringIO(), io.StringIO(), time.process_time(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            status = end.code
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said = [status, time.process_time() - start, megabytes, err.getvalue().splitlines()]
    print(json.dumps([name, *said]), file=sys.__stdout__, flush=True)
"""
"""One program after the other in one process, which starts in a second."""


@pytest.mark.slow
@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile files are not here")
def test_every_hostile_file_runs_or_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("nir", reason="needs nir, see neurodeploy doctor")
    given = commands()
    for name, arguments in given.items():
        if arguments[0] == "worker":  # it writes there
            shutil.copytree(arguments[1], tmp_path / name, copy_function=shutil.copyfile)
            (tmp_path / name).chmod(0o755)
            given[name] = ["worker", str(tmp_path / name)]
    ran = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=1800,
    )
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    assert [name for name, *_ in told] == list(given), ran.stdout[-300:] + ran.stderr[-300:]
    wrong = []
    for name, status, seconds, megabytes, lines in told:
        one_line = len(lines) == 1 and lines[0].startswith("neurodeploy: ")
        fine = status in (0, None) or (status == 2 and one_line)
        fine = fine and all(line.isprintable() and "internal" not in line for line in lines)
        said = f"{name}: {status}, {seconds:.1f} s, {megabytes:.0f} MB, {lines}"
        print(said)
        if not fine or seconds > SECONDS or megabytes > MEGABYTES:
            wrong.append(said)
    assert not wrong, "\n".join(wrong)
    assert sum(status == 2 for _, status, *_ in told) > len(told) / 2
