"""Fine-tuning sees the integers that will run."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, NetworkError
from sim_tests.conftest import ROOT

from .test_quantize import recurrent, spikes

torch = pytest.importorskip("torch", reason="needs torch: neurodeploy doctor --add lava-dl")


@pytest.mark.parametrize("bits", [8, 3, "ternary"])
def test_forward_pass_is_the_engine_to_the_bit(bits):
    from neurodeploy.quantization.calibration import Calibration
    from neurodeploy.quantization.quantize_network import choose_scales, round_with
    from neurodeploy.quantization.scale_choice import Site
    from neurodeploy.training.integer_network import IntegerNetwork

    net, inputs, config = recurrent(), spikes(), nd.QuantConfig(bits)
    reference = Calibration.of(net, inputs)
    sites = {n: Site(net, net[n], config, reference) for n in ("a", "b")}
    choices = choose_scales(net, sites, config, reference)
    with torch.no_grad():
        sent = IntegerNetwork(net, sites, choices)(torch.from_numpy(inputs.astype(np.float64)))
    fixed = round_with(net, sites, choices, config, reference)
    engine = nd.run(fixed, inputs, steps=62, record=("spikes",))
    for name, hops in (("a", 1), ("b", 2)):
        assert sent[name].sum() > 50
        np.testing.assert_array_equal(engine[name].spikes[:, hops : 60 + hops], sent[name].numpy())


def test_distillation_brings_few_bits_nearer_to_the_float_network():
    from neurodeploy.training import fine_tune

    net, inputs, config = recurrent(), spikes(24), nd.QuantConfig(2, split=0.0, method="mse")
    exact = nd.run(net, inputs, backend="float").output.sum(axis=1)

    def off(fixed):
        return np.abs(nd.run(fixed, inputs, steps=62).output.sum(axis=1) - exact).sum()

    tuned = fine_tune(net, config, inputs, epochs=6, learning_rate=0.03)
    assert off(tuned.network) < off(nd.quantize(net, config, inputs))
    assert len(tuned.losses) == 6
    again = nd.quantize(tuned.floats, config)
    assert again.output.shape == tuned.network.output.shape


def test_the_first_lines_of_python_in_the_docs_run():
    text = (ROOT / "docs" / "quantize.md").read_text()
    net, inputs = recurrent(), spikes(12)
    labels = np.arange(12) % 4
    known = {"net": net, "inputs": inputs, "tests": inputs, "labels": labels}
    exec(text.split("```python\n")[1].split("```")[0], known)
    assert known["report"]["a"].bits == 6
    assert known["made"].costs.joules <= 1.2e-6
    assert [row.bits for row in known["table"].rows] == [8, 4, 2]
    assert nd.run(known["tuned"].network, inputs).output.any()


def test_bits_of_a_population_that_is_not_there_are_refused():
    from neurodeploy.training import fine_tune

    config = nd.QuantConfig(4, population_bits=(("z", 8),))
    with pytest.raises(NetworkError, match="no population 'z' to round"):
        fine_tune(recurrent(), config, spikes(10))


def test_labels_that_do_not_fit_are_refused():
    from neurodeploy.training import fine_tune

    with pytest.raises(InputError, match=r"labels: 0..9; .* 4 output neurons"):
        fine_tune(recurrent(), nd.QuantConfig(4), spikes(10), np.arange(10))
