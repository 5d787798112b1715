"""Options under the names that they had one release ago: they work and no help shows them."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

_READING = {"--from": "--preset"}
_PLACE = {"--host": "--place"}
_BOARD = {**_PLACE, "--chip-set": "--board-set"}

OLDER_SPELLINGS: dict[str, dict[str, str]] = {
    "compare": _READING,
    "convert": {**_READING, "--for": "--target"},
    "deploy": {**_READING, "--calibrate": "--calibration", "--for": "--target"},
    "enhance": _READING,
    "fit": _READING,
    "inspect": _READING,
    "listen": _READING,
    "profile": {**_READING, "--host": "--input"},
    "quantize": {**_READING, "--calibrate": "--calibration"},
    "run": {**_READING, **_BOARD},
    "verify": {**_READING, **_BOARD, "--on": "--backend"},
    "worker": _PLACE,
}
"""Of each verb: its older options and what they are called now."""

WITHOUT_EFFECT: dict[str, tuple[str, ...]] = {"run": ("--kernels",)}
"""Of each verb: options, each with a value, that say nothing any more."""


class Verb(TyperCommand):
    """A verb that knows the older names of its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, under the options' names of today."""
        newer = OLDER_SPELLINGS.get(self.name or "", {})
        gone = WITHOUT_EFFECT.get(self.name or "", ())
        kept, left = [], iter(args)
        for argument in left:
            name, equals, value = argument.partition("=")
            if name not in gone:
                kept.append(newer.get(name, name) + equals + value)
            elif not equals:
                next(left, None)  # its value
        return super().parse_args(ctx, kept)
