"""Lava imports, and computes the same, on Pythons and NumPys that it was never made for."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.lava_imports import Finder, changes

SITE = Path(sysconfig.get_path("purelib"))
REPOSITORY = Path(__file__).parents[2]
VAR_MODEL = "lava.magma.compiler.var_model"
SOURCE = b"""
from dataclasses import dataclass, field

class Byte:
    __hash__ = None

@dataclass
class Core:
    x: Byte = Byte()
    names: list = field(default_factory=list)
    p: int = 3
"""


def module(name: str, source: bytes) -> dict[str, object]:
    """What a module of Lava's with this source defines once it is changed."""
    defined: dict[str, object] = {changes.HERE: changes, "__name__": name}
    sys.modules.setdefault(name, sys)  # dataclasses look their module up
    try:
        exec(changes.changed(name, source, "changed.py"), defined)
    finally:
        if sys.modules[name] is sys:
            del sys.modules[name]
    return defined


def test_each_instance_gets_a_default_of_its_own() -> None:
    core = module(VAR_MODEL, SOURCE)["Core"]
    one, other = core(), core()
    assert one.x is not other.x
    assert (one.names, one.p) == ([], 3)


def test_the_shape_is_named_as_this_numpy_names_it() -> None:
    source = b"import functools, numpy as np\nto = functools.partial(np.reshape, newshape=(2, 3))"
    to = module("lava.magma.core.process.ports.ports", source)["to"]
    assert to(np.arange(6)).shape == (2, 3)


def test_parameters_of_a_convolution_hold_more_than_127() -> None:
    source = b"import numpy as np\nsizes = np.zeros(2, np.int8)\nsizes[:] = (200, 128)"
    assert module("lava.proc.conv.models", source)["sizes"].tolist() == [200, 128]


@pytest.mark.parametrize("given", ["np.array([64])", "np.float32(64)", "64", "'64'"])
def test_one_element_is_an_integer(given: str) -> None:
    source = f"import numpy as np\nweight = int({given})\nkind = isinstance(weight, int)".encode()
    defined = module("lava.lib.dl.netx.hdf5", source)
    assert (defined["weight"], defined["kind"]) == (64, True)


def test_an_absent_image_library_is_named_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    name = "lava.lib.dl.slayer.object_detection.boundingbox.utils"
    defined = module(name, b"from torchvision import ops, transforms as t\nimport json")
    with pytest.raises(ImportError, match="Resize: needs torchvision"):
        defined["t"].Resize(3)
    assert sys.modules["torchvision"] is None  # others still find it missing
    assert defined["json"].dumps([1]) == "[1]"


def run_python(code: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (*paths, REPOSITORY)))
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


CHANGE_ALWAYS = """
import neurodeploy
from neurodeploy.lava_imports import changes
changes.apply = lambda: True
"""


def test_modules_are_changed_on_import_and_their_files_and_caches_are_not(tmp_path: Path) -> None:
    path = tmp_path / "lava" / "magma" / "compiler" / "var_model.py"
    path.parent.mkdir(parents=True)
    path.write_bytes(SOURCE)
    path.with_name("other.py").write_text("import numpy as np\nkind = np.int8")
    code = CHANGE_ALWAYS + (
        "import lava.magma.compiler.var_model as changed, lava.magma.compiler.other as other\n"
        "assert changed.Core().x is not changed.Core().x\n"
        "print(changed.__file__, other.kind.__name__)"
    )
    done = run_python(code, tmp_path)
    assert done.stdout.split() == [str(path), "int8"], done.stderr
    assert path.read_bytes() == SOURCE
    assert not list(path.parent.glob("__pycache__/var_model*"))


def test_the_finder_is_there_once_and_answers_for_nothing_else() -> None:
    done = run_python(
        "import sys, neurodeploy; from neurodeploy.lava_imports import Finder, install; install()\n"
        "print(sum(isinstance(f, Finder) for f in sys.meta_path))"
    )
    assert done.stdout.split() == ["1"], done.stderr
    for name in ("lava", "lavalamp", "lava.proc.lif.models", "json"):
        assert Finder().find_spec(name, None) is None


def test_python_3_10_with_numpy_1_has_lava_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    monkeypatch.setattr(np, "__version__", "1.26.4")
    assert not changes.apply()
    monkeypatch.setattr(np, "__version__", "2.2.6")
    assert changes.apply()


@pytest.mark.parametrize("name", changes.CHANGES)
def test_what_is_changed_stands_in_lava(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = SITE.joinpath(*name.split(".")).with_suffix(".py")
    if not path.is_file():
        pytest.skip("needs lava-nc and lava-dl")
    monkeypatch.setattr(np, "__version__", "2.5.5")
    tree = ast.parse(path.read_bytes())
    before = ast.dump(tree)
    assert ast.dump(changes.CHANGES[name]().visit(tree)) != before


@pytest.mark.skipif(find_spec("lava") is None, reason="lava is not installed here")
def test_every_module_of_lavas_simulator_imports_when_changed() -> None:
    code = f"""{CHANGE_ALWAYS}
import importlib, pathlib, sys
site = pathlib.Path({str(SITE)!r})
for part in ("magma", "proc", "networks", "frameworks"):
    for path in sorted((site / "lava" / part).rglob("*.py")):
        name = ".".join(path.relative_to(site).with_suffix("").parts)
        importlib.import_module(name.removesuffix(".__init__"))
print(sum(name.startswith("lava.") for name in sys.modules))
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 100


@pytest.mark.slow
def test_lava_dls_own_netx_tests_pass(tmp_path: Path) -> None:
    folder = SITE / "tests/lava/lib/dl/netx"
    if find_spec("torch") is None or not (folder / "test_hdf5.py").is_file():
        pytest.skip("needs torch and lava-dl")
    # Theirs of N-TIDIGITS take some ten minutes each; the record is one of our own tests too.
    code = (
        "import neurodeploy, pytest, sys\n"
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-c', {os.devnull!r}, "
        f"'--rootdir', {str(tmp_path)!r}, '-k', 'not ntidigits', {str(folder)!r}]))"
    )
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
    )
    assert "17 passed, 5 skipped" in done.stdout, done.stdout[-3000:]
