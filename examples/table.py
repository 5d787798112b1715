"""Write README.md beside this file: a row for each system, from its ``result.json``.

``python -m examples.table``
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .shared import FOLDER, RESULT, Result, stated_errors, written_whole

COLUMNS: Mapping[str, str] = {
    "system": "system",
    "reference": "reference figure",
    "floats": "here, floats",
    "integers": "here, integers",
    "lava": "equal to Lava?",
    "cores": "cores",
    "energy": "energy of a sample",
    "training": "training",
    "data": "data",
}

HEAD = """# Examples

Trained networks and published systems, each with its README. The table is made by
`python -m examples.table` from the `result.json` of each folder, which says the command and the
commit that made it; change those, not this page. Weights and data of others are not part of a
clone: give their folder with `--cases`.

"Equal to Lava" compares every spike (of readouts also v) of the deployed integers on the engine
with Lava's CPU simulator. Energies are estimates of [docs/chip.md](../docs/chip.md), whose bands
are wide; what silicon needed stands beside them where it was measured, on the chip that is named.
"""


def results(folder: Path = FOLDER) -> dict[str, Result]:
    """The results of all examples, by folder."""
    return {p.parent.name: Result.read(p) for p in sorted(folder.glob(f"*/{RESULT}"))}


def page(found: Mapping[str, Result]) -> str:
    """The text of README.md."""
    rows = [list(COLUMNS.values()), ["---"] * len(COLUMNS)]
    for name, result in found.items():
        cells = [str(getattr(result, column)).replace("|", "/") for column in COLUMNS]
        rows.append([f"[{cells[0]}]({name}/README.md)", *cells[1:]])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    made = "\n".join(
        f"- [{name}]({name}/{RESULT}): `{result.command}` at {result.commit}"
        for name, result in found.items()
    )
    return f"{HEAD}\n{table}\n\nMade by:\n\n{made}\n"


def main() -> None:
    with written_whole(FOLDER / "README.md") as temporary:
        temporary.write_text(page(results()), encoding="utf-8")


if __name__ == "__main__":
    with stated_errors("table"):
        main()
