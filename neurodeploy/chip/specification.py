"""Chip specifications: TOML files whose every constant carries its unit and source.

A chip file looks like this; `REQUIRED` lists the constants that it must hold::

    name = "loihi1"
    title = "Intel Loihi 1"
    notes = ["What every reader of a figure made from this file must know."]

    [constants.synop_energy]
    value = 23.6
    unit = "pJ"
    source = "Davies et al. 2018, Table 2"

What belongs to a version of the chip's compiler stands apart, and ``compiler`` at the top of the
file names the version that is meant unless another is asked for::

    [compilers.2022.synapse_words_per_core]
    value = 12000
    unit = "1"
    source = "lava-dl, netx/oxford/run.ipynb"
A constant may also say how far it is to be trusted: ``low`` and ``high`` (its band, in its unit),
``confidence`` (a few words) and ``rows`` (the published measurements that it was fitted to, by
their names or workloads in ``profiling/silicon.toml``).
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import ChipError

_DATA = Path(__file__).parent / "data"
ALIASES: Mapping[str, str] = MappingProxyType({"loihi1-davies": "loihi1"})
"""Other names of chips: those of `loihi1` are Davies et al. 2018's constants."""

DEFAULT_CHIP = "loihi2"
"""The chip of everything for which no other is asked."""

_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9, "p": 1e-12}
_BASE_UNITS = ("J", "s", "W")

REQUIRED: Mapping[str, str] = MappingProxyType(
    {
        "cores_per_chip": "1",
        "cores_per_tile": "1",
        "neurons_per_core": "1",
        "synop_energy": "J",
        "synop_time": "s",
        "neuron_update_active_energy": "J",
        "neuron_update_active_time": "s",
        "neuron_update_inactive_energy": "J",
        "neuron_update_inactive_time": "s",
        "message_energy": "J",
        "barrier_time_one_tile": "s",
        "barrier_time_whole_chip": "s",
        "barrier_time_many_chips": "s",
        "static_power": "W",
        "dynamic_energy_low": "1",
        "dynamic_energy_high": "1",
        "step_time_low": "1",
        "step_time_high": "1",
        "static_power_low": "W",
        "static_power_high": "W",
    }
)
"""Constants that a chip file must hold, with their base unit; 1 is a plain number.

``*_low`` and ``*_high`` make the band of an estimate: factors on the dynamic
energy and on the time of a step, and the extremes of the static power.
"""


LIMITS: tuple[str, ...] = (
    "synapse_words_per_core",
    "synapse_word_bits",
    "list_header_bits",
    "list_index_bits",
    "kernel_header_bits",
    "kernel_stride_bits",
    "delay_bits",
    "input_axons_per_core",
    "axon_maps_per_core",
    "neuron_groups_per_core",
    "map_per_target_core",
    "index_all_sources",
)
"""Plain numbers that a chip file must hold beside `REQUIRED` for a placement."""


@dataclass(frozen=True)
class Constant:
    """One number of a chip.

    Attributes
    ----------
    value : float
        In `unit`, as its source prints it.
    unit : str
        J, s or W with an SI prefix (``pJ``, ``ns``, ``mW``), or ``1``.
    source : str
        Where the number comes from, and how far it is to be trusted.
    low, high : float or None
        Its band, in `unit`; None where nothing says how wide it is.
    confidence : str
        How well it is known; may be empty.
    rows : tuple of str
        Published measurements that it was fitted to; empty where it comes from elsewhere.
    """

    value: float
    unit: str
    source: str
    low: float | None = None
    high: float | None = None
    confidence: str = ""
    rows: tuple[str, ...] = ()

    @property
    def base_unit(self) -> str:
        """The unit without its prefix: J, s, W or 1."""
        return "1" if self.unit == "1" else self.unit[-1]

    @cached_property
    def si(self) -> float:
        """The value in its base unit: joules, seconds, watts or a plain number."""
        return self._in_si(self.value)

    def band(self, low: float, high: float) -> tuple[float, float]:
        """Both ends in the base unit; where it has none, its value times `low` and `high`."""
        ends = (self.value * low, self.value * high)
        if self.low is not None and self.high is not None:
            ends = (self.low, self.high)
        return self._in_si(ends[0]), self._in_si(ends[1])

    def _in_si(self, number: float) -> float:
        return number if self.unit == "1" else number * _PREFIXES[self.unit[:-1]]


@dataclass(frozen=True)
class Chip:
    """A chip's constants.

    Attributes
    ----------
    name, title : str
        The name users type, and the one they read.
    kind : str
        The chip that it is one of, as boards carry it: ``loihi2`` for ``loihi2-fitted`` and for
        every chip file with ``loihi2`` as its base.
    constants : mapping of str to Constant
        At least those in `REQUIRED`, with those of `compiler`.
    notes : tuple of str
        What every reader of a figure made from these constants must know.
    compilers : mapping of str to mapping of str to Constant
        What each version of its compiler has in place of `constants`; empty where none is known.
    compiler : str
        The version whose limits `constants` holds.
    """

    name: str
    title: str
    constants: Mapping[str, Constant]
    notes: tuple[str, ...] = ()
    kind: str = ""
    compilers: Mapping[str, Mapping[str, Constant]] = field(default_factory=dict)
    compiler: str = ""

    def __getitem__(self, name: str) -> float:
        """A constant's value in its base unit (joules, seconds, watts or 1)."""
        return self.constants[name].si

    def limit(self, name: str) -> int:
        """A plain number of `LIMITS`, or one that only some chips have.

        Raises
        ------
        ChipError
            If the chip's file does not hold it, or holds it with a unit.
        """
        if name not in self.constants:
            raise ChipError(
                f"{self.name}: constant {name!r} is missing, a placement needs it; add a table "
                f'[constants.{name}] with value, unit "1" and source'
            )
        if self.constants[name].unit != "1":
            raise ChipError(
                f"{self.name}: constant {name!r} is in {self.constants[name].unit}; give a "
                f'plain number with unit "1"'
            )
        return int(self.constants[name].value)

    def for_compiler(self, version: str) -> Chip:
        """The chip with the limits of another version of its compiler.

        Raises
        ------
        ChipError
            If the chip's file does not know that version.
        """
        if version not in self.compilers:
            there = ", ".join(sorted(self.compilers))
            raise ChipError(
                f"{self.name}: no compiler {version!r}; "
                + (f"there are {there}" if there else "none is known; leave the compiler out")
            )
        constants = MappingProxyType({**self.constants, **self.compilers[version]})
        return replace(self, constants=constants, compiler=version)


def load_chip(name: str | os.PathLike[str] | Chip, compiler: str | None = None) -> Chip:
    """Load a chip specification.

    Parameters
    ----------
    name : str, path or Chip
        A Chip is given back. ``loihi1`` (also ``loihi1-davies``), ``loihi1-sanafe``, ``loihi2``,
        ``loihi2-fitted`` or the path of a ``.toml`` file. A file may name one of these as
        its ``base`` and hold only what differs.
    compiler : str, optional
        A version of the chip's compiler, by whose limits a network is placed: of ``loihi2``
        ``2024`` (the default) or ``2022``.

    Returns
    -------
    Chip

    Raises
    ------
    ChipError
        If there is no such chip or compiler, or the chip's file is broken or incomplete.
    """
    chip = name if isinstance(name, Chip) else _load(os.fspath(name), ())
    return chip if compiler is None else chip.for_compiler(str(compiler))


def _load(name: str, above: tuple[str, ...]) -> Chip:
    """Load a chip, or the base of those `above`."""
    if name in above:
        raise ChipError(f"{name}: is its own base; name another chip as its base")
    if name.endswith(".toml"):  # a user's own file is named as they typed it
        return _read_chip(Path(name), name, above)
    return _built_in(ALIASES.get(name, name))


@cache  # reading a file takes longer than profiling a small recording
def _built_in(name: str) -> Chip:
    known = sorted(file.stem for file in _DATA.glob("*.toml") if file.stem != "boards")
    if name not in known:
        raise ChipError(
            f"no chip {name!r}; there are {', '.join(known)}, or give the path of a .toml file"
        )
    return _read_chip(_DATA / f"{name}.toml", f"{name}.toml")


def _read_chip(path: Path, label: str, above: tuple[str, ...] = ()) -> Chip:
    raw = read_toml(path, label)
    base = _load(str(raw["base"]), (*above, label)) if "base" in raw else None
    constants = raw.get("constants")
    if not isinstance(constants, dict):
        raise ChipError(f"{label}: no constants; add a table [constants.NAME] for each constant")
    read = dict(base.constants) if base else {}
    own = {key: _read_constant(label, key, entry) for key, entry in constants.items()}
    read.update(own)
    compilers = _read_compilers(label, raw.get("compilers", {}), base, own)
    compiler = str(raw.get("compiler", base.compiler if base else ""))
    if compiler and compiler not in compilers:
        raise ChipError(
            f"{label}: no compiler {compiler!r}; add tables [compilers.{compiler}.NAME] for what "
            f"it limits"
        )
    read.update(compilers.get(compiler, {}))
    _check_complete(label, read)
    notes = raw.get("notes", [])
    if isinstance(notes, str):
        notes = [notes]
    chip_name = str(raw.get("name", path.stem))
    return Chip(
        name=chip_name,
        title=str(raw.get("title", chip_name)),
        constants=MappingProxyType(read),
        notes=tuple(str(note) for note in notes),
        kind=base.kind if base else chip_name.split("-")[0],
        compilers=MappingProxyType(compilers),
        compiler=compiler,
    )


def _read_compilers(
    label: str, raw: Any, base: Chip | None, own: Mapping[str, Constant]
) -> dict[str, Mapping[str, Constant]]:
    """What each compiler has, the base's too, except for what the file's own constants say."""
    if not isinstance(raw, dict) or not all(isinstance(entries, dict) for entries in raw.values()):
        raise ChipError(f"{label}: compilers is no table; write [compilers.VERSION.NAME]")
    inherited = base.compilers if base else {}
    found: dict[str, Mapping[str, Constant]] = {
        version: {key: constant for key, constant in entries.items() if key not in own}
        for version, entries in inherited.items()
    }
    for version, entries in raw.items():
        read = {key: _read_constant(label, key, entry) for key, entry in entries.items()}
        found[version] = {**found.get(version, {}), **read}
    return found


def read_toml(path: Path, label: str) -> dict[str, Any]:
    """Read a TOML file; errors call it by its label."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    if path.exists() and not path.is_file():  # opening a pipe waits for ever
        raise ChipError(f"{label}: no regular file; give the path of a chip file (.toml)")
    try:
        return dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ChipError(
            f"{label}: cannot be read ({error.strerror}); give the path of a chip file (.toml)"
        ) from error
    except (ValueError, RecursionError) as error:  # broken, bytes that are no UTF-8, too deep
        raise ChipError(f"{label}: not valid TOML ({error}); correct the file") from error


def _read_constant(label: str, name: str, entry: Any) -> Constant:
    where = f"{label}: constant {name!r}"
    if not isinstance(entry, dict):
        raise ChipError(
            f"{where} is not a table; write [constants.{name}] with value, unit, source"
        )
    for key in ("value", "unit", "source"):
        if key not in entry:
            raise ChipError(f"{where} has no {key}; add a line `{key} = ...` to it")
    value, unit, source = entry["value"], str(entry["unit"]), str(entry["source"]).strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ChipError(f"{where} has value {value!r}; give a number that is at least 0")
    if not math.isfinite(value):
        raise ChipError(f"{where} has value {value!r}; give a finite number")
    if unit != "1" and (unit[-1:] not in _BASE_UNITS or unit[:-1] not in _PREFIXES):
        raise ChipError(
            f"{where} has unit {unit!r}; use J, s or W with a prefix m, u, n, p or none, or 1"
        )
    if not source:
        raise ChipError(f"{where} has an empty source; say where the number comes from")
    low, high = entry.get("low"), entry.get("high")
    if "low" in entry or "high" in entry:
        numbers = isinstance(low, (int, float)) and isinstance(high, (int, float))
        if not numbers or low is None or high is None or not low <= value <= high:
            raise ChipError(
                f"{where} has low {low!r}, high {high!r}; give both as numbers, around its "
                f"value {value:g}"
            )
    confidence, rows = str(entry.get("confidence", "")), tuple(map(str, entry.get("rows", ())))
    return Constant(float(value), unit, source, low, high, confidence, rows)


def _check_complete(label: str, constants: Mapping[str, Constant]) -> None:
    for name, unit in REQUIRED.items():
        if name not in constants:
            raise ChipError(
                f"{label}: constant {name!r} is missing; add a table [constants.{name}] with "
                f"value, unit (base unit {unit}) and source"
            )
        found = constants[name]
        if found.base_unit != unit:
            raise ChipError(
                f"{label}: constant {name!r} is in {found.unit}; give it in {unit}"
                + ("" if unit == "1" else " or with a prefix m, u, n, p")
            )
    for name in ("cores_per_chip", "cores_per_tile", "neurons_per_core"):
        if constants[name].value < 1:
            raise ChipError(
                f"{label}: constant {name!r} is {constants[name].value:g}; give at least 1"
            )
