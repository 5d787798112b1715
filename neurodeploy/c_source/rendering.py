"""Text of the emitted files, from the templates beside this module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._version import __version__
from .c_arrays import bits_literal, c_type, literal, smallest_type
from .c_names import label_of
from .lowering import Laid, Program, wraps_beside

if TYPE_CHECKING:
    from .vectors import Vectors

_HERE = Path(__file__).parent

NUMBER = frozenset("-(0123456789")
"""What a line of an array begins with, and no other line."""

ARITHMETIC = "arithmetic.j2"


def rendered(program: Program, name: str, vectors: Vectors) -> dict[str, str]:
    """Give the text of each file by its name."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Nothing in it is a user's own text but what `label_of` leaves of it.
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        bits=bits_literal, label=label_of, literal=literal, shape_words=_shape_words,
        slot_type=lambda laid: c_type(smallest_type(0, 2 * laid.slots)), wraps_beside=wraps_beside,
    )  # fmt: skip
    words: dict[str, Any] = {
        "program": program,
        "name": name,
        "upper": name.upper(),
        "version": __version__,
        "fingerprint": program.network.fingerprint,
        "hops": program.network.hops(program.output.population.name),
        "takes": _takes(program),
        "gives": _gives(program),
        "vectors": vectors,
    }
    source = environment.get_template("source.c.j2").render(**words)
    functions = environment.get_template(ARITHMETIC).render()
    texts = {
        f"{name}.h": environment.get_template("header.h.j2").render(**words),
        f"{name}.c": _tidy(source.replace("@arithmetic@", called(functions, source))),
        f"{name}_test.c": _tidy(environment.get_template("test.c.j2").render(**words)),
        "Makefile": environment.get_template("Makefile.j2").render(**words),
    }
    return {file: text.strip("\n") + "\n" for file, text in texts.items()}


def called(functions: str, source: str) -> str:
    """Take of the functions those that the source calls, and those that these call."""
    parts = [part.strip("\n").partition("\n") for part in functions.split("----\n")]
    wanted: list[str] = []
    text = source
    for name, _, body in reversed(parts):  # each calls those before it alone
        if f"{name}(" in text:  # no name ends in another one
            wanted.append(body)
            text += body
    return "\n\n".join(reversed(wanted))


def _tidy(text: str) -> str:
    """Indent by braces, and leave out the empty lines that templates leave in functions."""
    lines: list[str] = []
    depth = 0
    in_comment = False
    for raw in text.splitlines():
        if raw[:1] in NUMBER:  # most lines, those of arrays
            lines.append(f"    {raw}")
            continue
        line = raw.strip()
        inner = depth - line.startswith("}")
        if not line and (depth or not lines or not lines[-1]):
            continue
        margin = " " if in_comment else "    " * inner
        if line[:5] in ("case ", "defau"):
            margin = "    " * (inner - 1)
        lines.append(f"{margin}{line}" if line and not line.startswith("#") else line)
        in_comment = ("/*" in line or in_comment) and "*/" not in line
        if not in_comment:
            depth += line.count("{") - line.count("}")
    return "\n".join(lines)


def _shape_words(laid: Laid) -> str:
    shape = laid.population.shape
    names = ("channels", "height", "width") if len(shape) == 3 else ("neurons",)
    return "".join(f"[{name} {size}]" for name, size in zip(names, shape, strict=True))


def _takes(program: Program) -> str:
    population = program.input.population
    low, high = population.neuron.input_range
    text = f"integers {low}..{high}"
    if population.transform is not None:
        how = population.transform
        first = ", of a value that was rounded to 1/32 and clipped" if how.rounds_first else ""
        text += f", made by the caller as round(value * {how.weight!r} + {how.bias!r}){first}"
    return text


def _gives(program: Program) -> str:
    if not program.output.sends:
        return "v of its neurons, which send nothing"
    return "messages" if program.output.graded else "messages, 1 for a spike"
