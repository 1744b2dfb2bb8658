"""A trained network made ready to run: compiled by OpenVINO where it is installed, else torch without gradients."""
from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import nn

from hand_recon_ros.detection.inference import load_openvino
from hand_recon_ros.types import checked_choice

BACKENDS = ('auto', 'openvino', 'torch')


class CompiledNetwork:
    """NumPy in, NumPy out, for inputs of fixed shapes. backend: the one in use, 'openvino' or 'torch'.

    Both agree to 1e-2 of the outputs' size: OpenVINO is told to compute in float32. Not for use from two threads.
    """

    def __init__(self, network: nn.Module, examples: tuple[np.ndarray, ...], backend: str = 'auto', threads: int = 1):
        """examples: inputs of the shapes to come. ValueError where OpenVINO is asked for and not installed."""
        checked_choice('backend', backend, BACKENDS)
        self._shapes = [example.shape for example in examples]
        self._network, self._request, self._threads = network.eval(), None, threads
        if backend != 'torch':
            try:
                openvino = load_openvino()
            except ValueError:
                if backend == 'openvino':
                    raise
            else:
                self._request = self._compiled(openvino, examples)
        self.backend = 'torch' if self._request is None else 'openvino'

    def _compiled(self, openvino, examples):
        given = tuple(torch.from_numpy(np.asarray(example, np.float32)) for example in examples)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')         # tracing complains about shapes turned constant: they are
            model = openvino.convert_model(self._network, example_input=given, input=[list(s) for s in self._shapes])
        return openvino.Core().compile_model(model, 'CPU', {
            'INFERENCE_NUM_THREADS': self._threads, 'NUM_STREAMS': 1, 'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_PRECISION_HINT': 'f32'}).create_infer_request()

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """The network's outputs in their order, float32."""
        given = [np.ascontiguousarray(value, np.float32) for value in inputs]
        for value, shape in zip(given, self._shapes, strict=True):
            if value.shape != shape:
                raise ValueError(f'input: shape {value.shape}, expected {shape}')
        if self._request is not None:
            self._request.infer(dict(enumerate(given)))
            return [tensor.data.copy() for tensor in self._request.output_tensors]
        with torch.inference_mode():
            outputs = self._network(*(torch.from_numpy(value) for value in given))
        outputs = (outputs,) if isinstance(outputs, torch.Tensor) else outputs
        return [output.numpy() for output in outputs]
