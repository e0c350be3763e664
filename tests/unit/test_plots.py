"""The style of the PNG figures, and that they are written whole or not at all."""

import pytest
from PIL import Image

from vernis.domain.errors import StorageError
from vernis.report.plots import draw_line, legend_outside, new_figure, save_figure, series_styles


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
