"""What `nd.plot` draws is what the objects hold."""

from __future__ import annotations

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.errors import InputError, RecordingError
from sim_tests.compare.test_compare import RECORD, network_of

matplotlib = pytest.importorskip("matplotlib", reason="needs the extra plots")
matplotlib.use("Agg")


@pytest.fixture(scope="module")
def recording():
    inputs = (np.random.default_rng(4).random((6, 30, 8)) < 0.3).astype(np.int32)
    return nd.run(network_of(), inputs, record=RECORD)


@pytest.fixture
def ax():
    from matplotlib.figure import Figure

    return Figure().subplots()


def test_raster_has_a_mark_for_each_message(recording, ax):
    record = recording["hidden"]
    assert nd.plot.raster(record, sample=2, ax=ax) is ax
    steps, neurons = (np.asarray(x) for x in ax.lines[0].get_data())
    drawn = np.zeros((30, 12), bool)
    drawn[steps, neurons] = True
    np.testing.assert_array_equal(drawn, record.spikes[2] != 0)


def test_traces_are_the_recorded_states(recording, ax):
    nd.plot.traces(recording["hidden"], "u", neurons=(5, 1), sample=3, ax=ax)
    drawn = [line.get_ydata() for line in ax.lines]
    np.testing.assert_array_equal(drawn, recording["hidden"].u[3].T[[5, 1]])


def test_weights_are_all_counted(ax):
    nd.plot.weights(network_of(), "input->hidden", ax=ax)
    assert sum(bar.get_height() for bar in ax.patches) == 96


def test_energy_is_dynamic_on_top_of_static_with_its_band(recording, ax):
    profiles = [nd.profile(recording, "loihi1"), nd.profile(recording)]
    nd.plot.energy(profiles, ax=ax)
    tops = [bar.get_y() + bar.get_height() for bar in ax.patches[1::2]]
    assert tops == pytest.approx([p.energy_joules for p in profiles])
    ends = [line.get_segments()[0][:, 1].tolist() for line in ax.collections]
    assert ends == [[p.band.low_joules, p.band.high_joules] for p in profiles]


def test_cores_are_as_full_as_the_placement_says(ax):
    placement = nd.fit(network_of())
    nd.plot.cores(placement, ax=ax)
    most = {u.population: u.percent[u.binds] for u in placement.per_population}
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(list(most.values()))


def test_new_axes_are_made_where_none_are_given(recording):
    from matplotlib import pyplot

    ax = nd.plot.raster(recording["output"])
    assert ax.get_title() == "output, sample 0"
    pyplot.close(ax.figure)


@pytest.mark.parametrize(
    ("draw", "error", "said"),
    [
        (lambda r: nd.plot.raster(r["hidden"], 6), InputError, "samples 0 to 5"),
        (lambda r: nd.plot.traces(r["hidden"], "w"), RecordingError, "w was not recorded"),
        (lambda r: nd.plot.traces(r["hidden"], "v", [12]), InputError, "neurons 0 to 11"),
        (lambda r: nd.plot.traces(r["hidden"], "v", sample=-1), InputError, "sample -1"),
        (lambda r: nd.plot.weights(network_of(), "a->b"), InputError, "input->hidden"),
        (lambda r: nd.plot.energy([]), InputError, "at least one"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_line(recording, draw, error, said):
    with pytest.raises(error, match=said) as found:
        draw(recording)
    assert "\n" not in str(found.value)
