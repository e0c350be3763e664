"""Open the graphs of a text reader on ONNX Runtime, one thread a session."""

from __future__ import annotations

import onnxruntime

from vernis.domain.errors import ModelError


def open_graph(model: bytes, source: object) -> onnxruntime.InferenceSession:
    """Make a session that works on the calling thread alone.

    Raises
    ------
    ModelError
        When ONNX Runtime refuses the graph; `source` names it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised and told once
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime's exceptions have no common base but Exception.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{source}: ONNX Runtime cannot load it ({reason})") from error
