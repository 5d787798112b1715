"""One flat graph of a NIR file: nested graphs dissolved, every edge checked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FormatError, NetworkError
from .file import MAX_DEPTH, MAX_NODES, kind_of, make_node, read_file

NEURONS = ("Threshold", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF")
LINEAR = (
    "Affine", "Linear", "Scale", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Delay",
    "Identity",
)  # fmt: skip


@dataclass(frozen=True)
class Graph:
    """Nodes and edges, nested graphs dissolved into dotted names.

    Attributes
    ----------
    path : Path
    nodes : dict of str to node of the `nir` package
        The inputs and outputs of nested graphs are `Identity` strings.
    edges : list of (str, str)
    version : str
    unknown : list of str
        What the file holds beyond NIR, as ``node/name``.
    metadata : dict
        Of the outermost graph.
    """

    path: Path
    nodes: dict[str, Any]
    edges: list[tuple[str, str]]
    version: str
    unknown: list[str]
    metadata: dict[str, Any]

    def kind(self, name: str) -> str:
        """The node's type, e.g. ``CubaLIF``."""
        return "Identity" if self.nodes[name] is None else type(self.nodes[name]).__name__

    def before(self, name: str) -> list[str]:
        """Nodes that lead to a node."""
        return self._neighbours[0].get(name, [])

    def after(self, name: str) -> list[str]:
        """Nodes that a node leads to."""
        return self._neighbours[1].get(name, [])

    @cached_property
    def _neighbours(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """Before and after each node; asked for once the graph is whole."""
        before: dict[str, list[str]] = {}
        after: dict[str, list[str]] = {}
        for a, b in self.edges:
            before.setdefault(b, []).append(a)
            after.setdefault(a, []).append(b)
        return before, after

    def move_edge(self, edge: tuple[str, str], to: tuple[str, str]) -> None:
        """Put an edge in the place of another."""
        self.edges.remove(edge)
        self.edges.append(to)
        self.__dict__.pop("_neighbours", None)

    def only(self, kind: str) -> str:
        """The one Input or Output.

        Raises
        ------
        NetworkError
            If there is none, or more than one.
        """
        found = [name for name in self.nodes if self.kind(name) == kind]
        if len(found) != 1:
            raise NetworkError(
                f"{self.path}: {len(found)} {kind} nodes ({', '.join(found) or 'none'}), needs "
                f"exactly one; split the graph or add one"
            )
        return found[0]

    def fail(self, name: str, problem: str) -> NetworkError:
        """Build the error for a node."""
        return NetworkError(f"{self.path}: node {name!r} ({self.kind(name)}): {problem}")


def read_graph(path: Path) -> Graph:
    """Read a NIR file into one flat graph.

    Raises
    ------
    FormatError, NetworkError
    """
    raw, version = read_file(path)
    metadata = raw.get("metadata", {})
    if not isinstance(metadata, dict):
        raise FormatError(f"{path}: metadata: no group; export it again")
    graph = Graph(path, {}, [], version, [], metadata)
    if kind_of(raw) == "NIRGraph":
        _dissolve(graph, raw, "", 0)
    else:  # a single node, as nir.write allows
        raise FormatError(
            f"{path}: a single {kind_of(raw)} node; write a NIRGraph with Input and Output"
        )
    _check_edges(graph)
    return graph


def _dissolve(graph: Graph, raw: dict[str, Any], prefix: str, depth: int) -> None:
    """Add a graph's nodes and edges under their dotted names."""
    where = f"graph {prefix!r}" if prefix else "graph"
    nodes, edges = raw.get("nodes"), raw.get("edges")
    if not isinstance(nodes, dict) or not nodes:
        raise FormatError(f"{graph.path}: {where}: no nodes; export it again")
    if depth > MAX_DEPTH:
        raise FormatError(f"{graph.path}: {where}: nested deeper than {MAX_DEPTH} graphs; flatten")
    names: dict[str, str] = {}
    inner: dict[str, tuple[list[str], list[str]]] = {}
    for key, value in nodes.items():
        name = key if not prefix or key.startswith(f"{prefix}.") else f"{prefix}.{key}"
        names[key] = name
        if not isinstance(value, dict):
            raise FormatError(f"{graph.path}: node {name!r}: no group; export it again")
        if kind_of(value) == "NIRGraph":
            _dissolve(graph, value, name, depth + 1)
            inner[key] = _ports(value, name)
            continue
        if name in graph.nodes:
            raise FormatError(f"{graph.path}: node {name!r}: there twice; rename one")
        if len(graph.nodes) >= MAX_NODES:
            raise FormatError(f"{graph.path}: more than {MAX_NODES:,} nodes; split the network")
        if depth and kind_of(value) in ("Input", "Output"):
            graph.nodes[name] = None
            continue
        graph.nodes[name], strange = make_node(graph.path, name, value)
        graph.unknown.extend(f"{name}/{key}" for key in strange)
    for a, b in _pairs(graph, where, edges):
        for end in (a, b):
            if end not in names:
                raise NetworkError(
                    f"{graph.path}: {where}: edge {a!r} -> {b!r}: no node {end!r}; there are "
                    f"{', '.join(sorted(names)[:12])}"
                )
        source = _one(graph, inner[a][1], names[a], "outputs") if a in inner else names[a]
        target = _one(graph, inner[b][0], names[b], "inputs") if b in inner else names[b]
        graph.edges.append((source, target))


def _pairs(graph: Graph, where: str, edges: Any) -> list[tuple[str, str]]:
    array = np.asarray([] if edges is None or isinstance(edges, dict) else edges)
    if array.size == 0:
        raise FormatError(f"{graph.path}: {where}: no edges; export it again")
    if array.dtype.kind not in "SUO":
        raise FormatError(f"{graph.path}: {where}: edges are no names; export it again")
    if array.ndim != 2 or array.shape[1] != 2:
        raise FormatError(f"{graph.path}: {where}: edges of shape {array.shape}, needs (edges, 2)")
    decoded = [
        [e.decode("utf8", "replace") if isinstance(e, bytes) else str(e) for e in row]
        for row in array
    ]
    return [(a, b) for a, b in dict.fromkeys(map(tuple, decoded))]


def _ports(raw: dict[str, Any], name: str) -> tuple[list[str], list[str]]:
    """Names of a nested graph's inputs and outputs."""

    def of(kind: str) -> list[str]:
        keys = [k for k, v in raw["nodes"].items() if kind_of(v) == kind]
        return [k if k.startswith(f"{name}.") else f"{name}.{k}" for k in keys]

    return of("Input"), of("Output")


def _one(graph: Graph, ports: list[str], name: str, what: str) -> str:
    if len(ports) != 1:
        raise NetworkError(
            f"{graph.path}: graph {name!r}: {len(ports)} {what}, needs exactly one; flatten it"
        )
    return ports[0]


def _check_edges(graph: Graph) -> None:
    source, target = graph.only("Input"), graph.only("Output")
    if graph.before(source):
        raise graph.fail(source, f"{graph.before(source)[0]!r} leads into it; inputs come first")
    if graph.after(target):
        raise graph.fail(target, f"leads on to {graph.after(target)[0]!r}; outputs come last")
    for name in graph.nodes:
        kind = graph.kind(name)
        if kind not in (*NEURONS, *LINEAR, "Input", "Output"):
            raise graph.fail(name, "node type not supported; supported are NIR's published ones")
        if kind != "Input" and not graph.before(name):
            raise graph.fail(name, "nothing leads to it; connect or remove it")
