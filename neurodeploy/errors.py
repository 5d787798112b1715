"""One base class for everything a user can be told.

Every message is one line that names the element, the value, the limit and
what to do about it; the command line prints it and exits with status 2.
"""

from __future__ import annotations


def how_to_add(extra: str) -> str:
    """Say how an extra is installed: from the source, because no index has neurodeploy yet.

    Parameters
    ----------
    extra : str
        Of ``pyproject.toml``, or several with commas between them.

    Examples
    --------
    >>> how_to_add("nir")
    "pip install '.[nir]' in a clone of neurodeploy"
    """
    return f"pip install '.[{extra}]' in a clone of neurodeploy"


class ChipWarning(UserWarning):
    """A network runs here as asked, but no chip can run it."""


class InputWarning(UserWarning):
    """Inputs can be read in two ways, and one of them was chosen."""


class PluginWarning(UserWarning):
    """Another package brings something that cannot be used, and is left out."""


def printable(text: str) -> str:
    """Give text with what a terminal would obey (escapes, controls, surrogates) spelt out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class NeurodeployError(Exception):
    """Base class. ``str(error)`` is one line fit for a user to read.

    Examples
    --------
    >>> try:
    ...     nd.load("nowhere.net")
    ... except nd.NeurodeployError as error:
    ...     print(error)
    nowhere.net: no such file; check the path
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(" ".join(str(message).split())))


class FormatError(NeurodeployError):
    """A file is not what its name or its reader says it is."""


class NetworkError(NeurodeployError):
    """A network contradicts itself or exceeds what the chip can hold."""


class UnsupportedError(NeurodeployError):
    """A network is sound, but this place cannot run or carry it."""


class InputError(NeurodeployError):
    """Inputs do not fit the network they are presented to."""


class BackendError(NeurodeployError):
    """A backend is missing or failed while it ran."""


class TooLargeError(NeurodeployError):
    """What is asked for does not fit into this machine's memory."""


class RecordingError(NeurodeployError):
    """A recording is broken, or lacks what was asked of it."""


class ChipError(NeurodeployError):
    """A chip specification is missing or incomplete."""
