"""Backends, formats and targets of a package of somebody else; nothing of ours is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.backends import BACKENDS
from neurodeploy.errors import BackendError, FormatError, InputError, PluginWarning
from neurodeploy.formats import FORMATS
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Rating, Source
from neurodeploy.plugins import Registry
from neurodeploy.targets import TARGETS
from neurodeploy.targets.look_ahead import look_ahead
from neurodeploy.targets.rewrite import rewritten_for

PACKAGE = """
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurodeploy.backends import Backend
from neurodeploy.files import written_whole
from neurodeploy.formats import Format
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Rating, Source
from neurodeploy.recording import RecordingWriter
from neurodeploy.recording.assemble import BlockAssembler, header_of
from neurodeploy.targets import Rewrite, Target


class ToyBackend(Backend):
    name = "toy"
    options = frozenset({"threads"})

    def available(self):
        return True, "toy 1.0"

    def run(self, network, values, options):
        given = values[:]
        sent = {p.name: np.full((*given.shape[:2], p.size), n, np.int32)
                for n, p in enumerate(network.populations)}
        header = header_of(network, "toy", "1.0", options)
        with RecordingWriter(header, options.out) as writer:
            BlockAssembler(network, options, writer).add(sent, {})
            writer.finish(samples=len(values), seconds=0.1, inputs=values.fingerprint())
        return writer.recording()


class ToyFormat(Format):
    name, label, suffixes, options = "toy", "a toy file", (".toy",), ("threshold",)

    def can_read(self, source):
        return str(source).endswith(".toy")

    def load(self, source, threshold=None):
        weight = np.array(json.loads(Path(source).read_text()), np.int32)
        neuron = CubaLIF(4095, 0, 1 if threshold is None else threshold)
        return Network(
            (Population("in", (weight.shape[1],), Source()),
             Population("out", (weight.shape[0],), neuron)),
            (Projection("in", "out", Dense(weight)),),
        )

    def save(self, network, path):
        with written_whole(path) as part:
            Path(part).write_text(json.dumps(network.projections[0].synapse.weight.tolist()))


def rename_output(network):
    populations = (*network.populations[:-1], replace(network.output, name="renamed"))
    projections = tuple(
        replace(p, target="renamed") if p.target == network.output.name else p
        for p in network.projections
    )
    return replace(network, populations=populations, projections=projections)


class ToyTarget(Target):
    name = "toy"
    rewrites = (Rewrite(rename_output, "outputs renamed"),)

    def of_population(self, network, population):
        if population.size > 2:
            yield Rating.UNSUPPORTED, f"{population.size} neurons, limit 2"

    def of_projection(self, network, projection):
        return iter(())


class Engine(ToyBackend):
    name = "engine"
"""

ENTRY_POINTS = """
[neurodeploy.backends]
toy = toy_package:ToyBackend
engine = toy_package:Engine
broken = toy_package_that_is_missing:Backend
halfway = toy_package:ToyFormat

[neurodeploy.formats]
toy = toy_package:ToyFormat

[neurodeploy.targets]
toy = toy_package:ToyTarget
"""

ALL_REFUSED = {"engine": "the name is taken", "broken": "ModuleNotFoundError", "halfway": "lacks"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the package, as an installer leaves it, on the path."""
    folder = tmp_path / "site"
    info = folder / "toy_package-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / "toy_package.py").write_text(PACKAGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(folder))
    registries: tuple[Registry, ...] = (BACKENDS, FORMATS, TARGETS)
    for registry in registries:  # as in a process that begins now
        vars(registry).pop("_from_elsewhere", None)
    yield folder
    for registry in registries:
        vars(registry).pop("_from_elsewhere", None)
    sys.modules.pop("toy_package", None)


@pytest.fixture
def network() -> Network:
    return Network(
        (Population("in", (3,), Source()), Population("out", (2,), CubaLIF(4095, 0, 1))),
        (Projection("in", "out", Dense(np.arange(6, dtype=np.int32).reshape(2, 3))),),
    )


def with_all_refused(call):
    """What a call gives that looks for packages; each that is of no use is refused in one line."""
    with pytest.warns(PluginWarning) as said:
        result = call()
    lines = [str(warning.message) for warning in said]
    for name, reason in ALL_REFUSED.items():
        (line,) = [line for line in lines if line.startswith(f"backend {name!r} of toy_package")]
        assert reason in line
        assert "\n" not in line
    return result


def shell(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(nd.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "neurodeploy", *words],
        cwd=folder,
        env={"PYTHONPATH": f"{root}:{folder}", "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_network_runs_on_a_backend_from_elsewhere(installed: Path, network: Network) -> None:
    inputs = np.ones((2, 5, 3), np.int32)
    recording = with_all_refused(lambda: nd.run(network, inputs, backend="toy", threads=1))
    assert recording.header.backend == "toy"
    np.testing.assert_array_equal(recording.output, np.ones((2, 5, 2), np.int32))
    with pytest.raises(BackendError, match="timeout_seconds: backend 'toy' runs in this"):
        nd.run(network, inputs, backend="toy", timeout_seconds=1)


def test_ours_stands_where_a_name_is_taken(installed: Path, network: Network) -> None:
    with_all_refused(lambda: list(BACKENDS))
    recording = nd.run(network, np.ones((1, 4, 3), np.int32))
    assert recording.header.backend_version == nd.__version__


def test_the_shell_lists_and_runs_it(installed: Path, network: Network, tmp_path: Path) -> None:
    nd.save(network, installed / "a.net")
    np.save(installed / "x.npy", np.ones((1, 4, 3), np.int32))
    said = shell(installed, "doctor")
    assert "backend toy" in said.stdout
    assert said.stderr.count("neurodeploy: warning: backend") == len(ALL_REFUSED)
    words = ("run", "a.net", "--input", "x.npy", "--backend", "toy", "-o", "a.h5")
    said = shell(installed, *words)
    assert said.returncode == 0, said.stderr
    assert nd.Recording.load(installed / "a.h5").header.backend == "toy"


def test_a_format_from_elsewhere_saves_and_loads(
    installed: Path, network: Network, tmp_path: Path
) -> None:
    nd.save(network, tmp_path / "a.toy")
    assert nd.load(tmp_path / "a.toy") == network
    assert nd.load(tmp_path / "a.toy", threshold=7).output.neuron.threshold == 7
    with pytest.raises(FormatError, match="dt: no option for a toy file; there are threshold"):
        nd.load(tmp_path / "a.toy", dt=1e-3)
    with pytest.raises(FormatError, match="dt: no option for a toy file; there are none"):
        nd.save(network, tmp_path / "a.toy", dt=1e-3)
    with pytest.raises(FormatError, match=r"unknown network suffix '.x'; write .* \.toy \(toy\)"):
        nd.save(network, tmp_path / "a.x")


def test_a_target_from_elsewhere_looks_ahead_and_rewrites(
    installed: Path, network: Network
) -> None:
    ahead = look_ahead(network, "toy")
    found = {entry.element: (entry.rating, entry.reason) for entry in ahead}
    assert found["in"] == (Rating.UNSUPPORTED, "3 neurons, limit 2")
    assert found["out"] == (Rating.FAITHFUL, "cuba-lif neurons")
    rewritten = rewritten_for(network, "toy")
    assert rewritten.output.name == "renamed"
    assert "for toy: outputs renamed; exact" in [entry.reason for entry in rewritten.audit]
    with pytest.raises(InputError, match="'tpu': unknown; there are lava, loihi2, netx, toy"):
        look_ahead(network, "tpu")


def test_a_name_of_ours_is_registered_once() -> None:
    registry: Registry = Registry("toy", (), InputError)

    class Toy:
        name = "toy"

    registry.register(Toy)
    with pytest.raises(ValueError, match="takes a name twice"):
        registry.register(Toy)
