"""What every model of a comparison gets: one projection, fitted on the training images alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn.scaling import BlockScaler, Projection, fit_projection
from vernis.core.numeric.rows import normalize_rows
from vernis.core.numeric.threads import single_threaded_products

Floats = NDArray[np.float32]


class VectorPreprocessor:
    """Layers of equal say, unit rows, principal components; the vectors' overall variance is 1.

    Parameters
    ----------
    slices : sequence of (start, stop)
        The columns of each layer.
    n_components : int or None
        None keeps all columns.
    seed : int
    """

    def __init__(
        self, slices: Sequence[tuple[int, int]], n_components: int | None = 100, seed: int = 0
    ) -> None:
        self.slices = list(slices)
        self.n_components = n_components
        self.seed = seed

    def fit(self, X: Floats) -> VectorPreprocessor:
        """Learn from the training images, shape (n_images, n_features)."""
        self.scaler_ = BlockScaler(self.slices).fit(X) if len(self.slices) > 1 else None
        self.projection_: Projection = fit_projection(
            self._scaled(X), self.n_components, seed=self.seed
        )
        return self

    def apply(self, X: Floats) -> Floats:
        """Return the projected vectors, shape (n_images, n_components)."""
        return self.projection_.apply(self._scaled(X))

    def _scaled(self, X: Floats) -> Floats:
        return X if self.scaler_ is None else self.scaler_.transform(X)


class TextPreprocessor:
    """TF-IDF of the words of each image, reduced by latent semantic analysis.

    Sublinear term frequencies, words in two images or more; see Manning, Raghavan and Schütze,
    *Introduction to Information Retrieval* (2008), ch. 6 and 18.

    Parameters
    ----------
    n_components : int
    seed : int
    """

    def __init__(self, n_components: int = 100, seed: int = 0) -> None:
        self.n_components = n_components
        self.seed = seed

    def fit(self, texts: Sequence[str]) -> TextPreprocessor:
        """Learn the vocabulary and the components from the training images' texts."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.vectorizer_ = TfidfVectorizer(
            sublinear_tf=True, min_df=2, token_pattern=r"(?u)[^\W\d_]{2,}"
        )
        self.svd_ = None
        try:
            table = self.vectorizer_.fit_transform(texts)
        except ValueError:  # no word is in two images
            return self
        n_components = min(self.n_components, min(table.shape) - 1)
        if n_components >= 1:
            with single_threaded_products():
                self.svd_ = TruncatedSVD(n_components, random_state=self.seed).fit(table)
        return self

    @property
    def columns(self) -> int:
        """Components that the texts gave; 0 where no word is in two of them."""
        return 0 if self.svd_ is None else len(self.svd_.components_)

    def apply(self, texts: Sequence[str]) -> Floats:
        """Return unit vectors, shape (n_images, n_components); zeros for images without words."""
        if self.svd_ is None:
            return np.zeros((len(texts), 1), np.float32)
        return normalize_rows(
            np.asarray(self.svd_.transform(self.vectorizer_.transform(texts)), np.float32)
        )


def keep_components(train: Floats, test: Floats, n_components: int) -> tuple[Floats, Floats]:
    """Return the first columns of projected vectors, brought back to an overall variance of 1.

    Principal components are nested, so one projection serves every number of them. The variance is
    that of the training images.
    """
    variance = float(train[:, :n_components].var(axis=0).mean())
    scale = np.float32(1 / np.sqrt(variance) if variance > 1e-24 else 1)
    return train[:, :n_components] * scale, test[:, :n_components] * scale
