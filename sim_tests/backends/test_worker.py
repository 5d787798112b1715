"""A worker's errors reach the user whole, and no process outlives a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.backends import Lava
from neurodeploy.errors import BackendError, UnsupportedError
from neurodeploy.network import (
    Average,
    Conv,
    CubaLIF,
    Dense,
    Network,
    Population,
    Projection,
    Readout,
    SigmaDelta,
    Source,
)
from neurodeploy.network.canonical import flatten, unflatten
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.remote.job import read_job, write_job
from neurodeploy.remote.places import Local, Place
from neurodeploy.remote.worker import WorkerError, run_in_worker

from .elsewhere import needs_lava

lava = Lava()

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/cwd").exists(), reason="processes are looked up in /proc"
)
LAVA_PROCESSES = 9
"""The worker, a source, two populations and synapses each, the service and two helpers."""

PREAMBLE = """
import os, signal, sys
sys.path.insert(0, sys.argv[1] + "/path")
from neurodeploy.backends import worker
from neurodeploy.backends.lava import models as lava_models
"""

NETWORK = Network(
    (
        Population("input", (3,), Source()),
        Population("a", (4,), CubaLIF(100, 100, 50)),
        Population("out", (2,), CubaLIF(100, 100, 50)),
    ),
    (
        Projection("input", "a", Dense(np.full((4, 3), 20, np.int32))),
        Projection("a", "out", Dense(np.full((2, 4), 20, np.int32))),
    ),
)


def ones(steps: int, samples: int = 1) -> np.ndarray:
    return np.ones((samples, steps, 3), np.int32)


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Job folders go here, so that their processes can be told by their working folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def processes_in(folder: Path) -> list[str]:
    """Processes that run in a (perhaps removed) folder below `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd").startswith(f"{folder}/"):
                found.append(process.name)
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
    return found


def assert_nothing_left(folder: Path, seconds: float = 0.0) -> None:
    deadline = time.monotonic() + seconds
    while (left := processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert not list(folder.glob("neurodeploy-*"))


def shared_memory() -> set[str]:
    return set(os.listdir("/dev/shm")) if Path("/dev/shm").is_dir() else set()


@contextmanager
def once_running(folder: Path, act: Callable[[], None]) -> Iterator[threading.Event]:
    """Do something once Lava's processes are there; the event tells that they were."""
    running, over = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            if len(processes_in(folder)) >= LAVA_PROCESSES:
                running.set()
                act()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield running
    finally:
        over.set()
        thread.join()


def worker_with(folder: Path, code: str) -> Place:
    """A worker that first runs `code`."""
    script = folder / "worker_script.py"
    script.write_text(f"{PREAMBLE}{code}\nworker.main(sys.argv[1])\n")
    return Local(words=(sys.executable, str(script)))


# What goes into a job folder comes out of it.


def test_a_job_holds_any_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    conv = Conv(rng.integers(-9, 9, (4, 1, 2, 3)).astype(np.int32), (2, 1), (0, 1), (1, 2), 2)
    shape = conv.output_shape((2, 5, 6))
    neurons = int(np.prod(shape))
    bias = rng.integers(-9, 9, neurons).astype(np.int32)
    network = Network(
        (
            Population("input", (2, 5, 6), Source(signed=True)),
            Population("left", shape, SigmaDelta(3, bias, rectify=False), bias % 5),
            Population("right", shape, SigmaDelta(3, bias)),
            Population("out", (neurons,), SigmaDelta(bias % 7)),
            Population("mean", (1,), Average(neurons)),
        ),
        (
            Projection("input", "left", conv),
            Projection("input", "right", conv),
            Projection("left", "out", Dense(np.eye(neurons, dtype=np.int32))),
            Projection("right", "out", Dense(np.eye(neurons, dtype=np.int32))),
            Projection("out", "mean", Readout()),
        ),
    )
    values = rng.integers(-5, 5, (2, 7, 2, 5, 6)).astype(np.int32)
    options = RunOptions(steps=7, record=("counts", "u"), reset_interval=4, reset_offset=1)
    write_job(tmp_path, "lava", network, values, options)
    backend, again, presented, followed = read_job(tmp_path)
    assert again.metadata == network.metadata
    assert backend == "lava"
    assert again.fingerprint == network.fingerprint
    assert followed == options
    np.testing.assert_array_equal(presented, values)


def test_a_job_makes_nothing_but_parts_of_networks() -> None:
    packed = flatten(CubaLIF(1, 2, 3), {})
    with pytest.raises(ValueError, match="no class 'Popen'"):
        unflatten({**packed, "class": "Popen"}, {})


def test_a_worker_needs_numpy_and_h5py_only() -> None:
    others = ("typer", "rich", "jinja2", "soundfile", "tomli", "torch", "nir", "lava")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({others}))\n"
        "from neurodeploy.backends import worker"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Errors.


@needs_lava
def test_an_error_in_a_lava_child_reaches_the_user(tmp_path: Path) -> None:
    code = (
        "def break_down(self):\n"
        "    if self.time_step == 7 and self.proc_params['label'] == 'out':\n"
        "        raise ArithmeticError('the seventh step')\n"
        "    super(lava_models.SampleBySample, self).run_spk()\n"
        "lava_models.SampleBySample._run_lava = break_down\n"
    )
    began = time.monotonic()
    with pytest.raises(BackendError, match="lava: ArithmeticError: the seventh step") as caught:
        run_in_worker(worker_with(tmp_path, code), "lava", NETWORK, ones(20), RunOptions(steps=20))
    assert "(in out, step 7)" in str(caught.value)
    assert isinstance(caught.value, WorkerError)
    assert "in break_down" in caught.value.detail
    assert time.monotonic() - began < 30
    assert_nothing_left(tmp_path)


@needs_lava
def test_an_error_while_lava_builds_a_process_reaches_the_user(tmp_path: Path) -> None:
    code = "lava_models._DenseModel.__init__ = lambda self, proc_params: 1 // 0\n"
    with pytest.raises(BackendError, match="lava: ZeroDivisionError") as caught:
        run_in_worker(worker_with(tmp_path, code), "lava", NETWORK, ones(20), RunOptions(steps=20))
    assert "target_fn" in vars(caught.value)["detail"]
    assert_nothing_left(tmp_path)


@needs_lava
@needs_proc
def test_a_lava_child_that_is_killed_does_not_hang_the_run(tmp_path: Path) -> None:
    code = (
        "def die(self):\n"
        "    if self.time_step == 5 and self.proc_params['label'] == 'a':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    super(lava_models.SampleBySample, self).run_spk()\n"
        "lava_models.SampleBySample._run_lava = die\n"
    )
    with pytest.raises(BackendError, match="ended with exit code -9"):
        run_in_worker(worker_with(tmp_path, code), "lava", NETWORK, ones(20), RunOptions(steps=20))
    assert_nothing_left(tmp_path)


@needs_lava
def test_our_own_errors_keep_their_class(tmp_path: Path) -> None:
    code = (
        "def refuse(*_):\n"
        "    from neurodeploy.errors import UnsupportedError\n"
        "    raise UnsupportedError('population a: too large; make it smaller')\n"
        "worker._run_network = refuse\n"
    )
    with pytest.raises(UnsupportedError, match=r"^population a: too large") as caught:
        run_in_worker(worker_with(tmp_path, code), "lava", NETWORK, ones(2), RunOptions(steps=2))
    assert "in refuse" in vars(caught.value)["detail"]


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    place = Local(words=(sys.executable, "-c", "print(1); import no_such_module"))
    out = tmp_path / "a.h5"
    with pytest.raises(BackendError, match="No module named 'no_such_module'") as caught:
        run_in_worker(place, "lava", NETWORK, ones(2), RunOptions(steps=2, out=out))
    assert "Traceback" in vars(caught.value)["detail"]
    assert not list(tmp_path.glob("*a.h5*"))


# No process outlives a run.


@needs_lava
@needs_proc
def test_a_run_leaves_no_process_and_no_shared_memory(tmp_path: Path) -> None:
    before = shared_memory()
    run_in_worker(Local(), "lava", NETWORK, ones(5), RunOptions(steps=5))
    assert_nothing_left(tmp_path)
    assert not {name for name in shared_memory() - before if name.startswith("psm_")}


@needs_lava
@needs_proc
def test_a_time_limit_ends_all_processes(tmp_path: Path) -> None:
    began = time.monotonic()
    with once_running(tmp_path, lambda: None) as running:
        with pytest.raises(BackendError, match=r"not finished after 6 s \(0 of 1 samples done\)"):
            lava.run(NETWORK, ones(200_000), RunOptions(steps=200_000, timeout_seconds=6.0))
        assert running.is_set(), "Lava was not running yet when the limit came"
    assert time.monotonic() - began < 10
    assert_nothing_left(tmp_path)


@needs_proc
def test_a_worker_that_will_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    code = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.fork(); time.sleep(99)"
    options = RunOptions(steps=2, timeout_seconds=0.5)
    place = Local(words=(sys.executable, "-c", code))
    with pytest.raises(BackendError, match=r"not finished after 0\.5 s"):
        run_in_worker(place, "lava", NETWORK, ones(2), options)
    assert_nothing_left(tmp_path, seconds=1.0)


@needs_lava
@needs_proc
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with once_running(tmp_path, interrupt), pytest.raises(KeyboardInterrupt):
        lava.run(NETWORK, ones(200_000), RunOptions(steps=200_000, out=tmp_path / "a.h5"))
    assert_nothing_left(tmp_path)
    assert not list(tmp_path.glob("*a.h5*"))


@needs_lava
@needs_proc
@pytest.mark.parametrize("victim", ["parent", pytest.param("worker", marks=pytest.mark.slow)])
def test_nothing_outlives_a_killed_process(tmp_path: Path, victim: str) -> None:
    code = (
        "import sys, numpy as np, sim_tests.backends.test_worker as t\n"
        "t.lava.run(t.NETWORK, t.ones(200_000), t.RunOptions(steps=200_000))"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True
    ) as parent:
        while len(processes_in(tmp_path)) < LAVA_PROCESSES:
            assert parent.poll() is None
            time.sleep(0.1)
        time.sleep(0.5)
        workers = [p for p in processes_in(tmp_path) if os.getsid(int(p)) == int(p)]
        os.kill(parent.pid if victim == "parent" else int(workers[0]), signal.SIGKILL)
        _, said = parent.communicate(timeout=30)
    deadline = time.monotonic() + 5
    while processes_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes_in(tmp_path)
    if victim == "worker":
        assert "killed by SIGKILL" in said
