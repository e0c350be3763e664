"""``python -m vernis``."""

from __future__ import annotations

import sys

from vernis.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
