"""Files of event cameras, read chunk by chunk.

A format is a function from a path to `Chunks`. What a well-kept library reads is left to it:
AEDAT4 to iniVation's `dv_processing`, Prophesee's EVT2, EVT3 and DAT to `expelliarmus`, bags to
`rosbags`, HDF5 to `h5py` (extra ``events``). AEDAT 2.0 and 3.1 and the five-byte events of N-MNIST
are read here, after their specifications: the one library that has them brings a sound library
and SciPy, and mirrors some.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, how_to_add
from ..hdf5 import hdf5_damage, open_hdf5
from ..numpy_files import map_array
from .events import EVENT, Events, as_events, bin_events, hot_pixels, read_binning

AT_ONCE = 1 << 18
"""Events of a chunk."""

HEADER_BYTES = 1 << 20
"""Most that is looked through for the end of a text header."""


@dataclass(frozen=True)
class Recorded:
    """Events of a file.

    Attributes
    ----------
    chunks : callable
        Opens the file anew and yields `Events`.
    sensor : (int, int) or None
        Width and height, where the file says so.
    """

    chunks: Callable[[], Iterator[Events]]
    sensor: tuple[int, int] | None = None


def read_event_file(path: str | Path) -> Recorded:
    """Open a file of events, of whatever kind its first bytes and its name say.

    Raises
    ------
    InputError
        If there is no such file, it is of no kind known, or the library for it is missing.
    """
    path = Path(path)
    if not path.is_file() and not (path.is_dir() and (path / "metadata.yaml").is_file()):
        raise InputError(f"{path}: no such file; give a recording of an event camera")
    return _kind_of(path)(path)


def is_event_file(path: str | Path) -> bool:
    """Whether a path has the suffix of an event camera's file."""
    return Path(path).suffix.lower() in {".aedat4", ".aedat", ".raw", ".dat", ".bin", ".bag"}


def _kind_of(path: Path) -> Callable[[Path], Recorded]:
    if path.is_dir() or path.suffix.lower() == ".bag":
        return _ros
    with path.open("rb") as file:
        head = file.read(1 << 12)
    if head.startswith(b"#!AER-DAT4"):
        return _aedat4
    if head.startswith(b"#!AER-DAT3"):
        return _aedat3
    if head.startswith(b"#!AER-DAT2") or (path.suffix.lower() == ".aedat" and head[:1] == b"#"):
        return _aedat2
    if head.startswith(b"\x89HDF"):
        return _hdf5
    if head.startswith(b"\x93NUMPY"):
        return _numpy
    if head.startswith(b"%"):
        return _prophesee
    if path.suffix.lower() == ".bin":
        return _n_mnist
    raise InputError(
        f"{path}: no kind of event file that is known; give AEDAT 2, 3.1 or 4, Prophesee's RAW or "
        f"DAT, N-MNIST's .bin, a ROS bag, HDF5 or .npy with fields x, y, t, p"
    )


def _library(name: str, path: Path) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f"{path}: needs {name}, which is not installed; {how_to_add('events')}"
        ) from error


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Name the file in what a reader's library raises."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (OSError, ValueError, RuntimeError, IndexError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: damaged, or of another kind ({reason})") from error


def _made(x: Any, y: Any, t: Any, p: Any) -> Events:
    made = np.empty(len(t), EVENT)
    for name, values in zip("xytp", (x, y, t, p), strict=True):
        made[name] = values
    return made


def _numpy(path: Path) -> Recorded:
    array = map_array(path, InputError, "give a structured array with fields x, y, t, p")
    with _damage(path):
        as_events(array[:1])

    def chunks() -> Iterator[Events]:
        for first in range(0, len(array), AT_ONCE):
            with _damage(path):
                yield as_events(array[first : first + AT_ONCE])

    return Recorded(chunks)


_COLUMNS = {
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "t": ("t", "ts", "timestamp", "timestamps"),
    "p": ("p", "ps", "polarity", "polarities", "on"),
}
"""What HDF5 files call the fields of an event."""


def _hdf5(path: Path) -> Recorded:
    """Columns x, y, t and p in the root or in a group, as Prophesee and DSEC store them.

    ``ts`` or ``timestamp`` may stand for t and ``polarity`` for p; or one structured array.
    """
    cure = "give x, y, t and p as arrays of one length"
    file = open_hdf5(path, InputError, cure)
    places = [file, *(file[n] for n in ("events", "CD/events", "CD") if n in file)]
    tables = [found for found in map(_columns_of, places) if found]
    if not tables:
        raise InputError(f"{path}: no events in it; {cure}")
    columns = tables[0]
    if len({column.shape for column in columns.values()}) != 1:
        raise InputError(f"{path}: x, y, t and p are of different shapes; {cure}")
    (length,) = next(iter(columns.values())).shape

    def chunks() -> Iterator[Events]:
        for first in range(0, length, AT_ONCE):
            with hdf5_damage(path, InputError, cure), _damage(path):
                cut = slice(first, first + AT_ONCE)
                parts = {name: np.asarray(column[cut]) for name, column in columns.items()}
                yield as_events(parts.get("all", _table(parts)))

    return Recorded(chunks)


def _columns_of(place: Any) -> dict[str, Any]:
    """Datasets of one axis by the fields that they hold; ``all``: one structured dataset."""
    if getattr(place, "dtype", None) is not None:
        return {"all": place} if place.dtype.names and len(place.shape) == 1 else {}
    names = {field: [n for n in known if n in place] for field, known in _COLUMNS.items()}
    if not all(names.values()):
        return {}
    found = {field: place[there[0]] for field, there in names.items()}
    flat = all(len(getattr(column, "shape", ())) == 1 for column in found.values())
    return found if flat else {}


def _table(columns: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Columns as one structured array."""
    table = np.empty(
        len(next(iter(columns.values()))), [(name, c.dtype) for name, c in columns.items()]
    )
    for name, column in columns.items():
        table[name] = column
    return table


def _n_mnist(path: Path) -> Recorded:
    """Five bytes an event, as the data sets of Orchard et al. 2015 (Front. Neurosci. 9:437) have.

    Column, row, then polarity in the highest bit of 24 whose others are microseconds. An event in
    row 240 is none: the clock has run over by 2^13 us.
    """

    def chunks() -> Iterator[Events]:
        passed = 0
        for raw in _bytes(path, 0, 5 * AT_ONCE, 5):
            part = np.frombuffer(raw, np.uint8).reshape(-1, 5).astype(np.int64)
            over = part[:, 1] == 240
            ran = passed + np.cumsum(over) * (1 << 13)
            passed = int(ran[-1]) if len(ran) else passed
            t = ((part[:, 2] & 127) << 16 | part[:, 3] << 8 | part[:, 4]) + ran
            real = ~over
            yield _made(part[real, 0], part[real, 1], t[real], part[real, 2] >> 7)

    return Recorded(chunks)


def _aedat2(path: Path) -> Recorded:
    """AEDAT 2.0 (docs.inivation.com, File Formats): big-endian address and microseconds.

    The camera is the header's ``AEChip``; without one it is a DVS128, as jAER takes it. Rows
    count from below there.
    """
    header, begin = _text_header(path)
    chip = re.search(r"AEChip:\s*\S*?(\w+)\s*$", header, re.MULTILINE)
    camera = chip[1] if chip else "DVS128"
    davis = re.match(r"(?:Davis|DAVIS)[^0-9]*(\d+)", camera)
    sensors = {"240": (240, 180), "346": (346, 260), "640": (640, 480), "208": (208, 192)}
    if camera.upper() not in ("DVS128", "TMPDIFF128") and (
        davis is None or davis[1] not in sensors
    ):
        raise InputError(f"{path}: events of an {camera}; only DVS128 and DAVIS cameras are known")
    sensor = (128, 128) if davis is None else sensors[davis[1]]

    def chunks() -> Iterator[Events]:
        for raw in _bytes(path, begin, 8 * AT_ONCE, 8):
            pairs = np.frombuffer(raw, ">u4").reshape(-1, 2).astype(np.int64)
            address, t = pairs[:, 0], pairs[:, 1]
            if davis is None:
                real = address & 0xFFFF8000 == 0  # no external event
                x, y, p = address >> 1 & 0x7F, address >> 8 & 0x7F, address & 1
            else:
                real = address & 0x80000400 == 0  # neither a sample of an image nor of motion
                x, y, p = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
            made = _made(x, sensor[1] - 1 - y, t, p)
            yield made[real]

    return Recorded(chunks, sensor)


def _aedat3(path: Path) -> Recorded:
    """AEDAT 3.1 (docs.inivation.com, File Formats): packets of events of one kind.

    A packet's header is 28 bytes, little-endian: type, source, size, offset of the timestamp,
    how often that ran over (2^31 us each), capacity, number, valid. Type 1 are polarity events:
    32 bits (valid, polarity, 15 of y, 15 of x) and 32 of microseconds.
    """
    header, begin = _text_header(path, end=b"#!END-HEADER\r\n")
    if not header.startswith("#!AER-DAT3.1"):
        raise InputError(f"{path}: {header[:12]!r}; of AEDAT 3 only 3.1 is known, convert it")

    def chunks() -> Iterator[Events]:
        with path.open("rb") as file:
            file.seek(begin)
            while head := file.read(28):
                yield _packet(path, file, head)

    return Recorded(chunks)


def _packet(path: Path, file: BinaryIO, head: bytes) -> Events:
    if len(head) < 28:
        raise InputError(f"{path}: cut short within the header of a packet")
    kind = int(np.frombuffer(head, "<i2", 1)[0])
    size, _, over, _, number, _ = (int(n) for n in np.frombuffer(head, "<i4", 6, 4))
    left = path.stat().st_size - file.tell()
    if size < 1 or number < 0 or size * number > left:
        raise InputError(f"{path}: a packet of {number} events of {size} bytes, {left} are left")
    raw = file.read(size * number)
    if kind != 1:
        return np.empty(0, EVENT)
    if size != 8:
        raise InputError(f"{path}: polarity events of {size} bytes; AEDAT 3.1 has 8")
    pairs = np.frombuffer(raw, "<u4").reshape(-1, 2).astype(np.int64)
    data, t = pairs[:, 0], pairs[:, 1] + (over << 31)
    real = data & 1 == 1
    data, t = data[real], t[real]
    return _made(data >> 17, data >> 2 & 0x7FFF, t, data >> 1 & 1)


def _aedat4(path: Path) -> Recorded:
    dv = _library("dv_processing", path)
    with _damage(path):
        reader = dv.io.MonoCameraRecording(str(path))
        if not reader.isEventStreamAvailable():
            raise InputError("no events in it")
        width, height = reader.getEventResolution()

    def chunks() -> Iterator[Events]:
        with _damage(path):
            again = dv.io.MonoCameraRecording(str(path))
            while (store := again.getNextEventBatch()) is not None:
                yield _of_store(store)

    return Recorded(chunks, (int(width), int(height)))


def _prophesee(path: Path) -> Recorded:
    """EVT2 and EVT3 (.raw) and DAT, whose text header says which, and often how large."""
    library = _library("expelliarmus", path)
    header = _percent_header(path)
    coding = "dat"
    if "data file containing" not in header.lower():
        named = re.search(r"(?:evt|format)\s*(?:EVT)?\s*([23])(?:\.0)?\b", header, re.IGNORECASE)
        if named is None:
            raise InputError(f"{path}: its header names neither EVT2 nor EVT3; convert it")
        coding = f"evt{named[1]}"
    sizes = [re.search(rf"\b{n}[ =]+(\d+)", header, re.IGNORECASE) for n in ("width", "height")]
    width, height = sizes
    sensor = (int(width[1]), int(height[1])) if width and height else None

    def chunks() -> Iterator[Events]:
        with _damage(path):
            wizard = library.Wizard(encoding=coding, fpath=str(path), chunk_size=AT_ONCE)
            for part in wizard.read_chunk():
                yield _made(part["x"], part["y"], part["t"], part["p"])

    return Recorded(chunks, sensor)


def _ros(path: Path) -> Recorded:
    """Messages ``dvs_msgs/EventArray`` of a ROS bag, of version 1 or 2."""
    bags = _library("rosbags.highlevel", path)

    def chunks() -> Iterator[Events]:
        with _damage(path), bags.AnyReader([path]) as reader:
            there = [c for c in reader.connections if c.msgtype.endswith("/EventArray")]
            if not there:
                raise InputError("no topic of type dvs_msgs/EventArray in it")
            first = [c for c in there if c.topic == there[0].topic]
            for connection, _, raw in reader.messages(connections=first):
                events = reader.deserialize(raw, connection.msgtype).events
                t = [1_000_000 * e.ts.sec + e.ts.nanosec // 1000 for e in events]
                x, y, p = ([getattr(e, n) for e in events] for n in ("x", "y", "polarity"))
                yield _made(x, y, t, p)

    return Recorded(chunks)


def _bytes(path: Path, begin: int, at_once: int, each: int) -> Iterator[bytes]:
    """Yield what stands behind a header, in whole events of so many bytes.

    Raises
    ------
    InputError
        If the last one is cut short.
    """
    rest = path.stat().st_size - begin
    if rest % each:
        raise InputError(
            f"{path}: {rest} bytes of events, {each} each; it is cut short or of another kind"
        )
    with path.open("rb") as file:
        file.seek(begin)
        while raw := file.read(at_once):
            yield raw


def _text_header(path: Path, end: bytes | None = None) -> tuple[str, int]:
    """Give the lines that begin with ``#``, and where the events begin."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if end is not None:
        if end not in head:
            raise InputError(f"{path}: no line {end.decode().strip()!r} ends its header")
        place = head.index(end) + len(end)
    else:
        place = 0
        while head[place : place + 1] == b"#":
            line = head.find(b"\n", place)
            if line < 0:
                raise InputError(f"{path}: its header has no end")
            place = line + 1
    return head[:place].decode("latin-1"), place


def _percent_header(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    place = 0
    while head[place : place + 1] == b"%":
        line = head.find(b"\n", place)
        if line < 0:
            break
        place = line + 1
    return head[:place].decode("latin-1")


def listen_to_camera(host: str, port: int) -> Recorded:
    """Take events from a socket that DV or dv-processing serves (AEDAT4 over TCP), as they come.

    The chunks end when the server does; they cannot be opened anew.

    Raises
    ------
    InputError
        If nothing serves events there, or `dv_processing` is missing.
    """
    place = Path(f"{host}:{port}")
    dv = _library("dv_processing", place)
    with _damage(place):
        reader = dv.io.NetworkReader(host, port)
        if not reader.isEventStreamAvailable():
            raise InputError("it serves no events")
        width, height = reader.getEventResolution()

    def chunks() -> Iterator[Events]:
        with _damage(place):
            while reader.isRunning():
                if (store := reader.getNextEventBatch()) is not None:
                    yield _of_store(store)
                else:
                    time.sleep(1e-4)

    return Recorded(chunks, (int(width), int(height)))


def _of_store(store: Any) -> Events:
    part = store.numpy()
    return _made(part["x"], part["y"], part["timestamp"], part["polarity"])


def bin_file(path: str | Path, how: str, steps: int | None = None) -> NDArray[np.uint8]:
    """Bin a file of events, uint8 [steps, channels, height, width].

    Parameters
    ----------
    path : path
    how : str
        See `read_binning`.
    steps : int, optional
        Cut, or fill with empty steps.

    Raises
    ------
    InputError
        If the file does not say how large the sensor is and `how` does not either.

    Examples
    --------
    >>> bin_file("a.aedat4", "1ms:downsample=2,polarity=merge").shape
    (812, 1, 130, 173)
    """
    recorded = read_event_file(path)
    try:
        binning, hot = read_binning(how, recorded.sensor)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    silent = None if hot is None else hot_pixels(recorded.chunks(), binning.sensor, hot)
    return bin_events(recorded.chunks(), binning, steps, silent)
