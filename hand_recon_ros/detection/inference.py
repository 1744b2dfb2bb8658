"""MediaPipe's own network files run by OpenVINO: read from the installed wheel, compiled once, fed uint8 images."""
from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np

from hand_recon_ros.types import checked_choice

PALM_MODEL = 'modules/palm_detection/palm_detection_full.tflite'
LANDMARK_MODEL = 'modules/hand_landmark/hand_landmark_full.tflite'
PRECISIONS = ('auto', 'f32', 'bf16')


def load_openvino():
    """The openvino module; ValueError naming the extra that brings it when it is not installed."""
    # Its import would fork this process, JAX and ROS threads and all, to send usage data to its makers. It does without
    # where its telemetry is not installed, which None says.
    sys.modules.setdefault('openvino_telemetry', None)
    try:
        return importlib.import_module('openvino')
    except ImportError as error:
        raise ValueError(f"detector: 'openvino' needs OpenVINO ({error}), expected pip install '.[openvino]', "
                         "or the detector 'mediapipe'") from error


def model_path(name: str) -> Path:
    """File of one of MediaPipe's models inside its wheel; ValueError when the wheel or the file is not there."""
    spec = importlib.util.find_spec('mediapipe')
    if spec is None or not spec.submodule_search_locations:
        raise ValueError('detector: mediapipe is not installed, expected its wheel, which holds the networks')
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file():
        raise ValueError(f'detector: no {name} in the mediapipe wheel, expected mediapipe 0.10.21')
    return path


class Network:
    """One network, compiled for fixed batch sizes: dynamic ones are slower and compile at the first use of each.

    name: PALM_MODEL or LANDMARK_MODEL. batch_sizes: those to compile. threads: CPU threads of one call. precision:
    'bf16' (1.7 times faster, landmarks 0.3 % of the box from f32's), 'f32', or 'auto': bf16 where the CPU has
    instructions for it, else f32. The same input gives the same answer, bit for bit. Not for use from two threads.
    """

    def __init__(self, name: str, batch_sizes: tuple[int, ...] = (1,), threads: int = 1, precision: str = 'auto'):
        checked_choice('precision', precision, PRECISIONS)
        if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
            raise ValueError(f'threads: {threads!r}, expected a whole number of at least 1')
        openvino = load_openvino()
        path = model_path(name)
        core = openvino.Core()
        if precision == 'auto':
            precision = 'bf16' if 'BF16' in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES') else 'f32'
        self._requests = {}
        for batch in sorted(set(batch_sizes)):
            model = core.read_model(path)
            self.input_shape = tuple(model.inputs[0].shape)[1:]
            model.reshape([batch, *self.input_shape])
            compiled = core.compile_model(_taking_bytes(openvino, model), 'CPU', {
                'INFERENCE_NUM_THREADS': int(threads), 'NUM_STREAMS': 1, 'PERFORMANCE_HINT': 'LATENCY',
                'INFERENCE_PRECISION_HINT': precision})
            self._requests[batch] = compiled.create_infer_request()

    @property
    def largest_batch(self) -> int:
        return max(self._requests)

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """Outputs, in the file's order, first axis N, of N images (N, H, W, 3) uint8; more than a batch go in turns."""
        if images.dtype != np.uint8 or images.shape[1:] != self.input_shape:
            raise ValueError(f'images: {images.dtype} {images.shape}, expected uint8 (N, '
                             + ', '.join(map(str, self.input_shape)) + ')')
        parts = []
        start = 0
        while start < len(images):
            batch = max((size for size in self._requests if size <= len(images) - start), default=0)
            if not batch:
                batch = min(self._requests)     # fewer than the smallest batch are left: filled up with the last image
            chosen = images[start:start + batch]
            if len(chosen) < batch:
                chosen = np.concatenate([chosen, np.repeat(chosen[-1:], batch - len(chosen), axis=0)])
            request = self._requests[batch]
            request.infer({0: np.ascontiguousarray(chosen)}, share_inputs=True)
            count = min(batch, len(images) - start)
            parts.append([tensor.data[:count].copy() for tensor in request.output_tensors])
            start += batch
        return [np.concatenate(outputs) for outputs in zip(*parts)]


def _taking_bytes(openvino, model):
    """The model with uint8 input, divided by 255 inside: one pass over the pixels less in Python."""
    preprocess = importlib.import_module('openvino.preprocess')
    builder = preprocess.PrePostProcessor(model)
    builder.input().tensor().set_element_type(openvino.Type.u8)
    builder.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    return builder.build()
