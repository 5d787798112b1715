"""The nearest networks that do fit: what to change of a layer, tried by fitting the changed network.

For each layer that does not fit, and each kind of change, amounts are tried from the smallest
change on until one fits; between the last that failed and that one, halving finds the smallest.
How large a change is, is by how many times it divides the bits, the neurons, the positions of the
image or the synapses. Only what `fit` counts is looked at: what a change does to the accuracy,
training must tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..errors import NetworkError
from .fitting import refit
from .memory import WIDEST
from .placement import CHIPS, Placement
from .sketch import Kernels, Layer, Link, Lists, Sketch, sketch_of

MOST_POPULATIONS = 8
"""That changes are looked for, the first that do not fit."""

MOST_AMOUNTS = 12
"""Tried of one kind of change, before halving between two of them."""


@dataclass(frozen=True)
class Change:
    """A change after which a population fits.

    Attributes
    ----------
    population : str
        That did not fit.
    kind : str
        ``bits``, ``neurons``, ``channels``, ``stride``, ``sparsity`` or ``split``.
    text : str
    times : float
        By how many times it divides what it changes.
    cores_used : int
        Of the whole network then.
    """

    population: str
    kind: str
    text: str
    times: float
    cores_used: int

    def __str__(self) -> str:
        return f"population {self.population!r} would fit with {self.text}"


class _Changed(NamedTuple):
    text: str
    times: float
    sketch: Sketch


class _Way(NamedTuple):
    """One kind of change.

    `amounts` rise or fall from the least change to the most. From `none`, the amount of no change
    at all, the amounts between two of them can be tried as well.
    """

    kind: str
    amounts: Sequence[int]
    make: Callable[[Sketch, int], _Changed]
    none: int | None = None


def changes_that_fit(placement: Placement) -> tuple[Change, ...]:
    """For each population that does not fit, the smallest change of each kind after which it does.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    tuple of Change
        By population, the smallest first; none of a population where nothing that was tried
        helps, or that stands behind `MOST_POPULATIONS` others.

    Notes
    -----
    Weights of changed layers are stand-ins of the same width. A candidate is placed with the
    layers around it, and the one that is returned with the whole network (`refit`). A network
    that takes too many chips is not changed.
    """
    misfits = (m.population for m in placement.misfits if m.resource != CHIPS)
    names = list(dict.fromkeys(misfits))[:MOST_POPULATIONS]
    found: list[Change] = []
    whole = sketch_of(placement.laid_out) if names else Sketch(())
    for name in names:
        near = _around(whole, name)
        helped = []
        for way in _ways(near, name):
            amount = _smallest(placement, near, name, way)
            if amount is not None and (change := _try(placement, whole, name, way, amount)):
                helped.append(change)
        found += sorted(helped, key=lambda change: change.times)
    return tuple(found)


def _smallest(placement: Placement, sketch: Sketch, name: str, way: _Way) -> int | None:
    """The first of a way's amounts that fits, or what halving finds before it."""
    failed = way.none
    for amount in way.amounts:
        if _try(placement, sketch, name, way, amount):
            break
        failed = None if way.none is None else amount
    else:
        return None
    while failed is not None and abs(failed - amount) > 1:
        middle = (failed + amount) // 2
        if _try(placement, sketch, name, way, middle):
            amount = middle
        else:
            failed = middle
    return amount


def _try(placement: Placement, sketch: Sketch, name: str, way: _Way, amount: int) -> Change | None:
    """Place the changed network; None where this population, or one that fitted, does not."""
    try:
        changed = way.make(sketch, amount)
        network = changed.sketch.network()
    except NetworkError:  # shapes that do not go together: a sum with another layer, no image left
        return None
    after = refit(network, placement, _touched(sketch, changed.sketch))
    failed = {m.population for m in placement.misfits}
    there = {layer.name for layer in sketch.layers}
    left = {m.population for m in after.misfits if m.resource != CHIPS}
    if name in left or left - failed or any(one not in there for one in left):
        return None
    return Change(name, way.kind, changed.text, changed.times, after.cores_used)


def _touched(before: Sketch, after: Sketch) -> set[str]:
    """Layers to cut anew: themselves or their sources changed, or they send to one that did."""
    old = {layer.name: (layer, before.shapes[layer.name]) for layer in before.layers}
    differ = {
        layer.name
        for layer in after.layers
        if old.get(layer.name) != (layer, after.shapes[layer.name])
    }
    sources = {layer.name: {link.source for link in layer.links} for layer in after.layers}
    cut = differ | {name for name, them in sources.items() if them & differ}
    return cut | {source for name in cut for source in sources[name]}


def _around(sketch: Sketch, name: str) -> Sketch:
    """A layer with its sources, and with what these two send to; what feeds these, as inputs."""
    sources = {link.source for link in sketch[name].links} | {name}
    near = sources | {
        layer.name for layer in sketch.layers if sources & {link.source for link in layer.links}
    }
    feeds = {link.source for one in near for link in sketch[one].links} - near
    return Sketch(
        tuple(
            layer
            if layer.name in near
            else replace(layer, shape=sketch.shapes[layer.name], links=())
            for layer in sketch.layers
            if layer.name in near | feeds
        )
    )


def _ways(sketch: Sketch, name: str) -> Iterator[_Way]:
    layer = sketch[name]
    sources = [sketch[link.source] for link in layer.links if link.source != name]
    wide = max((link.template.bits for link in layer.links if _sized(link)), default=1)
    yield _Way("bits", [b for b in range(WIDEST, 0, -1) if b < wide and b != 7], _bits(name, wide))
    for one in (layer, *(s for s in sources if s.links)):
        yield _Way("neurons" if len(one.shape) == 1 else "channels", _fewer(one.shape[0]),
                   _size(one.name), one.shape[0])  # fmt: skip
        if any(isinstance(link.template, Kernels) for link in one.links):
            yield _Way("stride", (1, 2, 3), _stride(one.name))
    if any(isinstance(link.template, Lists) for link in layer.links):
        yield _Way("sparsity", _fewer(1000), _density(name), 1000)
    yield _Way("split", (2, 3, 4, 6, 8, 12, 16), _split(name))


def _fewer(size: int) -> list[int]:
    """Sizes down to 1, each smaller by the same factor."""
    steps = (round(size ** (1 - i / MOST_AMOUNTS)) for i in range(1, MOST_AMOUNTS + 1))
    return sorted({step for step in steps if step < size}, reverse=True)


def _sized(link: Link) -> bool:
    return isinstance(link.template, (Lists, Kernels))


def _relinked(layer: Layer, change: Callable[[Link], Link]) -> Layer:
    return replace(layer, links=tuple(map(change, layer.links)))


def _bits(name: str, wide: int) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, bits: int) -> _Changed:
        layer = _relinked(
            sketch[name],
            lambda link: replace(link, template=link.template.at(bits)) if _sized(link) else link,
        )
        text = f"weights of {bits} bits in place of {wide}"
        return _Changed(text, wide / bits, sketch.with_layer(layer))

    return make


def _size(name: str) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, size: int) -> _Changed:
        layer = sketch[name]
        before, *image = layer.shape
        what = "channel" if image else "neuron"
        what += "s" * (size != 1)
        text = f"{size:,} {what} of {name!r} in place of {before:,}"
        changed = replace(layer, shape=(size, *image))
        return _Changed(text, before / size, sketch.with_layer(changed))

    return make


def _stride(name: str) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, more: int) -> _Changed:
        layer = _relinked(sketch[name], lambda link: _strided(link, more))
        changed = sketch.with_layer(layer)
        before, after = (s.shapes[name] for s in (sketch, changed))
        old, new = (
            next(link.template.stride for link in one.links if isinstance(link.template, Kernels))
            for one in (sketch[name], layer)
        )
        text = f"a stride of {_of(new)} in place of {_of(old)} into {name!r}, then {_of(after)}"
        return _Changed(text, math.prod(before) / math.prod(after), changed)

    return make


def _strided(link: Link, more: int) -> Link:
    if not isinstance(link.template, Kernels):
        return link
    rows, columns = link.template.stride
    return replace(link, template=replace(link.template, stride=(rows + more, columns + more)))


def _density(name: str) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, thousandths: int) -> _Changed:
        share = thousandths / 1000
        layer = _relinked(
            sketch[name],
            lambda link: (
                replace(
                    link, template=replace(link.template, density=link.template.density * share)
                )
                if isinstance(link.template, Lists)
                else link
            ),
        )
        text = f"{100 * share:g} % of its synapses, stored as sparse ones"
        return _Changed(text, 1 / share, sketch.with_layer(layer))

    return make


def _split(name: str) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, parts: int) -> _Changed:
        layer = sketch[name]
        kernels = [link.template for link in layer.links if isinstance(link.template, Kernels)]
        if kernels:
            groups = kernels[0].groups * parts
            changed = _relinked(layer, lambda link: _grouped(link, groups))
            text = f"a convolution in {groups} groups in place of {kernels[0].groups}"
            return _Changed(text, parts, sketch.with_layer(changed))
        (source,) = {link.source for link in layer.links if link.source != name} or {name}
        if source == name or not sketch[source].links:
            raise NetworkError("what feeds it is no layer that can be split")
        text = f"{source!r} and it split into {parts} parts, each fed by one of the other's"
        return _Changed(text, parts, _in_parts(sketch, source, name, parts))

    return make


def _grouped(link: Link, groups: int) -> Link:
    if not isinstance(link.template, Kernels):
        return link
    return replace(link, template=replace(link.template, groups=groups))


def _in_parts(sketch: Sketch, source: str, name: str, parts: int) -> Sketch:
    """Two layers that follow each other as so many pairs of smaller ones."""
    made: list[Layer] = []
    for layer in sketch.layers:
        if layer.name in (source, name):
            size, *image = sketch.shapes[layer.name]
            if size % parts:
                raise NetworkError(f"{parts} parts do not divide {size}")
            made += [
                replace(
                    _relinked(layer, lambda link, i=i: _to_part(link, source, name, i)),
                    name=f"{layer.name}.{i}",
                    shape=(size // parts, *image),
                )
                for i in range(1, parts + 1)
            ]
        else:
            links = [
                replace(link, source=f"{link.source}.{i}")
                if link.source in (source, name)
                else link
                for link in layer.links
                for i in range(1, parts + 1 if link.source in (source, name) else 2)
            ]
            made.append(replace(layer, links=tuple(links)))
    return Sketch(tuple(made))


def _to_part(link: Link, source: str, name: str, part: int) -> Link:
    own = link.source in (source, name)
    return replace(link, source=f"{link.source}.{part}") if own else link


def _of(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))
