"""stereo_fusion_node: both views' keypoints and initial meshes in, the metric hands of the instant out."""
from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import replace

import numpy as np
from std_msgs.msg import Float32

from hand_recon_ros.messages.features import msg_to_features
from hand_recon_ros.messages.hands import estimates_to_msg, msg_to_estimates, msg_to_keypoints
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandIdentity as HandIdentityMsg
from hand_recon_ros.msg import HandFeatures, HandIdentityArray, HandKeypointsArray, HandMeshArray
from hand_recon_ros.nodes.identities_source import IdentitiesSource
from hand_recon_ros.nodes.identity_source import IdentitySource
from hand_recon_ros.nodes.keypoint_node import TRANSPORTS, rgb_of
from hand_recon_ros.nodes.matching import MatchingNode
from hand_recon_ros.nodes.model_settings import LATCHED, MODEL_SPECS, WEIGHTS_DIR, check_detector, load_model_and_offsets
from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.nodes.recent_images import RecentImages
from hand_recon_ros.nodes.rig_source import RIG_SPECS, SIDES, RigSource, rehearsal_rig
from hand_recon_ros.nodes.rig_watch import RigWatch
from hand_recon_ros.nodes.synchronisation import StampMatcher, StampOrder
from hand_recon_ros.types import WEAK_PERSPECTIVE, Frame

# Instants over which the diagnostics' figures are taken.
WINDOW = 150


class StereoFusionNode(MatchingNode):
    """Runs a StereoFuser on what both views made of one instant; a hand that one view sees goes on from that view."""
    specs = MODEL_SPECS + RIG_SPECS + (WEIGHTS_DIR,) + (
        ParameterSpec('method', 'joint', 'joint fits both views at once; triangulation fits triangulated landmarks; '
                      'weights blends the two initial meshes of handnet by its learned weights.',
                      choices=('joint', 'triangulation', 'weights')),
        ParameterSpec('disparity', False, 'Method joint matches the skin between the two images too, which it then '
                      'subscribes to.'),
        ParameterSpec('disparity_budget_ms', 40.0, 'Hands of an instant whose turn comes later go without it.', 'ms', 1.0,
                      1000.0),
        ParameterSpec('image_transport', 'raw', 'How images come, with disparity: `left/image`, or '
                      '`left/image/compressed`.', choices=tuple(TRANSPORTS)),
        ParameterSpec('max_hands', 2, 'Hands fitted at once; the solver is compiled for this many.', '', 1, 8),
        ParameterSpec('track_gap_s', 1.0, 'A hand that neither camera saw for longer gets a new track id.', 's', 0.0,
                      10.0),
        ParameterSpec('tolerance_s', 0.0, 'Left and right belong together when their stamps differ by at most this; 0 '
                      'pairs equal stamps only.', 's', 0.0, 0.5),
    )

    def __init__(self):
        super().__init__('stereo_fusion_node')
        self._fuser = self._identity = self._identities = self._model = self._palms = None

    def endpoints(self) -> None:
        self._detector = self.setting('detector')
        # Method weights weighs what HandNet saw of the hands; the others take any estimator's meshes.
        parts = ('keypoints', 'meshes', 'features') if self.setting('method') == 'weights' else ('keypoints', 'meshes')
        names = tuple(f'{side} {what}' for side in SIDES for what in parts)
        self._matcher = StampMatcher(names, round(self.setting('tolerance_s') * 1e9))
        self._order, self._source = StampOrder(), RigSource(self)
        self._watch, self._palm_m = RigWatch(self.faults, self._on_verdict), {}
        self._epipolar_px, self._skews_ms = deque(maxlen=WINDOW), deque(maxlen=WINDOW)
        self._seen_by = dict.fromkeys(('both', *SIDES), 0)
        self._output = self.add_output(HandMeshArray, 'hands/fused')
        self._residual = self.add_output(Float32, 'hands/epipolar_residual_px')
        self._health = {name: self.add_output(Float32, f'hands/rig_health/{name}')
                        for name in ('residual_px', 'bias_px', 'palm_ratio')}
        for side in SIDES:
            self.add_input(HandKeypointsArray, f'{side}/hands/keypoints',
                           lambda m, name=f'{side} keypoints': self._on_part(name, m), 10)
            self.add_input(HandMeshArray, f'{side}/hands/mesh',
                           lambda m, name=f'{side} meshes': self._on_part(name, m), 10)
        if self.setting('method') == 'weights':
            for side in SIDES:
                self.add_input(HandFeatures, f'{side}/hands/features',
                               lambda m, name=f'{side} features': self._on_part(name, m), 10)
        self._images = None
        if self.setting('disparity'):
            self._images = RecentImages(SIDES)
            suffix, message_type, self._to_rgb = TRANSPORTS[self.setting('image_transport')]
            for side in SIDES:
                self.add_input(message_type, self.resolve_topic_name(f'{side}/image') + suffix,
                               lambda m, side=side: self._images.add(side, to_ns(m.header.stamp), m))
        self._source.add_inputs(self)
        self.add_input(HandIdentityMsg, 'hands/identity', lambda m: self._identity.update(m), LATCHED, required=False)
        self.add_input(HandIdentityArray, 'hands/identities', lambda m: self._identities.update(m), LATCHED,
                       required=False)

    def build(self) -> None:
        from hand_recon_ros.hand_model.jax_runtime import prepare_jax
        prepare_jax()
        from hand_recon_ros.estimation.registry import build_estimator
        from hand_recon_ros.estimation.viewing import nominal_camera
        from hand_recon_ros.fusion.rehearsal import rehearse
        from hand_recon_ros.fusion.rig_palm import PalmLengths
        from hand_recon_ros.fusion.skin_term import SkinSettings
        from hand_recon_ros.fusion.stereo_fuser import StereoFuser
        self._model, offsets = load_model_and_offsets(self)
        self._palms = PalmLengths(self._model, offsets.offsets_m)
        self._identity = IdentitySource(self.faults, self._model.name)
        self._identities = IdentitiesSource(self.faults, self._model.name)
        skin = SkinSettings(budget_ms=self.setting('disparity_budget_ms')) if self.setting('disparity') else None
        self._fuser = StereoFuser(self._model, offsets.offsets_m, self.setting('method'),
                                  max_hands=self.setting('max_hands'), max_gap_s=self.setting('track_gap_s'),
                                  disparity=skin, weights_dir=self.setting('weights_dir'))
        rehearse(self._fuser, build_estimator('closed_form_ik', self._model, offsets.offsets_m), self._model,
                 rehearsal_rig(nominal_camera(640, 480)), self._detector)

    def release(self) -> None:
        self._fuser = self._model = self._identity = self._identities = self._palms = None

    def on_deactivate(self, state):
        if self._images is not None:
            self._images.clear()
        return super().on_deactivate(state)

    def process(self, parts) -> None:
        started = time.monotonic()
        seen, initial = ([parts[f'{side} {what}'] for side in SIDES] for what in ('keypoints', 'meshes'))
        stamp_ns, frame_id = to_ns(seen[0].header.stamp), seen[0].header.frame_id
        if self._order.refusal('left/hands/keypoints', stamp_ns, self.faults):
            return
        views = [self._same_hands(side, *pair, parts.get(f'{side} features'))
                 for side, *pair in zip(SIDES, seen, initial)]
        rig = self._rig(stamp_ns, seen, [keypoints for keypoints, _ in views])
        fused = self._fuser.fuse(rig, *self._framed(rig, seen, views), self._identities.by_track,
                                 self._identity.identity)
        took_s = time.monotonic() - started
        before_s = max(message.total_latency_s for message in initial)
        self._output.publish(estimates_to_msg([hand.estimate for hand in fused], stamp_ns, frame_id, self._fuser.method,
                                              took_s, took_s + before_s))
        self.published(started, stamp_ns)
        self._palm_m = self._palms.by_handedness([hand.estimate for hand in fused], self._identities.by_track,
                                                 self._identity.identity)
        self._take_note(seen, fused)

    def _same_hands(self, side: str, seen, initial, features):
        """(keypoints, estimates) of a view in one order; ValueError when they do not belong together. features: None
        where they are not used."""
        keypoints, estimates = msg_to_keypoints(seen), msg_to_estimates(initial)
        if features is not None:
            by_track = msg_to_features(features)
            estimates = [replace(estimate, features=by_track[estimate.track_id]) for estimate in estimates
                         if estimate.track_id in by_track]
        check_detector(keypoints, self._detector)
        by_track = {estimate.track_id: estimate for estimate in estimates}
        for hand in keypoints:
            estimate = by_track.get(hand.track_id)
            if estimate is None:
                raise ValueError(f'{side}/hands/mesh: no mesh of track {hand.track_id}, '
                                 f'expected one for each of {side}/hands/keypoints')
            if estimate.model != self._model.name:
                raise ValueError(f'{side}/hands/mesh: model {estimate.model!r}, expected {self._model.name!r} '
                                 '(parameter model)')
            if estimate.projection == WEAK_PERSPECTIVE:
                raise ValueError(f'{side}/hands/mesh: weak_perspective, expected perspective '
                                 '(does mesh_node get its camera_info?)')
        return keypoints, [by_track[hand.track_id] for hand in keypoints]

    def _rig(self, stamp_ns: int, seen, keypoints):
        """The rig, while its health is watched by the hands of both views; ValueError where there is none."""
        sizes = [(message.image_width, message.image_height) for message in seen]
        try:
            rig = self._source.rig(*sizes)
        except ValueError:
            self._watch.see(None, self._source.facts(*sizes), stamp_ns, *keypoints)
            raise
        # Whose hands they are is known of the instant before: tracks are given by the fusion.
        self._watch.see(rig, self._source.facts(*sizes), stamp_ns, *keypoints, self._palm_m)
        return rig

    def _on_verdict(self, report) -> None:
        """The rig's health as plain topics, to be plotted; as of the last seconds with hands in both views."""
        for name, publisher in self._health.items():
            publisher.publish(Float32(data=float(getattr(report, name))))

    def _framed(self, rig, seen, views):
        from hand_recon_ros.fusion.stereo_fuser import View
        frames = [Frame(m.image_width, m.image_height, self._image(side, m), camera, to_ns(m.header.stamp),
                        m.header.frame_id)
                  for side, m, camera in zip(SIDES, seen, (rig.left, rig.right))]
        return [View(frame, *view) for frame, view in zip(frames, views)]

    def _image(self, side: str, seen):
        """RGB image that a view's hands were found in; None where it is not wanted, not there, or shows no hand."""
        message = None if self._images is None else self._images.take(side, to_ns(seen.header.stamp))
        if message is None or not seen.hands:
            return None
        return rgb_of(seen, message, self._to_rgb, f'{side}/')

    def _take_note(self, seen, fused) -> None:
        """Figures for diagnostics, and the residual's topic."""
        self._skews_ms.append((to_ns(seen[1].header.stamp) - to_ns(seen[0].header.stamp)) / 1e6)
        for hand in fused:
            self._seen_by['both' if None not in hand.pair else SIDES[hand.pair[0] is None]] += 1
        residuals = [hand.epipolar_px for hand in fused if np.isfinite(hand.epipolar_px)]
        if residuals:
            self._epipolar_px.append(float(np.median(residuals)))
            self._residual.publish(Float32(data=self._epipolar_px[-1]))

    def extra_values(self) -> dict[str, str]:
        if not self.configured:
            return {}
        values = {'unmatched': str(self._matcher.unmatched), 'backward_jumps': str(self._matcher.resets),
                  'late': str(self._order.late)}
        values |= {f'hands_seen_by_{who}': str(count) for who, count in self._seen_by.items()}
        values |= {f'disparity_{outcome}': str(count) for outcome, count in self._fuser.disparity_counts.items()}
        for name, figures in (('pair_skew_ms', self._skews_ms), ('epipolar_residual_px', self._epipolar_px)):
            if figures:
                values[name] = f'{np.median(list(figures)):.2f}'
        return {**values, **self._watch.values()}


def main(arguments=None) -> int:
    from hand_recon_ros.nodes.running import run
    return run(StereoFusionNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
