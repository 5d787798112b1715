"""What this machine has: backends, extras, and the command that adds what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
from dataclasses import dataclass

from ..backends import BACKENDS
from ..errors import how_to_add

_LAVA_DL = "neurodeploy doctor --add lava-dl"
EXTRAS = {
    "torch": ("torch", "train and export SLAYER networks", _LAVA_DL),
    "lava-dl": ("lava.lib.dl", "train and export SLAYER networks", _LAVA_DL),
    "nir": ("nir", "networks of snnTorch, Norse, Sinabs, Rockpool, SpikingJelly, Spyx", "nir"),
    "matplotlib": ("matplotlib", "plots in reports", "plots"),
    "pandas": ("pandas", "tables of recordings and profiles", "tables"),
    "xarray": ("xarray", "recordings as arrays with named axes", "tables"),
    "zeus": ("zeus", "energy counters of this host", "power"),
    "soxr": ("soxr", "sound files of any rate", "audio"),
    "sounddevice": ("sounddevice", "a microphone", "audio"),
    "pystoi": ("pystoi", "intelligibility of enhanced speech", "audio-metrics"),
    "pesq": ("pesq", "quality of enhanced speech", "audio-metrics"),
    "onnxruntime": ("onnxruntime", "DNSMOS, when its net is given", "audio-metrics"),
    "scikit-learn": ("sklearn", "the digits that the demo trains on", "demo"),
}
"""Distribution -> (module, what for, extra of ours or command that brings it)."""


@dataclass(frozen=True)
class Item:
    """One part: whether it is here, and what it is or what adds it."""

    name: str
    present: bool
    detail: str


def take_inventory() -> list[Item]:
    """Look at everything that some verb could use; never fails, never starts a run."""
    items = [Item("python", True, f"{platform.python_version()} on {platform.machine()}")]
    for name, backend in BACKENDS.items():
        items.append(Item(f"backend {name}", *backend.available()))
    items.append(_slurm())
    items += [_extra(name, *about) for name, about in EXTRAS.items()]
    return items


def _slurm() -> Item:
    # lava.utils.slurm raises FileNotFoundError where there is no sinfo, so look first.
    sinfo = shutil.which("sinfo")
    if sinfo is None:
        return Item(
            "SLURM", False, "no sinfo on the PATH; only needed to reach boards in a cluster"
        )
    try:
        answer = subprocess.run(
            [sinfo, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Item("SLURM", False, f"sinfo does not answer: {error}")
    return Item("SLURM", True, answer.stdout.strip())


def _extra(name: str, module: str, purpose: str, extra: str) -> Item:
    if not _is_here(module):
        how = extra if " " in extra else how_to_add(extra)
        return Item(name, False, f"for {purpose}: {how}")
    return Item(name, True, f"{importlib.metadata.version(name)}, for {purpose}")


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what it is part of
        return False
