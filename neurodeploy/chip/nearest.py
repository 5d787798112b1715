"""The nearest networks that do fit: what to change of a layer, tried by fitting what is changed.

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
from typing import Any, NamedTuple

from ..errors import NetworkError
from .fitting import refit
from .memory import WIDEST
from .placement import CHIPS, Placement
from .sketch import Kernels, Layer, Link, Lists, Sketch, Template, sketch_of

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
    templates = [link.template for link in layer.links]
    wide = max((t.bits for t in templates if isinstance(t, (Lists, Kernels))), default=1)
    yield _Way("bits", [b for b in range(WIDEST, 0, -1) if b < wide and b != 7], _bits(name, wide))
    for one in (layer, *(s for s in sources if s.links)):
        yield _Way("neurons" if len(one.shape) == 1 else "channels", _fewer(one.shape[0]),
                   _size(one.name), one.shape[0])  # fmt: skip
        if _kernels(one):
            yield _Way("stride", (1, 2, 3), _stride(one.name))
    if any(isinstance(template, Lists) for template in templates):
        yield _Way("sparsity", _fewer(1000), _density(name), 1000)
    yield _Way("split", (2, 3, 4, 6, 8, 12, 16), _split(name))


def _fewer(size: int) -> list[int]:
    """Sizes down to 1, each smaller by the same factor."""
    steps = (round(size ** (1 - i / MOST_AMOUNTS)) for i in range(1, MOST_AMOUNTS + 1))
    return sorted({step for step in steps if step < size}, reverse=True)


def _relinked(layer: Layer, kind: type[Any], change: Callable[[Any], Template]) -> Layer:
    """A layer with the templates of one kind changed."""
    return replace(
        layer,
        links=tuple(
            replace(link, template=change(link.template))
            if isinstance(link.template, kind)
            else link
            for link in layer.links
        ),
    )


def _bits(name: str, wide: int) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, bits: int) -> _Changed:
        layer = sketch[name]
        for kind in (Lists, Kernels):
            layer = _relinked(layer, kind, lambda template: template.at(bits))
        text = f"weights of {bits} bits in place of {wide}"
        return _Changed(text, wide / bits, sketch.with_layer(layer))

    return make


def _size(name: str) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, size: int) -> _Changed:
        layer = sketch[name]
        before, *image = layer.shape
        what = ("channel" if image else "neuron") + "s" * (size != 1)
        text = f"{size:,} {what} of {name!r} in place of {before:,}"
        changed = replace(layer, shape=(size, *image))
        return _Changed(text, before / size, sketch.with_layer(changed))

    return make


def _stride(name: str) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, more: int) -> _Changed:
        layer = _relinked(
            sketch[name],
            Kernels,
            lambda kernels: replace(kernels, stride=tuple(n + more for n in kernels.stride)),
        )
        changed = sketch.with_layer(layer)
        before, after = (s.shapes[name] for s in (sketch, changed))
        old, new = (_of(_kernels(one)[0].stride) for one in (sketch[name], layer))
        text = f"a stride of {new} in place of {old} into {name!r}, then {_of(after)}"
        return _Changed(text, math.prod(before) / math.prod(after), changed)

    return make


def _density(name: str) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, thousandths: int) -> _Changed:
        share = thousandths / 1000
        layer = _relinked(
            sketch[name], Lists, lambda lists: replace(lists, density=lists.density * share)
        )
        text = f"{100 * share:g} % of its synapses, stored as sparse ones"
        return _Changed(text, 1 / share, sketch.with_layer(layer))

    return make


def _split(name: str) -> Callable[[Sketch, int], _Changed]:
    def make(sketch: Sketch, parts: int) -> _Changed:
        layer = sketch[name]
        if kernels := _kernels(layer):
            before, after = kernels[0].groups, kernels[0].groups * parts
            changed = _relinked(layer, Kernels, lambda one: replace(one, groups=after))
            text = f"a convolution in {after} groups in place of {before}"
            return _Changed(text, parts, sketch.with_layer(changed))
        sources = {link.source for link in layer.links} - {name}
        if len(sources) != 1 or not all(sketch[source].links for source in sources):
            raise NetworkError("what feeds it is no layer that can be split")
        (source,) = sources
        text = f"{source!r} and it split into {parts} parts, each fed by one of the other's"
        return _Changed(text, parts, _in_parts(sketch, (source, name), parts))

    return make


def _in_parts(sketch: Sketch, pair: tuple[str, str], parts: int) -> Sketch:
    """Two layers that follow each other as so many pairs of smaller ones."""
    made: list[Layer] = []
    for layer in sketch.layers:
        size, *image = sketch.shapes[layer.name]
        if layer.name in pair and size % parts:
            raise NetworkError(f"{parts} parts do not divide {size}")
        if layer.name not in pair:  # hears all parts of what it heard before
            links = [
                link
                for one in layer.links
                for link in (_parts_of(one, parts) if one.source in pair else (one,))
            ]
            made.append(replace(layer, links=tuple(links)))
            continue
        for part in range(parts):
            links = [
                _parts_of(link, parts)[part] if link.source in pair else link
                for link in layer.links
            ]
            shape = (size // parts, *image)
            name = f"{layer.name}.{part + 1}"
            made.append(replace(layer, name=name, shape=shape, links=tuple(links)))
    return Sketch(tuple(made))


def _parts_of(link: Link, parts: int) -> list[Link]:
    return [replace(link, source=f"{link.source}.{part + 1}") for part in range(parts)]


def _kernels(layer: Layer) -> list[Kernels]:
    return [link.template for link in layer.links if isinstance(link.template, Kernels)]


def _of(numbers: Sequence[int]) -> str:
    return " x ".join(map(str, numbers))
