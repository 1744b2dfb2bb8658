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
PRECISIONS = ('auto', 'f32', 'mixed', 'bf16')
# Of the landmark network: its first depthwise convolution's clamp (the second one), and the pooling before its heads.
LAST_OF_FIRST, LAST_OF_MIDDLE = ('Clamp', 1), ('ReduceMean', 0)


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
    'f32', 'bf16', 'mixed', or 'auto': bf16 where the CPU has instructions for bf16, else f32. The same input gives the
    same answer, bit for bit. Not for use from two threads.

    bf16 takes half of f32's time and puts landmarks 0.27 of a crop's pixels (root mean square) from f32's: most of
    it comes of writing coordinates of up to 224 with eight bits, most of the rest of the first two convolutions. mixed
    computes both ends of the landmark network in f32, and stays within 0.08; of palms, which only say where to look, it
    is bf16. On a real pair of videos the three are equally far off the epipolar lines: 3.09 px (f32), 3.13 and 3.11.
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
            parts = [(model, 'bf16' if precision == 'mixed' else precision)]
            if precision == 'mixed' and name == LANDMARK_MODEL:
                parts = list(zip(_cut(openvino, model), ('f32', 'bf16', 'f32')))
            parts[0] = _taking_bytes(openvino, parts[0][0]), parts[0][1]
            requests = [core.compile_model(part, 'CPU', {
                'INFERENCE_NUM_THREADS': int(threads), 'NUM_STREAMS': 1, 'PERFORMANCE_HINT': 'LATENCY',
                'INFERENCE_PRECISION_HINT': hint}).create_infer_request() for part, hint in parts]
            for before, after in zip(requests, requests[1:]):
                after.set_input_tensor(before.get_output_tensor(0))
            self._requests[batch] = requests

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
            first, *others = self._requests[batch]
            first.infer({0: np.ascontiguousarray(chosen)}, share_inputs=True)
            for request in others:
                request.infer()
            count = min(batch, len(images) - start)
            parts.append([tensor.data[:count].copy() for tensor in self._requests[batch][-1].output_tensors])
            start += batch
        return [np.concatenate(outputs) for outputs in zip(*parts)]


def _taking_bytes(openvino, model):
    """The model with uint8 input, divided by 255 inside: one pass over the pixels less in Python."""
    preprocess = importlib.import_module('openvino.preprocess')
    builder = preprocess.PrePostProcessor(model)
    builder.input().tensor().set_element_type(openvino.Type.u8)
    builder.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    return builder.build()


def _cut(openvino, model) -> list:
    """The landmark network in three: up to LAST_OF_FIRST, on to LAST_OF_MIDDLE, then the heads with all outputs."""
    parameter = importlib.import_module('openvino.opset8').parameter
    operations = model.get_ordered_ops()
    inputs, parts = model.get_parameters(), []
    for kind, index in (LAST_OF_FIRST, LAST_OF_MIDDLE):
        end = [op for op in operations if op.get_type_name() == kind][index].output(0)
        readers = list(end.get_target_inputs())
        following = parameter(end.get_shape(), np.float32)
        for reader in readers:
            reader.replace_source_output(following.output(0))
        parts.append(openvino.Model([end], inputs, f'part {len(parts)}'))
        inputs = [following]
    return [*parts, openvino.Model(model.get_results(), inputs, 'heads')]
