"""Event cameras: files of their libraries or written by the byte, read by us and by others."""

from __future__ import annotations

import socket
import struct
import time

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.cli import main
from neurodeploy.errors import InputError
from neurodeploy.inputs.event_files import listen_to_camera, read_event_file
from neurodeploy.inputs.events import (
    EVENT,
    Binning,
    as_events,
    bin_events,
    frames,
    hot_pixels,
    read_binning,
    read_duration,
)
from neurodeploy.inputs.paced import Paced
from neurodeploy.network import CubaLIF, Dense, Network, Population, Projection, Source

WIDTH, HEIGHT = 34, 20


def drawn(number=3000, seed=0, width=WIDTH, height=HEIGHT, last=200_000):
    rng = np.random.default_rng(seed)
    events = np.empty(number, EVENT)
    events["x"] = rng.integers(0, width, number)
    events["y"] = rng.integers(0, height, number)
    events["t"] = np.sort(rng.integers(0, last, number))
    events["p"] = rng.integers(0, 2, number)
    return events


@pytest.fixture
def events():
    return drawn()


def whole(path):
    return np.concatenate(list(read_event_file(path).chunks()))


def binned_by_hand(events, binning, steps):
    """One event after another, in plain Python."""
    out = np.zeros((steps, *binning.shape), np.int64)
    left, top, right, bottom = binning.window
    for e in events:
        x, y, t, p = (int(e[n]) for n in "xytp")
        step = (t - int(events["t"][0])) // binning.microseconds
        if binning.polarity in ("on", "off") and p != (binning.polarity == "on"):
            continue
        if not (left <= x < right and top <= y < bottom):
            continue
        column, row = (x - left) // binning.downsample, (y - top) // binning.downsample
        if row < binning.shape[1] and column < binning.shape[2]:
            out[step, p if binning.polarity == "both" else 0, row, column] += 1
    return np.minimum(out, 255 if binning.counts else 1)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"downsample": 3, "counts": True},
        {"crop": (5, 2, 30, 19), "polarity": "merge", "counts": True},
        {"crop": (5, 2, 30, 19), "downsample": 2, "polarity": "on"},
        {"polarity": "off"},
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 3000])
def test_bins_are_those_of_a_loop(events, how, chunk):
    binning = Binning(1700, (WIDTH, HEIGHT), **how)
    chunks = (events[i : i + chunk] for i in range(0, len(events), chunk))
    found = bin_events(chunks, binning)
    np.testing.assert_array_equal(found, binned_by_hand(events, binning, len(found)))
    assert len(found) == (events["t"][-1] - events["t"][0]) // 1700 + 1
    assert found.any()


def test_steps_are_cut_and_filled(events):
    binning = Binning(10_000, (WIDTH, HEIGHT))
    everything = bin_events([events], binning)
    np.testing.assert_array_equal(bin_events([events], binning, steps=5), everything[:5])
    longer = bin_events([events], binning, steps=40)
    np.testing.assert_array_equal(longer[: len(everything)], everything)
    assert not longer[len(everything) :].any()


def test_steps_without_events_are_empty_ones():
    events = drawn(3)
    events["t"] = (100, 5_100, 45_100)
    counts = [frame.sum() for frame in frames([events[:1], events[1:]], Binning(1000, (34, 34)))]
    assert np.flatnonzero(counts).tolist() == [0, 5, 45]
    assert len(counts) == 46


def test_a_hot_pixel_is_found_and_left_out(events):
    hot = drawn(5000, seed=1)
    hot["x"], hot["y"] = 7, 3
    both = np.concatenate([events, hot])
    both = both[np.argsort(both["t"], kind="stable")]
    silent = hot_pixels([both[:4000], both[4000:]], (WIDTH, HEIGHT), 1000)
    assert np.argwhere(silent).tolist() == [[3, 7]]
    binning = Binning(1000, (WIDTH, HEIGHT), counts=True)
    found = bin_events([both], binning, silent=silent)
    assert not found[:, :, 3, 7].any()
    others = both[(both["x"] != 7) | (both["y"] != 3)]
    assert found.sum() == bin_events([others], binning).sum()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"sensor": (0, 5)}, "32768 pixels a side"),
        ({"crop": (5, 5, 5, 9)}, "within it"),
        ({"crop": (0, 0, 35, 20)}, "of a sensor of 34x20"),
        ({"downsample": 21}, "downsample: 21 of 34x20"),
        ({"polarity": "up"}, "one of both, merge, on, off"),
    ],
)
def test_bins_that_do_not_exist(how, words):
    with pytest.raises(InputError, match=words):
        Binning(**{"microseconds": 1000, "sensor": (WIDTH, HEIGHT), **how})


def test_events_off_the_sensor_and_back_in_time_are_named(events):
    with pytest.raises(InputError, match=r"column \d+, row \d+ of a sensor of 10x20"):
        bin_events([events], Binning(1000, (10, 20)))
    late = drawn(2)
    late["t"] = 9_000_000, 10
    with pytest.raises(InputError, match="time runs back to 10 us"):
        bin_events([late], Binning(1000, (WIDTH, HEIGHT)))


def test_durations():
    assert [read_duration(t) for t in ("1ms", "500us", "0.02s", " 2.5 ms ")] == [
        1000, 500, 20_000, 2500,
    ]  # fmt: skip
    for wrong in ("1", "ms", "0ms", "0.5us", "1 min"):
        with pytest.raises(InputError, match="give whole microseconds"):
            read_duration(wrong)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1ms", "add sensor=WIDTHxHEIGHT"),
        ("1ms:size=3", "'size' is no option"),
        ("1ms:sensor=3", "give sensor=NxN"),
        ("1ms:sensor=3x3,crop=1-2", "give crop=N-N-N-N"),
        ("1ms:sensor=3x3,counts=2", "give yes or no"),
        ("1ms:sensor=3x3,hot=x", "give events a second"),
    ],
)
def test_words_on_bins_that_are_wrong(text, words):
    with pytest.raises(InputError, match=words):
        read_binning(text)


def test_words_on_bins():
    binning, hot = read_binning(
        "0.5ms:crop=1-2-30-18,downsample=2,polarity=on,counts=yes,hot=99.5", (WIDTH, HEIGHT)
    )
    assert binning == Binning(500, (WIDTH, HEIGHT), (1, 2, 30, 18), 2, "on", True)
    assert hot == 99.5
    assert read_binning("1s:sensor=9x8", (WIDTH, HEIGHT))[0].sensor == (9, 8)


class TestAsInputs:
    @pytest.fixture
    def network(self):
        weight = np.random.default_rng(0).integers(-20, 40, (3, 170)).astype(np.int32)
        return Network(
            (
                Population("input", (1, 10, 17), Source()),
                Population("output", (3,), CubaLIF(0, 200, 2)),
            ),
            (Projection("input", "output", Dense(weight)),),
        )

    def test_of_a_file(self, network, events, tmp_path):
        nd.save(network, tmp_path / "a.net")
        np.save(tmp_path / "a.npy", events)
        words = f"1ms:sensor={WIDTH}x{HEIGHT},downsample=2,polarity=merge"
        call = ["run", tmp_path / "a.net", "--input", tmp_path / "a.npy", "-o", tmp_path / "a.h5"]
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in (*call, "--bin", words)])
        assert stop.value.code == 0
        binning = Binning(1000, (WIDTH, HEIGHT), downsample=2, polarity="merge")
        expected = nd.run(network, bin_events([events], binning))
        found = nd.Recording.load(tmp_path / "a.h5")
        np.testing.assert_array_equal(found.output, expected.output)
        assert found.output.any()

    def test_of_a_data_set_of_recordings(self, network):
        class Recordings:
            sensor_size = (WIDTH, HEIGHT, 2)

            def __len__(self):
                return 5

            def __getitem__(self, number):
                return drawn(seed=number), number % 3

        found = nd.evaluate(
            network, Recordings(), bin="1ms:downsample=2,polarity=merge", steps=50, shard=2
        )
        binning = Binning(1000, (WIDTH, HEIGHT), downsample=2, polarity="merge")
        inputs = np.stack([bin_events([drawn(seed=n)], binning, 50) for n in range(5)])
        expected = nd.run(network, inputs)
        assert found.accuracy == expected.accuracy(np.arange(5) % 3)
        assert found.messages.total == sum(
            int(expected[name].counts.sum()) for name in expected.names
        )


class TestRealTime:
    def test_lateness_is_counted(self):
        now = [0.0]
        paced = Paced(
            [np.zeros(1)] * 6, 1.0, lambda: now[0], lambda s: now.__setitem__(0, now[0] + s)
        )
        begun = []
        for work, _ in zip((0.2, 0.9, 3.5, 0.1, 0.1, 0.1), paced, strict=True):
            begun.append(now[0])
            now[0] += work
        assert begun == pytest.approx([0, 1, 2, 5.5, 5.6, 5.7])
        assert (paced.given, paced.late) == (6, 2)
        assert paced.worst_seconds == pytest.approx(1.5)

    def test_a_socket(self, events):
        dv = pytest.importorskip("dv_processing", reason="needs dv-processing: the extra events")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        stream = dv.io.Stream.EventStream(0, "events", "camera", (WIDTH, HEIGHT))
        writer = dv.io.NetworkWriter("127.0.0.1", port, stream)
        recorded = listen_to_camera("127.0.0.1", port)
        assert recorded.sensor == (WIDTH, HEIGHT)
        deadline = time.monotonic() + 10
        while writer.getClientCount() < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        events["t"] += int(1e6 * time.time())  # it passes on what is of today
        store = dv.EventStore()
        for e in events[:500]:
            store.push_back(int(e["t"]), int(e["x"]), int(e["y"]), bool(e["p"]))
        writer.writeEvents(store)
        found = next(iter(recorded.chunks()))
        np.testing.assert_array_equal(found, events[: len(found)])
        assert len(found)


class TestOwnReaders:
    """Files written by the byte, after the specifications."""

    def test_n_mnist(self, tmp_path, events):
        over = 1 << 13
        data, passed = bytearray(), 0
        for e in events:
            while e["t"] >= passed + (1 << 23):  # the clock has 23 bits; overs are told
                data += bytes((0, 240, 0, 0, 0))
                passed += over
            t = int(e["t"]) - passed
            data += bytes((e["x"], e["y"], int(e["p"]) << 7 | t >> 16, t >> 8 & 255, t & 255))
        path = tmp_path / "a.bin"
        path.write_bytes(data)
        np.testing.assert_array_equal(whole(path), events)

    def test_n_mnist_whose_clock_ran_over(self, tmp_path):
        path = tmp_path / "a.bin"
        path.write_bytes(bytes((1, 2, 128, 0, 5, 0, 240, 0, 0, 0, 3, 4, 0, 1, 0)))
        assert whole(path).tolist() == [(1, 2, 5, 1), (3, 4, 256 + (1 << 13), 0)]
        tonic = pytest.importorskip("tonic.io", reason="needs tonic, the second reader")
        other = tonic.read_mnist_file(path, dtype=tonic.events_struct)
        assert as_events(other).tolist() == whole(path).tolist()

    def test_aedat2_of_a_dvs128(self, tmp_path):
        events = drawn(width=128, height=128)
        path = tmp_path / "a.aedat"
        address = (127 - events["y"].astype(np.uint32)) << 8 | events["x"].astype(np.uint32) << 1
        pairs = np.stack([address | events["p"].astype(np.uint32), events["t"]], 1).astype(">u4")
        path.write_bytes(b"#!AER-DAT2.0\r\n# a comment\r\n" + pairs.tobytes())
        np.testing.assert_array_equal(whole(path), events)
        assert read_event_file(path).sensor == (128, 128)

    def test_aedat2_of_a_davis(self, tmp_path):
        events = drawn(width=346, height=260)
        path = tmp_path / "a.aedat"
        x, y, p = (events[n].astype(np.uint32) for n in "xyp")
        pairs = np.stack([(259 - y) << 22 | x << 12 | p << 11, events["t"]], 1)
        image = np.array([[1 << 31 | 5, 7], [1 << 10, 8]])  # a sample of a frame, one of motion
        chip = b"# AEChip: eu.seebetter.ini.chips.davis.Davis346B\r\n"
        data = np.concatenate([image, pairs]).astype(">u4").tobytes()
        path.write_bytes(b"#!AER-DAT2.0\r\n" + chip + data)
        np.testing.assert_array_equal(whole(path), events)
        assert read_event_file(path).sensor == (346, 260)

    def test_aedat3(self, tmp_path, events):
        path = tmp_path / "a.aedat"
        data = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
        for number, part in enumerate(np.array_split(events, 7)):
            x, y, p = (part[n].astype(np.uint32) for n in "xyp")
            valid = np.ones(len(part), np.uint32)
            valid[::5] = 0
            pairs = np.stack([x << 17 | y << 2 | p << 1 | valid, part["t"]], 1).astype("<u4")
            over = number // 4
            data += struct.pack("<hhiiiiii", 1, 0, 8, 4, over, len(part), len(part), len(part))
            data += pairs.tobytes()
            data += struct.pack("<hhiiiiii", 0, 0, 8, 4, 0, 1, 1, 1) + bytes(8)  # of another kind
        path.write_bytes(data)
        expected = []
        for number, part in enumerate(np.array_split(events, 7)):
            part = part.copy()
            part["t"] += number // 4 << 31
            expected.append(part[np.arange(len(part)) % 5 != 0])
        np.testing.assert_array_equal(whole(path), np.concatenate(expected))

    @pytest.mark.parametrize("place", ["/", "events", "CD/events"])
    def test_hdf5_columns(self, tmp_path, events, place):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            group = file.require_group(place)
            for name, stored in zip("xytp", ("x", "y", "ts", "polarity"), strict=True):
                group[stored] = events[name]
        np.testing.assert_array_equal(whole(path), events)

    def test_a_structured_array(self, tmp_path, events):
        path = tmp_path / "a.npy"
        kinds = [("t", "<u8"), ("p", "?"), ("y", "<u2"), ("x", "<u2")]
        np.save(path, np.array([(e["t"], e["p"], e["y"], e["x"]) for e in events], kinds))
        np.testing.assert_array_equal(whole(path), events)


class TestFilesOfLibraries:
    def test_aedat4(self, tmp_path, events):
        dv = pytest.importorskip("dv_processing", reason="needs dv-processing: the extra events")
        path = tmp_path / "a.aedat4"
        config = dv.io.MonoCameraWriter.EventOnlyConfig("camera", (WIDTH, HEIGHT))
        writer = dv.io.MonoCameraWriter(str(path), config)
        store = dv.EventStore()
        for e in events:
            store.push_back(int(e["t"]), int(e["x"]), int(e["y"]), bool(e["p"]))
        writer.writeEvents(store)
        del writer
        np.testing.assert_array_equal(whole(path), events)
        assert read_event_file(path).sensor == (WIDTH, HEIGHT)
        aedat = pytest.importorskip("aedat", reason="needs aedat, the second reader")
        packets = [p["events"] for p in aedat.Decoder(str(path)) if "events" in p]
        parts = [
            as_events(p.astype([("t", "i8"), ("x", "i4"), ("y", "i4"), ("p", "?")]))
            for p in packets
        ]
        np.testing.assert_array_equal(np.concatenate(parts), events)

    @pytest.mark.parametrize("coding", ["evt2", "evt3", "dat"])
    def test_prophesee(self, tmp_path, events, coding):
        library = pytest.importorskip("expelliarmus", reason="needs expelliarmus: the extra events")
        path = tmp_path / ("a.dat" if coding == "dat" else "a.raw")
        wizard = library.Wizard(encoding=coding)
        wizard.save(fpath=str(path), arr=events.astype([(n, EVENT[n]) for n in EVENT.names]))
        head = {
            "evt2": b"% evt 2.0\n% format EVT2;width=34;height=20\n",
            "evt3": b"% evt 3.0\n% format EVT3;width=34;height=20\n",
            "dat": b"",
        }[coding]
        written = path.read_bytes()
        if coding != "dat" and not written.startswith(b"% evt"):
            path.write_bytes(head + written)
        np.testing.assert_array_equal(whole(path), events)

    def test_ros(self, tmp_path, events):
        pytest.importorskip("rosbags", reason="needs rosbags: the extra events")
        from rosbags.rosbag1 import Writer
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore

        store = get_typestore(Stores.ROS1_NOETIC)
        kinds = get_types_from_msg(
            "uint16 x\nuint16 y\ntime ts\nbool polarity", "dvs_msgs/msg/Event"
        )
        kinds |= get_types_from_msg(
            "std_msgs/Header header\nuint32 height\nuint32 width\ndvs_msgs/Event[] events",
            "dvs_msgs/msg/EventArray",
        )
        store.register(kinds)
        path = tmp_path / "a.bag"
        few = events[:300]
        with Writer(path) as writer:
            kind = store.types["dvs_msgs/msg/EventArray"]
            one, time = (
                store.types["dvs_msgs/msg/Event"],
                store.types["builtin_interfaces/msg/Time"],
            )
            header = store.types["std_msgs/msg/Header"](0, time(0, 0), "")
            connection = writer.add_connection("/events", kind.__msgtype__, typestore=store)
            for part in np.array_split(few, 3):
                made = [
                    one(int(e["x"]), int(e["y"]), time(0, 1000 * int(e["t"])), bool(e["p"]))
                    for e in part
                ]
                message = kind(header, HEIGHT, WIDTH, made)
                raw = store.serialize_ros1(message, kind.__msgtype__)
                writer.write(connection, int(part["t"][-1]), raw)
        np.testing.assert_array_equal(whole(path), few)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.bin", b"12345678", "8 bytes of events, 5 each"),
        ("a.aedat", b"#!AER-DAT2.0\r\n1234567", "7 bytes of events, 8 each"),
        ("a.aedat", b"#!AER-DAT2.0\r\n# AEChip: a.b.Cochlea\r\n", "events of an Cochlea"),
        ("a.aedat", b"#!AER-DAT3.1\r\n#Format: RAW\r\n", "ends its header"),
        ("a.aedat", b"#!AER-DAT3.1\r\n#!END-HEADER\r\nabc", "within the header of a packet"),
        (
            "a.aedat",
            b"#!AER-DAT3.1\r\n#!END-HEADER\r\n"
            + struct.pack("<hhiiiiii", 1, 0, 8, 4, 0, 9, 1 << 30, 9),
            "a packet of 1073741824 events",
        ),
        ("a.txt", b"hello", "no kind of event file"),
        ("a.npy", b"\x93NUMPY\x01\x00", "damaged"),
        ("a.raw", b"% nothing said\n1234", "neither EVT2 nor EVT3"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, name, data, words):
    if name == "a.raw":
        pytest.importorskip("expelliarmus", reason="needs expelliarmus: the extra events")
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=words) as error:
        whole(path)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_event_file(tmp_path / "a.aedat4")
