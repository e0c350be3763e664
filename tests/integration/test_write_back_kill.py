"""A writer that is killed leaves the old file or the new one, and nothing beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TIMES = int(os.environ.get("VERNIS_KILLS", "10"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("where", ["embed", "sidecar"])
def test_a_killed_writer_leaves_no_damaged_and_no_stray_file(where, tmp_path):
    script = Path(__file__).with_name("killed_writer.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, where, str(TIMES)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["steps"] > 5
    assert found["before"] > TIMES
    assert found["after"] >= TIMES
    assert found["before"] + found["after"] == TIMES * found["steps"]
    assert found["swept"] >= TIMES
    for name in ("not killed", "other", "gone", "strays", "not undone"):
        assert found.get(name, 0) == 0, found
