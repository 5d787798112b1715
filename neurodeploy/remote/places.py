"""Where a worker runs: this interpreter, another one, a SLURM node, another machine, or by hand.

A `Place` knows the command that starts a worker there, what to send first, and what its exit means.
Programs are started with a list of words and never through a shell here; the one command that a
remote shell reads is quoted.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..errors import BackendError
from .blocks import FOLDER, NAME
from .job import job_id

BY_HAND = "(by hand)"
"""The place of a job that is written and carried away; see `JobWritten`."""

MODULE = "neurodeploy.backends.worker"
"""By its name, because it lies above: it knows the backends, which run their workers from here."""

PACKAGE = Path(__file__).resolve().parents[1]
SOURCES = (".py", ".toml")

SSH_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
)

TAKE_OFF = 'import sys; r = open(0, "rb"); exec(r.read(int(r.readline())))'
"""All that the remote command line holds: reads `bootstrap` from standard input and runs it."""


class JobWritten(Exception):
    """Not an error: the job lies in its folder (``args[0]``), and nothing runs here."""


@dataclass(frozen=True)
class Place:
    """Where a worker runs; this one is for jobs carried by hand, and starts nothing."""

    name: str = BY_HAND
    shared: bool = False  # whether other machines must see the job folder
    remote: bool = False  # whether the job is sent, and its blocks come back
    grace_seconds: float = 3.0  # that it may take to end when asked to

    def command(self, job: Path) -> list[str]:
        """Words of the command that starts the worker."""
        raise JobWritten(job)

    def payload(self, job: Path) -> Sequence[IO[bytes]]:
        """What its standard input starts with."""
        return ()

    def reason(self, code: int, log: str) -> str | None:
        """One line on why it ended like that, where the place knows more than the worker."""
        return None


@dataclass(frozen=True)
class Local(Place):
    """A program on this machine that takes the job folder as its last argument."""

    name: str = ""
    words: tuple[str, ...] = (sys.executable, "-m", MODULE)

    def command(self, job: Path) -> list[str]:
        """See `Place`."""
        _link_package(job, copied=False)
        return [*self.words, str(job)]


@dataclass(frozen=True)
class Srun(Place):
    """A node of a SLURM cluster; the job folder must lie where that node sees it too."""

    name: str = "srun"
    shared: bool = True
    grace_seconds: float = 10.0
    partition: str = ""
    board: str = ""
    minutes: int = 0
    python: str = sys.executable

    def command(self, job: Path) -> list[str]:
        """See `Place`."""
        program = shutil.which("srun")
        if program is None:
            raise BackendError(
                "srun: no such program on the PATH; run this on a machine of the cluster, or take "
                "ssh:HOST"
            )
        _link_package(job, copied=True)
        words = [program, "--unbuffered", "--ntasks=1", "--job-name=neurodeploy"]
        words += [f"--partition={self.partition}"] if self.partition else []
        words += [f"--nodelist={self.board}"] if self.board else []
        words += [f"--time={self.minutes}"] if self.minutes else []
        return [*words, self.python, "-m", MODULE, str(job)]

    def reason(self, code: int, log: str) -> str | None:
        """What srun or SLURM said: that a job was cancelled before what followed from it."""
        said = [line for line in log.splitlines() if re.match(r"(srun|slurmstepd).*error:", line)]
        ended = [line for line in said if "CANCELLED" in line or "TIME LIMIT" in line.upper()]
        line = next(iter(ended or said), None)
        if line is None:
            return None
        return f"{line.strip()}; see squeue and sinfo, or give another partition, board or time"


@dataclass(frozen=True)
class Ssh(Place):
    """Another machine; the job and our own source go there, finished blocks come back at once."""

    remote: bool = True
    grace_seconds: float = 5.0
    host: str = ""
    python: str = "python3"

    def command(self, job: Path) -> list[str]:
        """See `Place`."""
        program = shutil.which("ssh")
        if program is None:
            raise BackendError(f"{self.name}: no program ssh on the PATH; install OpenSSH")
        options = [word for option in SSH_OPTIONS for word in ("-o", option)]
        # A quoted ~ would stay one; commands start in the home folder anyhow.
        python = f"./{self.python[2:]}" if self.python.startswith("~/") else self.python
        remote = "exec " + shlex.join([python, "-c", TAKE_OFF])
        return [program, "-T", *options, "--", self.host, remote]

    def payload(self, job: Path) -> Sequence[IO[bytes]]:
        """`bootstrap`, then the job and our package as a tar archive."""
        code = Path(__file__).with_name("bootstrap.py").read_bytes()
        archive = tempfile.TemporaryFile(dir=job)  # noqa: SIM115, closed by who sends it
        with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
            _pack_job(tar, job)
        size = archive.tell()
        archive.seek(0)
        head = b"%d\n%s%s\n%d\n" % (len(code), code, job_id(job).encode(), size)
        return io.BytesIO(head), archive

    def reason(self, code: int, log: str) -> str | None:
        """Tell a lost connection and a missing Python from what the worker did itself."""
        last = (log.strip().splitlines() or ["it said nothing"])[-1]
        if code == 127:
            return f"no program {self.python!r} there; give its path: ssh:{self.host},python=PATH"
        if code == 126:
            return f"{self.python!r} cannot be run there ({last}); give another python=PATH"
        if code == 255 or code < 0:
            how = last if code == 255 else f"ssh was ended by signal {-code}"
            return f"no connection, or it was lost ({how}); try: ssh {self.host} true"
        return None


def parse_place(text: str) -> Place:
    """Read where a worker shall run.

    Parameters
    ----------
    text : str
        ``here``; the path of an interpreter;
        ``srun[:partition=NAME,board=NAME,time=MINUTES,python=PATH]``;
        ``ssh:[user@]host[,python=PATH]``.

    Raises
    ------
    BackendError
        If it is none of these.
    """
    if text == BY_HAND:
        return Place()
    if text == "here":
        return Local()
    kind, _, rest = text.partition(":")
    if kind == "srun":
        found = _keys(text, rest, ("partition", "board", "time", "python"))
        minutes = found.pop("time", "0")
        if not minutes.isdigit() or (int(minutes) < 1 and "time=" in rest):
            raise BackendError(f"host {text!r}: time={minutes}; give whole minutes, at least 1")
        return Srun(minutes=int(minutes), **found)
    if kind == "ssh":
        host, _, more = rest.partition(",")
        if not re.fullmatch(r"[A-Za-z0-9_\[][\w.@:%\[\]-]*", host):
            raise BackendError(f"host {text!r}: no host; give ssh:[user@]host[,python=PATH]")
        return Ssh(name=f"ssh:{host}", host=host, **_keys(text, more, ("python",)))
    python = shutil.which(os.path.expanduser(text))
    if python is None:
        raise BackendError(
            f"host {text!r}: no such program; give here, the path of a Python, srun[:...] or "
            f"ssh:[user@]host"
        )
    return Local(words=(os.path.abspath(python), "-m", MODULE))


def _keys(text: str, given: str, known: tuple[str, ...]) -> dict[str, Any]:
    """Read ``key=value,...``."""
    found: dict[str, Any] = {}
    for item in filter(None, given.split(",")):
        key, _, value = item.partition("=")
        if key not in known or not value or key in found:
            raise BackendError(f"host {text!r}: {item!r}; there are {'=, '.join(known)}=")
        found[key] = value
    return found


def _link_package(job: Path, copied: bool) -> None:
    """Make a path with nothing but our package: an interpreter must find its own numpy.

    Copied where another machine is to see it: what is installed here may lie on this one's disk.
    """
    path = job / "path"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    if copied:
        for source in _sources():
            target = path / "neurodeploy" / source.relative_to(PACKAGE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    else:
        (path / "neurodeploy").symlink_to(PACKAGE)


def _sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in SOURCES and path.is_file())


def _pack_job(tar: tarfile.TarFile, job: Path) -> None:
    """Add the job, our source, and stand-ins for the blocks that lie here already."""
    for name in ("job.json", "network.npz", "inputs.npy"):
        tar.add(job / name, name)
    for source in _sources():
        tar.add(source, f"path/neurodeploy/{source.relative_to(PACKAGE)}")
    for record in sorted((job / FOLDER).glob("*.json")):
        if NAME.fullmatch(record.stem):
            tar.add(record, f"{FOLDER}/{record.stem}.home")


def environment(job: Path) -> Mapping[str, str]:
    """Environment of a worker that runs beside us."""
    return {
        **os.environ,
        "PYTHONPATH": str(job / "path"),
        "OMP_NUM_THREADS": "1",  # threads of a BLAS do not survive Lava's forks
        "OPENBLAS_NUM_THREADS": "1",
    }
