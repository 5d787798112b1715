"""NeuroBench's own harness on our networks, and our metrics beside what it finds."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch")
neurobench = pytest.importorskip("neurobench", reason="needs neurobench")

from neurobench.benchmarks import Benchmark  # noqa: E402
from neurobench.metrics.static import ConnectionSparsity, Footprint  # noqa: E402
from neurobench.metrics.workload import (  # noqa: E402
    ActivationSparsity,
    ClassificationAccuracy,
    MembraneUpdates,
    SynapticOperations,
)
from neurobench.processors.postprocessors import ChooseMaxCount  # noqa: E402

import neurodeploy as nd  # noqa: E402
from neurodeploy.errors import UnsupportedError  # noqa: E402
from neurodeploy.evaluation.neurobench import (  # noqa: E402
    NeuroBenchNetwork,
    StoredFootprint,
    stored_bytes,
)
from neurodeploy.network import (  # noqa: E402
    Conv,
    CubaLIF,
    Dense,
    Network,
    Pool,
    Population,
    Projection,
    Source,
)
from neurodeploy.profiling.benchmarks import neurobench as metrics_of  # noqa: E402

from .data import samples  # noqa: E402

WORKLOAD = [ActivationSparsity, SynapticOperations, MembraneUpdates, ClassificationAccuracy]


@pytest.fixture(params=["dense", "conv"])
def case(request, network):
    if request.param == "dense":
        return network, *samples(40)
    rng = np.random.default_rng(3)
    kernel = 2 * rng.integers(-20, 40, (3, 2, 3, 3)) * (rng.random((3, 2, 3, 3)) < 0.7)
    weight = 2 * rng.integers(-20, 40, (4, 27))
    net = Network(
        (
            Population("input", (2, 6, 6), Source()),
            Population("conv", (3, 3, 3), CubaLIF(1000, 400, 8)),
            Population("output", (4,), CubaLIF(0, 400, 8)),
        ),
        (
            Projection("input", "conv", Conv(kernel.astype(np.int32), (2, 2), (1, 1), (1, 1))),
            Projection("conv", "output", Dense(weight.astype(np.int32))),
        ),
    )
    inputs = (rng.random((40, 12, 2, 6, 6)) < 0.2).astype(np.uint8)
    return net, inputs, rng.integers(0, 4, 40)


def test_the_harness_finds_what_we_find(case):
    net, inputs, labels = case
    data = torch.utils.data.TensorDataset(torch.from_numpy(inputs), torch.from_numpy(labels))
    loader = torch.utils.data.DataLoader(data, batch_size=len(inputs))
    metrics = [[Footprint, ConnectionSparsity, StoredFootprint], WORKLOAD]
    model = NeuroBenchNetwork(net)
    theirs = Benchmark(model, loader, [], [ChooseMaxCount()], metrics).run(quiet=True)
    recording = nd.run(net, inputs, record=("counts", "spikes", "v"))
    ours = metrics_of(net, recording)
    assert theirs["Footprint"] == ours["Footprint"]
    assert theirs["ConnectionSparsity"] == pytest.approx(ours["ConnectionSparsity"], abs=5e-5)
    assert theirs["ActivationSparsity"] == pytest.approx(ours["ActivationSparsity"])
    assert theirs["SynapticOperations"] == pytest.approx(ours["SynapticOperations"])
    assert theirs["ClassificationAccuracy"] == pytest.approx(recording.accuracy(labels))
    assert theirs["StoredFootprint"] == stored_bytes(net) < theirs["Footprint"]


def test_other_synapses_are_named():
    pool = Projection(
        "input", "pooled", Pool(np.full((2, 2), 16, np.int32), (2, 2), (0, 0), (1, 1))
    )
    net = Network(
        (
            Population("input", (2, 4, 4), Source()),
            Population("pooled", (2, 2, 2), CubaLIF(0, 0, 8)),
        ),
        (pool,),
    )
    with pytest.raises(UnsupportedError, match="'input->pooled': pool synapses"):
        NeuroBenchNetwork(net)
