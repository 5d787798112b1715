"""Starts a worker, listens to it until it ends, and sees to it that it does."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO

from ..errors import BackendError, printable
from ..network import Network
from ..recording import Header
from ..recording.run_options import Progress, RunOptions
from .blocks import FOLDER, HEADER, NAME, largest_block_bytes
from .descendants import end_descendants, scratch_folder
from .folder import check_plain, fresh
from .places import Place, environment

PROGRESS, ERROR, FILE = b"progress ", b"error ", b"file "
"""Start the lines that a worker writes; see `worker_main`. Other output is not ours."""

KEPT = b"k"
"""Tells a worker on another machine that all its files have arrived."""

BEAT_SECONDS = 10.0
"""How often a worker hears that we are there."""

POLL_SECONDS = 0.2
LOG_TAIL = 20_000
LONGEST_NAME, LONGEST_MESSAGE = 80, 2000
LONGEST_LINE = 1 << 24
LARGEST_RECORD = 1 << 20


@dataclass
class Said:
    """What came of a worker: its exit code, the error that it reported, the end of its log."""

    code: int = 0
    error: dict[str, str] | None = None
    log: str = ""
    out_of_memory: bool = False
    """Whether the kernel killed a process of this machine for want of memory meanwhile."""

    @property
    def signal(self) -> str | None:
        """The signal that ended it, by its name; a shell in between gives 128 and its number."""
        number = -self.code if self.code < 0 else self.code - 128
        try:
            return signal.Signals(number).name
        except ValueError:
            return None


class Parcels:
    """Files that a worker on another machine sends: checked, then put into their place.

    Nothing is taken but blocks of this job, at most as large as they can be, with the checksum
    that their record says, and the recording's header.
    """

    def __init__(self, job: Path, network: Network, options: RunOptions, samples: int) -> None:
        self.folder = job / FOLDER
        self.network = network
        self.options = options
        self.samples = samples
        self.header: Header | None = None
        self.left = 0
        self._name = ""
        self._file: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self._sums: dict[str, str] = {}

    def open(self, name: str, size: int) -> None:
        """Expect a file."""
        stem, _, suffix = name.rpartition(".")
        block = NAME.fullmatch(stem)
        limit = 0
        if name == HEADER or (block and suffix == "json"):
            limit = LARGEST_RECORD
        elif block and suffix == "npz" and 0 <= int(block[1]) < int(block[2]) <= self.samples:
            count = int(block[2]) - int(block[1])
            limit = largest_block_bytes(self.network, self.options, count)
        if not 0 < size <= limit:
            raise BackendError(
                f"the other side sent {name[:80]!r} of {size} bytes; not of this job"
            )
        self._name, self.left = name, size
        self._digest = hashlib.sha256()
        self._file = fresh(self.folder / f"{name}.part")

    def write(self, data: bytes) -> None:
        """Take the next bytes of it, at most `left`."""
        assert self._file is not None
        self._file.write(data)
        self._digest.update(data)
        self.left -= len(data)
        if not self.left:
            try:
                self._close(self._file)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise BackendError(f"{self._name}: broken where it was sent ({error})") from error

    def _close(self, file: IO[bytes]) -> None:
        file.flush()
        os.fsync(file.fileno())
        file.close()
        part = self.folder / f"{self._name}.part"
        stem, _, suffix = self._name.rpartition(".")
        if suffix == "npz":
            self._sums[stem] = self._digest.hexdigest()
        elif self._name == HEADER:
            self.header = Header.from_json(part.read_text())
            part.unlink()
            return
        elif json.loads(part.read_text()).get("sha256") != self._sums.get(stem):
            raise BackendError(f"block {stem} was damaged on its way; run the same again")
        part.replace(self.folder / self._name)


@dataclass
class Listener:
    """Takes a worker's output apart: progress, an error, files."""

    progress: Progress
    parcels: Parcels | None
    error: dict[str, str] | None = None
    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        """Take what the worker wrote."""
        self._pending += data
        while self._pending:
            if self.parcels is not None and self.parcels.left:
                taken = bytes(self._pending[: self.parcels.left])
                del self._pending[: len(taken)]
                self.parcels.write(taken)
                continue
            line, newline, rest = self._pending.partition(b"\n")
            if not newline:
                if len(line) > LONGEST_LINE:
                    raise BackendError("the worker writes a line without an end; see its log")
                return
            self._pending = rest
            self._hear(bytes(line))

    def _hear(self, line: bytes) -> None:
        if line.startswith(PROGRESS):
            told = [_count(word) for word in line[len(PROGRESS) :].decode(errors="replace").split()]
            if len(told) == 2 and 0 <= told[0] <= told[1]:
                self.progress(told[0], told[1])
        elif line.startswith(ERROR):
            self.error = _report(line[len(ERROR) :])
        elif line.startswith(FILE) and self.parcels is not None:
            name, _, size = line[len(FILE) :].decode(errors="replace").rpartition(" ")
            self.parcels.open(name, _count(size))


def _count(word: str) -> int:
    """Read a count that a worker wrote; -1 for what is none."""
    return int(word) if re.fullmatch("[0-9]{1,18}", word) else -1


def _report(text: bytes) -> dict[str, str]:
    """Read an error that a worker reported: three texts, of a length that can be shown."""
    try:
        told = json.loads(text)
        kind, message, detail = told["error"], told["message"], told["detail"]
        if kind.isidentifier() and isinstance(message, str):
            return {
                "error": kind[:LONGEST_NAME],
                "message": message[:LONGEST_MESSAGE],
                "detail": _lines(detail[-LOG_TAIL:]),
            }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise BackendError(
        f"the worker reports an error that cannot be read ({text[:80]!r}); see its log"
    )


def _lines(text: str) -> str:
    """Several lines of which a terminal obeys nothing."""
    return "\n".join(printable(line.expandtabs()) for line in text.splitlines())


def supervise(
    place: Place,
    job: Path,
    backend: str,
    options: RunOptions,
    samples: int,
    parcels: Parcels | None,
) -> Said:
    """Start a worker in a place and watch it to its end, whichever that is.

    Raises
    ------
    BackendError
        If it takes longer than ``options.timeout_seconds``, or what it sends cannot be taken.
    """
    done = 0

    def progress(samples_done: int, in_all: int) -> None:
        nonlocal done
        done = samples_done
        if options.progress is not None:
            options.progress(samples_done, in_all)

    listener = Listener(progress, parcels)
    try:
        command = place.command(job)
        payload = place.payload(job)
        token = secrets.token_hex(6)
        with fresh(job / "worker.log") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=job if place.remote else job / "path",  # where nothing but our package is
                env=environment(token),
                start_new_session=True,
                bufsize=0,
            )
    except OSError as error:
        raise BackendError(
            f"{backend}: no worker can be started in {job} ({error.strerror or error}); check the "
            f"program, the folder and the space there"
        ) from error
    over = threading.Event()
    killed = _killed_for_memory()
    try:
        threading.Thread(
            target=_feed, args=(process, payload, place.remote, over), daemon=True
        ).start()
        _listen(process, listener, options.timeout_seconds)
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"{backend}: not finished after {options.timeout_seconds:g} s ({done} of {samples} "
            f"samples done); allow more time (timeout_seconds) or run fewer samples"
        ) from None
    except OSError as error:
        raise BackendError(
            f"{job}: cannot keep what the worker sends ({error.strerror or error}); free space"
        ) from error
    finally:
        over.set()
        _end_group(process, listener, place.grace_seconds)
        end_descendants(token, scratch_folder(token))
        shutil.rmtree(job / "path", ignore_errors=True)
    check_plain(job)  # the worker was at it
    with (job / "worker.log").open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
        text = _lines(log.read(LOG_TAIL).decode(errors="replace"))
    return Said(process.returncode, listener.error, text, _killed_for_memory() > killed)


def _killed_for_memory() -> int:
    """How many processes Linux has killed for want of memory since this machine started."""
    with suppress(OSError):
        counters = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
        return int(counters[1]) if counters else 0
    return 0


def _feed(
    process: subprocess.Popen[bytes],
    payload: Sequence[IO[bytes]],
    beats: bool,
    over: threading.Event,
) -> None:
    """Write what a worker's input starts with, then a byte now and then while we are there.

    One on this machine needs no such byte, and may be left alone while we are halted.
    """
    assert process.stdin is not None
    with suppress(OSError, ValueError):  # it ended, or its input was closed
        for part in payload:
            with part:
                while not over.is_set() and (chunk := part.read(1 << 16)):
                    left = memoryview(chunk)
                    while left:
                        left = left[process.stdin.write(left) or 0 :]
        while beats and not over.wait(BEAT_SECONDS):
            process.stdin.write(b".")


def _listen(process: subprocess.Popen[bytes], listener: Listener, limit: float | None) -> None:
    """Forward a worker's output until it ends; raises TimeoutExpired if that takes too long."""
    assert process.stdout is not None
    assert process.stdin is not None
    output = process.stdout.fileno()
    deadline = float("inf") if limit is None else time.monotonic() + limit
    kept = False
    while process.poll() is None or wait([output], 0):
        left = deadline - time.monotonic()
        if left <= 0:
            raise subprocess.TimeoutExpired(process.args, limit or 0.0)
        if not wait([output], min(POLL_SECONDS, left)):
            continue
        chunk = os.read(output, 1 << 16)
        if not chunk:  # the worker is about to end, and has closed its output
            process.wait(None if limit is None else left)
            return
        listener.feed(chunk)
        if not kept and listener.parcels is not None and listener.parcels.header is not None:
            kept = True
            with suppress(OSError):
                process.stdin.write(KEPT)


def _drain(process: subprocess.Popen[bytes], listener: Listener, seconds: float) -> None:
    """Take what a worker had sent before it was asked to end: finished samples may be under way."""
    assert process.stdout is not None
    output = process.stdout.fileno()
    deadline = time.monotonic() + seconds
    with suppress(OSError, BackendError):
        while (left := deadline - time.monotonic()) > 0:
            if wait([output], min(POLL_SECONDS, left)):
                chunk = os.read(output, 1 << 16)
                if not chunk:
                    break
                listener.feed(chunk)
            elif process.poll() is not None:
                break
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))


def _end_group(process: subprocess.Popen[bytes], listener: Listener, grace_seconds: float) -> None:
    """End a worker and all its children: ask, wait a little, then kill."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.close()
        _drain(process, listener, grace_seconds)
        if process.poll() is None:  # srun cancels its step, which no kill would
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(grace_seconds / 3)
        if process.returncode not in (0, 1):
            # It crashed; Python's resource tracker, which is in its group,
            # needs a moment to remove Lava's shared memory.
            time.sleep(POLL_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
