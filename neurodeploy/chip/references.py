"""Which papers and programs the sources of constants name, as entries of a bibliography."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from .specification import read_toml

_FILE = Path(__file__).with_name("references.toml")
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")

Entry = Mapping[str, str]
"""Fields of BibTeX by name, and ``type``."""


def references_of(sources: Iterable[str]) -> dict[str, Entry]:
    """Find what the texts of sources name.

    Parameters
    ----------
    sources : iterable of str
        As `Constant.source` has them.

    Returns
    -------
    dict of str to mapping
        Entries by their citation keys, in the order of the file, then of the texts.
    """
    text = "\n".join(sources)
    found: dict[str, Entry] = {
        key: {name: value for name, value in entry.items() if name != "named"}
        for key, entry in _listed().items()
        if any(name in text for name in entry["named"])
    }
    known = {entry.get("eprint") for entry in found.values()}
    for number in dict.fromkeys(_ARXIV.findall(text)):
        if number not in known:
            fields = {"eprint": number, "archiveprefix": "arXiv", "year": f"20{number[:2]}"}
            found[f"arxiv{number.replace('.', '_')}"] = {"type": "misc", **fields}
    return found


@cache
def _listed() -> dict[str, dict[str, str]]:
    return read_toml(_FILE, _FILE.name)
