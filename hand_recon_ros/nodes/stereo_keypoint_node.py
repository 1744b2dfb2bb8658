"""stereo_keypoint_node: two cameras' images in, detected and tracked hands of both out."""
from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
from std_msgs.msg import Header

from hand_recon_ros.messages.hands import keypoints_to_msg
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandKeypointsArray
from hand_recon_ros.nodes.keypoint_node import BACKEND, DETECTORS, TRANSPORTS
from hand_recon_ros.nodes.lifecycle import HandNode
from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.nodes.rig_source import RIG_SPECS, SIDES, RigSource, rehearsal_rig
from hand_recon_ros.nodes.synchronisation import LoneStream, PairingWatch, StampMatcher, StampOrder
from hand_recon_ros.types import Frame


class StereoKeypointNode(HandNode):
    """Works on the newest pair of images, so that cameras faster than the detector cost images and not latency."""
    depth = 1
    specs = RIG_SPECS + (
        ParameterSpec('image_transport', 'raw', 'How images come: `left/image`, or `left/image/compressed`.',
                      choices=tuple(TRANSPORTS)),
        ParameterSpec('tolerance_s', 0.0, 'Images belong together when their stamps differ by at most this; 0 pairs '
                      'equal stamps only, as of cameras with a common trigger.', 's', 0.0, 0.5),
        ParameterSpec('lone_after_s', 0.5, 'When one camera is silent for longer, the other goes on alone, as if the '
                      'first were covered; 0: never.', 's', 0.0, 10.0),
        ParameterSpec('detector', 'mediapipe', 'Landmark definition, by the name of who made it.', choices=DETECTORS),
        replace(BACKEND, default='auto'),
        ParameterSpec('max_hands', 2, 'Hands looked for.', minimum=1, maximum=8),
        ParameterSpec('min_detection_score', 0.5, 'A new hand needs at least this score.', minimum=0.0, maximum=1.0),
        ParameterSpec('min_tracking_score', 0.5, 'A followed hand is lost below this score.', minimum=0.0, maximum=1.0),
        ParameterSpec('track_gap_s', 1.0, 'A hand unseen for longer gets a new track id.', 's', 0.0, 10.0),
        ParameterSpec('threads', 1, 'CPU threads of backend openvino.', '', 1, 16),
        ParameterSpec('precision', 'auto', 'Arithmetic of backend openvino: f32, bf16 (twice as fast, landmarks 0.1 % '
                      'of the crop off), mixed (between them), or auto: bf16 where the CPU has it.',
                      choices=('auto', 'f32', 'mixed', 'bf16')),
    )

    def __init__(self):
        super().__init__('stereo_keypoint_node')
        self._detector = self._rig = None

    def endpoints(self) -> None:
        suffix, message_type, self._to_rgb = TRANSPORTS[self.setting('image_transport')]
        tolerance_ns = round(self.setting('tolerance_s') * 1e9)
        # image_transport: the remapped base names, then the transport's.
        self._names = {side: self.resolve_topic_name(f'{side}/image') + suffix for side in SIDES}
        self._matcher, self._order = StampMatcher(SIDES, tolerance_ns), StampOrder()
        self._watch = PairingWatch(tuple(self._names.values()), tolerance_ns)
        self._lone = LoneStream(SIDES, self.setting('lone_after_s'))
        self._source = RigSource(self)
        self._outputs = [self.add_output(HandKeypointsArray, f'{side}/hands/keypoints') for side in SIDES]
        for side in SIDES:
            self.add_input(message_type, self._names[side], lambda m, side=side: self._on_image(side, m))
        self._source.add_inputs(self)

    def build(self) -> None:
        from hand_recon_ros.detection.registry import build_stereo_detector, chosen_backend
        from hand_recon_ros.estimation.viewing import nominal_camera
        self._rig = rehearsal_rig(nominal_camera(640, 480))
        self._detector = build_stereo_detector(
            chosen_backend(self.setting('backend')), self._rig, self.setting('max_hands'),
            self.setting('min_detection_score'), self.setting('min_tracking_score'), self.setting('track_gap_s'),
            self.setting('threads'), self.setting('precision'))

    def release(self) -> None:
        self._detector.close()
        self._detector = None

    def on_deactivate(self, state):
        self._matcher.clear()
        self._watch.clear()
        self._lone.clear()
        return super().on_deactivate(state)

    def _on_image(self, side: str, message) -> None:
        stamp_ns = to_ns(message.header.stamp)
        pair = self._matcher.add(side, stamp_ns, message)
        self._watch.arrived(self._names[side], stamp_ns)
        if pair is not None:
            self._watch.paired()
            self._lone.paired(pair)
            self.worker.submit(pair)
        elif self._lone.alone(side):
            self.worker.submit({side: message})
        problem = self._watch.problem()
        if problem:
            self.faults.put('pairs', problem)
        else:
            self.faults.clear('pairs')

    def process(self, pair) -> None:
        started = time.monotonic()
        headers = self._headers(pair)
        stamp_ns = to_ns(headers[0].stamp)
        if self._order.refusal(self._names['left'], stamp_ns, self.faults):
            return
        images = self._images(pair)
        rig = self._source.rig(*((image.shape[1], image.shape[0]) for image in images))
        if rig is not self._rig:
            self._detector.use(rig)
            self._rig = rig
        frames = [Frame.from_image(image, camera, to_ns(header.stamp), header.frame_id)
                  for image, camera, header in zip(images, (rig.left, rig.right), headers)]
        found = self._detector.detect(*frames)
        took_s = time.monotonic() - started
        for output, hands, frame in zip(self._outputs, found, frames):
            output.publish(keypoints_to_msg(hands, frame.stamp_ns, frame.frame_id, frame.width, frame.height, took_s))
        self.published(started, stamp_ns)

    def _headers(self, pair) -> list:
        """Of both images; a silent camera's has the other's stamp and its own frame."""
        headers = [pair[side].header if side in pair else None for side in SIDES]
        stamp = next(header.stamp for header in headers if header is not None)
        return [header or Header(stamp=stamp, frame_id=self._lone.last[side].header.frame_id)
                for side, header in zip(SIDES, headers)]

    def _images(self, pair) -> list[np.ndarray]:
        """Both images, black that of a silent camera."""
        images = {side: self._decoded(side, message) for side, message in pair.items()}
        for side in SIDES:
            if side not in images:
                images[side] = np.zeros_like(self._decoded(side, self._lone.last[side]))
        return [images[side] for side in SIDES]

    def _decoded(self, side: str, message) -> np.ndarray:
        try:
            return self._to_rgb(message)
        except ValueError as error:
            raise ValueError(f'{self._names[side]}: {error}') from None

    def extra_values(self) -> dict[str, str]:
        if not self.configured:
            return {}
        return {'unmatched': str(self._matcher.unmatched), 'backward_jumps': str(self._matcher.resets),
                'late': str(self._order.late), 'alone': str(self._lone.count),
                'skew_ms': f'{self._watch.skew_ns / 1e6:.2f}'}


def main(arguments=None) -> int:
    from hand_recon_ros.nodes.running import run
    return run(StereoKeypointNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
