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
    parts = [INTRODUCTION, f"```text\n{parser.format_help().rstrip()}\n```\n"]
    parts += sections(parser, "vernis", "##")
    return "\n".join(parts)


def sections(parser: argparse.ArgumentParser, path: str, level: str) -> list[str]:
    """Return a section for each verb of the parser, each followed by those of its own verbs."""
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, verb in action.choices.items():
                text = f"```text\n{verb.format_help().rstrip()}\n```\n"
                found.append(f"{level} {path} {name}\n\n{text}")
                found += sections(verb, f"{path} {name}", f"{level}#")
    return found


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
