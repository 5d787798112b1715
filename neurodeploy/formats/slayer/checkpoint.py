"""A module from ``package.module:factory`` and a checkpoint, without running what is pickled."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import FormatError, InputError
from .importing import import_slayer, quiet

_LISTED = 4
"""Keys that an error names before it counts the rest."""


def make_module(spec: str) -> Any:
    """Call ``package.module:factory``; the current folder is on the path.

    Parameters
    ----------
    spec : str
        A function or class that needs no arguments, or a module that is there already.

    Raises
    ------
    InputError
        If it is no such name, or what it gives is no torch module. What the
        factory itself raises is passed on in its own words.
    """
    torch, _ = import_slayer()
    where, _, name = spec.partition(":")
    if not where or not name:
        raise InputError(f"{spec}: not MODULE:FACTORY; write for example mynet.model:make_network")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with quiet():
            found: Any = importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name is None or not where.startswith(error.name):
            raise _theirs(spec, "importing it", error) from error
        raise InputError(
            f"{spec}: no module {error.name!r} here or installed; run this in the folder that "
            f"holds it"
        ) from error
    except Exception as error:  # whatever a user's file raises
        raise _theirs(spec, "importing it", error) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise InputError(f"{spec}: {where} has no {part!r}; check the name")
        found = getattr(found, part)
    if isinstance(found, torch.nn.Module):
        return found
    if not callable(found):
        raise InputError(f"{spec}: is {type(found).__name__}; name a function or class")
    try:
        with warnings.catch_warnings():  # SLAYER's own call, about which nobody here can do a thing
            warnings.filterwarnings("ignore", "torch.nn.utils.weight_norm is deprecated")
            made = found()
    except Exception as error:  # whatever a user's factory raises
        raise _theirs(spec, "the factory", error) from error
    if not isinstance(made, torch.nn.Module):
        raise InputError(f"{spec}: gives {type(made).__name__}; return a torch.nn.Module")
    return made


def load_checkpoint(
    module: Any, path: Path, example: NDArray[np.float32], static: bool = False
) -> None:
    """Load a state dict into a module.

    SLAYER's blocks draw decays and delays in their first forward pass, so that
    comes first, on the example; and norms learn their shape in training only,
    so a buffer of one number takes the checkpoint's shape.

    Parameters
    ----------
    module : torch.nn.Module
    path : Path
        What ``torch.save(module.state_dict(), path)`` wrote; also inside a dict
        under ``state_dict`` or ``model_state_dict``.
    example : float32 [samples, steps, *shape], or [samples, *shape]
    static : bool
        Whether the example has no time.

    Raises
    ------
    FormatError
        If it is a pickled module, no checkpoint, or does not match.
    """
    torch, _ = import_slayer()
    from .running import as_module_takes_it, run_once  # which needs torch

    state = _state_of(torch, path)
    run_once(torch, module, as_module_takes_it(torch, example, static), static)
    own = module.state_dict()
    missing = [key for key in own if key not in state]
    unknown = [key for key in state if key not in own]
    wrong = [
        f"{key} {tuple(state[key].shape)}, module {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape and own[key].numel() != 1
    ]
    problems = [
        f"{what} {_few(keys)}"
        for what, keys in (("lacks", missing), ("has besides", unknown), ("differs in", wrong))
        if keys
    ]
    if problems:
        raise FormatError(
            f"{path}: does not match {type(module).__name__}: {'; '.join(problems)}; load the "
            f"checkpoint of this network"
        )
    for name, holder in module.named_modules():
        held = {**holder._parameters, **holder._buffers}
        for key, tensor in held.items():
            full = f"{name}.{key}" if name else key
            if tensor is not None and full in state:
                tensor.data = state[full].to(tensor.dtype).clone()


def _state_of(torch: Any, path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FormatError(f"{path}: no such file; give a checkpoint that torch.save wrote")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        line = str(error).split("\n")[0]
        raise FormatError(
            f"{path}: holds a pickled module or other Python objects, which would run code when "
            f"loaded ({line}); save module.state_dict() and give that"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        line = str(error).split("\n")[0]
        raise FormatError(f"{path}: not a checkpoint of torch ({line}); save it again") from error
    for key in ("state_dict", "model_state_dict"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(torch.is_tensor(v) for v in found.values()):
        raise FormatError(f"{path}: holds no state dict; save module.state_dict() and give that")
    return found


def _theirs(spec: str, doing: str, error: Exception) -> InputError:
    line = " ".join(str(error).split())
    return InputError(f"{spec}: {doing} raised {type(error).__name__}: {line}")


def _few(keys: list[str]) -> str:
    more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
    return ", ".join(keys[:_LISTED]) + more
