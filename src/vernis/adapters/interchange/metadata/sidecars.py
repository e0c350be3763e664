"""Which sidecar belongs to an image.

``NAME.EXT.xmp`` (digiKam, darktable, Immich) is written; ``NAME.xmp`` (Adobe) is taken where it is
there and can mean no other file: beside a raw picture of the same stem it is that picture's.
"""

from __future__ import annotations

from pathlib import Path

from vernis.domain.metadata import SidecarStyle

RAW_SUFFIXES = frozenset(
    [
        *(".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw"),
        *(".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
        *(".x3f",),
    ]
)

_OTHER_SUFFIXES = frozenset(
    [
        *(".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jp2", ".jpe", ".jpeg", ".jpg"),
        *(".mov", ".mp4", ".png", ".psd", ".tif", ".tiff", ".webp"),
    ]
)


def sidecar_of(image: Path, style: SidecarStyle = "full") -> Path:
    """Return the sidecar of an image: the one that is there, or the name of a new one.

    Parameters
    ----------
    image : Path
    style : str
        For a new sidecar.
    """
    full = image.with_name(image.name + ".xmp")
    found = existing_sidecar(image)
    if found is not None:
        return found
    if style == "stem" and _owns_stem(image):
        return image.with_suffix(".xmp")
    return full


def existing_sidecar(image: Path) -> Path | None:
    """Return the sidecar of an image, None where there is none."""
    for name in (image.name, image.stem):
        for ending in (".xmp", ".XMP"):
            path = image.with_name(name + ending)
            if path.is_file() and (name == image.name or _owns_stem(image)):
                return path
    return None


def _owns_stem(image: Path) -> bool:
    """Tell whether ``NAME.xmp`` can mean this image only.

    Looks for files of known kinds by name: listing the folder for each of its files would take
    the square of their number.
    """
    own = image.suffix.lower()
    if not own or own == ".xmp":
        return False
    rivals = RAW_SUFFIXES if own in RAW_SUFFIXES else RAW_SUFFIXES | _OTHER_SUFFIXES
    return not any(
        image.with_name(image.stem + written).exists()
        for suffix in rivals
        if suffix != own
        for written in (suffix, suffix.upper())
    )
