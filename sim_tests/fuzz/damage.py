"""Ways to damage a file, each by a seeded generator: bytes, HDF5, archives, JSON, TOML."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.random import Generator

VALUES: tuple[Any, ...] = (
    0, -1, 1, 2**31, -(2**63), 2**63 - 1, 0.5, float("nan"), float("inf"), 1e300, "", "x", "a/b",
    "\x1b[31m", True, [], [1, 2], [[1], [2]], {}, {"array": "array0"}, None, "9" * 400, 10**30,
)  # fmt: skip


def damage(sound: Path, target: Path, rng: Generator) -> str:
    """Copy a sound file or folder and damage the copy; give what was done."""
    if sound.is_dir():
        shutil.copytree(sound, target)
        files = sorted(path for path in target.iterdir() if path.is_file())
        victim = files[rng.integers(len(files))]
    else:
        shutil.copyfile(sound, target)
        victim = target
    ways = [_flip, _flip, _cut, _zero, _move]
    own = {
        ".json": _edit_json_file,
        ".toml": _edit_toml,
        ".npz": _edit_archive,
        ".npy": _edit_array,
    }.get(victim.suffix, _edit_hdf5)
    way = own if rng.random() < 0.5 else ways[rng.integers(len(ways))]
    return f"{way.__name__} {way(victim, rng)}"


def _flip(path: Path, rng: Generator) -> str:
    data = bytearray(path.read_bytes())
    # Half of them near the start, where headers are.
    reach = len(data) if rng.random() < 0.5 else min(len(data), 4096)
    places = rng.integers(0, reach, rng.integers(1, 12))
    for place in places:
        data[place] = rng.choice(
            [0, 255, int(rng.integers(256)), data[place] ^ 1 << rng.integers(8)]
        )
    path.write_bytes(data)
    return f"bytes {sorted(places.tolist())}"


def _cut(path: Path, rng: Generator) -> str:
    data = path.read_bytes()
    size = int(rng.integers(0, len(data)))
    path.write_bytes(data[:size])
    return f"to {size} bytes"


def _zero(path: Path, rng: Generator) -> str:
    data = bytearray(path.read_bytes())
    start, size = int(rng.integers(len(data))), int(rng.integers(1, 512))
    data[start : start + size] = bytes(len(data[start : start + size]))
    path.write_bytes(data)
    return f"{size} bytes from {start}"


def _move(path: Path, rng: Generator) -> str:
    data = bytearray(path.read_bytes())
    a, b, size = (
        int(rng.integers(len(data))),
        int(rng.integers(len(data))),
        int(rng.integers(1, 256)),
    )
    data[a : a + size] = data[b : b + size]
    path.write_bytes(data)
    return f"{size} bytes from {b} to {a}"


def _any_array(array: np.ndarray[Any, Any], rng: Generator) -> Any:
    """Another array in place of one."""
    flat = array.ravel()
    numbers = flat if array.dtype.kind in "biuf" and flat.size else np.arange(4.0)
    hurt = numbers.copy().astype(np.float64)
    hurt[rng.integers(hurt.size)] = rng.choice([-1, 1e9, np.nan, np.inf, -(2.0**40), 0.5, 2**31])
    whole = numbers.astype(np.int64, copy=True)
    whole[rng.integers(whole.size)] = rng.choice([-1, 2**31, -(2**62), 10**6, 7])
    choices = (
        lambda: hurt.reshape(array.shape) if hurt.size == array.size else hurt,
        lambda: whole.reshape(array.shape) if whole.size == array.size else whole,
        lambda: numbers.astype(np.float64),
        lambda: numbers.astype(np.int8),
        lambda: numbers[:0],
        lambda: numbers[: rng.integers(1, numbers.size + 1)],
        lambda: numbers[0],
        lambda: numbers.reshape(-1, 1),
        lambda: np.array([b"text", b"more"]),
        lambda: np.array(b"text"),
        lambda: numbers.astype(np.complex64),
        lambda: np.zeros(3, [("a", "i4"), ("b", "f4")]),
        lambda: numbers > 0,
        lambda: array.T,
        lambda: np.concatenate([numbers, numbers]),
        lambda: np.full(array.shape, rng.choice([2**40, -1, 3, 4096])),
    )
    return choices[rng.integers(len(choices))]()


def _edit_array(path: Path, rng: Generator) -> str:
    array = _any_array(np.load(path), rng)
    np.save(path, array)
    return f"{array.dtype} {array.shape}"


def _edit_archive(path: Path, rng: Generator) -> str:
    with np.load(path) as archive:
        arrays = dict(archive)
    name = sorted(arrays)[rng.integers(len(arrays))]
    if rng.random() < 0.2:
        del arrays[name]
    else:
        arrays[name] = _any_array(arrays[name], rng)
    np.savez(path, **arrays)
    return name


def edit_tree(tree: Any, rng: Generator) -> Any:
    """Replace, remove or double something in what JSON holds."""
    places: list[tuple[Any, Any]] = []

    def walk(item: Any) -> None:
        for key in list(item) if isinstance(item, dict) else range(len(item)):
            places.append((item, key))
            if isinstance(item[key], (dict, list)):
                walk(item[key])

    walk(tree)
    if not places:
        return tree
    holder, key = places[rng.integers(len(places))]
    if rng.random() < 0.2:
        del holder[key]
    elif rng.random() < 0.2:
        other, at = places[rng.integers(len(places))]
        holder[key] = json.loads(json.dumps(other.get(at) if isinstance(other, dict) else 0))
    else:
        holder[key] = VALUES[rng.integers(len(VALUES))]
    return tree


def _edit_json_file(path: Path, rng: Generator) -> str:
    path.write_text(json.dumps(edit_tree(json.loads(path.read_text()), rng)))
    return ""


def _edit_toml(path: Path, rng: Generator) -> str:
    lines = path.read_text().splitlines()
    at = int(rng.integers(len(lines)))
    key = lines[at].partition("=")[0]
    value = VALUES[rng.integers(len(VALUES))]
    words = "nan" if value is None else json.dumps(value)
    lines[at : at + int(rng.integers(1, 3))] = [f"{key}= {words}"] if rng.random() < 0.7 else []
    path.write_text("\n".join(lines))
    return f"line {at}"


def _edit_hdf5(path: Path, rng: Generator) -> str:
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        name = names[rng.integers(len(names))]
        item = file[name]
        holders = [n for n in ["/", *names] if len(file[n].attrs)]
        if holders and rng.random() < 0.25:
            return _edit_attribute(file[holders[rng.integers(len(holders))]], rng)
        value = item[()] if isinstance(item, h5py.Dataset) else None
        choice = rng.random()
        if isinstance(value, bytes) and value[:1] == b"{" and choice < 0.8:
            del file[name]
            file[name] = json.dumps(edit_tree(json.loads(value), rng))
            return f"{name} (JSON)"
        if choice < 0.15:
            other = names[rng.integers(len(names))]
            if other not in name:
                return _copy(file, other, name)
        del file[name]
        if choice < 0.3:
            return f"{name} removed"
        if choice < 0.4:
            file.create_group(name)
        elif choice < 0.5:
            odd = (h5py.Empty("f"), h5py.ExternalLink("a.net", "/layer"), h5py.SoftLink("/"))
            file[name] = odd[rng.integers(len(odd))]
        elif choice < 0.55:
            file.create_dataset(name, (1 << 40,), np.float32, chunks=(1 << 10,))
        elif choice < 0.65:
            file[name] = ("text", "9" * 300, "\x1b[0m", "dense", "\udcff".encode("utf8", "ignore"))[
                rng.integers(5)
            ]
        else:
            array = np.asarray(value if value is not None else 1)
            file[name] = _any_array(array, rng)
        return f"{name} replaced"


def _copy(file: h5py.File, source: str, target: str) -> str:
    if source.startswith(f"{target}/"):
        return ""
    del file[target]
    if source in file:
        file.copy(source, target)
    return f"{target} is {source}"


def _edit_attribute(holder: Any, rng: Generator) -> str:
    key = sorted(holder.attrs)[rng.integers(len(holder.attrs))]
    value = holder.attrs[key]
    if isinstance(value, str) and value[:1] == "{" and rng.random() < 0.8:
        holder.attrs[key] = json.dumps(edit_tree(json.loads(value), rng))
    elif rng.random() < 0.2:
        del holder.attrs[key]
    else:
        odd: tuple[Any, ...] = (
            -1, 2**60, 0.5, np.nan, "text", b"\xff", np.zeros(3), np.zeros((2, 2), np.int8),
            h5py.Empty("f"), ["a", "b"], True, "[" * 5000,
        )  # fmt: skip
        holder.attrs[key] = odd[rng.integers(len(odd))]
    return f"attribute {key}"
