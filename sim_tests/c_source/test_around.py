"""What stands around the emitted C: names, refusals, limits, other compilers, real networks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import neurodeploy as nd
from neurodeploy.c_source import lowering, vectors
from neurodeploy.c_source.c_arrays import CArray, Weights
from neurodeploy.c_source.c_names import LONGEST_NAME, check_name, name_from
from neurodeploy.c_source.lowering import KINDS, lower
from neurodeploy.cli import main
from neurodeploy.core.neurons import CORE_NEURONS, core_neuron
from neurodeploy.demo.shipped import shipped_digits
from neurodeploy.errors import FormatError, InputError, TooLargeError, UnsupportedError
from neurodeploy.network import (
    Average,
    CubaLIF,
    Delta,
    Dense,
    FloatLIF,
    LearningRule,
    ModulatedLIF,
    Network,
    Pool,
    Population,
    Projection,
    Sigma,
    SigmaDelta,
    Source,
)
from sim_tests.c_source.compiled import STRICT, compiler, hold_against_the_engine, run
from sim_tests.conftest import ROOT
from sim_tests.engine.neuron_bench import MODELS, draw_neuron
from sim_tests.random_networks import Draw


def small(name="out", neuron=None, rule=None, weight=None):
    weight = np.arange(6, dtype=np.int32).reshape(2, 3) * 20 if weight is None else weight
    return Network(
        [
            Population("in", (weight.shape[1],), Source()),
            Population(name, (weight.shape[0],), neuron or CubaLIF(2048, 512, 20)),
        ],
        [Projection("in", name, Dense(weight), rule=rule)],
    )


class TestNames:
    HOSTILE = (
        '"; */ #include "/etc/passwd',
        "a\\",
        "int",
        "??/x",
        "%s%n",
        "日本",
        "x" * 300,
        "a/*b",
        "1",
    )

    @pytest.mark.parametrize("name", HOSTILE)
    def test_populations_of_any_name_compile_and_run(self, name, tmp_path):
        made = nd.emit_c(small(name), tmp_path / "here")
        run("make", "-C", made.folder, f"CFLAGS={' '.join(STRICT)}")
        for file in made.files:
            text = (made.folder / file).read_text("ascii")
            assert "passwd" not in text or "etc_passwd" in text
            assert max(map(len, re.findall(r"\w+", text))) < 100

    @pytest.mark.parametrize("folder", ["2 nets.v3", "switch", "-rf", "日本", "a" * 80, "uint8_t"])
    def test_a_name_is_made_of_any_folder_s(self, folder, tmp_path):
        assert check_name(name_from(folder))
        made = nd.emit_c(small(), tmp_path / folder)
        assert made.files[0] == f"{name_from(folder)}.h"

    @pytest.mark.parametrize(
        "name", ["", "a b", "1a", "int", "a;", "x" * (LONGEST_NAME + 1), "NULL", "size_t", "stdin"]
    )
    def test_what_is_no_name_is_refused(self, name, tmp_path):
        with pytest.raises(InputError, match=r"^name: "):
            nd.emit_c(small(), tmp_path / "here", name=name)
        assert not list(tmp_path.iterdir())


class TestRefusals:
    def refused(self, network, match, folder, **how):
        with pytest.raises((UnsupportedError, TooLargeError, InputError), match=match):
            nd.emit_c(network, folder / "here", **how)
        assert not list(folder.iterdir())

    def test_synapses_that_learn(self, tmp_path):
        rule = LearningRule("dw = x1 * y0", x1_impulse=16, x1_tau=10.0)
        self.refused(small(rule=rule), "in->out: its synapses learn", tmp_path)

    def test_neurons_that_write_traces_for_learning(self, tmp_path):
        neuron = ModulatedLIF(2048, 512, 20)
        self.refused(small(neuron=neuron), "'out': emit-c has no modulated-lif", tmp_path)

    def test_floats(self, tmp_path):
        network = small(neuron=FloatLIF(), weight=np.ones((2, 3), np.float32))
        self.refused(network, "'out': emit-c has no float-lif.*quantize the network", tmp_path)

    def test_inputs_that_do_not_fit(self, tmp_path):
        self.refused(small(), "inputs: shape", tmp_path, inputs=np.zeros((4, 5)))
        self.refused(small(), "inputs: value -1", tmp_path, inputs=np.full((4, 3), -1))

    def test_more_constants_than_the_limit(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lowering, "MAX_NUMBERS", 5)
        self.refused(small(), "in->out: with it.* 6 constants, limit of emit-c 5;", tmp_path)

    def test_windows_that_would_become_a_long_list(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lowering, "MAX_NUMBERS", 60)
        pool = Pool(np.full((2, 2), 5, np.int32), stride=(2, 2), across_channels=True)
        ends = Population("in", (2, 4, 4), Source()), Population("out", (2, 2, 2), Sigma())
        network = Network(ends, [Projection("in", "out", pool)])
        self.refused(network, "in->out: with it .* 128 constants, limit of emit-c 60", tmp_path)

    def test_more_state_than_the_limit(self, tmp_path, monkeypatch):
        monkeypatch.setattr(lowering, "MAX_STATE_BYTES", 40)
        self.refused(
            small(),
            "network: its states and messages take [0-9]+ bytes, limit of emit-c 40",
            tmp_path,
        )

    def test_more_vectors_than_the_limit(self, tmp_path, monkeypatch):
        monkeypatch.setattr(vectors, "MAX_VECTORS", 40)
        self.refused(small(), "limit 40; give fewer", tmp_path, inputs=np.ones((6, 3)))

    def test_a_file_where_the_folder_should_be(self, tmp_path):
        (tmp_path / "here").write_text("mine")
        with pytest.raises(FormatError, match="is a file"):
            nd.emit_c(small(), tmp_path / "here")
        assert (tmp_path / "here").read_text() == "mine"

    def test_a_link_in_the_place_of_a_file(self, tmp_path):
        folder = tmp_path / "here"
        folder.mkdir()
        (folder / "Makefile").symlink_to("/dev/null")
        with pytest.raises(FormatError, match="is a link"):
            nd.emit_c(small(), folder)
        assert [path.name for path in folder.iterdir()] == ["Makefile"]


def test_every_neuron_of_the_core_has_its_c_but_the_one_that_learning_needs():
    rng = np.random.default_rng(0)
    neurons = [draw_neuron(rng, model, 3) for model in MODELS]
    neurons += [Source(), Average(3), CubaLIF(4096, 1, 1), CubaLIF(1, 1, 1), Delta(1), Sigma()]
    neurons += [SigmaDelta(1)]
    assert {core_neuron(neuron).kind for neuron in neurons} == set(KINDS)
    assert set(CORE_NEURONS) - {type(neuron) for neuron in neurons} == {ModulatedLIF}


def test_weights_take_the_smallest_type_that_holds_them():
    even = Weights.of("w", np.array([-256, 254, 2], np.int32))
    assert (even.array.type, even.shift, even.array.values.tolist()) == (
        "int8_t",
        1,
        [-128, 127, 1],
    )
    assert Weights.of("w", np.array([-256, 253], np.int32)).array.type == "int16_t"
    assert Weights.of("w", np.array([-4, 4], np.int32)).shift == 0
    assert Weights.of("w", np.full((3, 3), -7, np.int32)).only == -7
    assert CArray.of("a", np.array([0, 255])).type == "uint8_t"
    assert CArray.of("a", np.array([-(2**31), 5])).lines == "(-2147483647 - 1), 5"


def test_messages_that_wait_a_step_need_one_place():
    program = lower(nd.load(shipped_digits().network))
    assert [laid.slots for laid in program.populations] == [1, 1, 1]
    assert [laid.population.name for laid in program.running] == ["1_dense", "0_dense", "input"]


def test_the_test_says_where_it_first_differs(tmp_path):
    digits = shipped_digits()
    made = nd.emit_c(nd.load(digits.network), tmp_path / "digits", digits.inputs[:2])
    source = tmp_path / "digits" / "digits.c"
    gcc = compiler()

    def said():
        binary = tmp_path / "binary"
        run(gcc, *STRICT, "-o", binary, made.folder / "digits_test.c", source)
        done = subprocess.run([binary], capture_output=True, check=False, timeout=60)
        return done.returncode, done.stdout.decode().strip()

    assert said() == (0, "equal: 2 samples, 16 steps, 3 populations")
    right = source.read_text()
    source.write_text(right.replace("v > ", "v > 500 + "))
    status, line = said()
    assert status == 1
    assert re.fullmatch(r"differs: sample 0, step \d+, population \d \(\w+\): other .*", line)


def test_it_needs_no_system_underneath(tmp_path):
    """Every name that the object asks for is memset, or what a compiler puts in its place."""
    made = nd.emit_c(nd.load(shipped_digits().network), tmp_path / "digits")
    run("make", "-C", made.folder, "digits.o")
    nm = compiler("nm")
    asked = run(nm, "--undefined-only", made.folder / "digits.o").decode().split()
    assert set(asked) - {"U"} <= {"memset", "_GLOBAL_OFFSET_TABLE_"}
    there = run(nm, "--defined-only", "--extern-only", made.folder / "digits.o").decode().split()
    assert {"digits_reset", "digits_step"} == {word for word in there if "digits" in word}
    # Nothing that can be written: no data, no zeroed memory.
    sections = run(compiler("size"), "-A", made.folder / "digits.o").decode()
    sizes = dict(re.findall(r"^(\.\w+)\s+(\d+)", sections, re.MULTILINE))
    assert sizes[".data"] == sizes[".bss"] == "0"


@pytest.mark.parametrize("processor", ["cortex-m0", "cortex-m4"])
def test_a_compiler_of_small_processors_takes_it(processor, tmp_path):
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("needs arm-none-eabi-gcc (Debian: gcc-arm-none-eabi), which is not installed")
    made = nd.emit_c(nd.load(shipped_digits().network), tmp_path / "digits")
    run(
        "arm-none-eabi-gcc", f"-mcpu={processor}", "-mthumb", "-Os", "-ffreestanding", *STRICT,
        "-c", "-o", tmp_path / "digits.o", made.folder / "digits.c",
    )  # fmt: skip
    text, data, bss = run("arm-none-eabi-size", tmp_path / "digits.o").decode().split()[6:9]
    assert (data, bss) == ("0", "0")
    assert made.constant_bytes < int(text) < made.constant_bytes + 2000


def test_the_test_passes_on_an_emulated_32_bit_arm(tmp_path):
    """Another instruction set, another C library, the same messages."""
    for tool in ("arm-none-eabi-gcc", "qemu-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}, which is not installed")
    digits = shipped_digits()
    for name, network, inputs in (
        ("digits", nd.load(digits.network), digits.inputs[:3]),
        ("drawn", Draw(8, beyond_netx=True).network, None),
    ):
        made = nd.emit_c(network, tmp_path / name, inputs)
        binary = tmp_path / f"{name}.elf"
        run(
            "arm-none-eabi-gcc", "-mcpu=cortex-a7", "-Os", "--specs=rdimon.specs", *STRICT,
            "-o", binary, *(made.folder / file for file in made.files if file.endswith(".c")),
        )  # fmt: skip
        assert run("qemu-arm", "-cpu", "cortex-a7", binary).startswith(b"equal: ")


def test_a_c_plus_plus_program_may_include_it(tmp_path):
    made = nd.emit_c(small(), tmp_path / "here")
    (tmp_path / "user.cpp").write_text(
        '#include "here/here.h"\nstatic struct here net;\n'
        "int main() { int32_t in[HERE_INPUTS] = {}, out[HERE_OUTPUTS];\n"
        "here_reset(&net); here_step(&net, in, out); return out[0]; }\n"
    )
    run(compiler(), "-c", "-std=c99", "-o", tmp_path / "here.o", made.folder / "here.c")
    run(compiler("g++"), "-o", tmp_path / "user", tmp_path / "user.cpp", tmp_path / "here.o")
    run(tmp_path / "user")


class TestTheVerb:
    def call(self, *words):
        with pytest.raises(SystemExit) as ended:
            main(["emit-c", *map(str, words)])
        return ended.value.code

    def test_writes_a_folder(self, tmp_path, capsys):
        digits = shipped_digits()
        np.save(tmp_path / "x.npy", digits.inputs[:3])
        out = tmp_path / "digits"
        how = ("--input", tmp_path / "x.npy", "--name", "net", "--steps", 12, "--json")
        assert self.call(digits.network, "-o", out, *how) == 0
        said = json.loads(capsys.readouterr().out)
        assert sorted(p.name for p in out.iterdir()) == sorted(said["files"])
        assert (said["name"], said["samples"], said["steps"]) == ("net", 3, 12)
        assert b"equal: 3 samples, 12 steps" in run("make", "-C", out)

    def test_says_in_one_line_what_it_cannot_do(self, tmp_path, capsys):
        assert self.call(shipped_digits().network, "-o", tmp_path / "x", "--name", "a b") == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert said.startswith("neurodeploy: name: 'a b'")
        assert not (tmp_path / "x").exists()


class TestRealNetworks:
    def test_digits(self, tmp_path):
        digits = shipped_digits()
        inputs = np.asarray(digits.inputs[:20], np.int32)
        assert hold_against_the_engine(nd.load(digits.network), inputs, tmp_path) > 1000

    @pytest.mark.parametrize("name", ["spoken_digits", "dpsnn"])
    def test_of_ours(self, name, tmp_path):
        network = nd.load(ROOT / "netx_exports" / f"{name}.net")
        self.hold(network, tmp_path)

    def hold(self, network, folder):
        values = vectors.presented(network, None, None, None, True)
        assert hold_against_the_engine(network, values[:], folder, flags=("-O1",)) > 50

    @pytest.mark.parametrize(
        "path", ["ndns/network.net", "compiled/oxford.net", "systems/ntidigits/ntidigits.net"]
    )
    def test_of_others(self, path, cases, tmp_path):
        self.hold(nd.load(cases / path), tmp_path)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "path",
        ["compiled/pilotnet_sdnn_200x66.net", "systems/braille_loihi1/netLoihi_rec_th1.net"],
    )
    def test_of_others_that_take_longer(self, path, cases, tmp_path):
        self.hold(nd.load(cases / path), tmp_path)

    @pytest.mark.parametrize("path", ["mnist.net", "tiny.net", "gts/pilotnet_sdnn/network.net"])
    def test_of_lava_dl(self, path, netx_truth, tmp_path):
        self.hold(nd.load(netx_truth / path), tmp_path)


def test_the_page_s_table_says_what_is_emitted(tmp_path):
    """Its exact columns; the others are those of a compiler's version."""
    page = (ROOT / "docs" / "emit_c.md").read_text("utf-8")
    made = nd.emit_c(nd.load(shipped_digits().network), tmp_path / "digits")
    assert f"| digits | 202 | {made.constant_bytes:,} | {made.state_bytes:,} |" in page
    assert f"{vectors.MAX_VECTORS:,} numbers" in page
    assert f"{lowering.MAX_NUMBERS:,} constants" in page
    assert f"struct of more than {lowering.MAX_STATE_BYTES >> 20} MiB" in page
    assert f"{LONGEST_NAME} at most" in page


@pytest.mark.slow
def test_the_page_s_table_can_be_measured_anew(tmp_path):
    table = pytest.importorskip("benchmarks.emitted_c")
    name, path, inputs = next(table.networks(None))
    assert name == "digits"
    figures = table.row(nd.load(path), inputs, tmp_path)
    assert len(figures) == len(table.HEAD) - 1
    if shutil.which("valgrind") is not None:
        assert 5_000 < int(figures[-1].replace(",", "")) < 50_000
