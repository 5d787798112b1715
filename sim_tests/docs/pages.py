"""Pages as programs: their blocks of code in order, and what they say comes out."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sim_tests.conftest import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/.]+\.(?:py|toml|cpp|hpp))\n")
STATUS = re.compile(r"\s+# exit status (\d)$")


class Block(NamedTuple):
    """A fenced block: its language and its text."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that its first line names, if it is one to be saved."""
        found = FILE.match(self.text)
        return found[1] if found else None


def blocks_of(path: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [Block(*found) for found in FENCE.findall(path.read_text(encoding="utf-8"))]


def files_of(path: Path) -> dict[str, str]:
    """What a page says is to be saved, by file name."""
    return {block.file: block.text for block in blocks_of(path) if block.file}


def entry_points_of(path: Path) -> dict[str, dict[str, str]]:
    """Entry points that a page's blocks ``toml`` declare, by group."""
    found: dict[str, dict[str, str]] = {}
    for block in blocks_of(path):
        if block.language == "toml" and block.file is None:
            project = tomllib.loads(block.text)["project"]
            for group, points in project["entry-points"].items():
                found.setdefault(group, {}).update(points)
    return found


def walk(path: Path, folder: Path) -> None:
    """Follow a page in a folder, in which this process is: save, run, and compare what it prints.

    Blocks ``python`` are saved if their first line names a file, else run in one namespace. Each
    line of a block ``console`` is a command; it ends with status 0, or with the one that a comment
    names. Each line of a block ``text`` must be among what the block before printed, ``...`` for
    anything. Other blocks are for the reader's eyes.
    """
    names: dict[str, object] = {"__name__": "__main__"}
    printed = ""
    for block in blocks_of(path):
        if block.file is not None:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(block.text, str(path), "exec"), names)
            printed = out.getvalue()
        elif block.language == "console":
            printed = "".join(_command(line, folder) for line in block.text.splitlines())
        elif block.language == "text":
            missing = list(missing_lines(block.text, printed))
            assert not missing, f"{path.name} says {missing}, but printed was:\n{printed}"


def missing_lines(said: str, printed: str) -> Iterator[str]:
    """Lines that were promised and not printed; spaces do not count."""
    there = [" ".join(line.split()) for line in printed.splitlines()]
    for line in said.splitlines():
        pattern = ".*".join(map(re.escape, " ".join(line.split()).split("...")))
        if not any(re.fullmatch(pattern, found) for found in there):
            yield line


def environment() -> dict[str, str]:
    """The environment of a shell in which this interpreter's environment is active."""
    scripts = str(Path(sys.executable).parent)
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    home = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PATH": path, "PYTHONPATH": home, "COLUMNS": "120"}


def _command(line: str, folder: Path) -> str:
    status = STATUS.search(line)
    done = subprocess.run(
        line, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    wanted = int(status[1]) if status else 0
    assert done.returncode == wanted, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout
