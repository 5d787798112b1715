"""Profiles as papers take them: CSV, LaTeX tables and the bibliography of their constants."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

from .._version import __version__
from ..chip.references import references_of
from ..numbers import count, si
from ..profiling import Profile

COLUMNS = (
    "chip", "population", "kind", "samples", "steps",
    "energy_joules", "energy_low_joules", "energy_high_joules",
    "dynamic_joules", "dynamic_low_joules", "dynamic_high_joules", "static_joules",
    "seconds", "seconds_low", "seconds_high", "seconds_per_step", "watts",
    "energy_delay_joule_seconds", "synops", "neuron_updates", "messages",
    "cores", "chips", "placed", "bound", "model", "neurodeploy",
)  # fmt: skip
"""Of the CSV. A row without a population is the whole network; all figures are per inference."""

_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "\N{MICRO SIGN}": r"$\mu$", "\N{MULTIPLICATION SIGN}": r"$\times$", "<": "$<$", ">": "$>$",
    "\N{MINUS SIGN}": "$-$",
}  # fmt: skip


def csv_of(profiles: Sequence[Profile]) -> str:
    """Give a row for each profile, and one for each population of it.

    Parameters
    ----------
    profiles : sequence of Profile

    Returns
    -------
    str
        Lines of CSV, the first naming `COLUMNS`: joules, seconds and watts without prefixes.
        What is not known, or belongs to the network alone, is empty.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for profile in profiles:
        known: dict[str, Any] = {"chip": profile.chip, "kind": profile.kind}
        known |= {"samples": profile.samples, "steps": profile.steps, "neurodeploy": __version__}
        writer.writerow(_without_nan({**known, **_whole(profile)}))
        for share in profile.per_population:
            row = {name: value for name, value in vars(share).items() if name != "name"}
            writer.writerow(_without_nan({**known, "population": share.name, **row}))
    return text.getvalue()


def _whole(profile: Profile) -> dict[str, Any]:
    names = (
        "energy_joules", "dynamic_joules", "static_joules", "seconds", "seconds_per_step", "watts",
        "synops", "neuron_updates", "messages", "cores", "chips", "placed", "bound", "model",
    )  # fmt: skip
    row: dict[str, Any] = {name: getattr(profile, name) for name in names}
    row["energy_delay_joule_seconds"] = profile.energy_delay
    if profile.band is not None:
        for end in ("low", "high"):
            row[f"energy_{end}_joules"] = getattr(profile.band, f"{end}_joules")
            row[f"dynamic_{end}_joules"] = getattr(profile.band, f"{end}_dynamic_joules")
            row[f"seconds_{end}"] = getattr(profile.band, f"{end}_seconds")
    return row


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in row.items() if not (isinstance(v, float) and math.isnan(v))}


def latex_of(profiles: Sequence[Profile]) -> str:
    """Give two tables: of the network, a column for each profile, and of its populations.

    Parameters
    ----------
    profiles : sequence of Profile

    Returns
    -------
    str
        LaTeX that needs ``booktabs``, and `bibtex_of` for what it cites.
    """
    rows: list[tuple[str, Callable[[Profile], str]]] = [
        ("Energy", lambda p: si(p.energy_joules, "J")),
        ("\\quad band", lambda p: _band(p, "joules", "J")),
        ("\\quad dynamic", lambda p: si(p.dynamic_joules, "J")),
        ("\\qquad band", lambda p: _band(p, "dynamic_joules", "J")),
        ("\\quad static", lambda p: si(p.static_joules, "J")),
        ("Time", lambda p: si(p.seconds, "s")),
        ("\\quad band", lambda p: _band(p, "seconds", "s")),
        ("\\quad per step", lambda p: si(p.seconds_per_step, "s")),
        ("Power", lambda p: si(p.watts, "W")),
        ("Energy-delay product", lambda p: si(p.energy_delay, "J s")),
        ("SynOps", lambda p: count(p.synops)),
        ("Neuron updates", lambda p: count(p.neuron_updates)),
        ("Messages", lambda p: count(p.messages)),
    ]
    body = [[label, *(tex(figure(p)) for p in profiles)] for label, figure in rows]
    heads = ["", *(tex(f"{p.label} ({p.kind})") for p in profiles)]
    return "\n".join(
        [
            f"% neurodeploy {__version__}; needs \\usepackage{{booktabs}}",
            *_table(heads, body, _caption(profiles), "tab:energy"),
            "",
            *_populations(profiles),
            "",
        ]
    )


def _populations(profiles: Sequence[Profile]) -> list[str]:
    shares = profiles[0].per_population
    dynamic = [{share.name: share.dynamic_joules for share in p.per_population} for p in profiles]
    body = [
        [
            *(
                tex(text)
                for text in (s.name, *map(count, (s.synops, s.neuron_updates, s.messages)))
            ),
            *(tex(si(of.get(s.name, math.nan), "J")) for of in dynamic),
        ]
        for s in shares
    ]
    heads = ["Population", "SynOps", "Updates", "Messages", *(tex(p.label) for p in profiles)]
    said = f"Events of {tex(profiles[0].label)} and dynamic energy by population, per inference."
    return _table(heads, body, said, "tab:energy-populations")


def _caption(profiles: Sequence[Profile]) -> str:
    first = profiles[0]
    keys = ",".join(references_of(_sources(profiles)))
    cited = f" Constants: \\cite{{{keys}}}." if keys else ""
    models = "; ".join(dict.fromkeys(f"{p.label}: {p.model}" for p in profiles))
    return (
        f"Per inference of {first.steps} steps, mean of {first.samples} samples, by neurodeploy "
        f"{__version__}. {tex(models)}.{cited}"
    )


def _table(
    heads: Sequence[str], body: Sequence[Sequence[str]], caption: str, label: str
) -> list[str]:
    return [
        r"\begin{table}",
        rf"\caption{{{caption}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _band(profile: Profile, quantity: str, unit: str) -> str:
    if profile.band is None:
        return "measured" if profile.kind == "measured" else si(math.nan, unit)
    low, high = (getattr(profile.band, f"{end}_{quantity}") for end in ("low", "high"))
    return f"{si(low, unit)}--{si(high, unit)}"


def tex(text: str) -> str:
    """Escape what LaTeX reads as its own."""
    return "".join(_TEX.get(character, character) for character in text)


def bibtex_of(profiles: Sequence[Profile]) -> str:
    """Give entries for neurodeploy and for what the constants behind the profiles rest on.

    Parameters
    ----------
    profiles : sequence of Profile

    Returns
    -------
    str
        BibTeX. Fields that no source states are left out, DOIs too.
    """
    ours = {
        "type": "software",
        "author": "{the neurodeploy developers}",
        "title": "neurodeploy: trained spiking networks on Loihi 2, bit for bit",
        "version": __version__,
        "year": "2026",
    }
    entries = {"neurodeploy": ours, **references_of(_sources(profiles))}
    return "\n".join(
        "\n".join(
            [
                f"@{entry['type']}{{{key},",
                *(f"  {name} = {{{value}}}," for name, value in entry.items() if name != "type"),
                "}\n",
            ]
        )
        for key, entry in entries.items()
    )


def _sources(profiles: Sequence[Profile]) -> list[str]:
    return [constant.source for profile in profiles for constant in profile.constants.values()]
