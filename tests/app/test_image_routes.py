"""Images of a filter, facets, small pictures, what is known of one."""

from __future__ import annotations

import io
import struct

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

import numpy as np
from PIL import Image

from vernis.core.appearance.colors import COLORS

pytestmark = pytest.mark.app


def numbers(body: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(body) // 4}I", body))


def test_pages_by_place_and_by_image_are_the_order_of_the_ids(served):
    for order in ("id", "name", "newest", "largest"):
        every = numbers(served.client.get(f"/api/images/ids?order={order}").body)
        assert len(every) == len(set(every)) == 30
        found, after = [], None
        while True:
            more = "" if after is None else f"&after={after}"
            page = served.client.get(f"/api/images?order={order}&limit=7{more}").json
            assert page["offset"] == len(found)
            assert (page["total"], page["all"]) == (30, 30)
            found += [image["id"] for image in page["images"]]
            after = page["next"]
            if after is None:
                break
        assert found == every
        there = served.client.get(f"/api/images?order={order}&offset=28").json
        assert [image["id"] for image in there["images"]] == every[28:]


def test_a_filter_narrows_the_images_and_their_counts(served):
    page = served.client.get("/api/images?where=kind:bird&limit=500").json
    assert {tuple(image["labels"]["kind"]) for image in page["images"]} == {("bird",)}
    facets = {one["name"]: one for one in served.client.get("/api/facets?where=kind:bird").json}
    counts = {one["value"]: (one["shown"], one["total"]) for one in facets["kind"]["values"]}
    assert counts["bird"] == (page["total"], page["total"])
    assert counts["fish"][0] == 0
    assert sum(total for _, total in counts.values()) == 30
    assert {one["value"]: one["total"] for one in facets["folder"]["values"]} == dict.fromkeys(
        ("bird", "fish", "tree"), 10
    )
    assert {one["value"] for one in facets["issue"]["values"]} == {"label", "blurry", "duplicate"}


def test_the_filter_of_each_facet_value_finds_as_many_images_as_it_counts(served):
    for facet in served.client.get("/api/facets").json:
        for value in facet["values"]:
            from urllib.parse import quote

            found = served.client.get(f"/api/images?limit=1&where={quote(value['where'])}")
            assert (found.status, found.json["total"]) == (200, value["total"]), value


def test_colours_and_types_are_facets_once_they_are_measured(served):
    assert "color" not in {one["name"] for one in served.client.get("/api/facets").json}
    catalog, images = served.session.catalog, served.session.images()
    space = served.session.measures.appearance_space()
    vectors = np.zeros((len(images), space.dim), space.dtype)
    vectors[:7, [COLORS.index("red"), len(COLORS) + COLORS.index("red")]] = 0.5
    catalog.vectors.append(space, [image.content_hash for image in images], vectors)
    facets = {one["name"]: one["values"] for one in served.client.get("/api/facets").json}
    assert [(one["value"], one["total"], one["where"]) for one in facets["color"]] == [
        ("red", 7, "color:red")
    ]
    assert sum(one["total"] for one in facets["type"]) == 30
    assert served.client.get("/api/images?where=color:red").json["total"] == 7


def test_a_filter_that_cannot_be_read_is_told_with_its_place(served):
    refused = served.client.get("/api/images?where=kind:")
    assert refused.status == 400
    assert refused.json["kind"] == "FilterError"


def test_facets_and_pages_follow_a_decision(served):
    before = served.client.get("/api/images?where=is:confirmed").json["total"]
    issue = served.client.get("/api/queue?taxonomy=kind").json["items"][0]["issue"]
    served.client.post("/api/decisions", {"answers": [{"issue": issue, "answer": "accept"}]})
    assert served.client.get("/api/images?where=is:confirmed").json["total"] == before + 1


def test_an_unchanged_answer_is_not_sent_twice(served):
    for path in ("/api/collection", "/api/images?limit=3", "/api/facets", "/web/app/main.mjs"):
        first = served.client.get(path)
        again = served.client.get(path, If_None_Match=first.headers["etag"])
        assert (again.status, again.body) == (304, b"")


def test_pages_are_sent_packed_to_whoever_can_unpack_them(served):
    import gzip

    plain = served.client.get("/web/app/main.mjs")
    packed = served.client.get("/web/app/main.mjs", Accept_Encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < 0.6 * len(plain.body)
    assert "content-encoding" not in plain.headers


def test_thumbnails_are_drawn_once_and_may_be_kept_for_good(served):
    image = served.client.get("/api/images?limit=1").json["images"][0]
    path = f"/api/images/{image['id']}/thumb"
    first = served.client.get(f"{path}?v={image['hash']}")
    assert first.headers["content-type"] == "image/jpeg"
    assert "immutable" in first.headers["cache-control"]
    assert "immutable" not in served.client.get(path).headers["cache-control"]
    assert Image.open(io.BytesIO(first.body)).size == (192, 144)
    etag = first.headers["etag"]
    assert served.client.get(f"{path}?v=1", If_None_Match=etag).status == 304
    preview = served.client.get(f"/api/images/{image['id']}/preview")
    assert Image.open(io.BytesIO(preview.body)).size == (1280, 960)


def test_a_bundle_holds_the_thumbnails_in_the_order_of_the_ids(served):
    ids = numbers(served.client.get("/api/images/ids").body)[:5]
    body = served.client.get(f"/api/bundle?ids={','.join(map(str, ids))}").body
    count, *sizes = struct.unpack_from("<6I", body)
    assert count == 5
    at = 24
    for image, size in zip(ids, sizes, strict=True):
        alone = served.client.get(f"/api/images/{image}/thumb").body
        assert body[at : at + size] == alone
        at += size
    assert at == len(body)


def test_a_bundle_of_previews_holds_what_each_alone_would_be(served):
    body = served.client.get("/api/bundle?ids=2,1&size=preview").body
    count, first, second = struct.unpack("<3I", body[:12])
    assert (count, len(body)) == (2, 12 + first + second)
    assert body[12 : 12 + first] == served.client.get("/api/images/2/preview").body
    assert served.client.get(f"/api/bundle?ids={'1,' * 8}1&size=preview").status == 422


@pytest.mark.parametrize("ids", ["", "x", "1,,2", "-1", "1;2", ",".join(["1"] * 129)])
def test_what_is_no_list_of_ids_is_refused(served, ids):
    assert served.client.get(f"/api/bundle?ids={ids}").status == 422


def test_a_picture_that_is_gone_is_told_and_the_others_are_there(served, drawn):
    ids = numbers(served.client.get("/api/images/ids").body)[:2]
    record = served.session.catalog.images.get([ids[0]])[0]
    (served.session.root() / record.uri).rename(drawn / "away.jpg")
    try:
        assert served.client.get(f"/api/images/{ids[0]}/thumb").status == 404
        body = served.client.get(f"/api/bundle?ids={ids[0]},{ids[1]}").body
        assert struct.unpack_from("<3I", body)[1] == 0
        assert struct.unpack_from("<3I", body)[2] > 0
    finally:
        (drawn / "away.jpg").rename(served.session.root() / record.uri)


def test_a_record_and_its_neighbours(served):
    image = served.client.get("/api/images?limit=1").json["images"][0]
    record = served.client.get(f"/api/images/{image['id']}").json
    assert record["image"] == image["uri"]
    near = served.client.get(f"/api/images/{image['id']}/neighbors?k=9").json
    assert [one["image"]["uri"][0] for one in near] == [image["uri"][0]] * 9
    similarities = [one["similarity"] for one in near]
    assert similarities == sorted(similarities, reverse=True)
    assert served.client.get("/api/images/999999").status == 404
    assert served.client.get("/api/images/999999/neighbors").status == 404
