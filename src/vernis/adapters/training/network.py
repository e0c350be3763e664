"""A `FloatGraph` as a network of torch, whose later weights learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vernis.adapters.training.float_graph import FloatGraph, Node
from vernis.domain.errors import MissingExtra


def import_torch(purpose: str) -> Any:
    """Return torch; raises MissingExtra, which says what it is needed for."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", purpose) from error
    return torch


def import_torchvision(purpose: str) -> Any:
    """Return torchvision; raises MissingExtra."""
    try:
        import torchvision
    except ImportError as error:
        raise MissingExtra("torch", purpose) from error
    return torchvision


def training_device(torch: Any) -> Any:
    """Return the graphics processor where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fast_arithmetic(torch: Any, device: Any) -> Any:
    """Return the context in which a network runs: 16 bits (bfloat16) where they are faster.

    They are on graphics processors, and on processors that multiply tiles of them; the weights and
    the loss stay in 32 bits.
    """
    known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    faster = device.type == "cuda" or bool(known.get("amx_bf16") or known.get("amx_tile"))
    return torch.autocast(device.type, torch.bfloat16, enabled=faster)


class TrainableNetwork:
    """Runs a graph in torch.

    Parameters
    ----------
    torch : module
    graph : FloatGraph
    frozen : sequence of str
        Nodes whose output begins so, and their weights, stay as they are; no gradient is
        calculated for them.
    device : torch.device
    entrance : str
        What goes in: pictures, or a map of a graph whose first stages are left out.

    Attributes
    ----------
    parameters : dict of str to Tensor
        The weights that learn.
    """

    def __init__(
        self,
        torch: Any,
        graph: FloatGraph,
        frozen: Sequence[str],
        device: Any = "cpu",
        entrance: str = "images",
    ) -> None:
        self._torch, self.graph, self._frozen = torch, graph, tuple(frozen)
        self._entrance = entrance
        self.parameters: dict[str, Any] = {}
        self._constants: dict[str, Any] = {}
        convolved = {n for node in graph.nodes if node.kind in _LEARNING for n in node.inputs[1:]}
        for name, values in graph.weights.items():
            tensor = torch.from_numpy(np.array(values)).to(device)
            if name in convolved and not name.startswith(self._frozen):
                self.parameters[name] = tensor.float().requires_grad_()
            else:
                self._constants[name] = tensor
        learning = set(self.parameters)
        self._grown: set[str] = set()  # outputs that depend on a weight that learns
        for node in graph.nodes:
            if any(name in learning or name in self._grown for name in node.inputs):
                self._grown.add(node.output)

    def __call__(self, images: Any) -> list[Any]:
        """Return the outputs for pictures, uint8, shape (n, height, width, 3)."""
        torch, values = self._torch, {self._entrance: images}
        learning = torch.is_grad_enabled()
        for node in self.graph.nodes:
            inputs = [self._value(values, name) for name in node.inputs if name]
            with torch.set_grad_enabled(learning and node.output in self._grown):
                values[node.output] = _OPERATIONS[node.kind](torch, inputs, node)
        return [values[name].float() for name in self.graph.outputs]

    def trained(self, parameters: dict[str, Any] | None = None) -> FloatGraph:
        """Return the graph with the weights as they are now, or with those that are given."""
        return self.graph.with_weights(
            {
                name: np.asarray(value.detach().cpu().numpy(), np.float32)
                for name, value in (parameters or self.parameters).items()
            }
        )

    def _value(self, values: dict[str, Any], name: str) -> Any:
        for held in (values, self.parameters, self._constants):
            if name in held:
                return held[name]
        raise KeyError(name)


def _convolve(torch: Any, inputs: list[Any], node: Node) -> Any:
    top, left, bottom, right = node.options["pads"]
    picture, strides = inputs[0], tuple(node.options["strides"])
    pads = (top, left)
    if (top, left) != (bottom, right):  # one side alone is padded where a stride asks for it
        picture = torch.nn.functional.pad(picture, (left, right, top, bottom))
        pads = (0, 0)
    return torch.nn.functional.conv2d(
        picture, inputs[1], inputs[2], strides, pads, groups=node.options.get("group", 1)
    )


def _maximum(torch: Any, inputs: list[Any], node: Node) -> Any:
    how = node.options
    return torch.nn.functional.max_pool2d(
        inputs[0], tuple(how["kernel_shape"]), tuple(how["strides"]), tuple(how["pads"][:2])
    )


def _halve(torch: Any, inputs: list[Any], node: Node) -> Any:
    how = node.options
    return torch.nn.functional.avg_pool2d(
        inputs[0], tuple(how["kernel_shape"]), tuple(how["strides"])
    )


def _resize(torch: Any, inputs: list[Any], node: Node) -> Any:
    factors = [float(one) for one in inputs[1][2:]]
    return torch.nn.functional.interpolate(
        inputs[0], scale_factor=factors, mode="bilinear", align_corners=False
    )


_LEARNING = ("Conv", "Gemm")
_OPERATIONS: dict[str, Callable[[Any, list[Any], Node], Any]] = {
    "Transpose": lambda torch, x, node: x[0].permute(*node.options["perm"]),
    "Cast": lambda torch, x, node: x[0].float(),
    "Sub": lambda torch, x, node: x[0] - x[1],
    "Mul": lambda torch, x, node: x[0] * x[1],
    "Add": lambda torch, x, node: x[0] + x[1],
    "Relu": lambda torch, x, node: torch.relu(x[0]),
    "LeakyRelu": lambda torch, x, node: torch.nn.functional.leaky_relu(x[0], node.options["alpha"]),
    "Clip": lambda torch, x, node: x[0].clamp(float(x[1]), float(x[2])),
    "Concat": lambda torch, x, node: torch.cat(x, node.options["axis"]),
    "Conv": _convolve,
    "MaxPool": _maximum,
    "AveragePool": _halve,
    "GlobalAveragePool": lambda torch, x, node: x[0].mean((2, 3), keepdim=True),
    "Flatten": lambda torch, x, node: x[0].flatten(1),
    "Gemm": lambda torch, x, node: torch.nn.functional.linear(x[0], x[1], x[2]),
    "Resize": _resize,
}
