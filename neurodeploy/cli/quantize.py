"""``neurodeploy quantize``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from .shared import Dt, From, Json, Net, Reset, load_network, print_json, show


def quantize(
    net: Net,
    out: Annotated[Path, typer.Option("-o", "--out", help="The network to write (.nir, .net).")],
    bits: Annotated[str | None, typer.Option(help="Of a weight: 1 to 8, or ternary.")] = None,
    scale: Annotated[str | None, typer.Option(help="Of a population: free, power-of-two.")] = None,
    method: Annotated[
        str | None, typer.Option(help="Of choosing scales: max, percentile, mse, search, auto.")
    ] = None,
    calibrate: Annotated[
        Path | None, typer.Option(metavar="INPUTS", help="Inputs (.npy, .npz); no labels needed.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(metavar="BITS", help="Of memory for all weights together.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A configuration as JSON; options go before it.")
    ] = None,
    dt: Dt = None,
    reset: Reset = None,
    source: From = None,
    json: Json = False,
) -> None:
    """Round a network to the chip's integers and say what each element lost.

    With calibration inputs, scales are searched for the least difference of spikes and membrane,
    and a table says what each population lost, the worst first. Networks in integers can be
    rounded to fewer bits. NetX (.net) holds chains only, weights within -256..254; .nir holds any
    network, integers included.
    """
    import neurodeploy as nd

    from ..errors import InputError
    from ..quantize import quantization_report
    from ..quantize.mixed import within_budget
    from ..report.quantization import quantization_table
    from ..report.terminal import audit_table
    from ..signals import read_inputs

    chosen = _configuration(config, out, bits=bits, scale=scale, method=method)
    network = load_network(net, dt, reset, source)
    inputs = None if calibrate is None else read_inputs(calibrate)[0]
    if budget is not None:
        if inputs is None:
            raise InputError("budget: needs --calibrate INPUTS to measure who can spare bits")
        chosen = within_budget(network, budget, chosen, inputs)
    fixed = nd.quantize(network, chosen, inputs)
    nd.save(fixed, out)
    report = None if inputs is None else quantization_report(network, fixed, inputs)
    if json:
        entries = [entry.as_dict() for entry in fixed.audit]
        found: dict[str, Any] = {
            "network": out, "fingerprint": fixed.fingerprint, "audit": entries,
            "config": chosen.to_json(), "report": None if report is None else report.as_dict(),
        }  # fmt: skip
        print_json(found)
        return
    tables = [audit_table(fixed.audit)] + ([] if report is None else [quantization_table(report)])
    show(*tables, f"{net} -> {out}")


def _configuration(path: Path | None, out: Path, **given: str | None) -> Any:
    """Take the file's configuration, or the default, with what was given as options before it."""
    from ..errors import InputError
    from ..quantize import QuantConfig

    config = QuantConfig()
    if path is not None:
        try:
            config = QuantConfig.from_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}; give a configuration as JSON") from None
    elif out.suffix == ".net":
        config = replace(config, exponents=False, split=0.0)
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if "bits" in changes and changes["bits"].lstrip("-").isdigit():
        changes["bits"] = int(changes["bits"])
    return replace(config, **changes)
