"""Running a graph on OpenVINO instead of ONNX Runtime (extra ``openvino``)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import MissingExtra, ModelError

# OpenVINO meets NumPy at its first array, and two threads that do so at once wait for one another
# for ever: the first array is made by one thread alone. So is the import.
_ONE_AT_A_TIME = threading.Lock()
_TELEMETRY = "openvino_telemetry"


class OpenVinoSession:
    """A compiled graph with the ``run`` of an ONNX Runtime session.

    Parameters
    ----------
    compiled : openvino.CompiledModel
    """

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._outputs = {name: port for port in compiled.outputs for name in port.get_names()}

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the values of the outputs, in their order."""
        results = self._request.infer(dict(feeds))
        return [results[self._outputs[name]].copy() for name in outputs]


def open_openvino(model: bytes, source: object) -> OpenVinoSession:
    """Make a session that works on one thread.

    Raises
    ------
    MissingExtra
        OpenVINO is not installed.
    ModelError
        OpenVINO refuses the graph; ``source`` names it.
    """
    openvino = _import_quietly()
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    try:
        with _ONE_AT_A_TIME:
            _ = openvino.Tensor(np.zeros(1, np.float32)).data
        core = openvino.Core()
        return OpenVinoSession(core.compile_model(core.read_model(model), "CPU", options))
    except Exception as error:
        # OpenVINO raises bare RuntimeErrors of several lines.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[-1]
        raise ModelError(f"{source}: OpenVINO cannot load it ({reason})") from error


def _import_quietly() -> Any:
    """Import OpenVINO without the package by which the import reports itself to a server.

    Where that package cannot be imported, OpenVINO uses a stub in its place.
    """
    with _ONE_AT_A_TIME:
        hidden = "openvino" not in sys.modules and _TELEMETRY not in sys.modules
        if hidden:
            sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
        try:
            import openvino
        except ImportError as error:
            raise MissingExtra("openvino", "--runtime openvino") from error
        finally:
            if hidden:
                del sys.modules[_TELEMETRY]
    return openvino
