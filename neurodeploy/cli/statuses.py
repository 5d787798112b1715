"""How a verb ends: its exit status, or an interruption with something to say."""

from __future__ import annotations

DONE, DIFFERS, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: done or equal; ran but differs, does not fit or still cannot run; could not;
Ctrl-C."""


class Interrupted(Exception):
    """Ctrl-C, with something to say: which samples are done. Typers swallow a KeyboardInterrupt."""
