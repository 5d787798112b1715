"""Which reset each neuron of a graph has, and what of it had to be assumed: NIR does not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import FormatError
from .graph import Graph
from .presets import RESET_WORDS, Preset

REST = "*"
"""In a mapping of resets, all neuron nodes that it does not name."""

RESETTING = ("IF", "LIF", "CubaLIF")


@dataclass(frozen=True)
class Assumption:
    """What a file does not say and the reader had to assume.

    Attributes
    ----------
    element : str
        Of the audit.
    population : str or None
        Whose messages show it; None: those of the whole network.
    reason : str
    other : dict of str to Any
        Options of `load_nir` that read it otherwise, to measure what hangs on it.
    """

    element: str
    population: str | None
    reason: str
    other: dict[str, Any]


class Resets:
    """The preset of each neuron node.

    Parameters
    ----------
    graph : Graph
    preset : Preset
    given : str, mapping or None
        See `load_nir`.
    known : bool
        Whether a note in the file says all of it.

    Raises
    ------
    FormatError
        If a reset is unknown, a name is no neuron node that resets, or it must be given and is not.
    """

    def __init__(
        self,
        graph: Graph,
        preset: Preset,
        given: str | Mapping[str, str] | None,
        known: bool = False,
    ) -> None:
        self._known = known
        nodes = [name for name in graph.nodes if graph.kind(name) in RESETTING]
        named = dict(given) if isinstance(given, Mapping) else {}
        rest = named.pop(REST, None) if isinstance(given, Mapping) else given
        if strange := sorted(set(named) - set(nodes)):
            raise FormatError(
                f"{graph.path}: reset: {strange[0]!r} is no neuron node that resets; there are "
                f"{', '.join(nodes) or 'none'}"
            )
        self._open = rest is None and any(name not in named for name in nodes)
        if self._open and preset.asks_reset:
            raise FormatError(f"{graph.path}: {_question(preset)}")
        self.preset = preset.with_reset(rest)
        self._each = {name: preset.with_reset(how) for name, how in named.items()}

    def of(self, name: str) -> Preset:
        """The preset of a node, with its reset."""
        return self._each.get(name, self.preset)

    def assumed(self) -> tuple[Assumption, ...]:
        """What the framework's users choose and its files do not say: the reset, and the rest."""
        found = []
        if self.preset.other and not self._known:
            name, reason = self.preset.other
            found.append(Assumption("export", None, f"not in the file: {reason}", {"preset": name}))
        if self._open and self.preset.resets and not self._known:
            found.append(self._reset())
        return tuple(found)

    def _reset(self) -> Assumption:
        mine = RESET_WORDS[self.preset.reset]
        others = [RESET_WORDS[reset] for reset in self.preset.resets if reset != self.preset.reset]
        reason = (
            f"not in the file: {mine}, as {self.preset.framework.split()[0]} does by default; "
            f"give --reset {mine} or {' or '.join(others)}"
        )
        each = {name: RESET_WORDS[preset.reset] for name, preset in self._each.items()}
        return Assumption("reset", None, reason, {"reset": {**each, REST: others[0]}})


def _question(preset: Preset) -> str:
    default = RESET_WORDS[preset.reset]
    others = [RESET_WORDS[reset] for reset in preset.resets if reset != preset.reset]
    return (
        f"the reset of its neurons is not in the file; give --reset {default} "
        f"({preset.framework.split()[0]}'s default: {preset.reset}), {' or '.join(others)}, or "
        f"NAME={default} for one layer (reset= in Python)"
    )
