"""Modules that are built in other ways: bootstrap blocks, plain lists, images without time."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, UnsupportedError
from neurodeploy.exporting.export import export
from neurodeploy.exporting.forward_pass import compare_forward_pass, with_measured_audit
from neurodeploy.formats.slayer import export_slayer
from neurodeploy.network import Rating
from sim_tests.slayer_oracle import import_slayer, quiet

pytestmark = pytest.mark.filterwarnings("ignore:torch.nn.utils.weight_norm is deprecated")

CUBA = {"threshold": 1.0, "current_decay": 0.25, "voltage_decay": 0.1}


@pytest.fixture
def slayer():
    return import_slayer()[0]


@pytest.fixture
def torch():
    return import_slayer()[1]


@pytest.fixture
def bootstrap(slayer):
    with quiet():
        return importlib.import_module("lava.lib.dl.bootstrap")


@pytest.fixture
def model(faults):
    """Gives the module of a case by its number."""

    def of(number):
        (folder,) = (faults / "bugs").glob(f"{number}_*")
        spec = importlib.util.spec_from_file_location(f"case_{number}", folder / "model.py")
        module = importlib.util.module_from_spec(spec)
        with quiet():
            spec.loader.exec_module(module)
        return module

    return of


def assert_equal(export, least=5):
    for population in compare_forward_pass(export):
        assert population.equal, population.line()
        assert population.sent >= least, population.line()


class TestBootstrap:
    def test_blocks_in_mode_snn_are_slayer_s(self, model, bootstrap):
        case = model("06")
        export = export_slayer(case.boot(), shape=(784,))
        assert_equal(export)
        assert export.network.audit.worst is Rating.FAITHFUL
        same = export_slayer(case.same(), shape=(784,)).network
        for ours, theirs in zip(export.network.projections, same.projections, strict=True):
            np.testing.assert_array_equal(ours.synapse.weight, theirs.synapse.weight)

    def network(self, torch, bootstrap, mode=None):
        """lava-dl's tutorial: blocks zipped with modes, the image repeated in forward."""
        cuba, slayer = bootstrap.block.cuba, import_slayer()[0]

        class Network(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.blocks = torch.nn.ModuleList(
                    [
                        cuba.Input(CUBA, weight=1, bias=0),
                        cuba.Dense(CUBA, 48, 16, weight_scale=2, weight_norm=True, delay=True),
                        cuba.Affine(CUBA, 16, 5, weight_norm=True, weight_scale=2),
                    ]
                )

            def forward(self, x, mode):
                if mode.base_mode == bootstrap.Mode.ANN:
                    x = x.reshape([*x.shape, 1])
                else:
                    x = slayer.utils.time.replicate(x, 20)
                x = x.reshape(x.shape[0], -1, x.shape[-1])
                for block, m in zip(self.blocks, mode):  # noqa: B905  (a mode has no end)
                    x = block(x, mode=m)
                return x

        return Network()

    def test_the_tutorial_s_network(self, torch, bootstrap):
        export = export_slayer(self.network(torch, bootstrap), shape=(3, 4, 4), static=True)
        assert_equal(export)
        assert export.inputs.shape == (1, 20, 48)

    def test_a_mode_of_rates_is_refused_by_name(self, torch, bootstrap):
        module = torch.nn.Sequential(bootstrap.block.cuba.Dense(CUBA, 12, 8))
        module[0].f.fit = lambda: None
        module[0].f.centers, module[0].f.slopes = np.array([[0.0, 0.0], [1.0, 1.0]]), np.ones(2)
        with pytest.raises(UnsupportedError, match=r"^0: runs in bootstrap's mode ANN, which comp"):
            nd.load(module)


class TestPlainContainers:
    def test_a_plain_list_is_named(self, model):
        import_slayer()
        with pytest.raises(UnsupportedError, match=r"Net.blocks: SLAYER blocks in a plain list"):
            nd.load(model("11").Net())

    @pytest.mark.parametrize(
        ("hold", "words"),
        [
            (lambda a, b: (a, b), "plain tuple.*ModuleList"),
            (lambda a, b: {"a": a, "b": b}, "plain dict.*ModuleDict"),
            (lambda a, b: [[a], [b]], "plain list.*ModuleList"),
        ],
    )
    def test_beside_blocks_that_torch_knows(self, torch, slayer, hold, words):
        dense = slayer.block.cuba.Dense
        module = torch.nn.Sequential(dense(CUBA, 12, 8))
        module[0].more = hold(dense(CUBA, 8, 8), dense(CUBA, 8, 8))
        with pytest.raises(UnsupportedError, match=rf"Sequential.0.more: .*{words}"):
            nd.load(module)

    def test_a_list_of_blocks_that_torch_knows_is_no_fault(self, torch, slayer):
        module = torch.nn.Sequential(slayer.block.cuba.Dense(CUBA, 12, 8))
        right = nd.load(module)
        module.order = [module[0]]
        assert nd.load(module) == right


class TestImagesWithoutTime:
    def test_it_is_said_how(self, model):
        import_slayer()
        with pytest.raises(InputError, match=r"it runs on an image without time: give --static"):
            nd.load(model("16").make(), shape=(30,))

    def test_an_image_that_forward_repeats(self, model):
        import_slayer()
        module = model("16").make()
        image = np.random.default_rng(0).random((3, 30)).astype(np.float32).round(0)
        export = export_slayer(module, example=image, static=True)
        assert_equal(export)
        np.testing.assert_array_equal(export.inputs, np.repeat(image[:, None], 16, axis=1))
        said = {entry.element: entry.reason for entry in export.network.audit}
        assert "repeats an image for 16 steps" in said["input"]

    @pytest.mark.parametrize(
        "repeat",
        [
            lambda torch, x: x[..., None].repeat(1, 1, 12),
            lambda torch, x: x.unsqueeze(-1).expand(*x.shape, 12),
            lambda torch, x: torch.stack([x] * 12, -1),
            lambda torch, x: ((x * 2 - 1) > 0).float()[..., None].tile(12),
        ],
    )
    def test_however_it_is_repeated(self, torch, slayer, repeat):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a = slayer.block.cuba.Dense(CUBA, 20, 12, weight_scale=3)
                self.b = slayer.block.cuba.Dense(CUBA, 32, 8, weight_scale=3)

            def forward(self, image):
                x = repeat(torch, image)
                return self.b(torch.cat([self.a(x), x], 1))

        image = (np.random.default_rng(0).random((2, 20)) < 0.5).astype(np.float32)
        assert_equal(export_slayer(Net(), example=image, static=True))

    def test_the_verb(self, model, faults, tmp_path, monkeypatch):
        import_slayer()
        (folder,) = (faults / "bugs").glob("16_*")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setattr("sys.dont_write_bytecode", True)
        monkeypatch.delitem(importlib.sys.modules, "model", raising=False)
        done = export("model:make", tmp_path / "a.net", shape="30", static=True)
        monkeypatch.delitem(importlib.sys.modules, "model")
        assert done.example == "a random example of one image, seed 0"
        assert done.equal


class TestWhyAPopulationDiffers:
    """What feeds it is only blamed where it differs."""

    def export(self, torch, slayer):
        dense = slayer.block.cuba.Dense
        return export_slayer(
            torch.nn.Sequential(
                dense(CUBA, 12, 16, weight_scale=3), dense(CUBA, 16, 4, weight_scale=6)
            )
        )

    def reasons(self, export, spoilt):
        held = compare_forward_pass(export)
        held = [replace(h, differing=3 * (h.population in spoilt)) for h in held]
        return {
            e.element: e.reason
            for e in with_measured_audit(export, held, "x").audit.rated(Rating.APPROXIMATE)
        }

    def test_nothing_that_feeds_it_differs(self, torch, slayer):
        reasons = self.reasons(self.export(torch, slayer), ["1_dense"])
        assert list(reasons) == ["1_dense"]
        assert "though what feeds it is equal" in reasons["1_dense"]

    def test_what_feeds_it_is_named(self, torch, slayer):
        reasons = self.reasons(self.export(torch, slayer), ["0_dense", "1_dense"])
        assert "though what feeds it is equal" in reasons["0_dense"]
        assert "what feeds it differs (0_dense)" in reasons["1_dense"]
