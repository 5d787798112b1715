"""Equations of docstrings (``.. math::``) as MathML, so that the site needs no script for them."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import Any

import griffe
from latex2mathml.converter import convert

DIRECTIVE = re.compile(
    r"^( *)\.\. math::\n\n?((?:\1 +\S.*(?:\n|\Z)|\s*\n(?=\1 +\S))+)", re.MULTILINE
)
ROLE = re.compile(r":math:`([^`]+)`")
WORD = re.compile(r"(?<![\\a-zA-Z{])([a-z]{2,})(?=\()")
"""A function with a name of several letters, which LaTeX would set as a product."""


def equation(found: re.Match[str]) -> str:
    """Give an equation by itself; lines that end with two backslashes are rows."""
    body = dedent(found[2]).strip()
    if r"\\" in body or "&" in body:
        body = rf"\begin{{align*}}{body}\end{{align*}}"
    return f'\n{found[1]}<div class="equation">{_converted(body, "block")}</div>\n\n'


def _converted(body: str, display: str) -> str:
    text = WORD.sub(r"\\mathrm{\1}", " ".join(body.split()))
    return convert(text, display=display)


class Equations(griffe.Extension):
    """Loaded by mkdocstrings, see ``mkdocs.yml``."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Turn the equations of one docstring."""
        doc = obj.docstring
        if doc is not None and "math::" in doc.value:
            doc.value = DIRECTIVE.sub(equation, doc.value)
        if doc is not None and ":math:" in doc.value:
            doc.value = ROLE.sub(lambda found: _converted(found[1], "inline"), doc.value)
