"""Approximate search by faiss (extra ``ann``): an inverted file with float16 vectors, on disk.

The index is derived data, kept in ``NAME.vernis/ann/`` beside a note of what it was made from and
of the recall that was measured when it was made.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.search import Hits, best_rows
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import MissingExtra
from vernis.domain.ports import Progress, Rows, silent

RECALL = 0.99
"""Recall of the ten nearest that decides how many cells a query looks into."""

_BLOCK = 65_536
_PROBES = (4, 8, 16, 32, 64, 128, 256)
_JUDGED = 200  # queries on which the recall is measured
_NEIGHBORS = 10
_SPARE = 4  # times as many rows are asked for as are wanted: float16 may swap near ones
_TRAINED_PER_CELL = 40
_CELLS = 2.0  # times the root of the number of vectors
_ROUNDS = 8  # of k-means; more change the recall by less than one probe


def is_installed() -> bool:
    """Return whether the extra is there."""
    try:
        _faiss()
    except MissingExtra:
        return False
    return True


class ApproximateIndex:
    """Finds most of the nearest vectors while it looks at few.

    Parameters
    ----------
    index : the faiss index
    vectors : Rows, shape (n, dim)
        What it was made from; the hits are compared again in full, so scores are exact.
    note : mapping
        ``probes`` (cells a query looks into) and ``recall`` (of the ten nearest, measured).
    """

    def __init__(self, index: Any, vectors: Rows, note: Mapping[str, Any]) -> None:
        self._index = index
        self._vectors = vectors
        self.probes = int(note["probes"])
        self.recall = float(note["recall"])

    @classmethod
    def open(
        cls,
        folder: Path,
        name: str,
        fingerprint: str,
        vectors: Rows,
        *,
        progress: Progress = silent,
    ) -> Self:
        """Open the stored index of these vectors; make and store it where it is missing or stale.

        Parameters
        ----------
        folder : Path
            Where indexes lie.
        name : str
            Of the index's files.
        fingerprint : str
            Of the vectors.
        vectors : Rows, shape (n, dim)
        progress : Progress

        Raises
        ------
        MissingExtra
            faiss is not installed.
        """
        faiss = _faiss()
        path, note_path = folder / f"{name}.faiss", folder / f"{name}.json"
        try:
            note = json.loads(note_path.read_text(encoding="utf-8"))
            if note["fingerprint"] == fingerprint:
                stored = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
                return cls(stored, vectors, note)
        except (OSError, ValueError, KeyError, RuntimeError):  # missing or damaged: made anew
            pass
        index = _build(faiss, vectors, progress)
        note = {"fingerprint": fingerprint, **_tune(faiss, index, vectors, progress)}
        _store(faiss, index, path, note_path, note)
        return cls(index, vectors, note)

    def search(
        self,
        queries: NDArray[np.float32],
        count: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Hits:
        """Find rows with a large product with any of the queries; see ``core.explore.search``."""
        faiss = _faiss()
        count = min(count, len(self._vectors) if allowed is None else int(allowed.sum()))
        options = {"nprobe": self.probes}
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        if bits is not None:
            options["sel"] = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bits))  # type: ignore[arg-type]
        _, rows = self._index.search(
            np.ascontiguousarray(queries, dtype=np.float32),
            max(1, _SPARE * count),
            params=faiss.SearchParametersIVF(**options),
        )
        found = np.unique(rows[rows >= 0])
        scores = (normalize_rows(self._vectors[found]) @ queries.T).max(axis=1)
        return best_rows(found, scores, count)


def _faiss() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its generated bindings
        try:
            import faiss
        except ImportError as error:
            raise MissingExtra("ann", "approximate search") from error
    return faiss


def _build(faiss: Any, vectors: Rows, progress: Progress) -> Any:
    n, dim = vectors.shape
    cells = max(1, min(round(_CELLS * math.sqrt(n)), n // _TRAINED_PER_CELL))
    quantizer = faiss.IndexFlatIP(dim)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.seed = 0
    index.cp.niter = _ROUNDS
    index.cp.min_points_per_centroid = 1
    step = max(1, n // (cells * _TRAINED_PER_CELL))
    progress("approximate index", 0, n)
    index.train(normalize_rows(vectors[::step]))
    for start in range(0, n, _BLOCK):
        index.add(normalize_rows(vectors[start : start + _BLOCK]))
        progress("approximate index", min(n, start + _BLOCK), n)
    index.own_fields = True
    quantizer.this.disown()
    return index


def _tune(faiss: Any, index: Any, vectors: Rows, progress: Progress) -> dict[str, float]:
    """Return the fewest cells that reach the recall, and the recall, on vectors of its own."""
    n = len(vectors)
    asked = normalize_rows(vectors[:: max(1, n // _JUDGED)][:_JUDGED])
    best = np.full((len(asked), 0), -2.0, dtype=np.float32)
    count = min(_NEIGHBORS, n)
    for start in range(0, n, _BLOCK):
        block = asked @ normalize_rows(vectors[start : start + _BLOCK]).T
        both = np.concatenate([best, block], axis=1)
        best = np.partition(both, both.shape[1] - min(count, both.shape[1]), axis=1)[:, -count:]
        progress("recall of the index", min(n, start + _BLOCK), n)
    worst = best.min(axis=1, keepdims=True) - 1e-3  # float16 rounds by less
    recall, probes = 0.0, 1
    for probes in (p for p in (*_PROBES, index.nlist) if p <= index.nlist):
        options = faiss.SearchParametersIVF(nprobe=probes)
        scores, _ = index.search(asked, count, params=options)
        recall = float((scores >= worst).mean())
        if recall >= RECALL:
            break
    return {"probes": probes, "recall": recall}


def _store(faiss: Any, index: Any, path: Path, note_path: Path, note: dict[str, Any]) -> None:
    """Write index and note; in a read-only folder the index serves this process only."""
    partial = path.with_name(f".{path.name}.part")
    note_partial = note_path.with_name(f".{note_path.name}.part")
    try:
        path.parent.mkdir(exist_ok=True)
        note_path.unlink(missing_ok=True)  # never a note about another index
        faiss.write_index(index, str(partial))
        partial.replace(path)
        note_partial.write_text(json.dumps(note), encoding="utf-8")
        note_partial.replace(note_path)
    except (OSError, RuntimeError):
        for left in (partial, note_partial):
            with suppress(OSError):
                left.unlink()
