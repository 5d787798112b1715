"""NetX files of other writers: mlGeNN, slayerPytorch, SLAYER's own blocks, floats by hand."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy import cli
from neurodeploy.errors import FormatError, UnsupportedError
from neurodeploy.formats.slayer import export_slayer
from neurodeploy.network import Rating
from sim_tests.formats.test_netx import ratings, write_dense
from sim_tests.formats.test_slayer import CUBA, parameters
from sim_tests.slayer_oracle import import_slayer, quiet


def replace_in(path, **values):
    """Put values in place of datasets, keys with __ for /; None deletes."""
    with h5py.File(path, "a") as file:
        for key, value in values.items():
            name = "layer/" + key.replace("__", "/")
            if name in file:
                del file[name]
            if value is not None:
                file[name] = value


@pytest.fixture
def dense(tmp_path):
    """One dense layer of 6 neurons and 8 inputs."""
    with h5py.File(tmp_path / "dense.net", "w") as file:
        weight = 2 * np.random.default_rng(1).integers(-40, 50, (6, 8))
        write_dense(file.create_group("layer/0"), weight, iDecay=742, vDecay=200)
    return tmp_path / "dense.net"


def spikes_of(path, inputs):
    """The spikes of a CUBA layer with delays of synapses and of its loop, in plain NumPy."""
    with h5py.File(path) as file:
        layer = file["layer/1"]
        weight, loop = (layer[key][()].astype(np.int64) for key in ("weight", "weight_rec"))
        wait, wait_loop = (
            layer[key][()].astype(int) if key in layer else np.zeros(w.shape, int)
            for key, w in (("delay", weight), ("delay_rec", loop))
        )
        decays = [int(layer[f"neuron/{key}"][()]) for key in ("iDecay", "vDecay", "vThMant")]
    du, dv, threshold = decays
    steps, size = len(inputs), len(weight)
    sent, u, v = np.zeros((steps, size), np.int64), np.zeros(size, int), np.zeros(size, int)

    def arriving(weights, delays, messages, step):
        total = np.zeros(size, np.int64)
        for target in range(size):
            for source in range(weights.shape[1]):
                when = step - 1 - delays[target, source]
                if when >= 0:
                    total[target] += weights[target, source] * messages[when, source]
        return total

    for step in range(steps):
        a = arriving(weight, wait, inputs, step) + arriving(loop, wait_loop, sent, step)
        u = np.sign(u) * (np.abs(u) * (4096 - du) >> 12) + (a << 6)
        v = np.sign(v) * (np.abs(v) * (4096 - dv) >> 12) + u
        sent[step] = v > threshold << 6
        v = np.where(sent[step], 0, v)
    return sent


class TestMlGenn:
    def test_delays_of_the_loop_are_applied(self, faults):
        path = faults / "netx" / "ml_genn.net"
        network = nd.load(path)
        assert network.audit.worst is Rating.FAITHFUL
        (loop,) = (p.synapse for p in network.projections if p.source == p.target)
        with h5py.File(path) as file:
            assert np.array_equal(loop.delay, file["layer/1/delay_rec"][()])
        inputs = (np.random.default_rng(3).random((60, 8)) < 0.4).astype(np.int32)
        expected = spikes_of(path, inputs)
        assert np.array_equal(nd.run(network, inputs[None]).output[0], expected)
        assert expected.sum() > 30

    def test_delays_of_inputs_and_of_the_loop_together(self, faults, tmp_path):
        path = tmp_path / "both.net"
        path.write_bytes((faults / "netx" / "ml_genn.net").read_bytes())
        replace_in(path, **{"1__delay": np.random.default_rng(2).integers(0, 6, (6, 8))})
        inputs = (np.random.default_rng(3).random((60, 8)) < 0.4).astype(np.int32)
        network = nd.load(path)
        expected = spikes_of(path, inputs)
        assert np.array_equal(nd.run(network, inputs[None]).output[0], expected)
        assert expected.sum() > 30
        nd.save(network, tmp_path / "copy.net")
        assert nd.load(tmp_path / "copy.net") == network
        with pytest.raises(UnsupportedError, match="dense loop"):
            nd.save(network, tmp_path / "copy.net", netx_only=True)

    @pytest.mark.parametrize("delays", [np.ones(5), np.ones((6, 8))])
    def test_delays_of_the_loop_in_another_shape_are_refused(self, faults, tmp_path, delays):
        path = tmp_path / "a.net"
        path.write_bytes((faults / "netx" / "ml_genn.net").read_bytes())
        replace_in(path, **{"1__delay_rec": delays})
        with pytest.raises(FormatError, match="delay_rec: has shape"):
            nd.load(path)

    def test_datasets_without_a_value_are_absent(self, dense):
        plain = nd.load(dense)
        names = ("inFeatures", "outFeatures", "neuron/gradedSpike", "delay", "bias", "colour")
        with h5py.File(dense, "a") as file:
            for name in names:
                if f"layer/0/{name}" in file:
                    del file[f"layer/0/{name}"]
                file.create_dataset(f"layer/0/{name}", dtype="f4")
        network = nd.load(dense)
        assert network == plain
        assert network.audit.worst is Rating.FAITHFUL
        noted = ratings(network, "faithful")
        assert all("without a value" in noted[f"layer/0/{name}"] for name in names)

    @pytest.mark.parametrize("name", ["weight", "shape", "type", "neuron/iDecay", "neuron/type"])
    def test_a_needed_dataset_without_a_value_is_named(self, dense, name):
        with h5py.File(dense, "a") as file:
            del file[f"layer/0/{name}"]
            file.create_dataset(f"layer/0/{name}", dtype="f4")
        with pytest.raises(FormatError, match=f"layer/0/{name}: dataset is empty"):
            nd.load(dense)

    def test_no_refractory_period_is_what_a_reset_takes(self, dense):
        plain = nd.load(dense)
        replace_in(dense, **{"0__neuron__refDelay": 0})
        network = nd.load(dense)
        assert network == plain
        assert "no refractory period" in ratings(network, "faithful")["layer/0/neuron/refDelay"]


class TestSlayerPytorch:
    @pytest.mark.parametrize("name", ["th1", "th2"])
    def test_the_published_braille_readers(self, cases, name):
        path = cases / "systems" / "braille_loihi1" / f"netLoihi_rec_{name}.net"
        network = nd.load(path)
        assert network.audit.worst is Rating.FAITHFUL
        assert [p.size for p in network.populations][1:] == [450, 28]
        with h5py.File(path) as file:
            held = {p.name: p.synapse.weight for p in network.projections}
            for projection, key in (
                ("input->2_dense_rec", "layer/2/weight"),
                ("2_dense_rec->2_dense_rec", "layer/2/recWeight"),
                ("2_dense_rec->3_dense", "layer/3/weight"),
            ):
                assert np.array_equal(held[projection], file[key][()])
            for index, population in zip("23", network.populations[1:], strict=True):
                neuron = file[f"layer/{index}/neuron"]
                assert population.neuron.threshold == neuron["vThMant"][()]
                assert population.neuron.current_decay == neuron["iDecay"][()]
                assert population.neuron.voltage_decay == neuron["vDecay"][()]

    @pytest.mark.parametrize("rank", [1, 2, 5])
    def test_older_names_and_shapes_are_todays(self, dense, tmp_path, rank):
        def shaped(weight):
            shapes = {1: (-1,), 2: weight.shape, 5: (*weight.shape, 1, 1, 1)}
            return weight.reshape(shapes[rank]).astype(np.float32)

        loop = 2 * np.random.default_rng(2).integers(-40, 50, (6, 6))
        with h5py.File(dense) as file:
            weight = file["layer/0/weight"][()]
        replace_in(dense, **{"0__type": "dense_rec", "0__weight_rec": loop.astype(np.float32)})
        today = nd.load(dense)
        replace_in(
            dense,
            **{
                "0__type": "recurrent", "0__weight_rec": None, "0__recWeight": shaped(loop),
                "0__weight": shaped(weight), "0__shape": np.array([6, 1, 1]),
                "0__neuron__type": "LOIHI", "0__neuron__theta": 5120,
            },
        )  # fmt: skip
        assert nd.load(dense) == today

    def test_a_recurrent_layer_needs_its_loop(self, dense):
        replace_in(dense, **{"0__type": "recurrent"})
        with pytest.raises(FormatError, match="weight_rec"):
            nd.load(dense)


class TestRawNumbers:
    def test_raw_weights_stop_and_the_factor_is_said(self, dense):
        with h5py.File(dense) as file:
            weight = file["layer/0/weight"][()]
        replace_in(dense, **{"0__weight": weight / 64})
        with pytest.raises(UnsupportedError, match=r"layer/0/weight: raw floats.* by 64 ") as error:
            nd.load(dense)
        factor = 254 / (np.abs(weight).max() / 64)
        assert f"by up to {factor:.4g}" in str(error.value)
        allowed = nd.load(dense, allow=["layer/0/weight"])
        assert "layer/0/weight" in ratings(allowed, "unsupported")
        replace_in(dense, **{"0__weight": weight / 64 * 64})
        assert np.array_equal(nd.load(dense).projections[0].synapse.weight, weight)

    def test_weights_that_are_integers_but_for_a_few_are_rounded_and_said(self, dense):
        with h5py.File(dense, "a") as file:
            file["layer/0/weight"][0, 0] += 0.4
        assert "not whole" in ratings(nd.load(dense), "approximate")["layer/0/weight"]

    def test_ternary_weights_are_whole_and_no_raw_floats(self, dense):
        replace_in(dense, **{"0__weight": np.sign(np.arange(-24, 24)).reshape(6, 8) * 1.0})
        assert nd.load(dense).audit.worst is Rating.FAITHFUL

    def test_raw_biases_stop(self, dense):
        replace_in(dense, **{"0__bias": np.linspace(-0.4, 0.4, 6)})
        with pytest.raises(UnsupportedError, match="layer/0/bias: raw floats"):
            nd.load(dense)

    @pytest.mark.parametrize(("key", "factor"), [("vThMant", "64"), ("iDecay", "4096")])
    def test_raw_parameters_say_their_factor(self, dense, key, factor):
        replace_in(dense, **{f"0__neuron__{key}": 0.25})
        with pytest.raises(FormatError, match=f"{key}: holds 0.25.* {factor} times"):
            nd.load(dense)

    def test_cut_delays_are_said(self, dense):
        replace_in(dense, **{"0__delay": np.array([0, 1.75, 2, 3, 4, 5.5])})
        network = nd.load(dense)
        assert np.array_equal(network["0_dense"].axon_delay, [0, 1, 2, 3, 4, 5])
        assert "2 of 6 delays are not whole" in ratings(network, "approximate")["layer/0/delay"]


def write_blocks(path, module):
    with quiet(), h5py.File(path, "w") as file:
        for index, block in enumerate(module):
            block.export_hdf5(file.create_group(f"layer/{index}"))


class TestBiasAsTrained:
    def test_the_file_of_the_case_is_the_exported_network(self, faults):
        folder = faults / "slayer"
        exported = nd.load(folder / "conv_exported.net")
        plain = nd.load(folder / "conv_slayer_export_hdf5.net")
        trained = nd.load(folder / "conv_slayer_export_hdf5.net", as_trained=True)
        assert "from step 1 on" in ratings(plain, "approximate")["layer/2/bias"]
        assert trained.audit.worst is Rating.FAITHFUL
        assert trained == exported != plain
        inputs = np.load(folder / "conv_x.npz")["inputs"]
        sent = [int(nd.run(n, inputs).output.sum()) for n in (trained, exported, plain)]
        assert sent == [168, 168, 188]

    @pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")
    @pytest.mark.parametrize("family", ["cuba", "alif", "sigma_delta", "after_input"])
    def test_slayers_own_file_runs_as_its_forward_pass(self, family, tmp_path):
        slayer, torch = import_slayer()
        torch.manual_seed(3)
        room = getattr(slayer.block, "cuba" if family == "after_input" else family)
        kind = slayer.neuron.norm.MeanOnlyBatchNorm
        given = CUBA if family == "after_input" else parameters(torch, family)
        blocks = [
            room.Dense({**given, "norm": kind}, 14, 12, weight_scale=3),
            room.Dense({**given, "norm": kind}, 12, 10, weight_scale=3),
        ]
        if family == "after_input":
            blocks.insert(0, room.Input(dict(CUBA), weight=1.5, bias=0.25))
        module = torch.nn.Sequential(*blocks)
        sizes = iter((12, 10))
        for part in module.modules():
            if isinstance(part, kind):
                part.running_mean = torch.linspace(-0.2, 0.25, next(sizes))
        export = export_slayer(module, shape=(14,))
        write_blocks(tmp_path / "a.net", module)
        network = nd.load(tmp_path / "a.net", as_trained=True)
        expected = nd.run(export.network, export.inputs, apply_transform=False)
        found = nd.run(network, export.inputs, apply_transform=False)
        assert np.array_equal(found.output, expected.output)
        assert np.count_nonzero(expected.output) > 10
        starts = [p.starts for p in network.populations]
        assert starts == {
            "cuba": [0, 1, 1], "alif": [0, 1, 1], "sigma_delta": [0, 1, 2],
            "after_input": [0, 0, 0],
        }[family]  # fmt: skip

    def test_files_of_ours_say_when_their_bias_acts(self, tmp_path, dense):
        replace_in(dense, **{"0__bias": np.arange(6) * 10.0})
        ours = nd.load(dense)
        assert "layer/0/bias" in ratings(ours, "approximate")
        nd.save(nd.Network(ours.populations, ours.projections), tmp_path / "b.net", netx_only=True)
        again = nd.load(tmp_path / "b.net")
        assert again == ours
        assert again.audit.worst is Rating.FAITHFUL


VERBS = {
    "inspect": ("{net}",),
    "convert": ("{net}", "copy.net"),
    "quantize": ("{net}", "-o", "copy.net"),
    "run": ("{net}", "--input", "x.npy", "-o", "a.h5"),
    "verify": ("{net}", "--input", "x.npy", "--backend", "lava"),
    "fit": ("{net}",),
    "profile": ("a.h5", "--net", "{net}"),
    "compare": ("a.h5", "a.h5", "--net", "{net}"),
    "enhance": ("{net}", "--input", "x.wav", "-o", "y.wav"),
    "listen": ("{net}", "--input", "x.raw"),
}


class TestShell:
    @pytest.fixture
    def call(self, capsys, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)

        def call(*arguments):
            with pytest.raises(SystemExit) as stop:
                cli.main(list(arguments))
            out, err = capsys.readouterr()
            return stop.value.code, out, err

        return call

    @pytest.mark.parametrize("verb", VERBS)
    def test_every_verb_that_reads_a_network_takes_allow(self, dense, call, monkeypatch, verb):
        inputs = (np.random.default_rng(1).random((2, 20, 8)) < 0.5).astype(np.int32)
        np.save("x.npy", inputs)
        nd.run(nd.load(dense), inputs, out="a.h5")
        replace_in(dense, **{"0__neuron__weight_exp": 1.0})
        arguments = [word.format(net=dense.name) for word in VERBS[verb]]
        status, _, err = call(verb, *arguments)
        assert status == 2
        assert "to go on, allow 'layer/0/neuron/weight_exp'" in err
        if verb == "verify":
            pytest.importorskip("lava.proc", reason="needs lava-nc (extra lava)")
        status, _, err = call(verb, *arguments, "--allow", "layer/0/neuron/weight_exp")
        assert "weight_exp" not in err
        if verb not in ("enhance", "listen"):  # which need a network for sound
            assert status == 0, err

    def test_as_trained_and_the_older_spelling_of_preset(self, dense, call):
        replace_in(dense, **{"0__bias": np.arange(6) * 10.0})
        status, out, _ = call("inspect", dense.name, "--as-trained", "--json")
        assert status == 0
        assert '"approximate"' not in out
        for flag in ("--preset", "--from"):
            status, _, err = call("inspect", dense.name, flag, "norse")
            assert status == 2
            assert "preset: no option for NetX" in err
        status, _, err = call("inspect", dense.name, "--dt", "0.001")
        assert status == 2
        assert "dt: no option for NetX" in err
