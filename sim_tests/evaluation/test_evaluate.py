"""A data set in, scores out: the same whoever runs it, and however it is held."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.cli import main
from neurodeploy.errors import BackendError, InputError, RecordingError
from neurodeploy.inputs.data_sets import read_values
from neurodeploy.numbers import wilson_interval

from .data import Items, samples

NUMBER = 90


@pytest.fixture(scope="module")
def data():
    return samples(NUMBER)


@pytest.fixture(scope="module")
def score(network, data):
    return nd.evaluate(network, *data, shard=20, threads=1)


def same(a, b):
    """Whether two evaluations found the same to the bit; seconds are the clock's."""
    a, b = (replace(e.tally, seconds=0.0) for e in (a, b))
    votes = [(x.votes.confusion, x.votes.settled, x.votes.ranks) for x in (a, b)]
    for x, y in zip(*votes, strict=True):
        np.testing.assert_array_equal(x, y)
    # As plain types, in which what is not known is None: no NaN equals another.
    priced = a.profile.as_dict() == b.profile.as_dict()
    return priced and (a.messages, a.synops, a.samples) == (b.messages, b.synops, b.samples)


def test_equals_one_run_of_all(network, data, score):
    inputs, labels = data
    recording = nd.run(network, inputs)
    profile = nd.profile(recording)
    assert score.accuracy == recording.accuracy(labels)
    assert score.interval == wilson_interval(score.correct, NUMBER)
    assert score.profile.energy_joules == pytest.approx(profile.energy_joules, rel=1e-12)
    assert score.profile.spread == pytest.approx(profile.spread, rel=1e-9)
    assert score.profile.samples == NUMBER
    assert score.messages.mean == pytest.approx(profile.messages)
    assert score.synops.mean == pytest.approx(profile.synops)
    assert [p.number for p in score.profile.parts] == pytest.approx(
        [p.number for p in profile.parts]
    )
    assert score.shards == 5


@pytest.mark.parametrize("kind", ["batches", "items", "file", "archive", "tensor", "axes"])
def test_however_the_data_set_is_held(network, data, score, tmp_path, kind):
    inputs, labels = data
    given = {
        "batches": lambda: ((inputs[i : i + 7], labels[i : i + 7]) for i in range(0, NUMBER, 7)),
        "items": lambda: Items(NUMBER),
        "file": lambda: tmp_path / "x.npy",
        "archive": lambda: tmp_path / "x.npz",
        "tensor": lambda: pytest.importorskip("torch").from_numpy(inputs),
        "axes": lambda: inputs.transpose(1, 0, 2),
    }[kind]()
    np.save(tmp_path / "x.npy", inputs)
    np.savez(tmp_path / "x.npz", inputs=inputs, labels=labels)
    apart = {"file", "tensor", "axes"}
    axes = "TBN" if kind == "axes" else None
    found = nd.evaluate(
        network, given, labels if kind in apart else None, axes=axes, shard=20, threads=2
    )
    assert same(found, score)


def test_a_torch_loader(network, data, score):
    torch = pytest.importorskip("torch", reason="needs torch")
    tensors = torch.utils.data.TensorDataset(*(torch.from_numpy(a) for a in data))
    for given in (tensors, torch.utils.data.DataLoader(tensors, batch_size=32)):
        assert same(nd.evaluate(network, given, shard=20), score)


def test_batches_are_taken_only_as_they_are_needed(network, data):
    inputs, labels = data
    taken = 0

    def batches():
        nonlocal taken
        for i in range(0, NUMBER, 10):
            taken += 10
            yield inputs[i : i + 10], labels[i : i + 10]

    ahead = []
    nd.evaluate(
        network, batches(), shard=10, progress=lambda done, total: ahead.append(taken - done)
    )
    assert max(ahead) <= 10


def test_without_labels_it_counts_decisions(network, data, score):
    found = nd.evaluate(network, data[0], shard=20)
    assert np.isnan(found.accuracy)
    assert found.confusion is None
    np.testing.assert_array_equal(found.decided, score.confusion.sum(axis=0))
    assert json.loads(json.dumps(found.as_dict()))["accuracy"] is None


def test_values_wanted_of_the_output_in_each_step(network, data):
    inputs = data[0]
    recording = nd.run(network, inputs, record=("counts", "spikes", "v"))
    hops = network.hops("output")
    wanted = np.zeros((NUMBER, inputs.shape[1], 4))
    wanted[:, :-hops] = 0.5 * recording["output"].v[:, hops:]
    found = nd.evaluate(network, inputs, wanted, by="v", unit=0.5, shard=20)
    assert found.fit.rmse == 0
    assert found.fit.r2 == found.fit.correlation == pytest.approx(1)
    off = nd.evaluate(network, inputs, wanted, by="v", unit=1.0, shard=20)
    assert off.fit.correlation == pytest.approx(1)
    assert off.fit.r2 < 1


def test_shards_that_are_done_are_not_run_again(network, data, score, tmp_path, monkeypatch):
    first = nd.evaluate(network, *data, shard=20, out=tmp_path)
    assert len(list(tmp_path.glob("shard-*.h5"))) == 5
    (tmp_path / "shard-000003.h5").unlink()
    ran = []
    run = nd.evaluation.shards.run
    monkeypatch.setattr(
        "neurodeploy.evaluation.shards.run",
        lambda *a, **how: ran.append(how["out"]) or run(*a, **how),
    )
    again = nd.evaluate(network, *data, shard=20, out=tmp_path)
    assert [path.name for path in ran] == ["shard-000003.h5"]
    assert same(first, again)
    assert same(again, score)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shard": 30}, "cut otherwise"),
        ({"steps": 5}, "another steps"),
        ({"backend": "other"}, "another backend"),
    ],
)
def test_a_folder_with_other_shards_is_refused(network, data, tmp_path, change, words, monkeypatch):
    nd.evaluate(network, *data, shard=20, out=tmp_path)
    if "backend" in change:  # the same engine under another name
        monkeypatch.setitem(nd.backends.BACKENDS._ours, "other", nd.backends.BACKENDS["engine"])
    with pytest.raises(RecordingError, match=words):
        nd.evaluate(network, *data, **{"shard": 20, "out": tmp_path, **change})


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [
        ("processes:0", "N from 1 to 1024"),
        ("threads:x", "N from 1 to 1024"),
        ("many", "threads:N, processes:N or the address"),
    ],
)
def test_a_scheduler_that_is_none(network, data, scheduler, words):
    with pytest.raises(InputError, match=words):
        nd.evaluate(network, *data, scheduler=scheduler)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros(NUMBER - 1, int), "one for each sample"),
        (np.full(NUMBER, 4), "give 0..3"),
        (np.zeros((NUMBER, 3)), "give .samples, outputs. or .samples, steps, outputs."),
    ],
)
def test_labels_that_do_not_fit(network, data, labels, words):
    with pytest.raises(InputError, match=words):
        nd.evaluate(network, data[0], labels)


def test_no_samples(network):
    with pytest.raises(InputError, match="no samples"):
        nd.evaluate(network, iter(()))


def test_items_of_different_lengths_say_what_to_give(network):
    items = [(np.ones((n, 8), np.uint8), 0) for n in (3, 5)]
    with pytest.raises(InputError, match=r"sample 1 has shape \(5, 8\).*give steps="):
        nd.evaluate(network, items)
    assert nd.evaluate(network, items, steps=6).samples == 2


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="needs Dask: the extra scale")
    from neurodeploy.evaluation.clusters import _local

    with _local(2) as cluster, distributed.Client(cluster) as client:
        yield client
    with warnings.catch_warnings():  # Dask leaves the pipe of its scheduler open
        warnings.simplefilter("ignore", ResourceWarning)
        del client, cluster
        gc.collect()


class TestOnDask:
    @pytest.fixture(autouse=True)
    def dask(self):
        pytest.importorskip("distributed", reason="needs Dask: the extra scale")

    def test_equals_one_process_to_the_bit(self, network, data, score, cluster):
        assert same(nd.evaluate(network, *data, shard=20, scheduler=cluster), score)
        batches = ((data[0][i : i + 9], data[1][i : i + 9]) for i in range(0, NUMBER, 9))
        assert same(nd.evaluate(network, batches, shard=20, scheduler=cluster), score)

    def test_the_shard_of_a_dead_worker_runs_elsewhere(self, network, score, cluster, tmp_path):
        items = Items(NUMBER, deadly=47, mark=str(tmp_path / "killed"))
        found = nd.evaluate(network, items, shard=20, scheduler=cluster)
        assert (tmp_path / "killed").exists()
        assert same(found, score)

    def test_a_shard_that_kills_every_worker_is_given_up(self, network, cluster):
        with pytest.raises(BackendError, match="workers died over the same shard"):
            nd.evaluate(network, _Deadly(NUMBER), shard=20, scheduler=cluster)

    def test_what_a_worker_raises_reaches_the_caller(self, network, data, cluster):
        with pytest.raises(InputError, match=r"give 0\.\.3"):
            nd.evaluate(network, data[0], np.full(NUMBER, 9), shard=20, scheduler=cluster)

    def test_nothing_answers(self, network, data, monkeypatch):
        monkeypatch.setattr("neurodeploy.evaluation.clusters.START_SECONDS", 1)
        with pytest.raises(BackendError, match=r"nothing answers at tcp://127.0.0.1:9"):
            nd.evaluate(network, *data, scheduler="tcp://127.0.0.1:9")

    @pytest.mark.slow
    def test_its_processes_say_nothing(self, network, data, capfd):
        nd.evaluate(network, *data, shard=20, scheduler="processes:1")
        assert capfd.readouterr() == ("", "")

    @pytest.mark.slow
    def test_a_killed_caller_leaves_no_process(self, tmp_path):
        psutil = pytest.importorskip("psutil")
        script = tmp_path / "run.py"
        script.write_text(  # and a script needs no guard of __main__
            "import neurodeploy as nd\n"
            "from sim_tests.evaluation.data import Items\n"
            "from sim_tests.evaluation.conftest import network\n"
            "net = network.__wrapped__()\n"
            "nd.evaluate(net, Items(90, seconds=0.1), shard=2, scheduler='processes:2',\n"
            "    progress=lambda done, total: print(done, flush=True))\n"
        )
        caller = subprocess.Popen(
            [sys.executable, str(script)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert caller.stdout.readline().strip() == b"2"
        children = psutil.Process(caller.pid).children(recursive=True)
        assert len(children) >= 3
        caller.send_signal(signal.SIGKILL)
        caller.wait()
        _, alive = psutil.wait_procs(children, timeout=30)
        for process in alive:
            process.kill()
        assert not alive


class _Deadly(Items):
    def __getitem__(self, number):
        if number == 47:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(number)


def test_values_from_a_pipe_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "values.npy")
    with pytest.raises(InputError, match=r"values\.npy"):
        read_values(tmp_path / "values.npy")


def test_the_verbs(network, data, score, tmp_path, capsys):
    def call(*words):
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        return stop.value.code, *capsys.readouterr()

    inputs, labels = data
    x, y, net = (tmp_path / name for name in ("x.npy", "y.npy", "a.net"))
    nd.save(network, net)
    np.save(x, inputs)
    np.save(y, labels)
    shards = tmp_path / "shards"
    words = ["evaluate", net, "--input", x, "--labels", y, "--shard", 20, "-o", shards]
    status, out, _ = call(*words, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["accuracy"] == score.accuracy
    assert found["confusion"] == score.confusion.tolist()
    status, out, _ = call(*words)
    assert status == 0
    assert f"{score.correct} right" in out
    whole, run = tmp_path / "whole.h5", tmp_path / "run.h5"
    parts = sorted(shards.glob("*.h5"))
    assert call("join", *parts, "-o", whole, "--net", net, "--input", x)[0] == 0
    status, out, _ = call("run", net, "--input", x, "--labels", y, "-o", run)
    assert status == 0
    assert f"accuracy {100 * score.accuracy:.2f} %" in out
    assert call("compare", whole, run)[0] == 0
    status, _, err = call(*words, "--values", y)
    assert status == 2
    assert err.count("\n") == 1
    assert "--values" in err
