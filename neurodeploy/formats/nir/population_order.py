"""The order of populations: sources before targets, and which edges close cycles."""

from __future__ import annotations

from collections.abc import Sequence

from .graph import NEURONS, Graph

MAX_PATHS = 1_000
"""Ways through the linear nodes into one neuron node."""


def check_ways(graph: Graph, name: str) -> None:
    """Count the ways through linear nodes into a node before anything follows them.

    Raises
    ------
    NetworkError
        If there are more than `MAX_PATHS`, or a cycle without a neuron among them.
    """
    ends = (*NEURONS, "Input")
    ways: dict[str, int] = {}
    entered: set[str] = set()
    stack = [name]
    while stack:
        node = stack[-1]
        if node in ways:
            stack.pop()
            continue
        before = graph.before(node)
        linear = [a for a in before if graph.kind(a) not in ends]
        waiting = [a for a in linear if a not in ways]
        if waiting and node in entered:
            raise graph.fail(
                waiting[0],
                "part of a cycle without a neuron, which has no state to run on; add one",
            )
        entered.add(node)
        if waiting:
            stack += [a for a in waiting if a not in entered] or waiting
            continue
        ways[node] = len(before) - len(linear) + sum(ways[a] for a in linear)
        if ways[node] > MAX_PATHS:
            raise graph.fail(node, f"more than {MAX_PATHS} ways lead into it; merge linear nodes")


def order_populations(
    start: str, names: Sequence[str], edges: Sequence[tuple[str, str]], output: str | None
) -> tuple[list[str], str | None]:
    """Order nodes so that only edges that close a cycle lead backwards.

    Depth-first from the input, in the order of the file: an edge to a node whose visit has
    not ended closes a cycle (Tarjan 1972).

    Parameters
    ----------
    start : str
        The input.
    names : sequence of str
        The other nodes.
    edges : sequence of (str, str)
    output : str or None
        The node that ought to stand last.

    Returns
    -------
    list of str, str or None
        The order, without the input; and `output`, or None where others must stand after it.
    """
    after: dict[str, list[str]] = {name: [] for name in (start, *names)}
    for a, b in edges:
        after[a].append(b)
    done: list[str] = []  # in order of leaving
    state: dict[str, int] = {}
    back: set[tuple[str, str]] = set()
    for root in (start, *names):
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(after[root]))]
        while stack:
            node, following = stack[-1]
            for other in following:
                if state.get(other) == 1:
                    back.add((node, other))
                elif other not in state:
                    state[other] = 1
                    stack.append((other, iter(after[other])))
                    break
            else:
                state[node] = 2
                done.append(node)
                stack.pop()
    order = [name for name in reversed(done) if name != start]
    if output is None or output == start:
        return order, None
    needed_after = {b for a, b in edges if a == output and (a, b) not in back}
    if needed_after:
        return order, None
    order.remove(output)
    return [*order, output], output
