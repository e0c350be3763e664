"""Tables that digital asset management systems import: one writer, a profile a system.

Sources: experienceleague.adobe.com, "Import and export asset metadata in bulk" (AEM);
support.canto.com, "Metadata Import"; support.bynder.com, "Import Assets via Professional Services";
resourcespace.com, "CSV upload".
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from vernis.adapters.interchange.formats.interface import Written, new_folder
from vernis.core.exchange.losses import reduce_to
from vernis.core.words.spelling import plain_form
from vernis.domain.errors import UsageError
from vernis.domain.exchange import Carries, ExchangeImage, ExchangeSet, Loss

System = Literal["aem", "canto", "bynder", "resourcespace"]

_CARRIES = Carries(image_labels="many", unlabelled=False, taxonomies="many")
_TWIN = {"|": "｜", ";": "；", ",": "，"}
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Profile:
    """What one system asks of a table.

    Attributes
    ----------
    key : str
        Header of the first column, or of the column that names the file.
    joiner : str
        Stands between the values of one cell.
    keywords : str
        Header of the column that takes all taxonomies which have no column of their own.
    own_column : str
        How the header of a taxonomy's own column is written; ``{}`` stands for its name.
    whole_path : bool
        The key is the path of the image, not its file name alone.
    rows_a_file : int
        0 for any number.
    fixed : mapping of str to str
        Further columns in their order, with the value of every row; those of the key and of the
        keywords stand among them by name.
    hint : str
        What to set at the import, in a line.
    """

    key: str
    joiner: str
    keywords: str
    own_column: str = "{}"
    whole_path: bool = False
    rows_a_file: int = 0
    fixed: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""


PROFILES: Mapping[System, Profile] = {
    "aem": Profile(
        key="assetPath",
        joiner="|",
        keywords="dc:subject {{String: multi}}",
        own_column="{} {{{{String: multi}}}}",
        whole_path=True,
        hint="multi value delimiter | and a batch size of 100 at most; prefix the paths with"
        " /content/dam/… as they stand in AEM",
    ),
    "canto": Profile(
        key="File Name",
        joiner=";",
        keywords="Keywords",
        hint="columns that are not in the file stay as they are in Canto",
    ),
    "bynder": Profile(
        key="Path to Assets",
        joiner=",",
        keywords="Tags",
        whole_path=True,
        rows_a_file=25_000,
        fixed={
            "Asset Name": "{stem}",
            "Asset Description": "",
            "Brand": "{brand}",
            "Date Created": "",
            "Copyright": "",
            "Tags": "",
            "Path to Assets": "",
            "Archived": "0",
        },
        hint="Bynder's sheet has a ninth fixed column before the metaproperties: copy it from the"
        " example that Bynder gives you",
    ),
    "resourcespace": Profile(
        key="Original filename",
        joiner=",",
        keywords="Keywords",
        hint="match the resources by the column Original filename",
    ),
}
"""What each system asks for."""


@dataclass(frozen=True, slots=True)
class AssetSettings:
    """How the table is written.

    Attributes
    ----------
    prefix : str
        Set before the path of each image: ``/content/dam/shop``.
    columns : mapping of str to str
        Taxonomy → the name of its property in the system, for a column of its own; the others go
        together into the column of keywords.
    brand : str
        Bynder: the brand that each asset belongs to; it asks for one.
    """

    prefix: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    brand: str = ""


def write_assets(
    exchange: ExchangeSet, out: Path, system: System, settings: AssetSettings | None = None
) -> Written:
    """Write the table of a system into a new folder, in several files where it wants that.

    Parameters
    ----------
    exchange : ExchangeSet
    out : Path
    system : str
    settings : AssetSettings, optional

    Returns
    -------
    Written
        Its notes name what to set at the import, images that share a file name, and near misses of
        spelling, which make Bynder's import fail.

    Raises
    ------
    UsageError
        The system is not known, or asks for a brand that is not named.
    """
    settings = settings or AssetSettings()
    if system not in PROFILES:
        raise UsageError(f"no system '{system}'; there are {', '.join(PROFILES)}")
    profile = PROFILES[system]
    if "{brand}" in profile.fixed.values() and not settings.brand:
        raise UsageError(f"{system} asks for the brand of each asset; name it")
    reduced = reduce_to(exchange, _CARRIES)
    images = reduced.exchange.images
    header = _header(profile, settings)
    changed: set[str] = set()
    rows = [_row(image, profile, settings, header, changed) for image in images]
    with new_folder(out) as folder:
        most = profile.rows_a_file or max(1, len(rows))
        starts = range(0, max(1, len(rows)), most)
        for number, start in enumerate(starts, 1):
            name = f"{system}.csv" if len(starts) == 1 else f"{system}-{number}.csv"
            with open(folder / name, "w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(header)
                writer.writerows(rows[start : start + most])
    notes = [*_notes(images, profile), profile.hint, *near_misses(reduced.exchange)]
    losses = reduced.losses
    if changed:
        text = f"classes that hold the sign '{profile.joiner}' between values, written as its twin"
        losses = (*losses, Loss("class names", len(changed), text))
    return Written(out, len(images), losses, tuple(notes))


def _header(profile: Profile, settings: AssetSettings) -> list[str]:
    own = [profile.own_column.format(name) for name in settings.columns.values()]
    fixed = list(profile.fixed) if profile.fixed else [profile.key, profile.keywords]
    return [*fixed, *own]


def _row(
    image: ExchangeImage,
    profile: Profile,
    settings: AssetSettings,
    header: list[str],
    changed: set[str],
) -> list[str]:
    path = PurePosixPath(image.uri)
    given = {"{stem}": path.stem, "{brand}": settings.brand}
    cells = {name: given.get(value, value) for name, value in profile.fixed.items()}
    whole = f"{settings.prefix.rstrip('/')}/{image.uri}" if settings.prefix else image.uri
    cells[profile.key] = whole if profile.whole_path else path.name
    cells[profile.keywords] = _joined(
        [label.label for label in image.labels if label.taxonomy not in settings.columns],
        profile.joiner,
        changed,
    )
    for taxonomy, name in settings.columns.items():
        labels = [label.label for label in image.labels if label.taxonomy == taxonomy]
        cells[profile.own_column.format(name)] = _joined(labels, profile.joiner, changed)
    return [cells[name] for name in header]


def _joined(labels: list[str], joiner: str, changed: set[str]) -> str:
    """Join values; the joiner inside one becomes its full-width twin: no system knows an escape."""
    changed |= {label for label in labels if joiner in label}
    return joiner.join(dict.fromkeys(label.replace(joiner, _TWIN[joiner]) for label in labels))


def _notes(images: tuple[ExchangeImage, ...], profile: Profile) -> list[str]:
    if profile.whole_path:
        return []
    names = Counter(PurePosixPath(image.uri).name for image in images)
    twice = [name for name, count in names.items() if count > 1]
    if not twice:
        return []
    shown = ", ".join(twice[:_MOST_NAMED])
    return [
        f"{len(twice):,} file names stand for several images ({shown}); the system cannot tell"
        " them apart"
    ]


def near_misses(exchange: ExchangeSet) -> list[str]:
    """Return a line for each group of classes that differ only in case, accents or signs."""
    groups: dict[str, dict[str, None]] = {}
    for taxonomy in exchange.taxonomies:
        for found in taxonomy.classes:
            groups.setdefault(plain_form(found.name), {})[found.name] = None
    return [
        f"near misses of spelling: {', '.join(names)}"
        for plain, names in groups.items()
        if plain and len(names) > 1
    ]
