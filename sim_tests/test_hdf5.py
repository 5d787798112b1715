"""HDF5 as a tree: written as h5py writes it, read back the same, texts checked by their length."""

from __future__ import annotations

import resource

import h5py
import numpy as np
import pytest

from neurodeploy import hdf5_tree
from neurodeploy.errors import NeurodeployError
from neurodeploy.hdf5 import open_hdf5, read_hdf5, written_hdf5
from neurodeploy.hdf5_tree import Dataset, Group, write_tree

VALUES = {
    "number": 7, "real": 0.5, "truth": True, "text": "CUBA", "letters": "\u00e4\u4e2d",
    "few": np.arange(3), "none": np.zeros((0, 4), np.float32), "bytes": np.array([b"dense"], "S10"),
    "many": np.arange(5000, dtype=np.int32).reshape(50, 100), "bits": np.array([True, False]),
    "words": np.array([b"a", b"bc"], h5py.string_dtype()),
}  # fmt: skip


def tree(groups=5):
    """Groups of which some are equal, and some equal but for what is large or for attributes."""
    root = Group()
    for i in range(groups):
        for key, value in VALUES.items():
            root[f"layer/{i}/{key}"] = value
            root[f"layer/{i}/neuron/{key}"] = value
        root[f"layer/{i}/weight/real"] = np.full((20, 20), i, np.float32)
    root["layer/2/other"] = 1
    root.require_group("layer").require_group("3").attrs["name"] = "\u00e4"
    root.require_group("layer").require_group("4").require_group("neuron").attrs["starts"] = 3
    root["version"] = 2
    return root


def test_equal_groups_are_copied_not_made_again(tmp_path, monkeypatch):
    """Which takes a sixth of the time; a deep network has thousands."""
    made = []
    create = hdf5_tree.h5d.create
    monkeypatch.setattr(hdf5_tree.h5d, "create", lambda *a, **k: made.append(0) or create(*a, **k))
    with written_hdf5(tmp_path / "a.h5") as file:
        write_tree(file, tree(100))
    # Those of the first layer, then what is not small: words, 5,000 numbers twice, the weights.
    assert len(made) <= 3 * len(VALUES) + 100 * 5


def items_of(path):
    found = {}
    with h5py.File(path) as file:

        def take(name, item):
            value = item[()] if isinstance(item, h5py.Dataset) else None
            found[name] = (getattr(item, "dtype", None), value, dict(item.attrs))

        file.visititems(take)
    return found


def test_a_tree_is_written_as_h5py_writes_it_one_by_one(tmp_path):
    with written_hdf5(tmp_path / "a.h5") as file:
        write_tree(file, tree())
    with h5py.File(tmp_path / "b.h5", "w") as file:
        for name, item in tree().walk():
            if isinstance(item, Dataset):
                file.create_dataset(name, data=item.value, dtype=item.dtype)
            else:
                file.require_group(name)
            for key, value in item.attrs.items():
                file[name].attrs[key] = value
    ours, theirs = items_of(tmp_path / "a.h5"), items_of(tmp_path / "b.h5")
    assert list(ours) == list(theirs)
    for name, (kind, value, attributes) in theirs.items():
        assert ours[name][0] == kind, name
        assert np.array_equal(ours[name][1], value), name
        assert ours[name][2] == attributes, name


def test_a_tree_is_read_as_it_was_written(tmp_path):
    with written_hdf5(tmp_path / "a.h5") as file:
        write_tree(file, tree())
    with read_hdf5(tmp_path / "a.h5") as again:
        there, wanted = dict(again.walk()), dict(tree().walk())
        assert list(there) == list(wanted)
        for name, item in wanted.items():
            assert there[name].attrs == item.attrs
            assert there[name].name == name
            if isinstance(item, Dataset):
                assert there[name].dtype == item.dtype
                assert np.array_equal(there[name].value, item.value), name


def lengthen(path, text):
    """Give the one reference to a text a length of nearly 4 GiB."""
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL\x01").to_bytes(8, "little")
    reference = len(text).to_bytes(4, "little") + heap
    if data.count(reference) != 1:
        return False
    place = data.index(reference)
    data[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    return True


TEXT = "some words of a file"


@pytest.mark.parametrize("where", ["attribute", "whole", "compact", "chunked", "dense"])
@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_a_text_longer_than_any_takes_no_memory(tmp_path, where, version):
    path = tmp_path / "a.h5"
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if where == "compact":
        plan.set_layout(h5py.h5d.COMPACT)
    elif where == "chunked":
        plan.set_chunk((3,))
    with h5py.File(path, "w", libver=version) as file:
        if where in ("attribute", "dense"):
            for number in range(20 if where == "dense" else 3):
                file.attrs[f"number{number}"] = number
            file.attrs["words"] = TEXT
        else:
            kind = h5py.h5t.py_create(h5py.string_dtype(), logical=True)
            space = h5py.h5s.create_simple(
                (1,), (h5py.h5s.UNLIMITED,) if where == "chunked" else None
            )
            made = h5py.Dataset(h5py.h5d.create(file.id, b"words", kind, space, plan))
            made[0] = TEXT
    if not (where == "dense" and version == "latest"):
        open_hdf5(path).close()
        # A checksum of newer headers shows the change to libhdf5 itself.
        assert lengthen(path, TEXT)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(NeurodeployError) as refused:
        open_hdf5(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 18  # kB
    if version == "earliest" or where in ("whole", "chunked"):
        assert "text longer than any that is stored" in str(refused.value)
    elif where == "dense":
        assert "text kept where it cannot be checked" in str(refused.value)
    assert str(path) in str(refused.value)
