"""The compiled core as ctypes sees it: its functions, and its errors as ours.

The library of exactly these sources is loaded; where it is missing, as in a fresh source tree, it
is compiled first, for one instruction set. ``NEURODEPLOY_ISA`` names the one to use, in place of
the best that the machine has; ``NEURODEPLOY_CORE`` another library, with sanitizers for example.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_int,
    c_int32,
    c_int64,
    c_uint64,
    c_void_p,
)
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BackendError, NeurodeployError, TooLargeError, UnsupportedError
from .build import BUILT, UNITS, Machine, NoCompiler, build_in_place, library_name, source_hash

HostStep = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p)
"""``nd::HostStep``: steps a population in Python."""


class Population(Structure):
    """``nd_population``."""

    _fields_ = (
        ("channels", c_int32),
        ("height", c_int32),
        ("width", c_int32),
        ("graded", c_int32),
        ("starts", c_int32),
        ("cycle", c_int32),
        ("kind", c_char_p),
        ("parameter_count", c_int32),
        ("option_count", c_int32),
        ("parameters", c_void_p),
        ("parameter_sizes", c_void_p),
        ("options", c_void_p),
        ("axon_delay", c_void_p),
        ("first_v", c_void_p),
        ("host_step", HostStep),
        *((name, c_int32) for name in ("states", "ports", "resets", "padding")),
    )


class Projection(Structure):
    """``nd_projection``."""

    _fields_ = tuple(
        (name, c_int32) for name in ("source", "target", "lag", "delay", "port", "wraps")
    )


class Kernel(Structure):
    """``nd_kernel``."""

    _fields_ = (
        *((n, c_int32) for n in ("out", "in_group", "height", "width", "groups", "transposed")),
        ("stride", c_int32 * 2),
        ("padding", c_int32 * 2),
        ("dilation", c_int32 * 2),
    )


class Results(Structure):
    """``nd_results``, of one population."""

    _fields_ = (
        *((name, c_void_p) for name in ("step_counts", "counts", "overflows")),
        ("states", POINTER(c_void_p)),
        *((name, c_void_p) for name in ("fired", "resets")),
        *((name, c_void_p) for name in ("given_counts", "given_neuron", "given_payload")),
        ("wants_messages", c_int32),
        ("state_count", c_int32),
    )

    def keep(self, names: tuple[str, ...], kept: Mapping[str, NDArray[np.int32]]) -> None:
        """Say where states go, of those that the neurons have."""
        at = [kept[name].ctypes.data if name in kept else None for name in names]
        self.states, self.state_count = (c_void_p * len(at))(*at), len(at)


class Inputs(Structure):
    """``nd_inputs``."""

    _fields_ = (
        ("values", c_void_p),
        ("counted", c_void_p),
        *((name, c_int64) for name in ("samples", "steps", "given_steps", "window")),
        *((n, c_int32) for n in ("input", "item", "binary", "threads", "held", "count_item")),
    )


class Rule(Structure):
    """``nd_rule``."""

    _fields_ = (
        *(
            (name, c_int32)
            for name in ("epoch", "payload", "sign", "three_factors", "decimation", "padding")
        ),
        ("impulse", c_int32 * 5),
        ("impulse_fraction", c_int32 * 5),
        ("keep", c_double * 5),
        ("generators", c_uint64 * 20),
        ("code", c_void_p),
        ("exists", c_void_p),
    )


class Learned(Structure):
    """``nd::Run::Learned``."""

    _fields_ = (
        ("after", c_void_p * 3),
        ("epochs", c_void_p * 3),
        *((name, c_void_p) for name in ("x", "y", "updates", "carried")),
    )


class Rows(Structure):
    """``nd::Rows`` of ``floating.hpp``."""

    _fields_ = (
        *((name, c_int64) for name in ("samples", "steps")),
        *((name, c_void_p) for name in ("messages", "current")),
        *((n, c_int64) for n in ("messages_stride", "current_stride", "sources", "targets")),
    )


class Windows(Structure):
    """``nd::Windows`` of ``floating.hpp``."""

    _fields_ = (
        *((n, c_int64) for n in ("groups", "outs", "cells", "taps", "pixels")),
        *((name, c_void_p) for name in ("place", "tap", "first", "weight")),
    )


class FloatNeurons(Structure):
    """``nd::FloatLIF`` of ``floating.hpp``."""

    _fields_ = (
        *((name, c_int64) for name in ("samples", "steps", "neurons")),
        *((name, c_void_p) for name in ("current", "sent", "u_record", "v_record")),
        *((name, c_int64) for name in ("current_stride", "sent_stride", "record_stride")),
        *(
            (name, c_void_p)
            for name in (
                "u", "v", "owed", "current_keep", "current_gain", "current_bias", "voltage_keep",
                "voltage_gain", "voltage_bias", "threshold", "reset_value", "minimum",
            )
        ),
        *(
            (name, c_int32)
            for name in (
                "reset", "reset_time", "inclusive", "sees_last_current", "sends", "padding",
            )
        ),
    )  # fmt: skip


_FUNCTIONS = {
    "nd_error": (c_char_p, ()),
    "nd_error_kind": (c_int, ()),
    "nd_processor": (c_char_p, ()),
    "nd_units": (c_char_p, ()),
    "nd_describe_neuron": (c_char_p, (c_char_p,)),
    "nd_network_new": (c_void_p, (c_char_p,)),
    "nd_network_free": (None, (c_void_p,)),
    "nd_network_unit": (c_char_p, (c_void_p,)),
    "nd_add_population": (c_int, (c_void_p, POINTER(Population))),
    "nd_add_dense": (c_int, (c_void_p, POINTER(Projection), c_void_p)),
    "nd_add_conv": (c_int, (c_void_p, POINTER(Projection), POINTER(Kernel), c_void_p)),
    "nd_add_list": (
        c_int, (c_void_p, POINTER(Projection), c_int64, c_void_p, c_void_p, c_void_p, c_void_p),
    ),
    "nd_pack": (c_int, (c_void_p,)),
    "nd_add_learning": (c_int, (c_void_p, POINTER(Projection), c_void_p, POINTER(Rule))),
    "nd_run": (
        c_void_p, (c_void_p, POINTER(Inputs), POINTER(Results), c_int, POINTER(Learned)),
    ),
    "nd_stream_learned": (c_int, (c_void_p, c_int, POINTER(c_void_p))),
    "nd_run_free": (None, (c_void_p,)),
    "nd_has_payloads": (c_int, (c_void_p, c_int)),
    "nd_message_count": (c_int64, (c_void_p, c_int)),
    "nd_messages": (None, (c_void_p, c_int, c_void_p, c_void_p)),
    "nd_stream_new": (c_void_p, (c_void_p, c_int, c_int, c_int)),
    "nd_stream_free": (None, (c_void_p,)),
    "nd_stream_begin": (c_int, (c_void_p,)),
    "nd_stream_count": (c_int, (c_void_p, c_int, c_void_p)),
    "nd_stream_step": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "nd_tally": (
        None,
        (c_void_p, c_int, c_int64, c_int64, c_void_p, c_int64, *(c_void_p,) * 3, c_int64, c_void_p),
    ),
    "nd_product": (None, (c_int64, c_int64, c_void_p, c_void_p, c_void_p)),
    "nd_normalised": (None, (c_int64, c_void_p, c_double, c_double, c_double, c_void_p)),
    "nd_masked": (None, (c_int64, c_void_p, c_void_p, c_double, c_void_p, c_void_p)),
    "nd_rounded": (None, (c_int64, c_int64, *(c_void_p,) * 7)),
    "nd_integrate": (
        c_int64, (c_int64, c_int64, c_int64, c_void_p, c_void_p, c_int, *(c_void_p,) * 3),
    ),
    **{
        f"nd_{name}_{dtype}": (None, (c_int64, c_int64, c_void_p, number, c_void_p, c_void_p))
        for dtype, number in (("float64", c_double), ("int64", c_int64))
        for name in ("delta", "sigma_delta", "level_crossing", "track")
    },
    **{
        f"nd_gammatone_{dtype}": (
            None, (*(c_int64,) * 3, c_void_p, c_void_p, c_int, c_void_p, c_void_p),
        )
        for dtype in ("float64", "int64")
    },
    "nd_float_dense": (c_int, (c_char_p, POINTER(Rows), c_void_p)),
    "nd_float_windows": (c_int, (c_char_p, POINTER(Rows), POINTER(Windows))),
    "nd_float_listed": (c_int, (c_char_p, POINTER(Rows), c_void_p, c_void_p, c_void_p)),
    "nd_float_step": (c_int, (c_char_p, POINTER(FloatNeurons))),
}  # fmt: skip

ISA = "NEURODEPLOY_ISA"

_NUMBERS = count(1)
_FAILURES: dict[int, BaseException] = {}
_MOST_FAILURES = 64
"""Of a run's threads several may fail; only one of them is asked for."""

_ERRORS: dict[int, type[NeurodeployError]] = {1: UnsupportedError, 2: TooLargeError}


@cache
def library() -> ctypes.CDLL:
    """Load the core, once for each process.

    Raises
    ------
    BackendError
        If it is not there and cannot be compiled.
    """
    given = os.environ.get("NEURODEPLOY_CORE", "")  # one with sanitizers, for example
    if given:
        return _loaded(Path(given))
    levels = _levels_asked_for()
    found = _found(levels)
    if found is None:
        print("the engine is compiled once, which takes a minute or two", file=sys.stderr)
        try:
            found = _loaded(build_in_place(lambda line: print(line, file=sys.stderr), levels))
        except (NoCompiler, OSError) as error:
            raise BackendError(f"the engine's core cannot be compiled: {error}") from None
    return found


def _levels_asked_for() -> tuple[str, ...] | None:
    name = os.environ.get(ISA, "")
    return (name,) if name in UNITS.get(Machine.here().name, ()) else None


def _found(levels: tuple[str, ...] | None) -> ctypes.CDLL | None:
    """The library that was compiled before, with all instruction sets or with those asked for."""
    machine, sources = Machine.here(), source_hash()
    whole = BUILT / library_name(machine, sources=sources)
    if whole.exists():
        return _loaded(whole)
    for level in levels or reversed(UNITS.get(machine.name, ())):
        path = BUILT / library_name(machine, (level,), sources)
        if path.exists():
            found = _loaded(path)
            # One that another machine of the same files compiled may not be the best here.
            if levels or found.nd_processor().decode().endswith(level):
                return found
    return None


def _loaded(path: Path) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(path))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def bound(name: str, *arguments: float | NDArray[Any]) -> Callable[[], None]:
    """A function of the core with numbers and buffers that stay as they are.

    A call of it converts nothing, which counts where there are hundreds a second. Who calls keeps
    the buffers.
    """
    function = getattr(library(), name)
    given = (a.ctypes.data if hasattr(a, "ctypes") else a for a in arguments)
    return partial(function, *(kind(a) for kind, a in zip(function.argtypes, given, strict=True)))


@cache
def units() -> tuple[str, ...]:
    """Instruction sets that the core was compiled for and this machine has, lowest first."""
    names = library().nd_units()
    if names is None:
        raise_error("core")
    return tuple(names.decode().split(","))


def unit_in_use() -> str:
    """``NEURODEPLOY_ISA``, else the best of `units`.

    Raises
    ------
    BackendError
        If the machine or the core has no such instruction set.
    """
    known = units()
    name = os.environ.get(ISA, "") or known[-1]
    if name not in known:
        here = library().nd_processor().decode().split(",")
        if name in here:
            raise BackendError(
                f"{ISA}: {name!r}, but the core was loaded with {', '.join(known)}; set it before "
                "Python starts"
            )
        raise BackendError(f"{ISA}: {name!r}; this machine runs {', '.join(here)}")
    return name


def note_failure(error: BaseException) -> int:
    """Keep what a `HostStep` failed with; gives the number that it returns."""
    number = next(_NUMBERS)
    _FAILURES[number] = error
    for old in list(_FAILURES)[:-_MOST_FAILURES]:
        _FAILURES.pop(old, None)
    return number


def raise_error(what: str) -> None:
    """Raise what the last call of this thread failed with."""
    core = library()
    if core.nd_error_kind() == 4:
        raise _FAILURES.pop(int(core.nd_error()))
    kind = _ERRORS.get(core.nd_error_kind(), BackendError)
    raise kind(f"{what}: {core.nd_error().decode()}")
