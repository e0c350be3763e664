"""The verbs about backbones and spaces, on the finished small collection."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

import vernis
from vernis.domain.errors import StorageError


def test_spaces_live_side_by_side_and_are_compared(workplace: Any) -> None:
    first = workplace.json("spaces")
    assert [row["current"] for row in first] == [True]
    chosen = ("--layer", "stage5", "--pool", "gem", "--space", "shapes")
    done = workplace("embed", *chosen, "--keep-current", "--quiet")
    assert first[0]["space"] in done.stdout
    rows = {row["space"]: row for row in workplace.json("spaces")}
    assert (rows["shapes"]["dim"], rows["shapes"]["pooling"]) == (192, "gem")
    assert not rows["shapes"]["current"]
    asked = ("search", "--image", "disc/disc_01.jpg")
    assert workplace.json(*asked)["space"] == first[0]["space"]  # not the one embedded last
    taken = workplace("embed", "--layer", "stage6", "--pool", "avg", "--space", "shapes", code=2)
    assert "choose another name: --space NAME" in taken.stderr
    used = {row["space"]: row["current"] for row in workplace.json("spaces", "--use", "shapes")}
    assert used["shapes"]
    assert workplace.json(*asked)["space"] == "shapes"
    assert "no space 'nix'" in workplace("spaces", "--use", "nix", code=2).stderr

    stale = workplace("issues", "class")
    assert f"note: judged by the vectors of {first[0]['space']!r}" in stale.stderr
    anew = workplace("issues", "class", "--predictions", "kernel")
    assert "judged by the vectors" not in anew.stderr + workplace("issues", "class").stderr

    found = workplace.json("compare-spaces", "shapes", "stage2.pooled", "--out", "spaces.png")
    assert [row["stored"] for row in found["spaces"]] == [True, False]
    assert found["recommendation"]["space"] in {"shapes", "stage2.pooled"}
    assert found["left_out_as_copies"] >= 2
    assert all(0 <= row["precision@5"] <= 1 for row in found["spaces"])
    with Image.open(workplace.cwd / "spaces.png") as figure:
        assert figure.width > 1000
    assert "two different" in workplace("compare-spaces", "shapes", code=2).stderr
    assert (
        "near are"
        in workplace("compare-spaces", "shapes", "efficientnet_lite0:poold", code=2).stderr
    )


def test_feature_maps_show_what_a_channel_looks_for(workplace: Any) -> None:
    image = "disc/disc_01.jpg"
    found = workplace.json("feature-maps", image, "--sample", "30", "--out", "all.png")
    assert [row["layer"] for row in found["channels"]][:2] == ["stage0", "stage1"]
    assert (found["looked_at"], found["images"]) == (30, found["images"])
    one = workplace.json(
        *("feature-maps", str(workplace.cwd / "pictures" / image), "--sample", "30"),
        *("--layer", "stage3", "--channel", "5", "--out", "one.png"),
    )
    (view,) = one["channels"]
    peaks = [patch["peak"] for patch in view["excited_by"]]
    assert len(peaks) == 12
    assert peaks == sorted(peaks, reverse=True)
    assert Path(workplace.cwd / "one.png").stat().st_size > 10_000
    # Channels' peaks are no embedding.
    assert len(workplace.json("spaces")) == 1
    missing = workplace("feature-maps", image, "--layer", "stag3", code=2)
    assert "near are" in missing.stderr
    flat = workplace("feature-maps", image, "--layer", "pooled", code=2)
    assert "no map of channels" in flat.stderr
    high = workplace("feature-maps", image, "--layer", "stage0", "--channel", "99", code=2)
    assert "it has 0 to 15" in high.stderr
    (workplace.cwd / "bad.jpg").write_bytes(b"nonsense")
    assert "bad.jpg" in workplace("feature-maps", "bad.jpg", code=1).stderr
    assert not list(workplace.cwd.glob("*.part"))


def test_backbones_and_layers_are_listed(finished: Any) -> None:
    rows = {row["backbone"]: row["status"] for row in finished.json("backbones")}
    assert rows["efficientnet_lite0@int8"] == "ready"
    assert {"vgg16", "resnet50"} < set(rows)
    layers = finished.json("layers", "--like", "stage6.pooled", "--kind", "vector")
    assert [(row["layer"], row["pooled"]) for row in layers] == [("stage6.pooled", 320)]
    assert "any .onnx file" in finished("layers", "resnet51", code=2).stderr
    assert "no such model file" in finished("layers", "x.onnx", code=1).stderr


def test_the_shipped_network_is_timed_here(finished: Any) -> None:
    ways = finished.json("backbones", "--measure")
    assert (ways[0]["arithmetic"], ways[0]["runtime"], ways[0]["cosine"]) == (
        "int8",
        "onnxruntime",
        1.0,
    )
    assert {"int8", "fp32"} == {way["arithmetic"] for way in ways}
    assert all(way["milliseconds"] > 0 and way["cosine"] > 0.9 for way in ways)
    assert sum(way["chosen"] for way in ways) == 1
    both = finished("backbones", "--measure", "--get", "vgg16", code=2)
    assert "leave --get out" in both.stderr


def test_auto_goes_on_with_the_space_that_there_is(workplace: Any) -> None:
    (before,) = workplace.json("spaces")
    done = workplace.json("embed", "--arithmetic", "auto")
    assert (done["space"], done["computed"]) == (before["space"], 0)
    assert workplace.json("spaces") == [before]


def test_vectors_that_the_disk_cannot_hold_are_refused(
    workplace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: full)
    with vernis.Collection.open(workplace.cwd / "pictures.vernis") as collection:
        with pytest.raises(StorageError, match=r"vectors of 62,720 numbers .*--pool avg"):
            collection.embed(layer="features", pool="flatten")
        collection.embed()  # nothing is missing
