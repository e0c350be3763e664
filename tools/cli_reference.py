"""Write docs/cli.md from the parser's own help, or check that it is current (``--check``)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from vernis.cli.main import build_parser

TARGET = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
INTRODUCTION = """# Command line

Made by `python tools/cli_reference.py` from `--help`; do not edit.

JSON goes to standard output, progress and messages go to standard error. Exit codes: 0 done,
1 failed, 2 wrong usage, 130 stopped by Ctrl-C (finished work is kept; the same command goes on).
The shapes of `--json` are in [json.md](json.md).
"""


def reference() -> str:
    """Return the whole page."""
    os.environ["COLUMNS"] = "96"
    parser = build_parser()
    verbs = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    parts = [INTRODUCTION, f"```text\n{parser.format_help().rstrip()}\n```\n"]
    for name, verb in verbs.choices.items():
        parts.append(f"## vernis {name}\n\n```text\n{verb.format_help().rstrip()}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or compare it."""
    page = reference()
    if "--check" not in sys.argv:
        TARGET.write_text(page, encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == page:
        return 0
    print(f"{TARGET.name} is not current: run python tools/cli_reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
