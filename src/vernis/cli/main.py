"""The command line: thin verbs over ``vernis.Collection``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from vernis.cli import arguments
from vernis.cli.output import say
from vernis.domain.errors import UsageError, VernisError

EXIT_OK, EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every verb."""
    return arguments.build_parser()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 when it worked, 1 on failure, 2 on wrong usage, 130 after Ctrl-C.
    """
    options = build_parser().parse_args(argv)
    if os.environ.get("VERNIS_TRACEBACK"):
        return int(options.command(options))
    try:
        return int(options.command(options))
    except UsageError as error:
        say(f"vernis: {error}")
        return EXIT_USAGE
    except VernisError as error:
        say(f"vernis: {error}")
        return EXIT_FAILURE
    except KeyboardInterrupt:
        say("vernis: stopped. Finished work is kept; the same command goes on from there.")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) went away; that is no failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say(f"vernis: {where}{error.strerror or error}. Check the disk and the permissions.")
        return EXIT_FAILURE


if __name__ == "__main__":
    sys.exit(main())
