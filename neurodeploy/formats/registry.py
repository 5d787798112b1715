"""Formats by name: what a network is read from and written to.

A format of another package is a class that `Format` describes, named by an entry point of the
group ``neurodeploy.formats``; nothing of ours is touched::

    [project.entry-points."neurodeploy.formats"]
    toy = "toy_package:Toy"

    class Toy(Format):
        name = "toy"
        label = "a toy file"
        suffixes = (".toy",)

        def can_read(self, source):
            return str(source).endswith(".toy")

        def load(self, source):
            return Network(...)

        def save(self, network, path):
            with written_whole(path) as part:
                part.write_text(...)
"""

from __future__ import annotations

import os
from typing import Any, Protocol, TypeAlias

from ..errors import FormatError, UnsupportedError
from ..network import Network
from ..plugins import Registry

Path: TypeAlias = "str | os.PathLike[str]"


class Format(Protocol):
    """A way to read networks, and to write them where it has suffixes.

    Attributes
    ----------
    name : str
    label : str
        What an error calls one, with its article: ``a NIR graph``.
    suffixes : tuple of str
        Lower case, with their dots: of the paths that `save` writes. None of one that only reads.
    options, save_options : tuple of str
        Names of what `load` and `save` take besides; others are refused by name.
    """

    name: str
    label: str
    suffixes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    save_options: tuple[str, ...] = ()

    def can_read(self, source: Any) -> bool:
        """Whether something is of this format: a path, or an object such as a torch module."""
        ...

    def load(self, source: Any, **options: Any) -> Network:
        """Read a network.

        Raises
        ------
        FormatError, NetworkError, UnsupportedError
            One line that names the element and what to do.
        """
        ...

    def save(self, network: Network, path: Path, **options: Any) -> None:
        """Write a network; the file appears only once it is whole.

        Raises
        ------
        UnsupportedError
            If the format cannot hold an element.
        """
        raise UnsupportedError(f"{path}: {self.label} can be read only")


FORMATS: Registry[Format] = Registry("format", ("label", "can_read", "load"), FormatError)
