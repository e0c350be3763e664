"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def development_data() -> Path | None:
    """Return the folder of development pictures, None where there is none."""
    named = os.environ.get("VERNIS_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of development pictures; skips the test where there is none."""
    folder = development_data()
    if folder is None:
        pytest.skip("no development pictures here (VERNIS_DATA or ../shared/data)")
    return folder
