"""The published L2MU in integers; what its README says was measured."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from examples.l2mu.deploy import deploy
from examples.l2mu.evaluate import right
from examples.l2mu.network import letters, load
from examples.shared import FOLDER, Result
from neurodeploy.errors import InputError

WEIGHTS = ("systems", "l2mu_braille7", "l2mu_7class.npz")


@pytest.fixture(scope="module")
def published(cases):
    weights, data = cases.joinpath(*WEIGHTS), cases / "braille7" / "val_0.npz"
    return load(weights), *letters(data), weights, data


def test_memory_has_the_same_unit_in_each_channel(published):
    network = published[0]
    assert [p.size for p in network] == [12, 70, 490, 120, 7]
    (loop,) = (p.synapse.weight for p in network.projections if p.source == p.target == "m")
    np.testing.assert_array_equal(loop[:7, :7], loop[483:, 483:])
    assert not loop[:7, 7:].any()


@pytest.mark.slow
def test_integers_read_the_letters(published):
    network, inputs, labels, *_ = published
    fixed = nd.quantize(network, nd.QuantConfig(8), inputs[:8])
    assert right(fixed, inputs[8:], labels[8:]).mean() >= 0.985


@pytest.mark.slow
def test_deployed_it_reads_the_letters_and_is_equal_on_lava(lava, published):
    _, inputs, labels, weights, data = published
    ready = deploy(weights, data)
    assert ready.runs
    assert ready.verification is not None
    assert right(ready.network, inputs, labels).mean() >= 0.985


def test_the_readme_says_what_was_measured():
    result = Result.read(FOLDER / "l2mu" / "result.json")
    readme = (FOLDER / "l2mu" / "README.md").read_text(encoding="utf-8")
    for name in ("floats", "8 bits", "6 bits", "4 bits", "deployed"):
        assert f"| {result.figures[name]:.2%} |".replace("%", " %") in readme
    assert result.figures["8 bits"] >= 0.985
    assert result.figures["deployed"] >= 0.985
    assert result.lava.startswith("yes")
    assert f"takes {result.cores} cores" in readme


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, **{"A.weight": np.zeros((7, 7))})
    with pytest.raises(InputError, match="no e_x"):
        load(path)
