"""The style of the PNG figures, and that they are written whole or not at all."""

import numpy as np
import pytest
from PIL import Image

from vernis.domain.errors import StorageError
from vernis.report.plots import (
    draw_line,
    grid_shape,
    hide_spare_panels,
    label_plainly,
    legend_outside,
    new_figure,
    save_figure,
    series_styles,
)


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
