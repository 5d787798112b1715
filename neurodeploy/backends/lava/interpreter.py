"""Finds an interpreter that has Lava."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ...lava_imports import is_changed_here
from . import PYTHON_VARIABLE
from .environment import SIMULATOR_NEEDS, own_environment, own_python

_INSTALL = (
    f"'neurodeploy doctor --add lava' brings it, or set {PYTHON_VARIABLE} to an interpreter with it"
)
_PROBE = f"""
import sys
from importlib.metadata import version
from importlib.util import find_spec
missing = [name for name in ("lava", *{SIMULATOR_NEEDS}) if find_spec(name) is None]
if missing:
    sys.exit("no " + ", ".join(missing))
print(f"Python {{sys.version_info[0]}}.{{sys.version_info[1]}}: lava-nc {{version('lava-nc')}}")
"""


def lava_place() -> str:
    """Where Lava runs if nobody says: as the variable says, here, or in its own environment."""
    if chosen := os.environ.get(PYTHON_VARIABLE):
        return chosen
    own = own_python()
    return "here" if own is None or _here()[0] else str(own)


def find_lava() -> tuple[bool, str]:
    """Tell whether Lava can run here: which interpreter and version, or what is missing."""
    if chosen := os.environ.get(PYTHON_VARIABLE):
        return _probe(chosen, f"{PYTHON_VARIABLE}={chosen}")
    there, told = _here()
    if there or own_python() is None:
        return there, told
    return _probe(str(own_python()), f"its own environment, {own_environment()}")


def _here() -> tuple[bool, str]:
    here = f"this interpreter (Python {sys.version_info[0]}.{sys.version_info[1]})"
    try:
        version = metadata.version("lava-nc")
    except metadata.PackageNotFoundError:
        return False, f"no Lava in {here}; {_INSTALL}"
    if missing := [name for name in SIMULATOR_NEEDS if find_spec(name) is None]:
        return False, f"{here}: lava-nc, but no {', '.join(missing)}; {_INSTALL}"
    changed = ", changed for it while it is imported" if is_changed_here() else ""
    return True, f"{here}: lava-nc {version}{changed}"


def _probe(chosen: str, name: str) -> tuple[bool, str]:
    python = shutil.which(chosen)
    if python is None:
        return False, f"{name}: no such program; {_INSTALL}"
    try:
        probe = subprocess.run(
            [os.path.abspath(python), "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(python).parent,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{name}: cannot be started ({error}); {_INSTALL}"
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["it failed"])[-1]
        return False, f"{name}: {reason}; {_INSTALL}"
    return True, f"{name}, {probe.stdout.strip()}"
