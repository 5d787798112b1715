"""``neurodeploy quantize``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .shared import Dt, From, Json, Net, Reset, load_network, print_json, show


def quantize(
    net: Net,
    out: Annotated[Path, typer.Option("-o", "--out", help="The network to write (.nir, .net).")],
    bits: Annotated[int, typer.Option(help="Bits of a weight, 2 to 8.")] = 8,
    scale: Annotated[str, typer.Option(help="Of a population: free or power-of-two.")] = "free",
    dt: Dt = None,
    reset: Reset = None,
    source: From = None,
    json: Json = False,
) -> None:
    """Round a float network (NIR) to the chip's integers and say what each element lost.

    Plain rounding: each population is scaled so that its largest weight fits.
    NetX (.net) holds chains only; .nir holds any network, integers included.
    """
    import neurodeploy as nd

    from ..report.terminal import audit_table

    network = load_network(net, dt, reset, source)
    fixed = nd.quantize(network, nd.QuantConfig(bits, scale))
    nd.save(fixed, out)
    if json:
        entries = [{**vars(entry), "rating": entry.rating.value} for entry in fixed.audit]
        print_json({"network": out, "fingerprint": fixed.fingerprint, "audit": entries})
        return
    show(audit_table(fixed.audit), f"{net} -> {out}")
