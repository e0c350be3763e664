"""The process that draws pages of a PDF: FILE FOLDER PAGE, 0 for all of them.

Ends with 3 where the file is encrypted, 4 where it is no PDF, 5 where there is no such page.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_DOTS = 150  # an inch
_LONGEST = 2_200  # pixels of a page's longer side
_MEMORY = 4 << 30
_POINTS = 72
_MOST = 2_000
_ENCRYPTED, _NO_PDF, _NO_PAGE = 3, 4, 5
_PASSWORD, _SECURITY = 4, 5  # PDFium's errors


def draw(path: Path, folder: Path, page: int) -> int:
    """Draw pages into a folder, named by their numbers; returns the exit code."""
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        code = getattr(error, "err_code", 0)
        encrypted = code in (_PASSWORD, _SECURITY) or "password" in str(error).lower()
        return _ENCRYPTED if encrypted else _NO_PDF
    count = len(document)
    if not count:
        return _NO_PDF
    if page > count:
        return _NO_PAGE
    for number in [page] if page else range(1, min(count, _MOST) + 1):
        one = document[number - 1]
        longest = max(one.get_size())
        scale = min(_DOTS / _POINTS, _LONGEST / max(longest, 1e-3))
        bitmap: Any = one.render(scale=scale)
        bitmap.to_pil().convert("RGB").save(folder / f"{number:06d}.png", compress_level=1)
        one.close()
    return 0


def main() -> None:
    """Draw what the command line says."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    path, folder, page = sys.argv[1:]
    sys.exit(draw(Path(path), Path(folder), int(page)))


if __name__ == "__main__":
    main()
