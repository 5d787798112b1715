"""How a neuron model is added: from outside in none of our files, in the house in five."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import FormatError, NetworkError, UnsupportedError
from neurodeploy.network import (
    NEURONS,
    Conv,
    CubaLIF,
    Dense,
    FloatLIF,
    Network,
    Population,
    Projection,
    Rating,
    Source,
)
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.remote.job import write_job
from neurodeploy.targets.look_ahead import look_ahead

from .docs.pages import DOCS, blocks_of, entry_points_of, files_of

OUTSIDE = Path(__file__).parent / "recipes" / "outside"
STEPS = 40


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder with the package as an installer leaves it, on the path."""
    folder = tmp_path / "site"
    shutil.copytree(OUTSIDE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / "habituation-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: habituation\nVersion: 1.0\n")
    line = "[neurodeploy.neurons]\nhabituating = habituation:Habituating\n"
    (info / "entry_points.txt").write_text(line)
    monkeypatch.syspath_prepend(str(folder))
    vars(NEURONS).pop("_from_elsewhere", None)  # as in a process that begins now
    yield folder
    vars(NEURONS).pop("_from_elsewhere", None)
    sys.modules.pop("habituation", None)


@pytest.fixture
def network(site):
    model, rng = NEURONS["habituating"], np.random.default_rng(3)
    hidden = model(rng.integers(0, 900, 48), 300, rng.integers(8, 30, 48), tells_age=True)
    return Network(
        (
            Population("in", (2, 5, 6), Source()),
            Population("hidden", (3, 4, 4), hidden, rng.integers(0, 3, 48)),
            Population("out", (7,), model(400, 100, 90)),
        ),
        (
            Projection("in", "hidden", Conv(rng.integers(-9, 19, (3, 2, 2, 3)))),
            Projection("hidden", "out", Dense(rng.integers(-20, 40, (7, 48)))),
            Projection("out", "out", Dense(rng.integers(-9, 9, (7, 7)))),
        ),
    )


@pytest.fixture
def inputs():
    return np.random.default_rng(4).integers(0, 2, (5, STEPS, 2, 5, 6))


def towards_zero(x):
    return np.sign(x) * (np.abs(x) // 4096)


def by_hand(network, presented, hops=None):
    """The equations once more, neuron for neuron as the docstring has them, on dense arrays."""
    steps, kernel = len(presented), network.projections[0].synapse.weight.astype(np.int64)
    sent = {p.name: np.zeros((steps + 3, p.size), np.int64) for p in network.populations}
    sent["in"][:steps] = presented.reshape(steps, -1)
    held = {p.name: np.zeros((3, p.size), np.int64) for p in network.populations[1:]}
    found = {name: [] for name in held}
    for t in range(steps):
        before = {name: array[t - 1] if t else array[0] * 0 for name, array in sent.items()}
        image, own = before["in"].reshape(2, 5, 6), np.zeros((3, 4, 4), np.int64)
        for y in range(4):
            for x in range(4):
                window = image[:, y : y + 2, x : x + 3]
                own[:, y, x] = (kernel * window).sum((1, 2, 3))
        dense, loop = (p.synapse.weight.astype(np.int64) for p in network.projections[1:])
        currents = {"hidden": own.ravel(), "out": dense @ before["hidden"] + loop @ before["out"]}
        for name, a in currents.items():
            if hops and (t + 1) % 7 == (1 + hops[name]) % 7:
                held[name] = held[name] * 0
            n, (v, habit, age) = network[name].neuron, held[name]
            v = towards_zero(v * (4096 - n.decay)) + 64 * a - habit
            v = np.clip(v, 1 - 2**23, 2**23 - 1)
            fires = v > 64 * n.threshold
            message = fires * (1 + age if n.tells_age else 1)
            delay = network[name].axon_delay
            sent[name][t + (0 if delay is None else delay), np.arange(v.size)] = message
            habit = towards_zero(habit * (4096 - n.recovery)) + fires * n.rise
            held[name] = np.array([v * ~fires, habit, np.minimum(age + 1, 1000) * ~fires])
            found[name].append(held[name])
    states = {n: np.array(a).transpose(1, 0, 2) for n, a in found.items()}
    return {n: a[:steps] for n, a in sent.items()}, states


class TestFromOutside:
    """A package with a dataclass and a NumPy step; nothing of ours is touched."""

    def test_it_runs_streams_and_records_all_its_states(self, network, inputs):
        recording = nd.run(network, inputs, record=("spikes", "states"))
        for sample, presented in enumerate(inputs):
            sent, states = by_hand(network, presented)
            for name in ("hidden", "out"):
                record = recording[name]
                assert record.states == ("v", "habit", "age")
                for what, array in zip(record.states, states[name], strict=True):
                    ours = record[what][sample].reshape(array.shape)
                    np.testing.assert_array_equal(ours, array, f"{name}, {what}")
                ours = record.spikes[sample].reshape(sent[name].shape)
                np.testing.assert_array_equal(ours, sent[name], name)
            with nd.stream(network, count=True) as running:
                streamed = np.array([running.step(x) for x in presented])
            np.testing.assert_array_equal(streamed, sent["out"])
            assert running.messages["hidden"] == np.count_nonzero(sent["hidden"])
        assert recording["hidden"].spikes.max() > 1
        assert recording["out"].counts.any()

    def test_resets_return_its_states_to_zero(self, network, inputs):
        recording = nd.run(network, inputs, record=("spikes", "states"), reset_interval=7)
        for sample, presented in enumerate(inputs):
            sent, states = by_hand(network, presented, {"hidden": 1, "out": 2})
            for name, arrays in states.items():
                for what, array in zip(("v", "habit", "age"), arrays, strict=True):
                    ours = recording[name][what][sample].reshape(array.shape)
                    np.testing.assert_array_equal(ours, array, f"{name}, {what}")
            np.testing.assert_array_equal(recording["out"].spikes[sample], sent["out"])

    def test_it_is_saved_and_loaded_by_a_process_that_begins_there(self, network, site, tmp_path):
        path = tmp_path / "a.net"
        nd.save(network, path)
        assert nd.load(path) == network
        options = RunOptions(steps=3, record=("counts", "habit"))
        values = np.ones((1, 3, 2, 5, 6), np.int32)
        write_job(tmp_path / "job", "lava", network, values, options)
        code = (
            "import sys, neurodeploy as nd\n"
            "from pathlib import Path\n"
            "from neurodeploy.remote.job import read_job\n"
            "print(nd.load(sys.argv[1]).fingerprint, nd.load(sys.argv[1])['out'].neuron.kind,\n"
            "      read_job(Path(sys.argv[2]))[1].fingerprint)\n"
        )
        command = [sys.executable, "-c", code, str(path), str(tmp_path / "job")]
        home = str(Path(nd.__file__).parents[1])
        there = {"PYTHONPATH": f"{home}:{site}", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, capture_output=True, text=True, env=there, check=True)
        print_of = network.fingerprint
        assert done.stdout.split() == [print_of, "habituating", print_of]
        # Where the package is not installed, one line says so.
        done = subprocess.run(
            command, capture_output=True, text=True, env={**there, "PYTHONPATH": home}, check=False
        )
        assert done.stderr.strip().splitlines()[-1].startswith("neurodeploy.errors.FormatError")
        assert "no class 'Habituating'" in done.stderr
        assert "install" in done.stderr

    def test_the_command_line_knows_it(self, network, inputs, site, tmp_path):
        nd.save(network, tmp_path / "a.net")
        np.save(tmp_path / "x.npy", inputs)
        home = str(Path(nd.__file__).parents[1])

        def verb(*words):
            command = [sys.executable, "-m", "neurodeploy", *words]
            there = {"PYTHONPATH": f"{home}:{site}", "PATH": "/usr/bin:/bin"}
            return subprocess.run(
                command, capture_output=True, text=True, env=there, cwd=tmp_path, check=True
            ).stdout

        verb("run", "a.net", "--input", "x.npy", "-o", "r.h5", "--record", "spikes,habit,age")
        recording = nd.Recording.load(tmp_path / "r.h5")
        assert recording["out"].states == ("habit", "age")
        np.testing.assert_array_equal(recording.output, nd.run(network, inputs).output)
        profile = json.loads(verb("profile", "r.h5", "--json"))
        assert "habituating" in verb("inspect", "a.net")
        assert profile

    def test_fit_profile_compare_and_report(self, network, inputs, tmp_path):
        recording = nd.run(network, inputs, record=("spikes", "states"))
        placement = nd.fit(network, "loihi2")
        assert {p.population.name for p in placement.partitions} == {"hidden", "out"}
        profile = nd.profile(recording, "loihi2", placement)
        assert profile.neuron_updates == (48 + 7) * STEPS
        messages = sum(recording[n].counts.sum() for n in recording.names) / len(inputs)
        assert profile.messages == pytest.approx(messages)
        recording.save(tmp_path / "a.h5")
        other = nd.Recording.load(tmp_path / "a.h5")
        assert nd.compare(recording, other, net=network, inputs=inputs).equal
        changed = dict(recording.arrays)
        changed["populations/hidden/habit"] = recording["hidden"]["habit"].copy()
        changed["populations/hidden/habit"][2, 9, 1, 2, 3] += 5
        comparison = nd.compare(
            recording, replace(recording, arrays=changed), net=network, inputs=inputs
        )
        first = comparison.first_divergence
        assert (first.population, first.variable, first.step) == ("hidden", "habit", 9)
        assert comparison.diagnosis.evidence.further_states == ("habit", "age")
        nd.report(
            tmp_path / "r.html", net=network, recordings=[recording], comparison=comparison,
            profiles=[profile], placement=placement,
        )  # fmt: skip
        page = (tmp_path / "r.html").read_text()
        assert "habituating" in page
        assert "habit" in page

    def test_the_page_for_authors_shows_a_model_that_runs(self, site):
        page = DOCS / "extend" / "neuron.md"
        for file, text in files_of(page).items():
            (site / file).write_text(text)
        (point,) = entry_points_of(page)["neurodeploy.neurons"].items()
        info = site / "habituation-1.0.dist-info" / "entry_points.txt"
        info.write_text("[neurodeploy.neurons]\n{} = {}\n".format(*point))
        network = Network(
            (Population("in", (3,), Source()),
             Population("out", (3,), NEURONS["habituating"](400, [9, 20, 60]))),
            (Projection("in", "out", Dense(30 * np.eye(3, dtype=np.int32))),),
        )  # fmt: skip
        recording = nd.run(network, np.ones((30, 3), int), record=("spikes", "states"))
        v, habit = np.zeros((2, 3), np.int64)
        for t in range(30):
            v = towards_zero(v * 3696) + (64 * 30 if t else 0) - habit
            fires = v > np.array([9, 20, 60]) * 64
            v, habit = v * ~fires, habit // 2 + 500 * fires
            for what, array in (("v", v), ("habit", habit), ("spikes", fires)):
                np.testing.assert_array_equal(recording["out"][what][0, t], array)
        assert (np.diff(recording["out"].counts[0]) < 0).all()
        sys.modules.pop("habit_package", None)

    def test_nir_has_no_such_neuron(self, network, tmp_path):
        pytest.importorskip("nir", reason="needs nir: pip install '.[nir]'")
        with pytest.raises(UnsupportedError, match="'hidden': NIR has no habituating"):
            nd.save(network, tmp_path / "a.nir")

    def test_what_it_cannot_do_is_refused_with_its_name(self, network, inputs):
        for target in ("lava", "loihi2"):
            ratings = {e.element: e.rating for e in look_ahead(network, target).entries}
            assert ratings["hidden"] is Rating.UNSUPPORTED
            with pytest.raises(UnsupportedError, match=r"population 'hidden': .*habituating"):
                nd.run(network, inputs, backend=target)
        lower = nd.quantize(network, nd.QuantConfig(4), inputs)  # weights; its numbers stay
        assert lower["hidden"].neuron is network["hidden"].neuron
        floats = (
            Population("in", (60,), Source()),
            Population("hidden", (48,), replace(network["hidden"].neuron)),
            Population("out", (2,), FloatLIF()),
        )
        with pytest.raises(NetworkError, match="'hidden': habituating neurons compute in integers"):
            Network(floats, ())

    def test_files_of_an_unknown_model_are_refused(self, network, tmp_path, monkeypatch):
        nd.save(network, tmp_path / "a.net")
        monkeypatch.setattr("neurodeploy.network.canonical.CLASSES", {"CubaLIF": CubaLIF})
        with pytest.raises(FormatError, match="no class"):
            nd.load(tmp_path / "a.net")


LEAKY = '''
"""A leaky neuron, as docs/core.md shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..fields import integers, one_integer
from .base import Neuron, Parameter
from .registry import NEURONS


@NEURONS.register
@dataclass(frozen=True, eq=False)
class Leaky(Neuron):
    """u <- wrap(2^e a), v <- clip(rz(v (4096 - d)) + u), s = [v > 64 theta]; v <- 0 where s."""

    decay: Parameter = field(metadata=integers(0, 4096))
    threshold: Parameter = field(metadata=integers(0, 1 << 16))
    exponent: int = field(default=6, metadata=one_integer(-24, 16))
    kind: ClassVar[str] = "leaky"
    states: ClassVar[tuple[str, ...]] = ("u", "v")
'''

DESCRIBED = """def _leaky_of_docs(neuron: Any) -> CoreNeuron:
    parameters = {"keep": _kept(neuron.decay), "threshold": _state(neuron.threshold)}
    return CoreNeuron("leaky", parameters, {"exponent": neuron.exponent})


"""

RUN = """
import sys
import numpy as np
import neurodeploy as nd
from neurodeploy.core import build
from neurodeploy.network import Dense, Leaky, Network, Population, Projection, Source

units = {name: (flags[0], "-O0") for name, flags in build.UNITS[build.Machine.here().name].items()}
build.UNITS = {**build.UNITS, build.Machine.here().name: units}  # compiled fast, not to be fast
build.build_in_place()
weight, inputs, decay = (np.load(sys.argv[1])[name] for name in ("weight", "inputs", "decay"))
net = Network(
    (Population("in", (9,), Source()), Population("out", (70,), Leaky(decay, 30))),
    (Projection("in", "out", Dense(weight)),),
)
nd.save(net, sys.argv[2])
assert nd.load(sys.argv[2]) == net
nd.run(net, inputs, record=("spikes", "states")).save(sys.argv[3])
"""


IN_THE_HOUSE = (
    ("network/neurons/__init__.py", "from .lif", "from .leaky import Leaky\n"),
    ("network/neurons/__init__.py", '    "LeakyIntegrator",\n', '    "Leaky",\n'),
    ("core/neurons.hpp", '#include "neurons/res', '#include "neurons/leaky.hpp"\n'),
    ("core/neurons.hpp", "    &MODEL_Relay,\n", "    &MODEL_Leaky,\n"),
    ("core/neurons.py", "CORE_NEURONS: dict", DESCRIBED),
    ("core/neurons.py", "    network.Sigma: _sigma,\n", "    network.Leaky: _leaky_of_docs,\n"),
)
"""Files of ours, and what is put in where."""


@pytest.mark.slow
def test_in_the_house_a_model_takes_five_files(tmp_path):
    package = Path(nd.__file__).parent
    copy = tmp_path / "neurodeploy"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("_built", "__pycache__"))
    page = (package.parent / "docs" / "core.md").read_text()
    step = page.split("```cpp\n")[1].split("```")[0]  # what the page shows is what compiles
    (copy / "network/neurons/leaky.py").write_text(LEAKY)
    (copy / "core/neurons/leaky.hpp").write_text(step)
    for name, before, added in IN_THE_HOUSE:
        text = (copy / name).read_text()
        assert text.count(before) == 1, (name, before)
        (copy / name).write_text(text.replace(before, added + before))
    touched = [
        path
        for path in copy.rglob("*")
        if path.is_file()
        and (
            not (before := package / path.relative_to(copy)).exists()
            or before.read_bytes() != path.read_bytes()
        )
    ]
    assert len(touched) == 5, touched
    assert len([line for line in step.splitlines() if line.strip()]) <= 30

    rng = np.random.default_rng(1)
    weight, inputs = rng.integers(-9, 20, (70, 9)), rng.integers(0, 2, (3, 25, 9))
    decay = rng.integers(0, 4097, 70)
    np.savez(tmp_path / "given.npz", weight=weight, inputs=inputs, decay=decay)
    made = [str(tmp_path / name) for name in ("given.npz", "a.net", "r.h5")]
    subprocess.run(
        [sys.executable, "-c", RUN, *made],
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        cwd=tmp_path,
        check=True,
    )
    recording = nd.Recording.load(made[2])
    for sample, presented in enumerate(inputs):
        v = np.zeros(70, np.int64)
        for t in range(25):
            u = 64 * (weight @ (presented[t - 1] if t else 0 * presented[0]))
            v = np.clip(towards_zero(v * (4096 - decay)) + u, 1 - 2**23, 2**23 - 1)
            fires = v > 64 * 30
            v = v * ~fires
            for what, array in (("u", u), ("v", v), ("spikes", fires)):
                np.testing.assert_array_equal(recording["out"][what][sample, t], array, what)
    assert recording["out"].counts.any()


RING = """
import sys
import numpy as np
import neurodeploy as nd
from neurodeploy.network import CubaLIF, Network, Population, Projection, Ring, Source

neuron = CubaLIF(4096, 4096, 10)
shapes = ((12,), (3, 2, 2))
net = Network(
    (Population("in", shapes[0], Source()), Population("out", shapes[1], neuron)),
    (Projection("in", "out", Ring(11, 5)),),
)
nd.save(net, sys.argv[2])
assert nd.load(sys.argv[2]) == net
recording = nd.run(net, np.load(sys.argv[1]), record=("spikes", "u"))
assert nd.fit(net).cores_used == 1
sent = recording["in"].counts.sum(axis=1).mean()
assert np.isclose(nd.profile(recording).synops, sent), (nd.profile(recording).synops, sent)
np.savez(sys.argv[3], u=recording["out"].u)
"""


def test_a_synapse_operator_takes_three_files(tmp_path):
    package = Path(nd.__file__).parent
    copy = tmp_path / "neurodeploy"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
    page = DOCS / "extend" / "synapse.md"
    for file, text in files_of(page).items():
        (copy / file).write_text(text)
    snippets = [b.text for b in blocks_of(page) if b.text.startswith("# for ")]
    of_core, of_reference = (text.split("\n", 1)[1] for text in snippets)
    for name, before, added in (
        ("network/synapses/__init__.py", "from .sparse", "from .ring import Ring\n"),
        ("network/synapses/__init__.py", '    "Sparse",\n', '    "Ring",\n'),
        ("core/synapses.py", "SYNAPSES: dict[", f"{of_core}\n\n"),
        ("core/synapses.py", "    network.Readout: _readout,\n", "    network.Ring: _ring,\n"),
    ):
        text = (copy / name).read_text()
        assert text.count(before) == 1, (name, before)
        (copy / name).write_text(text.replace(before, added + before))
    inputs = np.random.default_rng(1).integers(0, 2, (3, 9, 12))
    np.save(tmp_path / "x.npy", inputs)
    made = [str(tmp_path / name) for name in ("x.npy", "a.net", "r.npz")]
    environment = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    command = [sys.executable, "-c", RING, *made]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True)
    names = {"np": np}
    exec(of_reference, names)
    synapse = type("Ring", (), {"weight": 11, "shift": 5})
    with np.load(made[2]) as found:
        u = found["u"].reshape(3, 9, 12)
    for sample, presented in enumerate(inputs):
        for t in range(1, 9):
            arrived = names["ring"](synapse, presented[t - 1])
            np.testing.assert_array_equal(u[sample, t], 64 * arrived)
