"""A job folder from a stranger, a worker that lies, and a machine that ends things: nothing runs,
is read or is removed but what belongs to the job."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.backends import write_job
from neurodeploy.backends.worker import work
from neurodeploy.errors import BackendError, NeurodeployError
from neurodeploy.recording import Recording
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.remote.folder import FILES, take_lock
from neurodeploy.remote.job import read_job
from neurodeploy.remote.places import Local, Srun, Ssh, parse_place
from neurodeploy.remote.supervisor import Listener
from neurodeploy.remote.worker import run_in_worker

from .elsewhere import Lab, needs_lava
from .test_places import RECORD, assert_equal, inputs, lab, places_of, run, truth
from .test_worker import NETWORK, needs_proc, ones, worker_with

__all__ = ["inputs", "lab", "truth"]

HOSTILE = Path(__file__).resolve().parents[3] / "shared/cases/faults/hostile/exceptions"

PLANTED = ("numpy", "h5py", "neurodeploy", "multiprocessing", "sitecustomize", "json", "os", "re")
"""Modules that a worker, Python itself or a helper of Python's imports."""


# (1) Code never runs from a job folder.


def plant(folder: Path, ran: Path) -> None:
    """Put modules and packages there that tell when they are imported."""
    code = f"open({str(ran)!r}, 'a').write(__name__ + ' ')\nraise SystemExit('planted')\n"
    for name in PLANTED:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(code)
        (folder / name / "__init__.py").write_text(code)
        (folder / name / "__main__.py").write_text(code)


@pytest.mark.parametrize("where", ["python", "srun", "ssh"])
def test_code_in_a_job_folder_never_runs(
    lab: Lab, inputs: np.ndarray, truth: Recording, where: str, tmp_path: Path
) -> None:
    job, ran = tmp_path / "a:b" / "job", tmp_path / "planted"
    write_job(NETWORK, inputs, job, backend="lava", record=RECORD)
    plant(job, ran)
    plant(job / "path", ran)
    plant(tmp_path / "b", ran)
    for home in (lab.folder / "homes" / "board", Path.cwd()):
        plant(home, ran)
    assert_equal(work(job, places_of(lab)[where]), truth)
    assert not ran.exists()


@pytest.mark.parametrize(
    "place", [Local(), parse_place(sys.executable), Srun(), Ssh(host="board", python="python3")]
)
def test_no_place_starts_with_the_working_folder_on_the_path(
    place: Local | Srun | Ssh, lab: Lab, inputs: np.ndarray, tmp_path: Path
) -> None:
    """The words that every place starts with, but the last of them tells the path and ends."""
    job = write_job(NETWORK, inputs, tmp_path / "job", backend="lava")
    words = place.command(job)
    if isinstance(place, Ssh):
        assert "sys.path[:] = filter(None, sys.path); " in words[-1]
        return
    code = words[words.index("-c") + 1]
    before, _, after = code.partition("; from neurodeploy")
    assert after
    told = subprocess.run(
        [sys.executable, "-c", f"{before}; print(sys.path)", str(job)],
        cwd=job,
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    ).stdout
    path = [str(Path(entry).resolve()) for entry in json.loads(told.replace("'", '"'))]
    assert path[0] == str(job / "path")
    assert str(job) not in path


# (2) Nothing but plain files and folders is opened.


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def dangling(path: Path, victim: Path) -> None:
    path.symlink_to(victim.parent / "made")


def fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def folder(path: Path, victim: Path) -> None:
    path.mkdir()


KINDS = {link: "a symbolic link", dangling: "a symbolic link", fifo: "a FIFO", folder: "a folder"}
PLACES_IN_A_JOB = [
    *sorted(FILES),
    *("header.json", "blocks", "path", "blocks/00000000-00000002.npz"),
    *("blocks/00000000-00000002.json", "blocks/00000002-00000004.json.part"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", PLACES_IN_A_JOB)
def test_what_is_no_plain_file_is_refused_before_it_is_opened(
    name: str, kind: Callable[[Path, Path], None], inputs: np.ndarray, tmp_path: Path
) -> None:
    if kind is folder and name in ("header.json", "blocks", "path"):
        pytest.skip("may be folders, or are never read")
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("precious")
    job = write_job(NETWORK, inputs, tmp_path / "job", backend="lava")
    planted = job / name
    planted.parent.mkdir(exist_ok=True)
    planted.unlink(missing_ok=True)
    kind(planted, victim if name in ("blocks", "path") else victim / "file")
    with pytest.raises(BackendError, match=rf"{planted}: {KINDS[kind]}; a job folder holds plain"):
        work(job, "/bin/false")
    with pytest.raises(BackendError, match=KINDS[kind]):
        run("/bin/false", inputs, job=job)
    assert {p.name for p in tmp_path.iterdir() if p.name != "tmp"} <= {"victim", "job"}
    assert [p.name for p in victim.iterdir()] == ["file"]
    assert (victim / "file").read_text() == "precious"


@pytest.mark.parametrize("name", ["worker.log", "lock", "blocks/00000002-00000004.npz.part"])
def test_a_hard_link_does_no_harm(
    lab: Lab, name: str, inputs: np.ndarray, truth: Recording, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_text("precious")
    job = write_job(NETWORK, inputs, tmp_path / "job", backend="lava", record=RECORD)
    (job / name).parent.mkdir(exist_ok=True)
    os.link(tmp_path / "victim", job / name)
    assert_equal(work(job, lab.python), truth)
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_folder_of_the_users_own_is_not_removed(inputs: np.ndarray, tmp_path: Path) -> None:
    mine = tmp_path / "out.h5.job"
    mine.mkdir()
    (mine / "thesis.tex").write_text("precious")
    with pytest.raises(BackendError, match="not empty, and no job"):
        run("/bin/false", inputs, out=tmp_path / "out.h5")
    assert (mine / "thesis.tex").read_text() == "precious"
    mine.rename(tmp_path / "elsewhere")
    mine.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackendError, match="a symbolic link; delete it, or name a folder"):
        run("/bin/false", inputs, out=tmp_path / "out.h5")


# Damaged jobs: one error of ours, and no more memory than the folder takes.


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the shared cases are not here")
def test_damaged_jobs_that_were_found_are_refused(tmp_path: Path) -> None:
    cases = sorted(HOSTILE.glob("14-*"))
    assert len(cases) >= 5
    for case in cases:
        shutil.copytree(case, tmp_path / case.name)
        with pytest.raises(NeurodeployError):
            work(tmp_path / case.name, "/bin/false")


def test_options_that_no_worker_follows_are_not_taken_from_a_job(
    inputs: np.ndarray, tmp_path: Path
) -> None:
    job = write_job(NETWORK, inputs, tmp_path / "job", backend="lava")
    told = json.loads((job / "job.json").read_text())
    told["options"].update(out=str(tmp_path / "out"), job="/", host="ssh:x", threads=9)
    (job / "job.json").write_text(json.dumps(told))
    assert read_job(job).options == RunOptions(
        steps=5, inputs_fingerprint=told["options"]["inputs_fingerprint"]
    )


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ("packed", "claims 268,435,584 bytes in a file of "),
        ("numbers", "an array of shape (1099511627776,) and int8 in 128 bytes"),
    ],
)
def test_arrays_of_a_job_take_no_more_than_their_file(
    claim: str, says: str, inputs: np.ndarray, tmp_path: Path
) -> None:
    job = write_job(NETWORK, inputs, tmp_path / "job", backend="lava")
    with zipfile.ZipFile(job / "network.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = (
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '|i1', 'fortran_order': False, 'shape': (%d,)}"
        )
        count = 1 << (28 if claim == "packed" else 40)
        with archive.open("big.npy", "w") as file:
            file.write((header % count).ljust(127) + b"\n")
            for _ in range(256 if claim == "packed" else 0):
                file.write(bytes(1 << 20))
    assert (job / "network.npz").stat().st_size < 1 << 20
    with pytest.raises(BackendError, match=re.escape(says)):
        work(job, "/bin/false")


@pytest.mark.parametrize(
    ("key", "array", "says"),
    [
        ("1.neuron", np.full(3, -1, np.int32), r"neuron goes from -1 to -1, not 0 to 3"),
        ("2.counts", np.zeros((2, 3), np.int64), r"2.counts is int64 \(2, 3\)"),
        ("1.u", np.zeros((2, 5, 4), np.float64), r"1.u is float64"),
        ("0.step_counts", np.full((2, 5), -1, np.int32), "goes from -1"),
        ("2.step_counts", None, "2.step_counts"),
    ],
)
def test_a_block_that_is_not_of_this_job_is_refused(
    lab: Lab, inputs: np.ndarray, key: str, array: np.ndarray | None, says: str, tmp_path: Path
) -> None:
    """Its checksum is right: whoever packs a job can write that too."""
    from neurodeploy.remote.blocks import sha256_of

    job = tmp_path / "job"
    lab.fault(2, "kill")
    with pytest.raises(BackendError, match="2 of 9"):
        run(lab.python, inputs, job=job)
    block = job / "blocks" / "00000000-00000002.npz"
    arrays = dict(np.load(block))
    del arrays[key]
    if array is not None:
        arrays[key] = array
    if key == "1.neuron":
        arrays["1.step_counts"] = np.array([[3, 0, 0, 0, 0], [0] * 5], np.int32)
        arrays.pop("1.payload", None)
    np.savez(block, **arrays)
    record = block.with_suffix(".json")
    record.write_text(json.dumps({"sha256": sha256_of(block), "measured": {"joules": 1.0}}))
    with pytest.raises(BackendError, match=says):
        run("ssh:board", inputs, job=job)


# (7) Two runs to one output.


@needs_proc
def test_a_second_run_to_the_same_output_removes_nothing(
    lab: Lab, inputs: np.ndarray, truth: Recording, tmp_path: Path
) -> None:
    pytest.importorskip("fcntl")
    out, first = tmp_path / "out.h5", []
    lab.fault(0, "wait")
    thread = threading.Thread(target=lambda: first.append(run(lab.python, inputs, out=out)))
    thread.start()
    lab.wait_until_it_hangs()
    for other in (inputs, 1 - inputs):
        with pytest.raises(BackendError, match=r"out\.h5\.job: another run is at work there; wait"):
            run(lab.python, other, out=out)
    with pytest.raises(BackendError, match="another run is at work there"):
        work(Path(f"{out}.job"), lab.python)
    (lab.folder / "hangs").unlink()
    thread.join()
    assert_equal(first[0], truth)
    assert_equal(Recording.load(out), truth)
    assert {path.name for path in tmp_path.iterdir()} == {"lab", "tmp", "out.h5"}


def test_a_lock_is_not_that_of_a_folder_that_was_removed(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    job = tmp_path / "job"
    job.mkdir()
    held = take_lock(job, 0.0, "busy")
    with pytest.raises(BackendError, match="job: busy"):
        take_lock(job, 0.0, "busy")
    assert held is not None
    job.rmdir()
    job.mkdir()  # another one of this name
    again = take_lock(job, 0.0, "busy")
    assert again is not None
    os.close(held)
    os.close(again)


# (9) A worker is not believed.


def listener() -> Listener:
    return Listener(lambda done, in_all: None, None)


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{}",
        b"nonsense",
        b"\xff\xfe",
        b'{"error": 1, "message": "", "detail": ""}',
        b'{"error": "a b", "message": "", "detail": ""}',
        b'{"error": "x", "message": {}, "detail": ""}',
        b'{"error": "x", "message": "", "detail": null}',
        b"[" * 100_000,
    ],
    ids=lambda line: line[:40].decode(errors="replace"),
)
def test_an_error_line_that_cannot_be_read_is_one_line(line: bytes) -> None:
    with pytest.raises(BackendError, match="reports an error that cannot be read"):
        listener().feed(b"error " + line + b"\n")


@pytest.mark.parametrize(
    "line",
    [
        b"progress 9 2",
        "progress \u00b2 9".encode(),
        b"progress " + b"9" * 9999 + b" 9",
        b"progress",
    ],
    ids=["backwards", "superscript", "endless", "empty"],
)
def test_progress_that_is_none_is_not_told(line: bytes) -> None:
    told: list[int] = []
    Listener(lambda done, in_all: told.append(done), None).feed(line + b"\n")
    assert not told


def test_what_a_worker_says_is_shown_harmlessly(tmp_path: Path) -> None:
    place = Local(words=(sys.executable, "-c", "import sys; sys.exit('\\x1b]0;owned\\x07')"))
    with pytest.raises(BackendError) as caught:
        run_in_worker(place, "lava", NETWORK, ones(2), RunOptions(steps=2, out=tmp_path / "a.h5"))
    assert r"\x1b]0;owned\x07" in str(caught.value)
    assert "\x1b" not in str(caught.value) + vars(caught.value)["detail"]
    said = listener()
    said.feed(b'error {"error": "x", "message": "a", "detail": "\\u001b[2J\\nb"}\n')
    assert said.error is not None
    assert said.error["detail"] == "\\x1b[2J\nb"


LIES = {
    "link": ("os.symlink('/etc/passwd', out)", "a symbolic link; a job folder holds plain files"),
    "text": ("open(out, 'w').write('no')", "not a readable HDF5 file"),
    "steps": ("record(steps=3)", r"not of this job \(other steps\); delete it"),
    "samples": ("record(samples=2)", r"not of this job \(other samples\)"),
    "network": ("record(network='x', backend='y')", r"\(other backend, network\)"),
    "names": ("record(populations=())", "populations: needs at least one"),
}


@needs_lava
@pytest.mark.parametrize("lie", LIES)
def test_a_recording_of_something_else_is_not_moved_to_the_output(lie: str, tmp_path: Path) -> None:
    code, says = LIES[lie]
    act = (
        "out = sys.argv[1] + '/recording.h5'\n"
        "def record(**changes):\n"
        "    from pathlib import Path\n"
        "    from neurodeploy.recording import RecordingWriter\n"
        "    from neurodeploy.recording.assemble import header_of\n"
        "    from neurodeploy.remote.job import read_job\n"
        "    work = read_job(Path(sys.argv[1]))\n"
        "    header = header_of(work.network, 'lava', '1', work.options)\n"
        "    with RecordingWriter(header, Path(out)) as writer:\n"
        "        writer.finish(**{'samples': 1, **changes})\n"
        f"{code}\nos._exit(0)\n"
    )
    out = tmp_path / "a.h5"
    with pytest.raises(NeurodeployError, match=says):
        run_in_worker(
            worker_with(tmp_path, act), "lava", NETWORK, ones(2), RunOptions(steps=2, out=out)
        )
    assert not list(tmp_path.glob("*a.h5*"))


# (12) What a worker leaves.


@needs_proc
@pytest.mark.parametrize(
    "end",
    [
        "raise ArithmeticError",
        "os.kill(os.getpid(), 9)",
        pytest.param("time.sleep(99)", marks=pytest.mark.slow),
    ],
)
@needs_lava
def test_a_descendant_in_its_own_session_ends_too(end: str, tmp_path: Path) -> None:
    code = (
        "def act(*_):\n"
        "    import subprocess, tempfile, time\n"
        "    tempfile.mkdtemp(prefix='pymp-')\n"
        f"    open({str(tmp_path / 'folder')!r}, 'w').write(tempfile.gettempdir())\n"
        "    child = subprocess.Popen(['sleep', '77'], start_new_session=True)\n"
        f"    open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        f"            open({str(tmp_path / 'deep')!r}, 'w').write(str(os.getpid()))\n"
        "        time.sleep(77)\n"
        f"    while not os.path.exists({str(tmp_path / 'deep')!r}): time.sleep(0.01)\n"
        f"    {end}\n"
        "worker._run_network = act\n"
    )
    options = RunOptions(steps=2, timeout_seconds=20.0 if "time" in end else 60.0)
    with pytest.raises(BackendError):
        run_in_worker(worker_with(tmp_path, code), "lava", NETWORK, ones(2), options)
    for name in ("pid", "deep"):
        process = Path("/proc") / (tmp_path / name).read_text()
        ended = time.monotonic() + 5
        while process.exists() and "Z" not in (process / "stat").read_text().split()[2]:
            assert time.monotonic() < ended, f"{name} outlived the run"
            time.sleep(0.05)
    folder = Path((tmp_path / "folder").read_text())
    assert folder.name.startswith("nd-")
    assert not folder.exists()
    assert not [
        path for path in tmp_path.iterdir() if path.name.startswith(("nd-", "neurodeploy-"))
    ]


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("os.kill(os.getpid(), 9)", "worker killed by SIGKILL and no recording"),
        ("os.kill(os.getpid(), 11)", "worker killed by SIGSEGV"),
        ("os._exit(128 + 15)", "worker killed by SIGTERM"),
        ("os._exit(3)", "worker ended with exit code 3 .*check that its interpreter has numpy"),
    ],
)
@needs_lava
def test_a_killed_worker_is_said_to_be_killed(end: str, says: str, tmp_path: Path) -> None:
    place = worker_with(tmp_path, end)
    with pytest.raises(BackendError, match=says) as caught:
        run_in_worker(place, "lava", NETWORK, ones(2), RunOptions(steps=2))
    assert ("interpreter" in str(caught.value)) == ("code 3" in says)


@needs_lava
def test_want_of_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neurodeploy.remote import supervisor

    counts = iter([4, 5])
    monkeypatch.setattr(supervisor, "_killed_for_memory", lambda: next(counts))
    place = worker_with(tmp_path, "os.kill(os.getpid(), 9)")
    with pytest.raises(BackendError, match=r"killed by SIGKILL .* the machine ran out of memory"):
        run_in_worker(place, "lava", NETWORK, ones(2), RunOptions(steps=2))
