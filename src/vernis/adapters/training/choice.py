"""The networks that can be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernis.domain.errors import NotFound

if TYPE_CHECKING:
    from vernis.domain.training import ClassifierTrainer, DetectorTrainer


def detector_trainer(network: str) -> DetectorTrainer:
    """Return what trains a detector.

    Parameters
    ----------
    network : {'nanodet', 'ssd'}
        The shipped detector, trained on; or an SSD on the shipped backbone.

    Raises
    ------
    MissingExtra
        torch or torchvision is not installed.
    NotFound
        There is no such network.
    """
    from vernis.adapters.training.network import import_torch, import_torchvision

    if network == "nanodet":
        import_torch("learn --model nanodet")
        from vernis.adapters.training.nanodet_training import NanodetTraining

        return NanodetTraining()
    if network == "ssd":
        import_torchvision("learn --model ssd")
        from vernis.adapters.training.ssd_training import SsdTraining

        return SsdTraining()
    raise NotFound(f"expected nanodet or ssd to train, got {network!r}")


def classifier_trainer(epochs: int | None = None) -> ClassifierTrainer:
    """Return what trains the last stages of the backbone; raises MissingExtra without torch."""
    from vernis.adapters.training.classifier_training import ClassifierTraining
    from vernis.adapters.training.network import import_torch

    import_torch("learn --fine-tune")
    training = ClassifierTraining()
    return training if epochs is None else training.with_epochs(epochs)
