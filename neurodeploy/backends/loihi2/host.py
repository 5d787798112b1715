"""Finding the chip: lava-loihi, SLURM, a host on the Ethernet; imported only beside Lava.

What lava-nc 0.10.0 offers for it stands in ``lava/utils/loihi.py`` and
``lava/utils/slurm.py``. Its ``sinfo`` calls end in FileNotFoundError where there is
no such program, so that is looked for first.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import shutil
from dataclasses import dataclass
from typing import Any

from ...errors import BackendError
from .settings import ChipSettings

DISTRIBUTION = "lava-loihi"
"""Name of Intel's package for the chip; ``lava_loihi`` is the same to Python."""

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
    _mend_slurm()
    try:
        if settings.address:
            binary = {"host_binary_path": settings.host_binary} if settings.host_binary else {}
            loihi.use_ethernet_host(host_address=settings.address, loihi_gen=generation, **binary)
            way = f"Ethernet {settings.address}"
        elif settings.partition or settings.board:
            _need_sinfo(settings)
            loihi.use_slurm_host(
                partition=settings.partition, board=settings.board, loihi_gen=generation
            )
            way = f"SLURM {settings.board or settings.partition}"
        elif "NXSDKHOST" in os.environ:
            way = f"Ethernet {os.environ['NXSDKHOST']}"
        elif shutil.which("sinfo") is not None:
            loihi.use_slurm_host(loihi_gen=generation)
            way = "SLURM"
        else:
            raise BackendError(
                "loihi2: no way to a board: neither SLURM (sinfo) here nor NXSDKHOST set; give "
                "partition, board or address"
            )
    except LookupError as error:
        raise BackendError(
            f"loihi2: sinfo gave no answer that Lava can read ({error}); try it by hand, it must "
            f"take less than a second"
        ) from error
    except (ValueError, ImportError, OSError) as error:
        raise BackendError(f"loihi2: the board cannot be reached: {error}") from error
    return Reached(*provenance(), way)


def _mend_slurm() -> None:
    """Have Lava read what sinfo really prints.

    ``lava/utils/slurm.py`` of lava-nc 0.10.0 splits its output at line ends and takes the first
    word of each piece, also of the empty one behind the last line end: IndexError, whatever
    partition or board is asked for. And sinfo marks the default partition with a ``*``.
    """
    from lava.utils import slurm

    asked = slurm.try_run_command
    if getattr(asked, "mended", False):
        return

    def ask(command: list[str]) -> list[str]:
        lines = [line for line in asked(command) if line.strip()]
        return [re.sub(r"^(\S+)\*(\s)", r"\1\2", line) for line in lines]

    vars(ask)["mended"] = True
    slurm.try_run_command = ask


def _need_sinfo(settings: ChipSettings) -> None:
    if shutil.which("sinfo") is None:
        raise BackendError(
            f"loihi2: no SLURM here (no sinfo on the PATH), so "
            f"{settings.board or settings.partition!r} cannot be asked for; run on a node of the "
            f"cluster, or give address"
        )


def provenance() -> tuple[str, str]:
    """Name of the backend and version, by what is really installed.

    Figures of modules that no installed distribution brought are never called
    measured on a chip.
    """
    try:
        return "loihi2", f"lava-loihi {importlib.metadata.version(DISTRIBUTION)}"
    except importlib.metadata.PackageNotFoundError:
        profiler: Any = importlib.import_module("lava.utils.loihi2_profiler")
        origin = getattr(profiler, "__version__", "modules of unknown origin")
        return STAND_IN, f"no hardware: {origin}"
