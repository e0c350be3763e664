"""``Models``: detectors, readers of text, trainers, and models that were saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.domain.errors import UsageError
from vernis.domain.ports import Pixels
from vernis.domain.readings import TextModel
from vernis.domain.types import ModelRecord

if TYPE_CHECKING:
    from vernis.adapters.detectors.learned import LearnedDetector
    from vernis.adapters.detectors.nanodet import ObjectModel
    from vernis.core.detect.cell_head import PictureCells
    from vernis.domain.training import ClassifierTrainer, DetectorTrainer
    from vernis.session.session import Session


class Models:
    """What is shipped, trained or saved, beside the networks that make embedding spaces.

    Parameters
    ----------
    session : Session
        Whose catalog and device are used.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def object_model(self) -> ObjectModel:
        """Return the detector of objects that is shipped; raises ModelError."""
        from vernis.adapters.detectors.nanodet import shipped_model

        return replace(shipped_model(), start=self._session.networks.start)

    def cell_reader(self, side: int) -> Callable[[], Callable[[Pixels], PictureCells]]:
        """Return what opens a reader of the cells of pictures of that longer side, for a worker."""
        from vernis.adapters.detectors.known_cells import open_known_cells
        from vernis.adapters.detectors.nanodet import shipped_model

        model = shipped_model()
        return lambda: open_known_cells(model, side=side)

    def detector_trainer(self, network: str) -> DetectorTrainer:
        """Return what trains ``nanodet`` or ``ssd``; raises MissingExtra without torch."""
        from vernis.adapters.training.choice import detector_trainer

        return detector_trainer(network)

    def classifier_trainer(self, epochs: int | None = None) -> ClassifierTrainer:
        """Return what trains the last stages of the backbone; raises MissingExtra without torch."""
        from vernis.adapters.training.choice import classifier_trainer

        return classifier_trainer(epochs)

    def learned_detector(self, model: ModelRecord | Path) -> LearnedDetector:
        """Return a saved detector, of the collection or of a folder; raises ModelError."""
        from vernis.adapters.detectors.learned import restore_detector

        if isinstance(model, Path):
            document = self.read_model_document(model)
            arrays, settings = self.read_model_folder(model)
            told = document["name"], document["version"], document["fingerprint"]
        else:
            arrays, settings = self._session.catalog.models.load(model)
            told = model.name, model.version, model.fingerprint
        return restore_detector(*told, arrays, settings)

    def text_model(self, name: Path | str | None = None, *, gate: bool = True) -> TextModel:
        """Return the reader that is shipped, or that of a folder.

        Parameters
        ----------
        name : Path or str, optional
            A folder, or the name of the shipped reader.
        gate : bool
            Whether a quick look decides first which pictures hold any text.

        Raises
        ------
        ModelError
            The folder holds no reader.
        UsageError
            There is no such folder.
        """
        from vernis.adapters.readers.models import SHIPPED, folder_model, shipped_model
        from vernis.adapters.readers.onnx_reader import ReaderSettings

        settings = ReaderSettings() if gate else ReaderSettings(gate_side=0)
        if name is None or str(name) == SHIPPED:
            return replace(shipped_model(settings), start=self._session.networks.start)
        if not Path(name).is_dir():
            raise UsageError(
                f"{name}: no such reader; there are: {SHIPPED} (shipped), and any folder with a "
                "detector, a recognizer and an alphabet"
            )
        return replace(folder_model(Path(name), settings), start=self._session.networks.start)

    def alphabet_of(self, source: str) -> tuple[str, ...] | None:
        """Return the symbols that a reader (``reader:NAME``) knows; None unless it is shipped."""
        from vernis.adapters.readers.models import SHIPPED, shipped_model

        return shipped_model().alphabet if source == f"reader:{SHIPPED}" else None

    def read_model_document(self, folder: Path) -> Mapping[str, Any]:
        """Return what a saved model's folder says of the model; raises ModelError."""
        from vernis.adapters.catalog.models import read_model_folder

        return read_model_folder(folder)[1]

    def read_model_folder(self, folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Return arrays and settings of a saved model's folder; raises ModelError."""
        from vernis.adapters.catalog.models import read_model_folder

        arrays, document = read_model_folder(folder)
        return arrays, document["settings"]
