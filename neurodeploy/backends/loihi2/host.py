"""Finding the chip: lava-loihi, SLURM, a host on the Ethernet; imported only beside Lava.

What lava-nc 0.10.0 offers for it stands in ``lava/utils/loihi.py`` and
``lava/utils/slurm.py``. What it does with ``sinfo`` cannot be used: without such a
program it ends in FileNotFoundError, and with one in IndexError, because
``get_partitions`` and ``get_boards`` take the empty line behind the last newline for
a partition. So ``sinfo`` is read here, and the variables are set that
``use_slurm_host`` would set.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from ...errors import BackendError
from .settings import ChipSettings

DISTRIBUTIONS = ("lava-loihi", "lava_loihi")
"""Names under which Intel's package for the chip is installed."""

SINFO_SECONDS = 30.0

_UP = ("idle", "mix", "alloc", "comp")
"""States of a SLURM node that runs jobs, now or when its turn comes."""

STAND_IN = "loihi2-standin"
"""What a recording names as its backend if modules of lava-loihi are not lava-loihi's."""


@dataclass(frozen=True)
class Reached:
    """What was found.

    Attributes
    ----------
    backend : str
        ``loihi2``; `STAND_IN` where no installed distribution stands behind the modules.
    version : str
    way : str
        SLURM, ETHERNET or what the environment says.
    """

    backend: str
    version: str
    way: str

    @property
    def is_hardware(self) -> bool:
        """Whether what is measured may be called measured on the chip."""
        return self.backend == "loihi2"


def reach(settings: ChipSettings) -> Reached:
    """Point Lava at the chip, by setting the variables that its compiler reads.

    Raises
    ------
    BackendError
        If lava-loihi is missing, or the host, board or partition cannot be reached.
    """
    from lava.utils import loihi

    if not loihi.is_installed():
        raise BackendError(
            "loihi2: lava-loihi is not installed beside lava-nc; Intel gives it to members of its "
            "research community (INRC). Without a chip: backend 'engine' or 'lava'"
        )
    generation = loihi.ChipGeneration[settings.generation]
    try:
        if settings.address:
            binary = {"host_binary_path": settings.host_binary} if settings.host_binary else {}
            loihi.use_ethernet_host(host_address=settings.address, loihi_gen=generation, **binary)
            way = f"Ethernet {settings.address}"
        elif settings.partition or settings.board:
            way = _through_slurm(settings)
        elif "NXSDKHOST" in os.environ:
            way = f"Ethernet {os.environ['NXSDKHOST']}"
        elif shutil.which("sinfo") is not None:
            way = _through_slurm(settings)
        else:
            raise BackendError(
                "loihi2: no way to a board: neither SLURM (sinfo) here nor NXSDKHOST set; give "
                "partition, board or address"
            )
    except (ValueError, ImportError, OSError) as error:
        raise BackendError(f"loihi2: the board cannot be reached: {error}") from error
    return Reached(*provenance(), way)


def _through_slurm(settings: ChipSettings) -> str:
    """Choose a partition or board of SLURM that is up; see `reach` for errors."""
    wanted = settings.board or settings.partition
    sinfo = shutil.which("sinfo")
    if sinfo is None:
        raise BackendError(
            f"loihi2: no SLURM here (no sinfo on the PATH), so {wanted!r} cannot be asked for; run "
            f"on a node of the cluster, or give address"
        )
    try:
        told = subprocess.run(
            [sinfo, "-N"], capture_output=True, text=True, timeout=SINFO_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BackendError(f"loihi2: sinfo does not answer: {error}") from error
    rows = [line.split() for line in told.splitlines()[1:] if len(line.split()) >= 4]
    boards = [(row[0], row[2].rstrip("*"), row[3]) for row in rows]
    meant = [
        state
        for board, partition, state in boards
        if settings.board in (None, board) and settings.partition in (None, partition)
    ]
    if not any(state.startswith(_UP) for state in meant):
        said = ", ".join(f"{board} in {partition}: {state}" for board, partition, state in boards)
        raise BackendError(
            f"loihi2: {wanted or 'any board'}: "
            + (f"is {meant[0]}" if meant else "no such board")
            + f"; sinfo knows {said or 'none'}"
        )
    os.environ["SLURM"] = "1"
    os.environ.pop("NOSLURM", None)
    os.environ["LOIHI_GEN"] = settings.generation
    for name, value in (("BOARD", settings.board), ("PARTITION", settings.partition)):
        if value:
            os.environ[name] = value
        else:
            os.environ.pop(name, None)
    return f"SLURM {wanted or ''}".rstrip()


def provenance() -> tuple[str, str]:
    """Name of the backend and version, by what is really installed.

    Figures of modules that no installed distribution brought are never called
    measured on a chip.
    """
    for name in DISTRIBUTIONS:
        try:
            return "loihi2", f"lava-loihi {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    profiler: Any = importlib.import_module("lava.utils.loihi2_profiler")
    origin = getattr(profiler, "__version__", "modules of unknown origin")
    return STAND_IN, f"no hardware: {origin}"
