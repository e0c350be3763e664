"""Bring a loaded picture of any mode and colour profile to sRGB, as a browser shows it."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_CACHED_TRANSFORMS = 8
_WHITE, _DARK = (255, 255, 255), (80, 80, 80)
_NEAR_WHITE = 235  # grey level from which white ground hides
_HIDDEN = 0.75  # of what is visible
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")


class ColorConverter:
    """Converts pictures to RGB; keeps the colour transforms that it has built.

    Building the transform of a CMYK profile takes 50 ms, and the pictures of a collection share
    few profiles. Not for use by two threads at once: give each its own.
    """

    def __init__(self) -> None:
        self._transforms: OrderedDict[tuple[str, str], ImageCms.ImageCmsTransform | None] = (
            OrderedDict()
        )

    def to_rgb(self, image: Image.Image, profile: bytes | None) -> Image.Image:
        """Return the picture in mode RGB and colour space sRGB.

        Parameters
        ----------
        image : PIL.Image.Image
            As ``flatten`` returns it.
        profile : bytes or None
            The ICC profile; one that is damaged or does not fit the mode is ignored, as browsers
            do.
        """
        if image.mode == "LAB":
            return self._from_lab(image)
        if profile and image.mode in ("RGB", "CMYK", "L"):
            image = self._apply_profile(image, profile)
        return image if image.mode == "RGB" else image.convert("RGB")

    def _apply_profile(self, image: Image.Image, profile: bytes) -> Image.Image:
        key = (hashlib.blake2b(profile, digest_size=16).hexdigest(), image.mode)
        if key not in self._transforms:
            if len(self._transforms) >= _CACHED_TRANSFORMS:
                self._transforms.popitem(last=False)
            self._transforms[key] = _build_transform(profile, image.mode)
        transform = self._transforms[key]
        if transform is None:
            return image
        converted = ImageCms.applyTransform(image, transform)
        return image if converted is None else converted

    def _from_lab(self, image: Image.Image) -> Image.Image:
        key = ("", "LAB")
        if key not in self._transforms:
            self._transforms[key] = ImageCms.buildTransform(
                ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
            )
        transform = self._transforms[key]
        converted = ImageCms.applyTransform(image, transform) if transform else None
        return image.convert("L").convert("RGB") if converted is None else converted


def flatten(image: Image.Image) -> Image.Image:
    """Bring a loaded picture to mode L, RGB, CMYK or LAB: 8 bits, no palette.

    Transparent parts lie on white, or on dark grey where white would hide the picture.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded, of any mode.
    """
    image = _to_eight_bits(image)
    if image.mode == "RGBa":
        image = image.convert("RGBA")
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        if alpha.getextrema() == (255, 255):
            return image.convert("RGB")
        ground = Image.new("RGB", image.size, _choose_ground(image, alpha))
        ground.paste(image, mask=alpha)
        return ground
    if image.mode in ("1", "LA"):
        return image.convert("L")
    return image if image.mode in ("L", "RGB", "CMYK", "LAB") else image.convert("RGB")


def is_srgb(profile: bytes) -> bool:
    """Tell whether an ICC profile is one of sRGB, so that there is nothing to convert."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return "srgb" in ImageCms.getProfileDescription(source).lower()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False


def _choose_ground(image: Image.Image, alpha: Image.Image) -> tuple[int, int, int]:
    """Return white, or dark grey for a picture that white would hide: a white logo, say."""
    counts = image.convert("RGB").convert("L").histogram(alpha.point([0] * 33 + [255] * 223))
    visible = sum(counts)
    hidden = sum(counts[_NEAR_WHITE:])
    return _DARK if visible and hidden >= _HIDDEN * visible else _WHITE


def _build_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform to sRGB, None when there is nothing to do or the profile is unfit."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if mode == "RGB" and is_srgb(profile):
            return None
        space = source.profile.xcolor_space.strip()
        if space != {"RGB": "RGB", "CMYK": "CMYK", "L": "GRAY"}[mode]:
            return None
        target = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, target, mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale pictures with more than 8 bits a channel to 8."""
    if image.mode in _SIXTEEN_BIT:
        values = np.asarray(image).astype(np.float32)
        return Image.fromarray(_scaled(values, _white_level(values)))
    if image.mode in ("I", "F"):
        values = np.nan_to_num(np.asarray(image, dtype=np.float32))
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        if low >= 0:
            low = 0.0
            known = [1.0, 255.0, 65535.0] if image.mode == "F" else [255.0, 32767.0, 65535.0]
            high = next((level for level in known if high <= level), high)
        return Image.fromarray(_scaled(values - low, max(high - low, 1e-12)))
    return image


def _scaled(values: NDArray[np.float32], white: float) -> NDArray[np.uint8]:
    scaled: NDArray[np.uint8] = np.clip(values * (255.0 / white) + 0.5, 0, 255).astype(np.uint8)
    return scaled


def _white_level(values: NDArray[np.float32]) -> float:
    """Return the value of white: 65535 by the standard.

    Scanners, microscopes and cameras store 8 to 12 bits in 16, in TIFFs and in PNGs; taken by the
    letter, as browsers do, those would be black. The smallest number of bits that holds their
    values is taken instead.
    """
    brightest = float(values.max()) if values.size else 0.0
    if brightest > 4095:
        return 65535.0
    return next(2.0**bits - 1 for bits in range(8, 13) if brightest <= 2**bits - 1)
