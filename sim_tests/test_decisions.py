"""What a run decides: one rule, in recordings and in comparisons."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.cli import main
from neurodeploy.comparison import Tolerances
from neurodeploy.comparison.tables import output_table, sides_table
from neurodeploy.errors import InputError, RecordingError
from neurodeploy.network import (
    CubaLIF,
    Delta,
    Dense,
    FloatLIF,
    LeakyIntegrator,
    Network,
    Population,
    Projection,
    Sigma,
    SigmaDelta,
    Source,
)
from neurodeploy.numbers import NOTHING
from neurodeploy.recording import RecordingWriter
from neurodeploy.recording.assemble import BlockAssembler, header_of
from neurodeploy.recording.run_options import RunOptions
from neurodeploy.reporting.table_rows import limit_lines

CLASSES = 4


def network_of(readout, size=CLASSES, first=None):
    rng = np.random.default_rng(1)
    weight = 2 * rng.integers(-20, 40, (size, 8)).astype(np.int32)
    port = FloatLIF.relay() if readout.is_float else first or Source()
    synapse = Dense(weight.astype(np.float32) if readout.is_float else weight)
    return Network(
        (Population("input", (8,), port), Population("output", (size,), readout)),
        (Projection("input", "output", synapse),),
    )


@pytest.fixture(scope="module")
def inputs():
    return (np.random.default_rng(2).random((40, 16, 8)) < 0.2).astype(np.int32)


@pytest.fixture(scope="module")
def levels(inputs):
    """Values that grow, so that changes of them add up to something."""
    return 10 * inputs.cumsum(axis=1, dtype=np.int32)


@pytest.fixture
def recording_of():
    """Make a recording of four outputs from spikes [samples, steps, 4], and v if given."""

    def make(spikes, v=None, backend="elsewhere"):
        network = network_of(CubaLIF(0, 0, 10))
        record = ("counts", "spikes") if v is None else ("counts", "spikes", "v")
        options = RunOptions(steps=spikes.shape[1], record=record, inputs_fingerprint="same")
        writer = RecordingWriter(header_of(network, backend, "1", options))
        given = np.zeros((*spikes.shape[:2], 8), np.int32)
        states = {} if v is None else {"output": {"v": v.astype(np.int32)}}
        spikes = {"input": given, "output": spikes.astype(np.int32)}
        BlockAssembler(network, options, writer).add(spikes, states)
        writer.finish(samples=len(given))
        return writer.recording()

    return make


class TestARecording:
    def test_decides_by_the_most_messages(self, inputs):
        recording = nd.run(network_of(CubaLIF(2048, 128, 60)), inputs, record=("spikes", "v"))
        expected = recording.output.sum(axis=1).argmax(axis=1)
        assert len(set(expected)) > 1
        np.testing.assert_array_equal(recording.decisions(), expected)
        assert recording.accuracy(expected) == 1
        assert (
            recording.accuracy(np.where(np.arange(40) < 10, expected, (expected + 1) % 4)) == 0.25
        )

    def test_decides_by_payloads_added_up(self, levels):
        recording = nd.run(network_of(SigmaDelta(3), first=Delta(1)), levels)
        expected = recording.output.sum(axis=1).argmax(axis=1)
        assert len(set(expected)) > 1
        np.testing.assert_array_equal(recording.decisions(), expected)

    def test_of_a_readout_that_sends_nothing_decides_by_v(self, inputs):
        recording = nd.run(network_of(LeakyIntegrator(2048, 128)), inputs, record=("v",))
        assert not recording.output.any()
        expected = recording["output"].v.sum(axis=1).argmax(axis=1)
        assert len(set(expected)) > 1
        np.testing.assert_array_equal(recording.decisions(), expected)

    def test_of_spiking_neurons_that_never_fire_decides_by_v(self, inputs):
        """NetX has no other readout: files hold a threshold that nothing reaches."""
        recording = nd.run(network_of(CubaLIF(2048, 128, 131071)), inputs, record=("v",))
        expected = recording["output"].v.sum(axis=1).argmax(axis=1)
        np.testing.assert_array_equal(recording.decisions(), expected)

    def test_a_silent_sample_among_others_is_a_tie(self, recording_of):
        spikes = np.zeros((3, 5, 4))
        spikes[0, :2, 3] = 1
        spikes[1, 1, 2] = spikes[1, 4, 1] = 1
        v = np.zeros((3, 5, 4))
        v[..., 2] = 5
        assert recording_of(spikes, v).decisions().tolist() == [3, 1, 0]

    def test_without_messages_or_v_says_what_to_record(self, inputs):
        recording = nd.run(network_of(LeakyIntegrator(2048, 128)), inputs)
        with pytest.raises(RecordingError, match=r"'output' sent no messages.*--record \.\.\.,v"):
            recording.decisions()

    def test_one_output_decides_nothing(self, inputs):
        recording = nd.run(network_of(CubaLIF(2048, 128, 60), size=1), inputs)
        with pytest.raises(RecordingError, match="'output' has one neuron"):
            recording.decisions()

    @pytest.mark.parametrize(
        ("labels", "words"),
        [
            (np.zeros(39, int), "one whole number for each of the 40"),
            (np.zeros(41, int), "41 for 40 samples"),
            (np.full(40, 4), "class 4, but population 'output' has 4 outputs"),
            (np.full(40, -1), "class -1"),
            (np.zeros(40), "float64"),
        ],
    )
    def test_labels_that_do_not_fit_are_refused(self, inputs, labels, words):
        recording = nd.run(network_of(CubaLIF(2048, 128, 60)), inputs)
        with pytest.raises(InputError, match=words):
            recording.accuracy(labels)

    def test_blocks_change_nothing(self, inputs, monkeypatch):
        recording = nd.run(network_of(LeakyIntegrator(2048, 128)), inputs, record=("v",))
        whole = recording.decisions()
        monkeypatch.setattr("neurodeploy.recording.decisions.READ_BYTES", 1)
        np.testing.assert_array_equal(recording.decisions(), whole)


class TestAComparison:
    def test_shows_what_the_recordings_say(self, inputs):
        one, two = (
            nd.run(network_of(LeakyIntegrator(2048, decay)), inputs, record=("v",))
            for decay in (128, 3000)
        )
        labels = one.decisions()
        output = nd.compare(one, two, anyway=True, labels=labels).output
        assert (output.decided_by, output.decided_by_b) == ("v", "v")
        assert output.accuracies == (1.0, two.accuracy(labels))
        assert output.agreeing == (two.decisions() == labels).sum() < 40

    def test_each_side_decides_by_what_it_has(self, inputs):
        """A float readout sends its voltage, a chip's is read: they decide the same."""
        floats = network_of(FloatLIF(voltage_keep=1 - 128 / 4096, sends="voltage", reset="none"))
        one = nd.run(floats, inputs[:, :-1], backend="float", steps=16)
        two = nd.run(
            network_of(LeakyIntegrator(4096, 128)), inputs[:, :-1], steps=16, record=("v",)
        )
        output = nd.compare(one, two, anyway=True).output
        assert (output.decided_by, output.decided_by_b) == ("messages", "v")
        assert output.agreeing >= 38
        assert output.correlation > 0.99

    def test_says_why_there_are_no_decisions(self, inputs):
        recording = nd.run(network_of(LeakyIntegrator(2048, 128)), inputs)
        found = nd.compare(recording, recording, labels=np.zeros(40, int))
        assert found.output.agreeing is None
        assert found.output.accuracies is None
        assert any("sent no messages and v was not recorded" in note for note in found.notes)

    @pytest.mark.parametrize(
        "network",
        [
            network_of(CubaLIF(2048, 128, 60), size=1),
            network_of(SigmaDelta(3), first=Delta(1)),
            network_of(Sigma(), first=Delta(1)),
        ],
        ids=["one output", "sigma-delta", "sigma"],
    )
    def test_one_output_or_a_signal_has_none(self, inputs, levels, network):
        recording = nd.run(network, inputs if isinstance(network.input.neuron, Source) else levels)
        found = nd.compare(recording, recording)
        assert found.output.agreeing is found.output.agreement is found.output.decided_by is None
        assert found.output.correlation == pytest.approx(1)
        assert found.as_dict()["output"]["agreement"] is None
        names = [name for name, _ in output_table(found.labels, found.output).rows]
        assert "decisions that agree" not in names
        assert "readout correlation" in names

    def test_labels_say_that_a_signal_stands_for_classes(self, levels):
        recording = nd.run(network_of(SigmaDelta(3), first=Delta(1)), levels)
        labels = recording.decisions()
        assert nd.compare(recording, recording, labels=labels).output.accuracies == (1, 1)
        with pytest.raises(InputError, match="class 9"):
            nd.compare(recording, recording, labels=np.full(40, 9))

    def test_a_tolerance_of_decisions_needs_some(self, inputs):
        allowed = Tolerances(decision_difference=0.1)
        recording = nd.run(network_of(CubaLIF(2048, 128, 60), size=1), inputs)
        with pytest.raises(RecordingError, match=r"decision_difference.*'output' has one output"):
            nd.compare(recording, recording, tolerances=allowed)
        signal = nd.run(network_of(SigmaDelta(3), first=Delta(1)), inputs)
        assert nd.compare(signal, signal, tolerances=allowed).output.agreeing == 40

    def test_ties_are_counted(self, recording_of):
        spikes = np.zeros((3, 5, 4))
        spikes[0, :2, 3] = 1
        spikes[1, 1, 2] = spikes[1, 4, 1] = 1
        other = spikes.copy()
        other[2, 0, 0] = 1
        output = nd.compare(recording_of(spikes), recording_of(other)).output
        assert (output.agreeing, output.tied_a, output.tied_b) == (3, 2, 1)


class TestOverflows:
    def test_what_no_backend_counts_is_not_nought(self, inputs, recording_of, tmp_path):
        other = recording_of(np.zeros((40, 16, 4)), backend="lava")
        ours = nd.run(network_of(CubaLIF(0, 0, 10)), inputs, record=("spikes",))
        assert other["output"].overflows() is None
        assert ours["output"].overflows() == dict.fromkeys(
            ("u_overflows", "v_overflows", "input_overflows"), 0
        )
        found = nd.compare(ours, other, anyway=True)
        statistics = found.as_dict()["populations"][1]["statistics"]
        assert statistics["b"]["overflows"] is None
        assert statistics["a"]["overflows"] is not None
        assert [row[-1] for row in sides_table(found.labels, found.rows).rows] == [
            f"{NOTHING} | {NOTHING}",
            f"0 | {NOTHING}",
        ]
        nd.report(tmp_path / "out.html", recordings=[ours, other], comparison=found)
        assert f">0 | {NOTHING}<" in (tmp_path / "out.html").read_text()

    def test_json_of_run_has_null_where_nothing_counts(self, inputs, tmp_path, capsys):
        nd.save(network_of(CubaLIF(0, 0, 10)), tmp_path / "a.net")
        np.save(tmp_path / "x.npy", inputs)
        paths = [str(tmp_path / name) for name in ("a.net", "x.npy", "a.h5")]
        with pytest.raises(SystemExit):
            main(["run", paths[0], "--input", paths[1], "-o", paths[2], "--json"])
        found = json.loads(capsys.readouterr().out)["overflows"]
        assert found["input"] is None
        assert sum(map(bool, found.values())) == 1

    def test_sigma_that_leaves_24_bits_is_not_called_wrapped(self):
        network = network_of(SigmaDelta(3), first=Source(signed=True))
        recording = nd.run(network, np.full((1, 16, 8), 90000, np.int32), apply_transform=False)
        assert recording["output"].overflows()["u_overflows"] > 0
        (line,) = limit_lines(recording)
        assert line.startswith("output: u left 24 bits ")
        cuba = nd.run(
            replace(
                network, populations=(network.input, Population("output", (4,), CubaLIF(0, 0, 1)))
            ),
            np.full((1, 16, 8), 9000, np.int32),
        )
        assert any(line.startswith("output: u wrapped ") for line in limit_lines(cuba))
