"""Finds an interpreter that has Lava."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

PYTHON_VARIABLE = "NEURODEPLOY_LAVA_PYTHON"
"""Environment variable with the path of an interpreter that has Lava."""

_INSTALL = (
    f"install it under Python 3.10 (pip install 'neurodeploy[lava]') and, if that is another "
    f"interpreter, set {PYTHON_VARIABLE} to its path"
)
_PROBE = """
import sys
from importlib.metadata import version
from importlib.util import find_spec
missing = [name for name in ("lava", "numpy", "h5py") if find_spec(name) is None]
if missing:
    sys.exit("no " + ", ".join(missing))
print(f"Python {sys.version_info[0]}.{sys.version_info[1]}: lava-nc {version('lava-nc')}")
"""


def find_lava() -> tuple[bool, str]:
    """Tell whether Lava can run here: which interpreter and version, or what is missing."""
    chosen = os.environ.get(PYTHON_VARIABLE)
    if not chosen:
        here = f"this interpreter (Python {sys.version_info[0]}.{sys.version_info[1]})"
        try:
            if find_spec("lava") is not None:
                return True, f"{here}: lava-nc {metadata.version('lava-nc')}"
        except metadata.PackageNotFoundError:
            pass
        return False, f"no Lava in {here}; {_INSTALL}"
    python = shutil.which(chosen)
    if python is None:
        return False, f"{PYTHON_VARIABLE}={chosen}: no such program; set it to a Python 3.10"
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
        return False, f"{PYTHON_VARIABLE}={chosen}: cannot be started ({error}); {_INSTALL}"
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["it failed"])[-1]
        return False, f"{PYTHON_VARIABLE}={chosen}: {reason}; {_INSTALL}"
    return True, f"{chosen}, {probe.stdout.strip()}"
