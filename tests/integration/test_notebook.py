"""The code of docs/guide/notebook.md, run from top to bottom on a collection of drawn pictures."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import vernis

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "notebook.md"


def blocks(text: str) -> list[str]:
    """Return the code that is marked ``python``; what is marked ``py`` is only shown."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def notebook(finished, tmp_path, monkeypatch):
    """A working folder as the guide has it: ``photos.vernis`` with the taxonomy ``kind``."""
    shutil.copytree(finished.cwd / "pictures.vernis", tmp_path / "photos.vernis")
    shutil.copy(finished.cwd / "pictures" / "disc" / "disc_05.jpg", tmp_path / "new.jpg")
    monkeypatch.chdir(tmp_path)
    with vernis.Collection.open("photos.vernis") as collection:
        labels = collection.labels("class").rename(columns={"class": "kind"})
        labels.iloc[30:35] = None  # some pictures without a label
        collection.set_labels(labels, source="given", create=True)
    return tmp_path


def test_the_notebook_of_the_guide_runs(notebook):
    found: dict[str, object] = {}
    code = blocks(GUIDE.read_text(encoding="utf-8"))
    assert len(code) >= 6
    for number, block in enumerate(code, 1):
        exec(compile(block, f"block {number} of {GUIDE.name}", "exec"), found)
    assert found["doubtful"].index[0] == "stripes/wrong.jpg"
    assert found["result"].changes == len(found["doubtful"])
    assert found["by_my_model"].loc["stripes/wrong.jpg", "given"] == "disc"
    assert len(found["unlabelled"]) == 5
    assert np.isfinite(found["leave_out"].to_numpy()).all()
    with vernis.Collection.open("photos.vernis") as collection:
        assert collection.labels("kind").loc["stripes/wrong.jpg", "kind"] == "disc"
        assert isinstance(collection.predict("kind", "new.jpg"), pd.DataFrame)


def test_the_code_that_is_only_shown_can_be_read():
    (shown,) = re.findall(
        r"^```py\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    compile(shown, "cleanlab", "exec")
