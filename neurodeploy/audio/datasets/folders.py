"""Folders of data sets: what should be there, and one line on where to get it where it is not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from ...errors import InputError

SOURCES = {
    "spoken_digits": "https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0)",
    "speech_commands": "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
    " (CC BY 4.0)",
    "vctk": "https://datashare.ed.ac.uk/handle/10283/2791 (CC BY 4.0)",
    "ndns": "https://github.com/IntelLabs/IntelNeuromorphicDNSChallenge#dataset (each source's"
    " own licence, see github.com/microsoft/DNS-Challenge)",
}
"""Where each data set can be had, and under which licence."""


def refusal(dataset: str, folder: Path, wrong: str, expected: str) -> InputError:
    """Say in one line what is wrong with a folder, what it should hold and where to get that."""
    return InputError(f"{folder}: {wrong}; needs {expected}; get it at {SOURCES[dataset]}")


def check_split(dataset: str, split: str, known: Collection[str]) -> None:
    """Refuse a split that the data set does not have.

    Raises
    ------
    InputError
    """
    if split not in known:
        raise InputError(f"{dataset}: no split {split!r}; use one of {', '.join(known)}")


def folders(dataset: str, folder: Path, expected: str) -> list[str]:
    """Names of the folders within, sorted; those that start with ``.`` or ``_`` are left out.

    Raises
    ------
    InputError
        If there is no such folder, or none in it.
    """
    if not folder.is_dir():
        raise refusal(dataset, folder, "no such folder", expected)
    found = sorted(p.name for p in folder.iterdir() if p.name[0] not in "._" and p.is_dir())
    if not found:
        raise refusal(dataset, folder, "no folders in it", expected)
    return found


def named(
    dataset: str, folder: Path, form: str, expected: str
) -> Iterator[tuple[Path, re.Match[str]]]:
    """Give the ``.wav`` files of a folder, sorted by name, and what `form` reads in their names.

    Raises
    ------
    InputError
        If there is no such folder, no sound in it, or a name is not of the form.
    """
    if not folder.is_dir():
        raise refusal(dataset, folder, "no such folder", f"a folder of {expected}")
    # Archives unpacked on a Mac leave a ._NAME.wav beside each file.
    paths = sorted(p for p in folder.glob("*.wav") if p.name[0] != ".")
    if not paths:
        raise refusal(dataset, folder, "no .wav files in it", expected)
    read = re.compile(form)
    for path in paths:
        match = read.fullmatch(path.name)
        if not match:
            raise refusal(dataset, folder, f"{path.name!r} is not named as the others", expected)
        yield path, match
