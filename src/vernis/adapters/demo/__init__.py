"""The demo collection: a miniature digital asset library drawn by code.

Never: the scoring of what was found in it, or pictures of others.
"""

from __future__ import annotations

from vernis.adapters.demo.generate import generate_demo
from vernis.adapters.demo.truth import DemoTruth, PlantedCopy, PlantedLabel

__all__ = ["DemoTruth", "PlantedCopy", "PlantedLabel", "generate_demo"]
