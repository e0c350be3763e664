"""The detectors that can be trained, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vernis.domain.errors import NotFound

if TYPE_CHECKING:
    from vernis.domain.training import DetectorTrainer


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
