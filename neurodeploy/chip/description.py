"""A network in a line of text: its shapes, before anything is trained.

Layers are separated by semicolons or line ends; ``#`` begins a comment. The first is the input::

    in 2x34x34                  # channels x height x width, or a number of neurons
    conv 16k5s2p1               # 16 channels, kernel 5, stride 2, padding 1 (d dilation, g groups)
    pool 2                      # sums over 2 x 2, stride 2; or k3s2p1
    dense 256 30% rec           # with 30 % of all synapses, stored as sparse ones; recurrent
    dense 10 4b delay 62        # weights of 4 bits; every synapse with a delay of up to 62 steps

Sizes of kernels, strides, paddings and dilations are one number, or ``3x5`` for height and width.
A word for the neurons (``cuba``, ``lif``, ``alif``, ``sdnn``) may follow: each takes one neuron of
a core, so a placement is the same with any. ``in 3x66x200 neurons`` are inputs with neurons of
their own on the chip. Layers are called ``1_conv``, ``2_pool``... or by ``name=WORD``;
``from=WORD,WORD`` takes input from other layers than the one before, in a sum.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..errors import NetworkError
from ..network import CubaLIF, Pool, Source
from .sketch import Kept, Kernels, Layer, Link, Lists, Pair, Shape, Sketch, Template, stand_in

NEURON_WORDS = ("cuba", "lif", "alif", "sdnn")

_PAIR = r"\d+(?:x\d+)?"
_GEOMETRY = rf"k({_PAIR})(?:s({_PAIR}))?(?:p({_PAIR}))?(?:d({_PAIR}))?(?:g(\d+))?"
_EXAMPLES = {
    "in": "in 2x34x34 or in 700",
    "conv": "conv 16k5s2p1",
    "pool": "pool 2 or pool k3s2",
    "dense": "dense 10",
}


def read_description(text: str, bits: int = 8) -> Sketch:
    """Read a network that is described in text, see this module.

    Parameters
    ----------
    text : str
    bits : int
        Of weights whose layer does not say it.

    Raises
    ------
    NetworkError
        With the number of the layer and its text.

    Examples
    --------
    >>> read_description("in 2x34x34; conv 16k5s2; dense 10").shapes["1_conv"]
    (16, 15, 15)
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    items = [item.split() for line in lines for item in line.split(";") if item.strip()]
    if not items:
        raise NetworkError("description: it has no layers; begin with the input, in 2x34x34")
    layers: list[Layer] = []
    for number, words in enumerate(items):
        try:
            layers.append(_layer(number, words, bits, [layer.name for layer in layers]))
        except NetworkError as error:
            shown = " ".join(words)
            raise NetworkError(f"description: layer {number} {shown!r:.80}: {error}") from None
    return Sketch(tuple(layers))


def _layer(number: int, words: list[str], bits: int, before: list[str]) -> Layer:
    kind, *rest = words
    if kind not in _EXAMPLES or (kind == "in") != (number == 0):
        first = "the first layer is the input" if number == 0 else "no kind of layer"
        raise NetworkError(f"{first}; write {', '.join(_EXAMPLES.values())}")
    if not rest:
        raise NetworkError(f"it has no size; write {_EXAMPLES[kind]}")
    size, *options = rest
    if kind == "in":
        shape = tuple(int(n) for n in _match(r"(\d+(?:x\d+x\d+)?)", size, kind)[0].split("x"))
        own = options == ["neurons"]
        if options and not own:
            raise NetworkError(f"{options[0]!r} is no option of an input; write in 10 neurons")
        return Layer("input", shape, CubaLIF(0, 0, 1) if own else Source())
    template, shape = _TEMPLATES[kind](size, bits)
    name, sources, recurrent = f"{number}_{kind}", before[-1:], False
    options = re.sub(r"\bdelay (\d+)\b", r"delay=\1", " ".join(options)).split()
    for option in options:
        if option in NEURON_WORDS:
            continue
        if option == "rec":
            recurrent = True
        elif option.startswith("name="):
            name = option.removeprefix("name=")
        elif option.startswith("from="):
            sources = option.removeprefix("from=").split(",")
        else:
            template = _with_option(template, option)
    for source in sources:
        if source not in before:
            raise NetworkError(f"no layer {source!r} before it; there are {', '.join(before)}")
    links = [Link(source, template) for source in sources]
    if recurrent:
        own_bits = template.bits if isinstance(template, (Lists, Kernels)) else bits
        links.append(Link(name, Lists(own_bits)))
    return Layer(name, shape, CubaLIF(0, 0, 1), tuple(links))


def _with_option(template: Template, option: str) -> Template:
    if found := re.fullmatch(r"(\d+)b", option):
        stand_in(int(found[1]))  # refuses what is no width of a weight
        return template.at(int(found[1]))
    lists = isinstance(template, Lists)
    if lists and (found := re.fullmatch(r"(\d+(?:\.\d+)?)%", option)):
        density = float(found[1]) / 100
        if not 0 < density <= 1:
            raise NetworkError(f"{option} of all synapses; give more than 0 and at most 100 %")
        return replace(template, density=density)  # type: ignore[type-var]
    if lists and (found := re.fullmatch(r"delay=(\d+)", option)):
        return replace(template, delay=int(found[1]))  # type: ignore[type-var]
    more = ", 30%, delay 62" if lists else ""
    raise NetworkError(
        f"no option {option!r} here; there are {', '.join(NEURON_WORDS)}, 4b, rec, name=WORD, "
        f"from=WORD{more}"
    )


def _match(pattern: str, text: str, kind: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, text)
    if found is None:
        raise NetworkError(f"{text!r} is no size; write {_EXAMPLES[kind]}")
    return found.groups(default="")


def _pair(text: str, default: int) -> Pair:
    first, _, second = (text or str(default)).partition("x")
    return int(first), int(second or first)


def _conv(size: str, bits: int) -> tuple[Template, Shape]:
    channels, kernel, stride, padding, dilation, groups = _match(rf"(\d+){_GEOMETRY}", size, "conv")
    pairs = _pair(kernel, 1), _pair(stride, 1), _pair(padding, 0), _pair(dilation, 1)
    if min(pairs[0] + pairs[1] + pairs[3]) < 1 or groups == "0":
        raise NetworkError("kernel, stride, dilation and groups are at least 1")
    return Kernels(bits, *pairs, int(groups or 1)), (int(channels), 1, 1)


def _pool(size: str, bits: int) -> tuple[Template, Shape]:
    size = f"k{size}" if re.fullmatch(_PAIR, size) else size
    kernel, stride, padding, dilation, groups = _match(_GEOMETRY, size, "pool")
    if dilation or groups:
        raise NetworkError(f"{size!r} is no size; write {_EXAMPLES['pool']}")
    rows, columns = _pair(kernel, 1)
    if not 0 < rows * columns <= 2**20 or min(_pair(stride or kernel, 1)) < 1:
        raise NetworkError("kernel and stride are at least 1, and a kernel covers at most 2^20")
    synapse = Pool.sums((rows, columns))
    strides = _pair(stride or kernel, 1)
    synapse = replace(synapse, stride=strides, padding=_pair(padding, 0))
    return Kept(synapse), (1, 1, 1)


def _dense(size: str, bits: int) -> tuple[Template, Shape]:
    return Lists(bits), (int(_match(r"(\d+)", size, "dense")[0]),)


_TEMPLATES = {"conv": _conv, "pool": _pool, "dense": _dense}
