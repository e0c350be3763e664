"""The command line's entry: errors become one line and an exit code.

Nothing but Python's own modules is imported before ``main`` runs, so that Ctrl-C is answered the
same at any moment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

EXIT_OK, EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 when it worked, 1 on failure, 2 on wrong usage, 130 after Ctrl-C.
    """
    try:
        _open_outputs()
        from vernis.cli.dispatch import dispatch

        words = list(sys.argv[1:] if argv is None else argv)
        if os.environ.get("VERNIS_TRACEBACK"):
            return dispatch(words)
        return _guarded(words)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):
            return EXIT_OK  # rich leaves so when the reader of a table goes away
        raise
    except KeyboardInterrupt:
        _say("vernis: stopped. Finished work is kept; the same command goes on from there.")
        return EXIT_INTERRUPTED


def _open_outputs() -> None:
    """Make both outputs take any text: those that are closed, and those that are not Unicode."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _guarded(words: list[str]) -> int:
    from vernis.cli.dispatch import dispatch
    from vernis.domain.errors import UsageError, VernisError

    try:
        return dispatch(words)
    except UsageError as error:
        _say(f"vernis: {error}")
        return EXIT_USAGE
    except VernisError as error:
        _say(f"vernis: {error}")
        return EXIT_FAILURE
    except MemoryError as error:
        detail = f" ({error})" if str(error) else ""
        _say(f"vernis: out of memory{detail}. Take smaller numbers, fewer images or more memory.")
        return EXIT_FAILURE
    except BrokenPipeError:
        # The reader of our output (head, less) went away; that is no failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _say(f"vernis: {where}{error.strerror or error}. Check the disk and the permissions.")
        return EXIT_FAILURE


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
