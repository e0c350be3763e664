"""Pages of PDF files, drawn by PDFium (extra ``pdf``: pypdfium2, Apache License 2.0 or BSD).

PDFium reads what anybody may have written, so it runs in a process of its own, with limits of time
and memory; when that dies, one file is reported.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from vernis.domain.errors import UnreadableImage
from vernis.domain.parts import page_of

MOST = 2_000
"""Pages of a file that are drawn."""
_TIMEOUT = 600  # seconds
_REASONS = {
    3: "the PDF is encrypted; save it without a password",
    4: "the file is no PDF, or is damaged",
    5: "the PDF has no such page",
}


def list_pages(path: Path, take: Callable[[str, Path], None]) -> tuple[str, ...]:
    """Return the places of a PDF's pages, and hand each page's file on.

    Parameters
    ----------
    path : Path
    take : callable
        Gets place and file of each page; the file is gone afterwards.

    Raises
    ------
    UnreadableImage
        It is no PDF, is encrypted or damaged, or the extra is missing.
    """
    with TemporaryDirectory(prefix="vernis-") as folder:
        _run(path, Path(folder), 0)
        files = sorted(Path(folder).glob("*.png"))
        for file in files:
            take(f"page={int(file.stem)}", file)
        return tuple(f"page={int(file.stem)}" for file in files)


def write_page(path: Path, place: str, target: Path) -> None:
    """Draw a page of a PDF as a PNG; raises UnreadableImage."""
    page = page_of(place)
    if page is None:
        raise UnreadableImage(path, f"{place!r} is no page")
    with TemporaryDirectory(prefix="vernis-") as folder:
        _run(path, Path(folder), page)
        target.write_bytes((Path(folder) / f"{page:06d}.png").read_bytes())


def _run(path: Path, folder: Path, page: int) -> None:
    if find_spec("pypdfium2") is None:
        raise UnreadableImage(path, 'its pages need an extra: pip install "vernis[pdf]"')
    command = [sys.executable, "-m", "vernis.adapters.parts.pdf_helper"]
    try:
        done = subprocess.run(
            [*command, str(path), str(folder), str(page)],
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableImage(path, f"drawing its pages takes longer than {_TIMEOUT} s") from error
    if done.returncode:
        reason = _REASONS.get(done.returncode, "PDFium fails on it; it may be damaged")
        raise UnreadableImage(path, reason)
