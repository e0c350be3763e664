"""The page, the picture and the figure of a map: complete, escaped, and of the right colours."""

import base64
import hashlib
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.thumbnails import FILE_NAME, ThumbnailCache
from vernis.domain.errors import InvalidValue, StorageError
from vernis.report.charts import save_figure
from vernis.report.explore.map_grid import GridCell, draw_grid
from vernis.report.map import page as map_page
from vernis.report.map.model import COLORS, NONE, OTHER, Facet, MapView, SheetLevel, make_facet
from vernis.report.map.mosaic import LegendEntry, Tile, draw_mosaic, save_mosaic
from vernis.report.map.sprites import SheetSettings, draw_sheets


def jpeg(color, size=(40, 30)):
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def view(n=5, uri="a/{}.jpg"):
    levels = [
        SheetLevel(sheets.settings.edge, sheets.settings.columns, sheets.sizes, sheets.pages)
        for sheets in draw_sheets([jpeg("red")] * n, [SheetSettings(16, 2), SheetSettings(40, 2)])
    ]
    rng = np.random.default_rng(0)
    return MapView(
        title="Map of <b>",
        facts={"pictures": str(n)},
        uris=[uri.format(number) for number in range(n)],
        places=rng.normal(size=(n, 2)),
        cells=np.column_stack([np.arange(n), np.zeros(n, np.int64)]),
        columns=n,
        rows=1,
        facets=[make_facet("kind", [["x"], ["y", "</script>"], [], ["x"], ["x"]][:n])],
        color="kind",
        levels=levels,
        version="0",
    )


def data_of(page):
    text = re.search(rb'id="data">(.*?)</script>', page, re.S)[1]
    return json.loads(text)


def test_the_page_is_one_file_without_network_and_its_scripts_may_run():
    pages = map_page.render_map(view())
    assert list(pages) == ["index.html"]
    page = pages["index.html"].decode()
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "@import" not in page
    for script in re.findall(r"<(?:script|script type=\"module\"|style)>(.*?)</", page, re.S):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"&#39;sha256-{digest}&#39;" in page
    assert "Map of &lt;b&gt;" in page


def test_hostile_names_stay_data():
    page = map_page.render_map(view(uri="</script><img src=x onerror=y>{}.jpg"))["index.html"]
    assert b"<img src=x" not in page
    data = data_of(page)
    assert data["uris"][0] == "</script><img src=x onerror=y>0.jpg"
    assert "</script>" in data["facets"][0]["classes"]


def test_the_data_say_where_each_picture_lies():
    shown = view()
    data = data_of(map_page.render_map(shown)["index.html"])
    places = np.array(data["places"]).reshape(-1, 2) / data["steps"]
    assert places.min() == 0
    assert places.max() == 1
    assert places[:, 1].argmin() == shown.places[:, 1].argmax()  # y grows downwards on a page
    assert data["facets"][0]["values"] == [0, [1, 2], [], 0, 0]
    assert [len(level["sheets"]) for level in data["levels"]] == [2, 2]


def test_many_thumbnails_lie_beside_the_page(monkeypatch):
    monkeypatch.setattr(map_page, "EMBED_LIMIT", 10)
    pages = map_page.render_map(view())
    names = list(pages)
    assert names[-1] == "index.html"
    assert len(names) == 5
    listed = [name for level in data_of(pages["index.html"])["levels"] for name in level["sheets"]]
    assert sorted(listed) == sorted(names[:-1])


def test_sheets_hold_every_picture_in_its_cell():
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250)]
    thumbnails = [jpeg(color) for color in colors]
    (sheets,) = draw_sheets([*thumbnails[:2], None, *thumbnails[2:]], [SheetSettings(20, 2)])
    assert sheets.sizes == [(20, 15), (20, 15), (0, 0), (20, 15), (20, 15), (20, 15)]
    assert len(sheets.pages) == 2
    last = Image.open(io.BytesIO(sheets.pages[1]))
    assert last.size == (40, 20)
    assert np.abs(np.array(last.getpixel((25, 5))) - colors[4]).max() < 30


def test_a_facet_counts_and_colours_by_the_rarest_class():
    facet = make_facet("tags", [["a", "b"], ["a"], [], ["a", "a"], ["b", "c"]])
    assert facet.classes == ("a", "b", "c")
    assert facet.counts == (3, 2, 1)
    assert [facet.color(row) for row in range(5)] == [
        COLORS[1],
        COLORS[0],
        NONE,
        COLORS[0],
        COLORS[2],
    ]
    assert facet.legend()[-1] == (NONE, "none", 1)
    many = make_facet("t", [[f"c{n:02}"] for n in range(20)] + [["c00"]])
    assert many.color(15) == OTHER
    assert many.legend()[-1] == (OTHER, "12 more", 12)
    with pytest.raises(InvalidValue):
        Facet("t", ("a",), ((1,),))


def test_the_mosaic_shows_frames_and_a_legend_below_all_pictures(tmp_path):
    tiles = [Tile(0, 0, "#0072B2", jpeg((200, 0, 0))), Tile(9, 7, None, None)]
    bare = draw_mosaic(tiles, 10, 8, title="Map", subtitle="2 pictures")
    full = draw_mosaic(
        tiles,
        10,
        8,
        title="Map",
        subtitle="2 pictures",
        legend_title="kind:",
        legend=[LegendEntry("#0072B2", "ein sehr langer Name " * 3, 1)] * 9,
    )
    assert full.width == bare.width
    assert full.height > bare.height
    colors = {color for _, color in full.crop((0, 0, full.width, bare.height)).getcolors(10**6)}
    assert (0, 114, 178) in colors
    with Image.open(save_mosaic(full, tmp_path / "deep" / "map.png")) as saved:
        assert saved.size == full.size
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        save_mosaic(full, tmp_path / "file" / "map.png")


def test_thumbnails_are_kept_by_content_and_size(tmp_path):
    cache = ThumbnailCache(tmp_path, 64)
    assert cache.missing(["b", "a", "b"]) == ["b", "a"]
    cache.add([("a", b"1"), ("b", b"2")])
    assert cache.missing(["b", "c"]) == ["c"]
    assert list(cache.read(["b", "c", "a"])) == [b"2", None, b"1"]
    assert ThumbnailCache(tmp_path, 128).missing(["a"]) == ["a"]
    (tmp_path / FILE_NAME).write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match="made anew"):
        cache.missing(["a"])


def test_a_grid_has_its_figures_under_each_map_and_one_legend(tmp_path):
    rng = np.random.default_rng(0)
    facet = make_facet("kind", [["x"], ["y"], []] * 5)
    cells = [
        [
            GridCell(
                f"perplexity {p}", f"T 0.9{p}", rng.normal(size=(15, 2)), np.arange(15), p == 2
            )
            for p in range(3)
        ]
        for _ in range(2)
    ]
    figure = draw_grid("Maps", cells, facet, note="T trustworthiness")
    assert [axes.get_xlabel() for axes in figure.axes] == ["T 0.90", "T 0.91", "T 0.92"] * 2
    legend = figure.legends[0].get_texts()
    assert [text.get_text() for text in legend] == ["x (5)", "y (5)", "none (5)"]
    with Image.open(save_figure(figure, tmp_path / "grid.png")) as picture:
        assert picture.width > picture.height
