"""``vernis run --open`` ends in the browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

import vernis.app.serve
from vernis.app.serve import Settings as ServeSettings
from vernis.cli import dispatch
from vernis.domain.errors import MissingExtra
from vernis.verbs.catalogue import find_entry
from vernis.verbs.declare import Home, Verb
from vernis.verbs.start import run

pytestmark = pytest.mark.app


def done(collection: Path) -> run.Result:
    return run.Result(
        images=1, other_files=0, unreadable=0, quality_issues=0, images_with_quality_issues=0,
        duplicate_groups=0, images_with_text=None, images_with_objects=None, taxonomies={},
        report="report/index.html", collection=str(collection), next="vernis status", notes=(),
    )  # fmt: skip


def go(monkeypatch, capsys, collection: Path, **wanted) -> list[object]:
    """Run with the work left out; returns what was served."""
    served: list[object] = []

    def serve(session, settings):
        served.append((session.catalog.folder, settings.no_browser))
        return vernis.app.serve.Result("http://127.0.0.1:1/", 1.0)

    verb = Verb(run.Settings, lambda s, t: done(collection), run.show, then=run.then,
                home=lambda settings: Home(needed=False))  # fmt: skip
    server = Verb(ServeSettings, serve, vernis.app.serve.show, home=vernis.app.serve.home)
    monkeypatch.setattr(vernis.app.serve, "VERB", server)
    as_json = wanted.pop("json", False)
    entry = find_entry("run")
    assert entry is not None
    settings = replace(run.Settings(path="."), **wanted)
    assert dispatch.run_verb(entry, verb, settings, {"json": as_json, "quiet": True}) == 0
    return served


def test_the_browser_is_opened_on_the_collection_after_the_summary(monkeypatch, capsys, toy):
    assert go(monkeypatch, capsys, toy, open=True) == [(toy, False)]
    told = capsys.readouterr().out
    assert told.index("Report:") < told.index("stopped")


def test_nothing_is_served_unasked_or_to_a_program(monkeypatch, capsys, toy):
    assert go(monkeypatch, capsys, toy) == []
    assert go(monkeypatch, capsys, toy, open=True, json=True) == []


def test_what_is_missing_is_said_before_the_work(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="app"):
        run.home(run.Settings(path=tmp_path, open=True))
    run.home(run.Settings(path=tmp_path))
