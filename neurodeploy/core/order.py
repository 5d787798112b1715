"""The order in which populations run."""

from __future__ import annotations

from collections.abc import Iterator

from ..network import Network


def cycles(network: Network) -> Iterator[list[str]]:
    """Strongly connected populations, sources before their targets (Tarjan 1972).

    Within a cycle they keep the network's order. Without recursion, because a chain of
    populations may be as long as it likes.
    """
    order = [p.name for p in network.populations]
    place = {name: k for k, name in enumerate(order)}
    sources: dict[str, list[str]] = {name: [] for name in order}
    for projection in network.projections:
        sources[projection.target].append(projection.source)
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    waiting: set[str] = set()
    for root in order:
        if root in number:
            continue
        path = [(root, iter(sources[root]))]
        number[root] = lowest[root] = len(number)
        stack.append(root)
        waiting.add(root)
        while path:
            name, left = path[-1]
            for source in left:
                if source not in number:
                    number[source] = lowest[source] = len(number)
                    stack.append(source)
                    waiting.add(source)
                    path.append((source, iter(sources[source])))
                    break
                if source in waiting:
                    lowest[name] = min(lowest[name], number[source])
            else:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[name])
                if lowest[name] == number[name]:
                    first = stack.index(name)
                    group = stack[first:]
                    del stack[first:]
                    waiting.difference_update(group)
                    yield sorted(group, key=place.__getitem__)
