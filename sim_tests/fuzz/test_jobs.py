"""Damaged job folders: an error of ours or a sound job, nothing else, whatever was damaged.

``NEURODEPLOY_FUZZ=5000 pytest sim_tests/fuzz/test_jobs.py`` tries as many instead.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.backends import write_job
from neurodeploy.errors import NeurodeployError
from neurodeploy.recording import RecordingWriter
from neurodeploy.recording.assemble import BlockAssembler, header_of
from neurodeploy.remote.blocks import Block, Blocks, sha256_of
from neurodeploy.remote.job import read_job

from ..backends.test_worker import NETWORK

TRIES = int(os.environ.get("NEURODEPLOY_FUZZ", "300"))

ODD: tuple[Any, ...] = (None, True, -1, 0, 2**70, 1e308, float("nan"), "", "\0", [], {}, [[]], "x")


def damage_bytes(rng: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    how = rng.randrange(4)
    at = rng.randrange(len(data))
    if how == 0:
        del data[at:]
    elif how == 1:
        data[at:at] = rng.randbytes(rng.randrange(1, 40))
    else:
        for _ in range(rng.choice((1, 1, 3, 30))):
            data[rng.randrange(len(data))] = rng.choice((0, 255, rng.randrange(256)))
    path.write_bytes(data)


def damage_tree(rng: random.Random, path: Path) -> None:
    """Put something of another kind somewhere into a JSON file."""
    tree = json.loads(path.read_text())
    places: list[tuple[Any, Any]] = []

    def note(node: Any) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            places.append((node, key))
            if isinstance(value, (dict, list)):
                note(value)

    note(tree)
    node, key = rng.choice(places)
    if isinstance(node, dict) and rng.random() < 0.3:
        del node[key]
    else:
        node[key] = rng.choice((*ODD, rng.choice(places)[1]))
    path.write_text(json.dumps(tree))


def tried(read: Callable[[], object]) -> bool:
    """Whether it was read; any error that is not ours goes on."""
    with suppress(NeurodeployError):
        read()
        return True
    return False


def test_damaged_jobs(tmp_path: Path) -> None:
    rng = random.Random(19)
    sound = write_job(NETWORK, np.ones((3, 5, 3), np.int32), tmp_path / "sound", backend="lava")
    read = 0
    for _ in range(TRIES):
        job = tmp_path / "job"
        shutil.copytree(sound, job)
        name = rng.choice(("job.json", "job.json", "network.npz", "inputs.npy"))
        (damage_tree if name == "job.json" and rng.random() < 0.8 else damage_bytes)(
            rng, job / name
        )
        read += tried(lambda job=job: read_job(job))
        shutil.rmtree(job)
    assert read < TRIES / 2  # most damage is found: what is read is what is not part of a job


@pytest.mark.filterwarnings("ignore")
def test_damaged_blocks(tmp_path: Path) -> None:
    """With a checksum that is right, as one who means harm writes it."""
    rng = random.Random(19)
    values = np.ones((3, 5, 3), np.int32)
    work = read_job(write_job(NETWORK, values, tmp_path / "sound", backend="lava"))
    sent = {p.name: np.ones((3, 5, p.size), np.int32) for p in NETWORK.populations}
    blocks = Blocks(tmp_path / "sound", NETWORK, work.options, 3)
    blocks.add(0, sent)
    block = tmp_path / "sound" / "blocks" / f"{Block(0, 3, {}).name}.npz"
    whole = block.read_bytes()
    header = header_of(NETWORK, "lava", "1", work.options)
    for _ in range(TRIES):
        block.write_bytes(whole)
        damage_bytes(rng, block)
        record = {"sha256": sha256_of(block), "measured": {}}
        block.with_suffix(".json").write_text(json.dumps(record))

        def join() -> None:
            again = Blocks(tmp_path / "sound", NETWORK, work.options, 3)
            with RecordingWriter(header) as writer:
                assembler = BlockAssembler(NETWORK, work.options, writer)
                for found in again._blocks:
                    assembler.add_events(*again._read(found))

        tried(join)
