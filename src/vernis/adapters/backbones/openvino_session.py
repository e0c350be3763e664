"""Running a graph on OpenVINO instead of ONNX Runtime (extra ``openvino``)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import MissingExtra, ModelError

# OpenVINO meets NumPy at its first array, and two threads that do so at once wait for one another
# for ever: the first array is made by one thread alone.
_FIRST_ARRAY = threading.Lock()


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
    try:
        import openvino
    except ImportError as error:
        raise MissingExtra("openvino", "--runtime openvino") from error
    options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
    try:
        with _FIRST_ARRAY:
            _ = openvino.Tensor(np.zeros(1, np.float32)).data
        core = openvino.Core()
        return OpenVinoSession(core.compile_model(core.read_model(model), "CPU", options))
    except Exception as error:
        # OpenVINO raises bare RuntimeErrors of several lines.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[-1]
        raise ModelError(f"{source}: OpenVINO cannot load it ({reason})") from error
