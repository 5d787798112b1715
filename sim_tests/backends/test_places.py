"""A worker does the same work everywhere, and what is done stays done whatever breaks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.backends import BACKENDS, write_job
from neurodeploy.backends.worker import work
from neurodeploy.errors import BackendError, InputError
from neurodeploy.recording import Recording
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.remote import places, supervisor
from neurodeploy.remote.blocks import FOLDER, samples_done
from neurodeploy.remote.supervisor import Listener, Parcels

from .elsewhere import Lab, wait_for
from .test_worker import NETWORK, needs_lava, needs_proc, processes_in

SAMPLES, STEPS = 9, 5
RECORD = ("counts", "spikes", "u", "v")
ALL_STARTS = [0, 2, 4, 6, 8]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    lab = Lab.build(tmp_path / "lab")
    monkeypatch.setenv("PATH", f"{lab.folder / 'here'}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    return lab


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 2, (SAMPLES, STEPS, 3)).astype(np.int32)


def run(host: str, inputs: np.ndarray, **how: object) -> Recording:
    return nd.run(NETWORK, inputs, backend="lava", record=RECORD, place=host, **how)


def assert_equal(a: Recording, b: Recording) -> None:
    assert sorted(a.arrays) == sorted(b.arrays)
    for key in a.arrays:
        np.testing.assert_array_equal(a.arrays[key][:], b.arrays[key][:], key)
        assert a.arrays[key].dtype == b.arrays[key].dtype
    assert a.header.measured == b.header.measured == {"joules": 1.0 + 3 + 5 + 7 + 9}
    assert a.header.inputs == b.header.inputs != ""


def places_of(lab: Lab) -> dict[str, str]:
    return {"python": lab.python, "srun": f"srun:python={lab.python}", "ssh": "ssh:me@board"}


@pytest.fixture
def truth(lab: Lab, inputs: np.ndarray) -> Recording:
    recording = run(lab.python, inputs)
    assert lab.ran() == ALL_STARTS
    return recording


# Places.


@needs_proc
@pytest.mark.parametrize("where", ["python", "srun", "ssh"])
def test_every_place_gives_the_same_recording(
    lab: Lab, inputs: np.ndarray, truth: Recording, where: str, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    out = tmp_path / "out.h5"
    got = run(places_of(lab)[where], inputs, out=out, progress=lambda a, b: seen.append((a, b)))
    assert_equal(got, truth)
    assert seen == [(done, SAMPLES) for done in (2, 4, 6, 8, 9)]
    assert not list(tmp_path.glob("*.job"))
    assert not list((tmp_path / "tmp").iterdir())
    assert not lab.remote_jobs
    assert not processes_in(tmp_path)


def test_srun_is_told_partition_board_and_time(lab: Lab, inputs: np.ndarray) -> None:
    run(f"srun:partition=loihi 2;x,board=b1,time=5,python={lab.python}", inputs)
    words = json.loads((lab.folder / "srun.json").read_text())
    assert {"--partition=loihi 2;x", "--nodelist=b1", "--time=5", "--unbuffered"} <= set(words)


def test_the_remote_command_survives_a_shell(lab: Lab, inputs: np.ndarray) -> None:
    """A name with all that a shell would take for its own."""
    odd = lab.folder / "a 'b' $(touch broken) ;c"
    shutil.copy(lab.python, odd)
    run(f"ssh:board,python={odd}", inputs)
    assert not list(lab.folder.rglob("broken"))
    with pytest.raises(BackendError, match="no program '/nowhere/python' there; give its path"):
        run("ssh:board,python=/nowhere/python", inputs)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ssh:", "no host"),
        ("ssh:-oProxyCommand=x", "no host"),
        ("ssh:board,port=3", "'port=3'; there are python="),
        ("srun:time=soon", "give whole minutes"),
        ("srun:time=0", "give whole minutes"),
        ("srun:partition=", "'partition='; there are"),
        ("/no/such/python", "no such program"),
    ],
)
def test_a_place_that_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(BackendError, match=says):
        places.parse_place(text)


def test_a_variable_gives_the_default_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURODEPLOY_LOIHI2_HOST", "ssh:lab")
    assert BACKENDS["loihi2"].place_by_default() == "ssh:lab"


def test_a_tilde_is_the_home_folder_there() -> None:
    command = places.parse_place("ssh:lab,python=~/venv/bin/python").command(Path("job"))
    assert command[-2] == "lab"
    assert command[-1].startswith("exec ./venv/bin/python -c ")
    assert "BatchMode=yes" in command


def test_options_of_workers_are_refused_where_there_is_none(inputs: np.ndarray) -> None:
    with pytest.raises(BackendError, match="place: backend 'engine' runs in this process"):
        nd.run(NETWORK, inputs, place="here")
    with pytest.raises(InputError, match="board_settings: Object of type ndarray"):
        nd.run(NETWORK, inputs, backend="lava", board_settings={"a": inputs})


# What breaks midway.


def lost(lab: Lab) -> None:
    lab.wait_until_it_hangs()
    lab.lose_connection()


def nothing(lab: Lab) -> None:
    pass


class Clock:
    """Jumps once the backend hangs, so that no time limit depends on how busy this machine is."""

    sleep = staticmethod(time.sleep)

    def __init__(self, lab: Lab) -> None:
        self.hangs = lab.folder / "hangs"

    def monotonic(self) -> float:
        return time.monotonic() + (1000.0 if self.hangs.exists() else 0.0)


LIMIT: dict[str, object] = {"timeout_seconds": 500.0}

FAULTS: dict[str, tuple[str, str, Callable[[Lab], None], dict[str, object], str]] = {
    "killed": ("python", "kill", nothing, {}, "worker killed by SIGKILL and no recording"),
    "error": ("python", "raise", nothing, {}, "ArithmeticError: two and two"),
    "full": ("python", "full", nothing, {}, r"cannot write there \(File too large\)"),
    "late": ("python", "hang", nothing, LIMIT, "not finished after 500 s"),
    "cancelled": ("srun", "hang", nothing, {}, r"STEP 7.0 ON b1 CANCELLED.*see squeue"),
    "srun late": ("srun", "hang", nothing, LIMIT, "not finished after 500 s"),
    "lost": ("ssh", "hang", lost, {}, r"no connection, or it was lost \(ssh was ended by signal 9"),
    "ssh killed": ("ssh", "kill", nothing, {}, "lava: ssh:me@board: "),
    "ssh late": ("ssh", "hang", nothing, LIMIT, "not finished after 500 s"),
    "ssh error": ("ssh", "raise", nothing, {}, "ArithmeticError: two and two"),
    "ssh full": ("ssh", "full", nothing, {}, r"cannot write there \(File too large\)"),
}


QUICK = ("killed", "full", "late", "cancelled", "lost")
"""Each kind of fault once; the others are the same ones in other places."""


@needs_proc
@pytest.mark.parametrize(
    "fault",
    [f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FAULTS],
)
def test_a_second_call_goes_on_and_loses_nothing(
    lab: Lab,
    inputs: np.ndarray,
    truth: Recording,
    fault: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where, what, act, how, says = FAULTS[fault]
    out = tmp_path / "out.h5"
    if how is LIMIT:
        monkeypatch.setattr(supervisor, "time", Clock(lab))
    lab.fault(4, what)
    lab.srun_says("cancel" if fault == "cancelled" else "")
    thread = threading.Thread(target=act, args=(lab,))
    thread.start()
    with pytest.raises(BackendError, match=says) as caught:
        run(places_of(lab)[where], inputs, out=out, **how)
    thread.join()
    message = str(caught.value)
    assert message.endswith(
        f"4 of 9 samples are done and kept in {out}.job; the same call with --job {out}.job goes "
        f"on from there"
    )
    assert "\n" not in message
    assert not out.exists()
    assert lab.ran() == [0, 2]
    deadline = time.monotonic() + 4  # a worker whose connection was lost ends by itself
    while processes_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes_in(tmp_path)
    lab.srun_says("")
    assert_equal(run(places_of(lab)[where], inputs, out=out), truth)
    assert lab.ran() == [4, 6, 8]
    assert not Path(f"{out}.job").exists()
    assert not lab.remote_jobs


@pytest.mark.slow
def test_without_an_output_file_the_temporary_folder_stays(
    lab: Lab, inputs: np.ndarray, truth: Recording, tmp_path: Path
) -> None:
    lab.fault(2, "kill")
    with pytest.raises(BackendError, match=r"2 of 9 samples are done"):
        run(lab.python, inputs)
    (kept,) = (tmp_path / "tmp").iterdir()
    lab.ran()
    assert_equal(run(lab.python, inputs, job=kept), truth)
    assert lab.ran() == [2, 4, 6, 8]
    assert_equal(run("/bin/false", inputs, job=kept), truth)  # it was named, so it stays


def test_with_nothing_done_nothing_is_left(lab: Lab, inputs: np.ndarray, tmp_path: Path) -> None:
    lab.fault(0, "kill")
    with pytest.raises(BackendError) as caught:
        run(lab.python, inputs, out=tmp_path / "out.h5")
    assert "samples are done" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"lab", "tmp"}


def test_a_host_that_never_comes_back_takes_nothing_with_it(
    lab: Lab, inputs: np.ndarray, truth: Recording, tmp_path: Path
) -> None:
    lab.fault(6, "kill")
    job = tmp_path / "job"
    with pytest.raises(BackendError, match="6 of 9 samples are done"):
        run("ssh:board", inputs, job=job)
    assert lab.remote_jobs
    shutil.rmtree(lab.folder / "homes" / "board")
    (lab.folder / "homes" / "other").mkdir()
    with pytest.raises(BackendError, match="Could not resolve hostname board"):
        run("ssh:board", inputs, job=job)
    lab.ran()
    assert_equal(run("ssh:other", inputs, job=job), truth)
    assert lab.ran() == [6, 8]


def test_blocks_that_lie_on_the_other_machine_only_are_fetched(
    lab: Lab, inputs: np.ndarray, truth: Recording, tmp_path: Path
) -> None:
    lab.fault(6, "kill")
    job = tmp_path / "job"
    with pytest.raises(BackendError, match="6 of 9 samples are done"):
        run("ssh:board", inputs, job=job)
    for lost in (job / FOLDER).glob("00000002-*"):
        lost.unlink()
    lab.ran()
    assert_equal(run("ssh:board", inputs, job=job), truth)
    assert lab.ran() == [6, 8]


@pytest.mark.parametrize("where", ["python", "ssh"])
def test_a_damaged_block_runs_again(
    lab: Lab, inputs: np.ndarray, truth: Recording, where: str, tmp_path: Path
) -> None:
    lab.fault(6, "kill")
    job = tmp_path / "job"
    with pytest.raises(BackendError, match="6 of 9"):
        run(lab.python, inputs, job=job)
    block = job / FOLDER / "00000002-00000004.npz"
    data = bytearray(block.read_bytes())
    data[len(data) // 2] ^= 1
    block.write_bytes(data)
    (job / FOLDER / "00000006-00000008.npz").write_bytes(b"cut short")  # no record: not done
    lab.ran()
    assert_equal(run(places_of(lab)[where], inputs, job=job), truth)
    assert lab.ran() == [2, 6, 8]


def test_srun_that_is_refused_says_why(lab: Lab, inputs: np.ndarray) -> None:
    lab.srun_says("busy")
    with pytest.raises(BackendError, match="Requested partition configuration not available now"):
        run("srun", inputs)


def test_another_job_in_the_folder_is_refused(lab: Lab, inputs: np.ndarray, tmp_path: Path) -> None:
    job = tmp_path / "job"
    run(lab.python, inputs, job=job)
    for other, how in (("inputs", {}), ("inputs, steps", {"steps": 7})):
        with pytest.raises(BackendError, match=rf"holds another job \(other {other}; 9 samples"):
            run(lab.python, 1 - inputs, job=job, **how)
    with pytest.raises(BackendError, match="not empty, and no job"):
        run(lab.python, inputs, job=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(BackendError, match="file: a file; give a folder"):
        run(lab.python, inputs, job=tmp_path / "file")
    with pytest.raises(BackendError, match="cannot write a job there"):
        run(lab.python, inputs, job=tmp_path / "file" / "job")


@pytest.mark.slow
def test_two_workers_never_share_a_job(
    lab: Lab, inputs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    write_job(NETWORK, inputs, tmp_path / "job", backend="lava", record=RECORD)
    with (tmp_path / "job" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        script = tmp_path / "python"
        code = (
            "import sys; sys.path.insert(0, sys.argv[-1] + '/path');"
            "from neurodeploy.remote import worker_main as main;"
            "main.LOCK_SECONDS = 0.0;"
            "from neurodeploy.backends import worker; worker.main(sys.argv[-1])"
        )
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
        script.chmod(0o755)
        with pytest.raises(BackendError, match="another worker is at work there"):
            work(tmp_path / "job", str(script))


# What another machine sends is not trusted.


def parcels(tmp_path: Path) -> Parcels:
    (tmp_path / FOLDER).mkdir()
    return Parcels(tmp_path, NETWORK, RunOptions(steps=STEPS), SAMPLES)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("../../.bashrc", 10),
        ("/etc/passwd", 10),
        ("job.json", 10),
        ("00000000-00000002.home", 10),
        ("00000000-00000010.npz", 10),  # there are 9 samples
        ("00000002-00000002.npz", 10),
        ("00000000-00000002.npz", 1 << 20),
        ("00000000-00000002.npz", -1),
        ("00000000-00000002.json", 1 << 21),
    ],
)
def test_only_files_of_this_job_are_taken(tmp_path: Path, name: str, size: int) -> None:
    with pytest.raises(BackendError, match="not of this job"):
        parcels(tmp_path).open(name, size)
    assert not list((tmp_path / FOLDER).iterdir())


def test_a_block_that_changed_on_its_way_is_not_taken(tmp_path: Path) -> None:
    taken = parcels(tmp_path)
    said = Listener(lambda done, in_all: None, taken)
    said.feed(b"Welcome\nfile 00000000-00000002.npz 3\nabc")
    with pytest.raises(BackendError, match="block 00000000-00000002 was damaged on its way"):
        said.feed(b'file 00000000-00000002.json 18\n{"sha256": "beef"}')
    assert not samples_done(tmp_path)


def test_output_is_taken_apart_wherever_it_is_cut(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    said = Listener(lambda done, in_all: heard.append((done, in_all)), None)
    report = {"error": "x", "message": "y", "detail": "z\n1"}
    told = f"Welcome\nprogress 2 9\nnoise\nerror {json.dumps(report)}\nprogress 3 9\n"
    for byte in told.encode():
        said.feed(bytes([byte]))
    assert heard == [(2, 9), (3, 9)]
    assert said.error == report


# By hand, and from the shell.


def neurodeploy(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "neurodeploy", *words], capture_output=True, text=True, check=False
    )


@pytest.fixture
def files(tmp_path: Path, inputs: np.ndarray) -> list[str]:
    nd.save(NETWORK, tmp_path / "net.net")
    np.save(tmp_path / "inputs.npy", inputs)
    options = ["--backend", "lava", "--record", "spikes,u,v"]
    return ["run", "net.net", "--input", "inputs.npy", *options]


def test_a_job_is_carried_by_hand(
    lab: Lab, files: list[str], truth: Recording, tmp_path: Path
) -> None:
    written = neurodeploy(*files, "--job-only", "job")
    assert written.returncode == 0, written.stderr
    assert "neurodeploy worker job" in written.stdout
    carried = tmp_path / "elsewhere" / "carried"
    shutil.copytree(tmp_path / "job", carried)
    lab.fault(4, "kill")
    broken = neurodeploy("worker", str(carried), "--place", lab.python)
    assert broken.returncode == 2
    assert f"4 of 9 samples are done and kept in {carried}" in broken.stderr
    assert broken.stderr.count("\n") == 1
    lab.ran()
    done = neurodeploy("worker", str(carried), "--place", lab.python, "--json")
    assert done.returncode == 0, done.stderr
    assert lab.ran() == [4, 6, 8]
    assert json.loads(done.stdout)["samples"] == SAMPLES
    assert_equal(Recording.load(carried / "recording.h5"), truth)
    shutil.copy(carried / "recording.h5", tmp_path / "job")
    back = neurodeploy(*files, "--job", "job", "-o", "out.h5", "--place", "/bin/false")
    assert back.returncode == 0, back.stderr
    assert_equal(Recording.load(tmp_path / "out.h5"), truth)
    assert not lab.ran()


def test_a_job_that_suffered_on_its_way_is_refused(
    lab: Lab, inputs: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(BackendError, match=r"no job\.json there"):
        work(tmp_path)
    job = write_job(NETWORK, inputs, tmp_path / "job", backend="lava")
    whole = (job / "inputs.npy").read_bytes()
    (job / "inputs.npy").write_bytes(whole[:-4] + b"\7\0\0\0")
    with pytest.raises(BackendError, match="its inputs changed"):
        work(job, lab.python)
    (job / "inputs.npy").write_bytes(whole[:-4])
    with pytest.raises(BackendError, match="this job cannot be read"):
        work(job, lab.python)
    (job / "job.json").write_text("{}")
    with pytest.raises(BackendError, match="not of a job"):
        work(job, lab.python)
    assert neurodeploy("worker", str(job)).returncode == 2


@needs_proc
@pytest.mark.parametrize(
    ("where", "how"),
    [
        ("python", signal.SIGINT),
        ("ssh", signal.SIGINT),
        pytest.param("python", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("python", signal.SIGHUP, marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_says_what_is_done(
    lab: Lab, files: list[str], truth: Recording, where: str, how: signal.Signals, tmp_path: Path
) -> None:
    command = [*files, "--place", places_of(lab)[where], "-o", "out.h5"]
    kept = tmp_path / "out.h5.job"
    lab.fault(4, "hang")
    with subprocess.Popen(
        [sys.executable, "-m", "neurodeploy", *command], stderr=subprocess.PIPE, text=True
    ) as process:
        lab.wait_until_it_hangs()
        # What the worker has done arrives a little later, over ssh.
        wait_for(kept / "blocks" / "00000002-00000004.npz")
        process.send_signal(how)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + how
    assert (
        said.strip()
        .splitlines()[-1]
        .startswith(f"neurodeploy: interrupted; 4 of 9 samples are done and kept in {kept}")
    )
    assert not processes_in(tmp_path / "lab")
    assert not processes_in(kept)
    lab.ran()
    again = neurodeploy(*command)
    assert again.returncode == 0, again.stderr
    assert lab.ran() == [4, 6, 8]
    assert_equal(Recording.load(tmp_path / "out.h5"), truth)
    assert not kept.exists()


# Lava itself.


@needs_lava
@pytest.mark.slow
def test_lava_goes_on_to_the_same_recording(tmp_path: Path) -> None:
    values = np.random.default_rng(5).integers(0, 2, (18, 120, 3)).astype(np.int32)
    values[:8] *= 3  # payloads in what is done only: the rest still takes part in the same run
    how = {"backend": "lava", "record": RECORD, "reset_interval": 7}
    whole = nd.run(NETWORK, values, **how)

    def interrupt(done: int, _: int) -> None:
        raise KeyboardInterrupt

    job = tmp_path / "job"
    with pytest.raises(KeyboardInterrupt, match="interrupted; 8 of 18 samples are done"):
        nd.run(NETWORK, values, **how, job=job, progress=interrupt)
    seen: list[int] = []
    again = nd.run(NETWORK, values, **how, job=job, progress=lambda done, _: seen.append(done))
    assert seen == [8, 16, 18]
    for key in whole.arrays:
        np.testing.assert_array_equal(whole.arrays[key], again.arrays[key], key)
