"""The command `lamellar`. It needs the extra `cli`; everything here is imported when the command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_NEEDED = ("typer", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the command's name. Default: the process's own.

    Returns:
        The exit code: 0 for success, 1 for a call that failed, 2 for a mistake in what was asked, 130 for Ctrl-C and
        141 for a reader that left.
    """
    try:
        from .app import run

        return run(arguments)
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        print(
            f"lamellar: the command line needs {error.name}; install it with: pip install 'lamellar[cli]'",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return 130
