"""Puts Lava where it was not: beside us, or into an environment of its own that workers run in.

lava-nc and lava-dl are installed without what they pin, and then what they really import; see
`lava_imports` for why that works.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import BackendError

LAVA, LAVA_DL = "lava-nc==0.10.0", "lava-dl==0.6.0"
SIMULATOR_NEEDS = ("numpy", "h5py", "scipy", "networkx", "asteval")
SLAYER_NEEDS = ("torch", "matplotlib")

_WITHOUT_PINS = ("--ignore-requires-python", "--no-deps")
_PACKAGE = Path(__file__).resolve().parents[2]
_CHECKS = {
    "lava-nc": "lava.magma.compiler.compiler, lava.magma.core.run_configs, lava.proc.conv.models",
    "lava-dl": "lava.lib.dl.slayer, lava.lib.dl.netx",
}
"""What must import once it is installed."""

Say = Callable[[str], None]
"""Shows one line on what is being done."""


def own_environment() -> Path:
    """Where Lava's own environment is, or would be; that it is there makes it known.

    Below ``XDG_DATA_HOME``, by default ``~/.local/share``.
    """
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "neurodeploy" / LAVA.replace("==", "-")


def own_python() -> Path | None:
    """The interpreter of Lava's own environment, or None where that has not been made."""
    python = own_environment() / "bin" / "python"
    return python if python.exists() else None


def add_lava(say: Say) -> None:
    """Install lava-nc for this interpreter if it is a virtual environment's, else by `make_own`.

    Parameters
    ----------
    say : callable

    Raises
    ------
    BackendError
        If it cannot be installed; what was there before still is.
    """
    if _may_install_here():
        _install(sys.executable, (LAVA,), SIMULATOR_NEEDS, say)
    else:
        make_own(say)


def add_lava_dl(say: Say) -> None:
    """Install lava-dl, and lava-nc and torch with it, for this interpreter, which trains with it.

    Parameters
    ----------
    say : callable

    Raises
    ------
    BackendError
        As `add_lava`; and where this is not the interpreter of a virtual environment.
    """
    if not _may_install_here():
        raise BackendError(
            f"lava-dl: {sys.executable} is no virtual environment's interpreter, or has no pip; "
            f"make one (python3 -m venv .venv), install neurodeploy from its source there and call "
            f"its doctor"
        )
    _install(sys.executable, (LAVA, LAVA_DL), (*SIMULATOR_NEEDS, *SLAYER_NEEDS), say)


def make_own(say: Say) -> Path:
    """Make an environment with Lava's simulator and nothing else; workers run in it.

    It is made beside its place and moved there once Lava imports from it, so it is there whole or
    not at all; one that was there before is replaced.

    Parameters
    ----------
    say : callable

    Returns
    -------
    Path
        The environment.

    Raises
    ------
    BackendError
        If it cannot be made.
    """
    place = own_environment()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        raise BackendError(
            f"{place}: cannot be made ({error.strerror}); set XDG_DATA_HOME to a folder to write to"
        ) from error
    try:
        new, old = part / "new", part / "old"
        say(f"making {place}")
        _call("venv", [sys.executable, "-m", "venv", str(new)])
        _install(str(new / "bin" / "python"), (LAVA,), SIMULATOR_NEEDS, say)
        if place.exists():
            place.rename(old)
        new.rename(place)
    except OSError as error:
        raise BackendError(
            f"{place}: cannot be made ({error.strerror}); free space there"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return place


def _may_install_here() -> bool:
    return sys.prefix != sys.base_prefix and importlib.util.find_spec("pip") is not None


def _install(python: str, packages: Sequence[str], needs: Sequence[str], say: Say) -> None:
    names = [package.partition("==")[0] for package in packages]
    for words in (needs, (*_WITHOUT_PINS, *packages)):  # Lava last: it is found once all is there
        say(f"installing {', '.join(word for word in words if word[0] != '-')}")
        pip = [python, "-m", "pip", "install", "--quiet", "--no-input", "--only-binary=:all:"]
        _call(names[-1], [*pip, *words])
    with tempfile.TemporaryDirectory() as path:  # nothing but our package, as workers have it
        (Path(path) / "neurodeploy").symlink_to(_PACKAGE)
        modules = ", ".join(_CHECKS[name] for name in names)
        _call(names[-1], [python, "-c", f"import neurodeploy, {modules}"], path)
    importlib.invalidate_caches()


def _call(what: str, command: Sequence[str], path: str | None = None) -> None:
    """Run a program to its end, which comes at once when we are interrupted.

    Raises
    ------
    BackendError
        With the last line that it said, if it fails.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if path is not None:
        environment["PYTHONPATH"] = path
    pipe = subprocess.PIPE
    try:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, env=environment
        )
    except OSError as error:
        raise BackendError(f"{what}: {command[0]} cannot be started ({error.strerror})") from error
    try:
        out, err = program.communicate()
    except BaseException:  # not before it has ended is what it wrote removed
        program.kill()
        program.wait()
        raise
    if program.returncode:
        said = (err.strip() or out.strip() or "no word why").splitlines()
        errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR:")]
        raise BackendError(
            f"{what}: could not be installed ({(errors or said)[-1]}); check the network and the "
            f"disk, and call this again"
        )
