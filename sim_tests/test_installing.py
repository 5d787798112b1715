"""What is said about installing: from a clone, and by one name."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import neurodeploy
from neurodeploy._version import DISTRIBUTION
from neurodeploy.cli.inventory import EXTRAS
from neurodeploy.errors import how_to_add

from .conftest import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
BARE = re.compile(
    r"neurodeploy(?:-snn)?\[[a-z{]"
    r"|\b(?:pip3?|pipx|tool)\s+install\s+(?:-\S+\s+)*['\"]?neurodeploy\b"
)
"""What fetches a stranger's package, or one that is not published."""


def texts():
    """Every file of the source that is text, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("needs git, which lists the files of the source")
    for name in listed.stdout.splitlines():
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue


def test_no_text_installs_by_the_name_of_somebody_else():
    found = [
        f"{name}: {line.strip()}"
        for name, text in texts()
        if name != "sim_tests/test_installing.py"
        for line in text.splitlines()
        if BARE.search(line)
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "pip install neurodeploy",
        "pip install -U 'neurodeploy[nir]'",
        "needs neurodeploy[lava,demo]",
        'uv pip install "neurodeploy-snn[nir]"',
        "pip install 'neurodeploy[{extra}]'",
    ],
)
def test_the_bare_form_is_found(line):
    assert BARE.search(line)


def test_what_is_said_names_an_extra_that_there_is():
    assert not BARE.search(how_to_add("nir"))
    extras = set(PROJECT["optional-dependencies"])
    said = {extra for _, _, extra in EXTRAS.values() if " " not in extra}
    said |= {
        extra
        for name, text in texts()
        for listed in re.findall(r"install '\.\[([\w,-]+)\]'|how_to_add\(['\"]([\w,-]+)", text)
        for extra in "".join(listed).split(",")
        if name != "sim_tests/test_installing.py"
    }
    assert said <= extras
    assert {"nir", "plots", "audio"} <= said


def test_one_name_and_one_version():
    assert PROJECT["name"] == DISTRIBUTION
    assert "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT
    source = PYPROJECT["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{neurodeploy.__version__}"' in (ROOT / source).read_text()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == neurodeploy.__version__
