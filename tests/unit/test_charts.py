"""Charts: in proportion, in one style, and whole or not at all."""

import json
import re
from importlib.resources import files
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vernis.domain.errors import StorageError
from vernis.report import charts
from vernis.report.charts import (
    draw_line,
    grid_shape,
    hide_spare_panels,
    label_plainly,
    legend_outside,
    new_figure,
    save_figure,
    series_styles,
)
from vernis.report.flows.sankey import SankeyView, sankey
from vernis.report.model import ThresholdCurve


def drawn():
    figure, axes = new_figure("F1 over the components")
    styles = series_styles()
    draw_line(axes, [1, 2, 3], [0.1, 0.4, 0.5], name="head", style=next(styles), spread=[0.1] * 3)
    draw_line(axes, [1, 2, 3], [0.2, 0.3, 0.4], name="forest", style=next(styles))
    axes.set(xlabel="components", ylabel="F1")
    legend_outside(axes)
    return figure


def test_a_figure_is_an_opaque_picture(tmp_path):
    path = save_figure(drawn(), tmp_path / "deep" / "f1.png")
    with Image.open(path) as picture:
        assert picture.size == (960, 600)
        assert picture.convert("RGBA").getextrema()[3] == (255, 255)


def test_series_differ_by_more_than_colour():
    styles = series_styles()
    first = [next(styles) for _ in range(28)]
    assert len({(s["color"], s["marker"], s["linestyle"]) for s in first}) == 28


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"f1\.png"):
        save_figure(drawn(), tmp_path / "file" / "f1.png")
    with pytest.raises(StorageError, match=r"f1\.nope"):
        save_figure(drawn(), tmp_path / "f1.nope")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_logarithmic_axis_is_labelled_with_plain_numbers():
    for values, shown in (
        ([0.014, 0.6], {"0.02", "0.05", "0.1", "0.2", "0.5"}),
        ([0.0001, 0.7], {"0.0001", "0.001", "0.01", "0.1", "1"}),
    ):
        figure, axes = new_figure("Time")
        axes.plot(values, [0, 1])
        axes.set_xscale("log")
        label_plainly(axes.xaxis, values)
        figure.canvas.draw()
        labels = {text.get_text() for text in axes.xaxis.get_ticklabels(which="both")}
        assert shown <= labels
        assert not any("$" in text for text in labels)
        figure.clear()


def recorded(monkeypatch, module):
    """Keep the figure that a function draws instead of writing it."""
    kept = []
    monkeypatch.setattr(module, "save_figure", lambda figure, path: kept.append(figure))
    return kept


def test_figures_of_the_lab_say_what_they_are_of_and_list_models_in_order(monkeypatch, tmp_path):
    from vernis.report.lab import figures

    kept = recorded(monkeypatch, figures)
    measured = {"micro_f1": 0.8, "micro_f1_low": 0.7, "micro_f1_high": 0.9, "micro_f1_sd": 0.1}
    measured |= {"macro_f1": 0.7, "macro_f1_low": 0.6, "macro_f1_high": 0.8}
    measured |= {"train_s": 0.2, "predict_s": 0.0}
    rows = [
        {"model": name, "space": "s", "layer": "all", "components": 5, **measured}
        for name in ("best", "second")
    ]
    for draw in (figures.draw_models, figures.draw_components, figures.draw_spaces):
        draw(rows, tmp_path / "x.png", "colour, 9 images")
    assert all("colour, 9 images" in figure.get_suptitle() for figure in kept)
    models, _, spaces = kept
    places = {text.get_text(): text.get_position()[1] for text in models.axes[0].get_yticklabels()}
    low, high = models.axes[0].get_ylim()
    assert places["best"] < places["second"]
    assert low > high  # the first row on top
    first, second = (bar[0].get_ydata()[0] for bar in spaces.axes[0].containers)
    assert first < second
    assert spaces.axes[0].get_ylim()[0] > spaces.axes[0].get_ylim()[1]


def test_lines_of_the_thresholds_differ_by_dashes_and_titles_count_images(monkeypatch, tmp_path):
    from vernis.report.lab import figures

    kept = recorded(monkeypatch, figures)
    rows = [
        {
            "class": "(overall)",
            "threshold": step,
            **dict.fromkeys(("f1", "f2", "precision", "recall"), 0.5),
            "images": 9,
            "chosen_f1": False,
            "chosen_f2": False,
        }
        for step in (0.1, 0.9)
    ]
    figures.draw_thresholds(rows, tmp_path / "x.png", "colour, 9 images")
    axes = kept[0].axes[0]
    assert axes.get_title() == "overall, 9 images"
    assert [line.get_linestyle() for line in axes.lines] == ["-", "-", "--", "-."]


def test_four_kinds_of_noise_make_a_square(monkeypatch, tmp_path):
    from vernis.report.lab import figures

    kept = recorded(monkeypatch, figures)
    rows = [
        {"noise": kind, "rate": 0.1, "model": "m", "micro_f1": 0.5, "micro_f1_sd": None}
        for kind in ("uniform", "missing", "added", "unknown")
    ]
    figures.draw_noise(rows, tmp_path / "x.png", "colour, 9 images")
    assert [axes.get_visible() for axes in kept[0].axes] == [True] * 4


def test_the_toy_figure_says_what_shade_and_points_are(monkeypatch, tmp_path):
    from vernis.report.lab import toy_figure

    kept = recorded(monkeypatch, toy_figure)
    X, given = np.random.default_rng(0).normal(size=(6, 2)), np.asarray([0, 1, 0, 1, 0, 1])
    toy_figure.draw_toys(
        [{"shape": "moons", "model": "svm", "accuracy": 0.9, "accuracy_sd": None}],
        tmp_path / "x.png",
        points={"moons": (X, given, given)},
        areas={("moons", "svm"): [0.1, 0.9, 0.2, 0.8]},
        permuted=0.3,
    )
    explained = kept[0].get_supxlabel()
    for word in ("white where it is undecided", "blue circles and orange squares", "bold"):
        assert word in explained


@pytest.mark.parametrize(("count", "labelled"), [(5, {2, 3, 4}), (4, {2, 3}), (3, {0, 1, 2})])
def test_every_column_of_panels_has_numbers_below(count, labelled):
    lines, columns = grid_shape(count, 3)
    figure, grid = new_figure("Panels", rows=lines, columns=columns, sharex=True, squeeze=False)
    hide_spare_panels(grid, count)
    figure.canvas.draw()
    shown = [axes for axes in grid.ravel() if axes.get_visible()]
    assert len(shown) == count
    with_numbers = {
        place
        for place, axes in enumerate(shown)
        if any(text.get_visible() and text.get_text() for text in axes.get_xticklabels())
    }
    assert with_numbers == labelled


# --------------------------------------------------------------------------- charts of pages

HOSTILE = "</text><script>alert(1)</script> $x_1$ \x00\ud800\n\u202e"


def titles(drawing):
    return [title.text for title in ElementTree.fromstring(drawing).iter("title")]


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), max_size=12))
@settings(max_examples=12, deadline=None)
def test_bars_are_in_proportion_and_inside_the_axes(rows):
    values, added = [value for value, _ in rows], [plus for _, plus in rows]
    figure = charts.bars([f"c{i}" for i in range(len(rows))], values, added, unit="images")
    (axes,) = figure.axes
    drawn, *more = axes.containers
    assert [bar.get_width() for bar in drawn] == values
    assert [bar.get_x() for container in more for bar in container] == (
        values if any(added) else []
    )
    assert axes.get_xlim()[1] >= max([a + b for a, b in rows], default=0) * (1 - 1e-9)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row on top


@given(st.floats(0, 1e12))
def test_count_ticks_are_whole_few_and_reach_the_top(top):
    ticks = charts.count_ticks(top)
    assert ticks[0] == 0
    assert ticks[-1] >= top * (1 - 1e-9)
    assert len(ticks) <= 6
    assert all(tick == round(tick) for tick in ticks)


def test_a_chart_of_a_page_has_the_colours_of_the_theme_and_no_style():
    figure = charts.bars(["fish", HOSTILE], [9, 1], [2, 0], unit="images")
    drawing = charts.as_svg(figure, f"Images of each class of {HOSTILE}")
    root = ElementTree.fromstring(drawing)
    assert root.get("role") == "img"
    assert root.get("aria-label").startswith("Images of each class of </text><script>")
    assert "style=" not in drawing
    assert set(re.findall(r"#[0-9a-f]{6}\b", drawing)) == set()
    assert {"var(--bar)", "var(--bar-soft)", "var(--ink)", "var(--muted)"} <= set(
        re.findall(r"var\(--[\w-]+\)", drawing)
    )
    assert not list(root.iter("script"))
    texts = [text.text for text in root.iter("text")]
    assert {"fish", "images", "9 + 2", "labelled", "suggested"} <= set(texts)
    assert not any("DejaVu" in value for node in root.iter() for value in node.attrib.values())
    assert "fish: 9 + 2 images" in titles(drawing)


def test_the_colours_of_charts_are_those_of_the_light_theme():
    css = (files("vernis.web") / "shared" / "base.css").read_text(encoding="utf-8")
    light = dict(re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}),", css))
    assert {name: light.get(name) for name in charts.THEME.values()} == {
        name: color for color, name in charts.THEME.items()
    }


def test_ids_of_two_charts_of_a_page_differ():
    curve = ThresholdCurve("a", (0.0, 1.0), (0.5, 1.0), (1.0, 0.0), (0.6, 0.2), 0.25)
    ids = []
    for description in ("one", "two"):
        drawing = charts.as_svg(charts.threshold_curve(curve)[0], description)
        ids += [node.get("id") for node in ElementTree.fromstring(drawing).iter() if node.get("id")]
        assert drawing == charts.as_svg(charts.threshold_curve(curve)[0], description)
    assert len(ids) == len(set(ids))


def test_a_curve_lies_where_the_frame_says():
    curve = ThresholdCurve("a", (0.0, 1.0), (0.5, 1.0), (1.0, 0.0), (0.6, 0.2), 0.25)
    figure, axes = charts.threshold_curve(curve)
    root = ElementTree.fromstring(charts.as_svg(figure, "curves", frame=axes))
    left, top, width, height = map(float, root.get("data-frame").split())
    recall = next(node for node in root.iter("g") if node.get("data-series") == "recall")
    numbers = [float(n) for n in re.findall(r"[\d.]+", recall.find("path").get("d"))]
    assert numbers == pytest.approx([left, top, left + width, top + height], abs=0.11)
    ruler = next(node for node in root.iter("g") if node.get("data-marker"))
    x = float(re.findall(r"[\d.]+", ruler.find("path").get("d"))[0])
    assert x == pytest.approx(left + 0.25 * width, abs=0.11)


def test_a_table_of_shares_tells_each_cell_and_leaves_its_own_blank():
    drawing = charts.as_svg(charts.shares(["a", "b"], [[1, 0.25], [np.nan, 1]]), "together")
    assert set(titles(drawing)) == {"25% of the images with a also have b"}
    texts = [text.text for text in ElementTree.fromstring(drawing).iter("text")]
    assert texts.count("25") == 1


def test_a_flow_says_whence_whither_and_how_many():
    view = SankeyView(
        "brand", "kind", ("x", "other"), ("y",), np.array([[3], [1]]), True, False, "images", ""
    )
    drawing = charts.as_svg(sankey(view, in_page=True), "flows", role="group", id="diagram")
    root = ElementTree.fromstring(drawing)
    assert (root.get("role"), root.get("id")) == ("group", "diagram")
    flows = [node for node in root.iter("g") if node.get("class") == "ribbon"]
    assert [(f.get("data-left"), f.get("data-right")) for f in flows] == [("0", "0"), ("1", "0")]
    assert [flow.find("path").get("fill") for flow in flows] == ["var(--c0)", "var(--other)"]
    assert [flow.find("title").text for flow in flows] == ["x → y: 3 images", "other → y: 1 image"]
    buttons = [node.get("aria-label") for node in root.iter("g") if node.get("role") == "button"]
    assert buttons == ["x: 3 images", "other: 1 image", "y: 4 images"]


def test_a_mark_is_for_pages_alone(tmp_path):
    plain, marked = drawn(), drawn()
    line = charts.mark(marked.axes[0].lines[0], title="head", data_series="f1")
    assert json.loads(line.get_gid()) == {"title": "head", "data-series": "f1"}
    before, after = (save_figure(one, tmp_path / "a.png").read_bytes() for one in (plain, marked))
    assert before == after
