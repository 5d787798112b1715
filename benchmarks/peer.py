"""A peer's worker process as seen from here."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from neurodeploy.network import Network

from . import networks
from .measure import FOLDER

ENVIRONMENTS = Path(os.environ.get("NEURODEPLOY_PEERS", FOLDER.parent / ".venv-peers"))
"""Where `make_peers` puts the peers' environments."""

HOMES = {
    "jax": "float",
    "spikingjelly": "float",
    "norse": "float",
    "snntorch": "float",
    "nengo_loihi": "nengo",
    "brian2_loihi": "brian",
    "sanafe": "sanafe",
    "slayer": None,  # this interpreter: lava-dl is an extra of ours
    "commit": None,
}
"""The environment of each peer; None is this interpreter."""


HOPS = {"slayer", "nengo_loihi"}
"""Peers whose populations lag the input by a step each, like ours."""


class PeerError(Exception):
    """A peer is not there, failed, or took too long; the message says which."""


class Peer:
    """One peer with one network, ready to run once prepared.

    Parameters
    ----------
    name : str
        Of `HOMES`; its file is ``peers/<name>_peer.py``.
    network, inputs : optional
        What it runs; without them it is told by its options.
    options : dict
        Passed to the peer's ``prepare``; ``threads`` among them.
    limit : float
        Seconds that one answer may take.
    worktree : Path, optional
        Stands first on its Python's path.
    """

    def __init__(
        self,
        name: str,
        network: Network | None = None,
        inputs: Any = None,
        options: dict[str, Any] | None = None,
        limit: float = 300.0,
        worktree: Path | None = None,
    ) -> None:
        self.name, self.limit = name, limit
        home = HOMES[name]
        python = Path(sys.executable) if home is None else ENVIRONMENTS / home / "bin/python"
        if not python.exists():
            raise PeerError(f"no environment {home!r}; run benchmarks/make_peers {home}")
        self.folder = tempfile.TemporaryDirectory(prefix="benchmark-")
        prepare: dict[str, Any] = {"do": "prepare", "file": "", "options": options or {}}
        if network is not None:
            prepare["file"] = str(Path(self.folder.name) / "network.npz")
            networks.export(network, inputs, Path(prepare["file"]))
        environment = dict(os.environ)
        if worktree is not None:
            environment["PYTHONPATH"] = str(worktree.resolve())
        self.log = (Path(self.folder.name) / "log").open("w+b")
        self.process = subprocess.Popen(
            [str(python), str(FOLDER / "peers/worker.py"), str(FOLDER / f"peers/{name}_peer.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=self.folder.name,
            env=environment,
        )
        self.pending = b""
        try:
            answer = self._ask(prepare)
        except PeerError:
            self.close()
            raise
        self.counts: list[int] = answer["counts"]
        self.note: str = answer["note"]
        self.version: str = answer["version"]

    def seconds(self) -> float:
        """Run and return seconds per run, by the peer's own clock."""
        return float(self._ask({"do": "run"})["seconds"])

    def close(self) -> None:
        """End the worker."""
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + self.limit
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise PeerError(f"no answer to {request['do']!r} in {self.limit:g} s")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise PeerError(f"ended by itself: {self._last_words()}")
            self.pending += chunk
        line, self.pending = self.pending.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def _last_words(self) -> str:
        self.log.seek(0)
        return (self.log.read().decode(errors="replace").strip().splitlines() or ["no output"])[-1]
