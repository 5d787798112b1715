"""``neurodeploy quantize``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import BackendError, InputError, NetworkError
from . import options
from .terminal import print_json, progress_bar, show, waiting

CHIP = "loihi2"


@options.reads_a_network
def quantize(
    net: options.Net,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The network to write; format by suffix."),
    ] = None,
    bits: options.Bits = None,
    scale: options.Scale = None,
    method: options.Method = None,
    rounding: options.Rounding = None,
    split: options.Split = None,
    calibration: Annotated[
        Path | None, typer.Option(metavar="INPUTS", help="Inputs (.npy, .npz); no labels needed.")
    ] = None,
    budget: options.Budget = None,
    budget_energy: options.BudgetEnergy = None,
    budget_loss: options.BudgetLoss = None,
    sweep: Annotated[
        str | None, typer.Option(metavar="BITS,...", help="Measure these widths; write none.")
    ] = None,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="With --sweep: each width fine-tuned, too.")
    ] = False,
    test: Annotated[
        Path | None, typer.Option(metavar="INPUTS", help="With --sweep: measured on these.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Right classes of what is measured on: .npy, or .npz 'labels'."),
    ] = None,
    chip: Annotated[
        str | None,
        typer.Option(help="Whose memory and energy count, with a budget or --sweep: loihi2."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="With --sweep: write a page (HTML) with its plot, too.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A configuration as JSON; options go before it.")
    ] = None,
    axes: options.Axes = None,
    reading: options.Reading = options.NO_OPTIONS,
    json: options.Json = False,
) -> None:
    """Round a network to the chip's integers and say what each element lost.

    With calibration inputs, scales are searched for the least difference of spikes and membrane,
    and a table says what each population lost, the worst first. Networks in integers can be
    rounded to fewer bits. For .net weights stay within -256..254 and are not split, so that other
    readers of NetX take the file; --config and --split say otherwise.

    A budget of memory, energy or loss gives each population bits of its own. --sweep 8,6,4,3,2
    measures accuracy (agreement with NET without labels), memory and energy at each width.
    """
    import neurodeploy as nd

    from ..files import check_place
    from ..formats import check_holds, check_out
    from ..quantization import quantization_report

    given = {"bits": bits, "scale": scale, "method": method, "rounding": rounding, "split": split}
    keeps_range = out is not None and out.suffix == ".net"
    chosen = read_configuration(config, given, keeps_range)
    budgets = {"memory_bits": budget, "joules": budget_energy, "loss": budget_loss}
    budgets = {key: value for key, value in budgets.items() if value is not None}
    for place, check in ((out, check_out), (report, check_place)):
        if place is not None:
            check(place)
    data = _data(calibration, test, labels, axes)
    if sweep is not None:
        if out is not None or budgets:
            raise InputError("sweep: writes no network and takes no budget; leave out -o, --budget")
        network = reading.load(net)
        found = _swept(network, data, chosen, _widths(sweep), chip or CHIP, fine_tune, report)
        _print_sweep(found, json)
        return
    for name, value in (("--fine-tune", fine_tune), ("--test", test), ("--report", report)):
        if value:
            raise InputError(f"{name}: goes with --sweep; add --sweep BITS,... or leave it out")
    for name, some in (("--chip", chip), ("--labels", labels)):
        if some is not None and not budgets:
            raise InputError(f"{name}: goes with a budget or --sweep; add one or leave it out")
    if out is None:
        raise InputError("quantize: nowhere to write to; give -o OUT (.nir, .net), or --sweep")
    network, costs, inputs = reading.load(net), None, data.inputs
    # What a search chooses are numbers; the kinds of elements are the same without it.
    check_holds(nd.quantize(network, replace(chosen, method="max", rounding="nearest")), out)
    if budgets:
        made = _within(network, budgets, chosen, data, chip or CHIP)
        chosen, costs, fixed = made.config, made.costs, made.network
    else:
        with waiting("searching for scales"):
            fixed = nd.quantize(network, chosen, inputs)
    lost = None if inputs is None else quantization_report(network, fixed, inputs)
    nd.save(fixed, out)
    if json:
        entries = [entry.as_dict() for entry in fixed.audit]
        print_json({
            "network": out, "fingerprint": fixed.fingerprint, "audit": entries,
            "config": chosen.to_json(), "report": None if lost is None else lost.as_dict(),
            "costs": None if costs is None else asdict(costs),
        })  # fmt: skip
        return
    _print(fixed, lost, costs, f"{net} -> {out}")


@dataclass(frozen=True)
class _Data:
    """Inputs to calibrate and to measure on, with their labels where there are any."""

    inputs: Any
    own_labels: Any
    tests: Any
    labels: Any


def _data(
    calibration: Path | None, test: Path | None, labels: Path | None, axes: str | None
) -> _Data:
    from ..inputs import read_inputs, read_labels

    inputs, own = (None, None) if calibration is None else read_inputs(calibration, axes)
    tests, theirs = (None, own) if test is None else read_inputs(test, axes)
    return _Data(inputs, own, tests, theirs if labels is None else read_labels(labels))


def _within(network: Any, budgets: dict[str, Any], config: Any, data: _Data, chip: str) -> Any:
    from ..quantization import Budget, within_budget

    limit = Budget(**budgets)
    if data.inputs is None:
        raise InputError("budget: needs --calibration INPUTS to measure who can spare bits")
    with progress_bar("rounding within the budget") as progress:
        return within_budget(
            network, limit, config, data.inputs, data.labels, chip, progress=progress
        )


def _swept(
    network: Any, data: _Data, config: Any, widths: list[int | str], chip: str, tune: bool,
    page: Path | None,
) -> Any:  # fmt: skip
    import neurodeploy as nd

    from ..quantization import sweep

    if data.inputs is None:
        raise InputError("sweep: needs --calibration INPUTS to choose scales on and measure with")
    with progress_bar("widths") as progress:
        found = sweep(
            network, widths, data.inputs, config=config, tests=data.tests, labels=data.labels,
            fine_tune=_fine_tune() if tune else None, calibration_labels=data.own_labels,
            chip=chip, progress=progress,
        )  # fmt: skip
    if page is not None:
        nd.report(page, sweep=found, title="Bits of a weight")
    return found


def _fine_tune() -> Any:
    try:
        from ..training import fine_tune
    except ImportError as error:
        raise BackendError(
            f"--fine-tune: needs torch ({error}); 'neurodeploy doctor --add lava-dl' brings it"
        ) from None
    return fine_tune


def _print_sweep(found: Any, json: bool) -> None:
    from ..reporting.quantization import sweep_table

    if json:
        print_json(found.as_dict())
    else:
        show(sweep_table(found))


def _print(fixed: Any, lost: Any, costs: Any, line: str) -> None:
    from ..reporting.quantization import costs_line, quantization_table
    from ..reporting.terminal import audit_table

    tables = [audit_table(fixed.audit)] + ([] if lost is None else [quantization_table(lost)])
    show(*tables, *([] if costs is None else [costs_line(costs)]), line)


def _widths(text: str) -> list[int | str]:
    return [int(word) if word.lstrip("-").isdigit() else word for word in _words(text)]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def read_configuration(path: Path | None, given: dict[str, Any], keeps_range: bool) -> Any:
    """Take the file's configuration, or the default, with what was given as options before it.

    `keeps_range`: by default weights stay within -256..254, so that all readers of NetX take them.
    """
    from ..quantization import QuantConfig

    config = QuantConfig()
    if path is not None:
        try:
            config = QuantConfig.from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "no text"
            raise InputError(f"{path}: {reason}; give a configuration as JSON") from None
        except NetworkError as error:
            raise InputError(f"{path}: {error}") from None
    elif keeps_range:
        config = replace(config, exponents=False, split=0.0)
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if "bits" in changes and changes["bits"].lstrip("-").isdigit():
        changes["bits"] = int(changes["bits"])
    return replace(config, **changes)
