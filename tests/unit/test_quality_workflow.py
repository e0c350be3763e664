"""Quality issues of a collection: written once, verdicts kept, every score listed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.files import FolderSource
from vernis.adapters.pixel_measure import PixelMeasure
from vernis.adapters.quality_reader import QUALITY_SPACE
from vernis.core.quality import measure
from vernis.domain.types import QUALITY_KINDS, Issue
from vernis.session.session import Session
from vernis.verbs.networks.embedding import embed_images
from vernis.verbs.steps.indexing import index_files
from vernis.verbs.steps.quality import (
    QualityJudgement,
    count_open_quality,
    judge_quality,
    list_quality,
)


def picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 220, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((192, 144), Image.Resampling.NEAREST)


@pytest.fixture
def catalog(tmp_path):
    root = tmp_path / "pictures"
    root.mkdir()
    for seed in range(24):
        picture(seed).save(root / f"{seed:02}.jpg", quality=95)
    picture(30).filter(ImageFilter.GaussianBlur(5)).save(root / "blurred.jpg")
    picture(31).point(lambda value: value // 6).save(root / "dark.jpg")
    with SqliteCatalog.create(tmp_path / "test.vernis") as opened:
        index_files(Session(opened), FolderSource(root), workers=1)
        embed_images(Session(opened), [PixelMeasure(QUALITY_SPACE, measure)], workers=1)
        yield opened


def names(catalog, issues) -> set[tuple[str, str]]:
    uris = {image.id: image.uri for image in catalog.images.all()}
    return {(uris[issue.image_id], issue.kind) for issue in issues}


def test_suspect_pictures_become_issues(catalog):
    summary = judge_quality(Session(catalog))
    assert (summary.images, summary.flagged) == (26, 2)
    assert summary.by_kind == {"blurry": 1, "dark": 1}
    issues = catalog.issues.select(QUALITY_KINDS)
    assert names(catalog, issues) == {("blurred.jpg", "blurry"), ("dark.jpg", "dark")}
    assert all(issue.score < 0.5 and issue.evidence["note"] for issue in issues)
    assert Session(catalog).results.find("quality", QualityJudgement).flagged == 2


def test_issues_are_counted_apart_from_their_images(catalog):
    judge_quality(Session(catalog))
    assert count_open_quality(Session(catalog)) == (2, 2)
    (dark,) = catalog.issues.select(["dark"])
    two = [Issue(kind, dark.image_id, 0.1) for kind in ("dark", "greyscale")]
    catalog.issues.replace(("dark", "greyscale"), two)
    assert count_open_quality(Session(catalog)) == (3, 2)
    (blurred,) = catalog.issues.select(["blurry"])
    catalog.issues.set_verdict([blurred.id], "dismissed", who="ada")
    assert count_open_quality(Session(catalog)) == (2, 1)


def test_every_score_is_listed_worst_first_with_verdicts(catalog):
    judge_quality(Session(catalog))
    (blurred,) = catalog.issues.select(["blurry"])
    catalog.issues.set_verdict([blurred.id], "dismissed", who="ada")
    judge_quality(Session(catalog))
    listed = list_quality(Session(catalog))
    assert len(listed) == 26 * len(QUALITY_KINDS)
    assert [issue.score for issue in listed] == sorted(issue.score for issue in listed)
    assert [issue.verdict for issue in listed if issue.id] == ["dismissed", "open"] or [
        issue.verdict for issue in listed if issue.id
    ] == ["open", "dismissed"]


def test_a_collection_without_measures_has_no_issues(tmp_path):
    with SqliteCatalog.create(tmp_path / "empty.vernis") as catalog:
        assert judge_quality(Session(catalog)).images == 0
        assert list_quality(Session(catalog)) == []
