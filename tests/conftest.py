"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
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


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what tests cache out of the user's folder."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERNIS_CACHE", str(folder))
        yield folder
