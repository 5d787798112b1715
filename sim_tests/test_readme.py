"""Every command and every line of code in the README runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import HAS_LAVA, ROOT

README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that a clone has."""
    shutil.copytree(ROOT / "netx_exports", tmp_path / "netx_exports")
    return tmp_path


def environment():
    scripts = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}


def test_shell_commands(folder):
    (commands,) = blocks("console")
    lines = commands.strip().splitlines()
    assert len(lines) == 6
    for line in lines:
        if not HAS_LAVA and "lava" in line:
            continue
        done = subprocess.run(
            line, shell=True, cwd=folder, env=environment(), capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert done.stdout
    if HAS_LAVA:
        assert (folder / "report.html").is_file()


def test_python(folder):
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "True None" in done.stdout
    assert (folder / "report.html").is_file()


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^make ([\w-]+)$|`make ([\w-]+)`", README, re.MULTILINE))
    assert len(targets) >= 3
    for target in targets:
        assert f"\n{''.join(target)}:" in makefile
