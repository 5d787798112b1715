"""The command line: one module per verb, no logic of its own."""

from __future__ import annotations

import os
import sys
import warnings

from ..errors import ChipWarning, InputWarning, PluginWarning
from .statuses import DONE, FAILED, INTERRUPTED, INTERRUPTED_LINE, Interrupted, Stop

TYPE_CHECKING = False  # as in the package's own face
if TYPE_CHECKING:
    from collections.abc import Sequence

stop = Stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    if arguments is None:  # a program of its own, not part of another
        stop.listen()
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    with warnings.catch_warnings():
        for category in (ChipWarning, InputWarning, PluginWarning):
            warnings.simplefilter("always", category)
        warnings.showwarning = _warn
        try:
            status = _run([a for a in given if a != "--debug"], debug)
        except KeyboardInterrupt:  # a second one, while the first was said
            status = stop.status
        stop.begun = False  # all is written
        if stop.heard is not None:  # Python would end by the signal where it met it inside exec
            sys.stdout.flush()
            os._exit(status)
        if arguments is None:
            stop.finish()
        sys.exit(status)


def _warn(message: Warning | str, *where: object, **more: object) -> None:
    """Say a warning in one line, as errors are said."""
    print(f"neurodeploy: warning: {message}", file=sys.stderr)


def _run(arguments: list[str], debug: bool) -> int:
    try:
        import typer

        from ..errors import NeurodeployError
        from .app import app
    except KeyboardInterrupt:  # these take half a second
        return _complain(INTERRUPTED_LINE, INTERRUPTED, debug)
    stop.begun = True
    # Typer carried click inside it from one release on, and names no UsageError of its own.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    try:
        status = app(args=arguments, prog_name="neurodeploy", standalone_mode=False)
        if status == INTERRUPTED:  # what newer Typers make of Ctrl-C
            raise KeyboardInterrupt
        return status if isinstance(status, int) else DONE
    except Interrupted as end:
        return _complain(str(end), stop.status, debug)
    except (KeyboardInterrupt, typer.Abort):
        return _complain(INTERRUPTED_LINE, stop.status, debug)
    except typer.Exit as end:
        return int(end.exit_code)
    except BrokenPipeError:  # the reader of our output has gone, e.g. `| head`
        sys.stderr.close()
        return DONE
    except NeurodeployError as error:
        return _complain(str(error), FAILED, debug)
    except MemoryError as error:
        return _complain(f"out of memory: {error}; run fewer samples", FAILED, debug)
    except usage_error as error:
        context = getattr(error, "ctx", None)
        verb = context.command_path if context else "neurodeploy"
        message = error.format_message()  # type: ignore[attr-defined]
        see = f"{message} See" if message.endswith("?") else f"{message.rstrip('.')}; see"
        return _complain(f"{see} {verb} --help", FAILED, debug)
    except Exception as error:
        if stop.heard is not None:  # numpy, interrupted while it is imported, says ImportError
            return _complain(INTERRUPTED_LINE, stop.status, debug)
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
        hint = "" if debug else "; run again with --debug for where it happened"
        return _complain(f"internal error: {what}{hint}", FAILED, debug)


def _complain(message: str, status: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
        detail = getattr(sys.exc_info()[1], "detail", "")
        if detail:
            print(detail, file=sys.stderr)
    print(f"neurodeploy: {message}", file=sys.stderr)
    return status
