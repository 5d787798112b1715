"""A network written as C."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..display import columns, listed
from ..errors import FormatError
from ..files import check_place, written_whole
from ..network import Network
from ..numbers import count
from .c_names import check_name, name_from
from .lowering import lower
from .rendering import rendered
from .vectors import engine_vectors, presented


@dataclass(frozen=True, eq=False)
class EmittedC:
    """What `emit_c` wrote.

    Attributes
    ----------
    folder : Path
    name : str
        What begins the names of the files, of the functions and of the struct.
    files : tuple of str
        In the folder.
    constant_bytes : int
        Of weights, indices and parameters: read-only, so in flash.
    state_bytes : int
        Of the struct that the caller owns, so in RAM.
    samples, steps : int
        Of the test vectors.
    messages : mapping of str to int
        Messages of each population over all test vectors; where there are none, they test little.

    Examples
    --------
    >>> made = nd.emit_c(net, "digits_c")
    >>> made.files
    ('digits_c.h', 'digits_c.c', 'digits_c_test.c', 'Makefile')
    >>> made.constant_bytes, made.state_bytes
    (9472, 2048)
    """

    folder: Path
    name: str
    files: tuple[str, ...]
    constant_bytes: int
    state_bytes: int
    samples: int
    steps: int
    messages: Mapping[str, int]

    @property
    def silent(self) -> tuple[str, ...]:
        """Populations that sent nothing in the test vectors."""
        return tuple(name for name, messages in self.messages.items() if not messages)

    def as_dict(self) -> dict[str, Any]:
        """Give it for JSON.

        Returns
        -------
        dict
            By the names of the attributes.

        Examples
        --------
        >>> nd.emit_c(net, "digits_c").as_dict()["name"]
        'digits_c'
        """
        return {**vars(self), "folder": str(self.folder), "silent": self.silent}

    def __repr__(self) -> str:
        silent = ", ".join(self.silent)
        return listed(
            f"C source {self.name} in {self.folder}: {', '.join(self.files)}",
            columns(
                [
                    ("constants", f"{count(self.constant_bytes)} bytes"),
                    ("state", f"{count(self.state_bytes)} bytes"),
                    ("test vectors", f"{self.samples} samples of {self.steps} steps"),
                ]
            ),
            f"no messages in the test vectors from {silent}: give inputs" if silent else "",
        )


def emit_c(
    network: Network,
    folder: str | os.PathLike[str],
    inputs: NDArray[Any] | None = None,
    *,
    name: str | None = None,
    steps: int | None = None,
    axes: str | None = None,
    apply_transform: bool = True,
) -> EmittedC:
    """Write a network as C99 that computes the engine's integers, with a test against them.

    The source asks for no memory, has no variables of its own, and needs two headers of the
    language alone. Its messages are the engine's in every step, and so are its states and what it
    counts of overflows.

    Parameters
    ----------
    network : Network
        In integers.
    folder : path
        Made if it is not there. Files of the same names in it are replaced.
    inputs : array [steps, *shape] or [samples, steps, *shape], optional
        What the test presents, as in `neurodeploy.run`; by default 2 samples that are drawn.
    name : str, optional
        Of struct and functions: an identifier of C of at most 24 characters; by default made of
        the folder's.
    steps : int, optional
        Of the test; by default as many as the inputs have.
    axes : str, optional
        The order of the inputs' axes, see `inputs.order_axes`.
    apply_transform : bool
        Whether to apply the input layer's weight and bias to `inputs`. The C itself takes the
        integers that they make.

    Returns
    -------
    EmittedC

    Raises
    ------
    UnsupportedError
        If C source has no form of an element, such as synapses that learn; it names it.
    TooLargeError
        If the source would hold more than 4,000,000 constants, the state take more than 64 MiB,
        or the test hold more than 2,000,000 numbers.
    InputError
        If the inputs do not fit, or the name is none in C.
    FormatError
        If nothing can be written there.

    Examples
    --------
    >>> made = nd.emit_c(net, "digits_c", inputs[:3])
    >>> made
    C source digits_c in digits_c: digits_c.h, digits_c.c, digits_c_test.c, Makefile
      constants     9,472 bytes
      state         2,048 bytes
      test vectors  3 samples of 16 steps
    """
    folder = Path(folder)
    name = name_from(folder.resolve().name) if name is None else check_name(name)
    if folder.exists() and not folder.is_dir():
        raise FormatError(f"{folder}: is a file; give a folder, or a path where none is yet")
    program = lower(network)
    values = presented(network, inputs, steps, axes, apply_transform)
    vectors = engine_vectors(program, values)
    _write(folder, texts := rendered(program, name, vectors))
    return EmittedC(
        folder, name, tuple(texts), program.constant_bytes, program.state_bytes,
        vectors.samples, vectors.steps, vectors.messages,
    )  # fmt: skip


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    """Move the files to their places once all of them are whole."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder"
        ) from error
    for file in texts:
        check_place(folder / file)
    with ExitStack() as files:
        for file, text in texts.items():
            path = files.enter_context(written_whole(folder / file))
            path.write_text(text, encoding="ascii")
