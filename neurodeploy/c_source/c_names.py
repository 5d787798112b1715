"""Names that may stand in C: identifiers, comments and strings never hold a user's own text."""

from __future__ import annotations

import re

from ..errors import InputError

LONGEST_NAME = 24
"""Characters of a program's name: C99 tells external names of 31 characters apart (5.2.4.1)."""

LONGEST_LABEL = 40

_TAKEN = (
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while alignas alignof and asm bool catch class concept "
    "constexpr decltype delete explicit export false friend mutable namespace new noexcept not "
    "nullptr operator or private protected public requires template this throw true try typeid "
    "typename using virtual xor main linux unix stdin stdout stderr errno assert offsetof"
)

KEYWORDS = frozenset(_TAKEN.split())
"""Of C99 and C++, which may include the header, and what compilers define beside them."""


def label_of(text: str) -> str:
    """Give text as letters, digits and single underscores, for comments and ends of identifiers.

    Examples
    --------
    >>> label_of('conv 1"; */ int main')
    'conv_1_int_main'
    """
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:LONGEST_LABEL] or "unnamed"


def name_from(text: str) -> str:
    """Make a program's name of a file's: what C cannot hold becomes an underscore.

    Examples
    --------
    >>> name_from("2 digits.v3"), name_from("switch")
    ('net_2_digits_v3', 'net_switch')
    """
    name = re.sub(r"_+", "_", label_of(text)).lower()
    if not name[0].isalpha() or name in KEYWORDS:
        name = f"net_{name}"
    name = name[:LONGEST_NAME].rstrip("_")
    return f"{name}_net" if name.endswith("_t") else name


def check_name(name: str) -> str:
    """Refuse a name that is no identifier of C, or one that C or its library takes.

    Raises
    ------
    InputError
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in KEYWORDS or name.endswith("_t"):
        raise InputError(
            f"name: {name!r} is no name for a struct of C, or taken; give small letters, digits "
            f"and underscores, a letter first, and not _t at the end"
        )
    if len(name) > LONGEST_NAME:
        raise InputError(
            f"name: {name!r} has {len(name)} characters, limit {LONGEST_NAME}; give a shorter one"
        )
    return name
