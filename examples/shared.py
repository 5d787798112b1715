"""What the published systems share: where their files are, how errors end, what a result holds."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import neurodeploy as nd
from neurodeploy.errors import InputError, NeurodeployError
from neurodeploy.files import written_whole
from neurodeploy.numbers import si
from neurodeploy.numpy_files import read_archive
from neurodeploy.profiling import Profile

FOLDER = Path(__file__).parent
CASES = FOLDER.parents[1] / "shared" / "cases"
"""Where weights and data of others lie in a working copy; a clone has none."""

RESULT = "result.json"


def add_cases(parser: argparse.ArgumentParser) -> None:
    """Add ``--cases`` to the options of an example."""
    parser.add_argument(
        "--cases",
        type=Path,
        default=Path(os.environ.get("NEURODEPLOY_CASES", CASES)),
        metavar="FOLDER",
        help="published weights and data (or the variable NEURODEPLOY_CASES)",
    )


def case(given: argparse.Namespace, *parts: str) -> Path:
    """Give the path of a published file or folder.

    Raises
    ------
    InputError
        If it is not there.
    """
    path: Path = given.cases.joinpath(*parts)
    if not path.exists():
        raise InputError(f"{path}: not there; give the folder that holds it (--cases)")
    return path


@contextmanager
def stated_errors(name: str) -> Iterator[None]:
    """End with status 2 and a line in place of a traceback where the input is at fault."""
    try:
        yield
    except (NeurodeployError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)


def progress() -> Progress:
    """A bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """A row of the table in README.md, and the figures behind it.

    Attributes
    ----------
    system, reference, floats, integers, lava, cores, energy, training, data : str
        What stands in the table; ``reference`` is the published figure.
    figures : mapping
        Numbers, as they were measured.
    commit : str
        Of the tree that made it; with a ``+`` where files of it had been changed.
    command : str
        What made it.
    """

    system: str
    reference: str
    floats: str
    integers: str
    lava: str
    cores: str
    energy: str
    training: str
    data: str
    command: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    commit: str = ""

    def write(self, folder: Path) -> Path:
        """Write ``result.json`` into an example's folder."""
        held = asdict(self) | {"commit": commit(folder)}
        held["figures"] = json.loads(json.dumps(held["figures"]), parse_float=_short)
        path = folder / RESULT
        text = json.dumps(held, indent=1, ensure_ascii=False)
        with written_whole(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Result:
        """Read a ``result.json``.

        Raises
        ------
        InputError
            If it is none.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: no result ({error}); run its example again") from None


def _short(number: str) -> float:
    """Six digits: what is beyond them differs between machines."""
    return float(f"{float(number):.6g}")


def commit(folder: Path) -> str:
    """The commit of the working copy, 12 digits; ``+`` after it where code differs from it.

    Code is the package, the modules that examples share, and the example's folder.
    """
    code = ("neurodeploy", ":(glob)examples/*.py", str(folder))
    try:
        changed = _git("status", "--porcelain", "--untracked-files=all", "--", *code)
        differs = re.search(r"\.(py|cpp|hpp|toml)$", changed, re.MULTILINE)
        return _git("rev-parse", "--short=12", "HEAD") + ("+" if differs else "")
    except (OSError, subprocess.CalledProcessError):
        raise InputError(f"{folder}: no working copy of git, so no result is written") from None


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(FOLDER.parent), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def priced(net: nd.Network, inputs: NDArray[Any], chip: str = "loihi2") -> Profile:
    """What a sample costs on average, with the network placed on cores where it fits."""
    place = nd.fit(net, chip)
    recording = nd.run(net, inputs, drain=True)
    return nd.profile(recording, chip, place if place.fits else None)


def energy_of(profile: Profile) -> str:
    """Energy of a sample in words: dynamic, in all, time of a step, chip."""
    dynamic, total = si(profile.dynamic_joules, "J"), si(profile.energy_joules, "J")
    step = si(profile.seconds_per_step, "s")
    return f"{dynamic} dynamic, {total} in all, {step} a step ({profile.chip}, estimated)"


def beside_lava(net: nd.Network, inputs: NDArray[Any], record: Sequence[str] = ("spikes",)) -> str:
    """Whether Lava does the same to the bit on these samples, in words."""
    found = nd.verify(net, inputs, backend="lava", record=record, drain=True)
    what = f"{len(inputs)} samples" if len(inputs) > 1 else "1 sample"
    return f"yes, {what}" if found.equal else f"no: {found.comparison.summary()}"


__all__ = [
    "CASES", "FOLDER", "RESULT", "InputError", "Result", "add_cases", "beside_lava", "case",
    "commit", "energy_of", "priced", "progress", "read_archive", "stated_errors", "written_whole",
]  # fmt: skip
