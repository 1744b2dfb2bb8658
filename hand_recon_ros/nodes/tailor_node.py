"""tailor_node: keypoints and initial meshes in; refined meshes, topology, tf and markers out."""
from __future__ import annotations

import sys
import time

from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from hand_recon_ros.messages.hands import estimates_to_msg, msg_to_estimates, msg_to_keypoints
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.messages.topology import topology_to_msg
from hand_recon_ros.msg import HandIdentity as HandIdentityMsg
from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray, HandTopology
from hand_recon_ros.nodes.camera_source import RECTIFIED, CameraSource
from hand_recon_ros.nodes.identity_source import IdentitySource
from hand_recon_ros.nodes.markers import MarkerPainter
from hand_recon_ros.nodes.matching import MatchingNode
from hand_recon_ros.nodes.model_settings import (
    LATCHED, MODEL_SPECS, check_detector, load_model_and_offsets)
from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.nodes.synchronisation import StampMatcher
from hand_recon_ros.nodes.tf_frames import hands_to_tf
from hand_recon_ros.srv import GetTopology
from hand_recon_ros.types import WEAK_PERSPECTIVE, Frame


class TailorNode(MatchingNode):
    """Refines the initial meshes against the keypoints of the same image; publishes what others are to use of them."""
    specs = MODEL_SPECS + (
        ParameterSpec('refine', True, 'False: the meshes are fitted already, as those of stereo_fusion_node, and only '
                      'smoothed and published.'),
        ParameterSpec('smoothing', 'none', 'Filter over time, by name.',
                      choices=('none', 'one_euro', 'constant_velocity')),
        ParameterSpec('predict_s', 0.0, 'A hand that is lost is carried on for this long.', 's', 0.0, 0.2),
        ParameterSpec('solver', 'gauss_newton', 'gauss_newton, or adam as in the paper.',
                      choices=('gauss_newton', 'adam')),
        ParameterSpec('max_hands', 2, 'Hands fitted at once; the solver is compiled for this many.', '', 1, 8),
        RECTIFIED,
        ParameterSpec('tolerance_s', 0.0, 'Keypoints and meshes belong together when their stamps differ by at most '
                      'this; 0 pairs equal stamps only.', 's', 0.0, 0.5),
        ParameterSpec('tf_prefix', 'hands', 'tf frames are called <tf_prefix>/<hand_id>.'),
        ParameterSpec('publish_tf', True, 'Publish a tf frame at the wrist of every hand of known metric place.'),
    )

    def __init__(self):
        super().__init__('tailor_node')
        self._tailor = self._smoother = self._identity = self._model = self._painter = self._topology = None
        self._service = None

    def endpoints(self) -> None:
        prefix = self.setting('tf_prefix')
        if prefix.startswith('/') or prefix.endswith('/'):
            raise ValueError(f'parameter tf_prefix: {prefix!r}, expected no slash at either end')
        self._prefix, self._detector = prefix, self.setting('detector')
        self._camera = CameraSource(self.setting('rectified'))
        names = ('keypoints', 'meshes') if self.setting('refine') else ('meshes',)
        self._matcher = StampMatcher(names, round(self.setting('tolerance_s') * 1e9))
        self._output = self.add_output(HandMeshArray, 'hands/mesh')
        self._markers = self.add_output(MarkerArray, 'hands/markers')
        self._latched = self.add_output(HandTopology, 'hands/topology', LATCHED, demand=False)
        self._tf = self.add_output(TFMessage, '/tf', 100) if self.setting('publish_tf') else None
        self.add_input(HandMeshArray, 'hands/mesh_initial', lambda m: self._on_part('meshes', m), 10)
        if 'keypoints' in names:
            self.add_input(HandKeypointsArray, 'hands/keypoints', lambda m: self._on_part('keypoints', m), 10)
            self.add_input(CameraInfo, 'camera_info', self._camera.update, required=False)
            self.add_input(HandIdentityMsg, 'hands/identity', lambda m: self._identity.update(m), LATCHED,
                           required=False)

    def build(self) -> None:
        from hand_recon_ros.hand_model.jax_runtime import prepare_jax
        prepare_jax()
        from hand_recon_ros.refinement.smoothing import HandSmoother
        from hand_recon_ros.refinement.tailor import Tailor
        self._model, offsets = load_model_and_offsets(self)
        self._identity = IdentitySource(self.faults, self._model.name)
        self._topology = topology_to_msg(self._model)
        self._painter = MarkerPainter(self._model.faces)
        if self.setting('refine'):
            self._tailor = Tailor(self._model, offsets.offsets_m, self.setting('solver'), self.setting('max_hands'))
        smoothing, predict_s = self.setting('smoothing'), self.setting('predict_s')
        if smoothing != 'none' or predict_s:
            self._smoother = HandSmoother(self._model, smoothing, predict_s)

    def release(self) -> None:
        self._tailor = self._smoother = self._model = self._painter = self._topology = self._identity = None

    def on_activate(self, state):
        result = super().on_activate(state)
        self._latched.publish(self._topology)
        self._service = self.create_service(GetTopology, 'hands/get_topology', self._on_get_topology)
        return result

    def on_deactivate(self, state):
        self.destroy_service(self._service)
        return super().on_deactivate(state)

    def _on_get_topology(self, request, response):
        response.success = request.model in ('', self._topology.model)
        if response.success:
            response.topology = self._topology
        else:
            response.message = f'model: {request.model!r}, expected {self._topology.model!r}, the one in use'
        return response

    def process(self, parts) -> None:
        started = time.monotonic()
        initial = parts['meshes']
        stamp_ns, frame_id = to_ns(initial.header.stamp), initial.header.frame_id
        refined, method = msg_to_estimates(initial), initial.method
        self._check_model(refined)
        if self._tailor is not None:
            refined = self._refined(parts['keypoints'], refined)
            method += f'+{self._tailor.name}'
        if self._smoother is not None:
            refined = self._smoother.smooth(refined, stamp_ns)
            method += f'+{self._smoother.method}' if self._smoother.method != 'none' else ''
        took_s = time.monotonic() - started
        self._output.publish(estimates_to_msg(refined, stamp_ns, frame_id, method, took_s,
                                              took_s + initial.total_latency_s))
        self.published(started, stamp_ns)
        if self._tf is not None and refined:
            self._tf.publish(hands_to_tf(refined, stamp_ns, frame_id, self._prefix))
        if self._markers.get_subscription_count():
            self._markers.publish(self._painter.paint(refined, stamp_ns, frame_id))
        else:
            self._painter.forget()

    def _refined(self, seen, estimates):
        """The tailor's answer for the keypoints and initial meshes of one image."""
        keypoints = self._same_hands(msg_to_keypoints(seen), estimates)
        check_detector(keypoints, self._detector)
        weak = any(estimate.projection == WEAK_PERSPECTIVE for estimate in estimates)
        camera = None if weak or not estimates else self._camera.camera(seen.image_width, seen.image_height)
        frame = Frame(seen.image_width, seen.image_height, None, camera, to_ns(seen.header.stamp), seen.header.frame_id)
        return self._tailor.refine(frame, keypoints, estimates, self._identity.identity) if estimates else []

    def _check_model(self, estimates) -> None:
        """ValueError when a mesh belongs to another model."""
        for estimate in estimates:
            if estimate.model != self._model.name:
                raise ValueError(f'hands/mesh_initial: model {estimate.model!r}, expected {self._model.name!r} '
                                 '(parameter model)')

    @staticmethod
    def _same_hands(keypoints, estimates):
        """The keypoints in the estimates' order; ValueError when a mesh has none."""
        by_track = {hand.track_id: hand for hand in keypoints}
        for estimate in estimates:
            if estimate.track_id not in by_track:
                raise ValueError(f'hands/mesh_initial: track {estimate.track_id}, expected one of hands/keypoints')
        return [by_track[estimate.track_id] for estimate in estimates]

    def extra_values(self) -> dict[str, str]:
        if not self.configured:
            return {}
        return {'unmatched': str(self._matcher.unmatched), 'backward_jumps': str(self._matcher.resets)}


def main(arguments=None) -> int:
    from hand_recon_ros.nodes.running import run
    return run(TailorNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
