"""Method `weights`: two views' HandNet estimates blended by learned weights, RealisticHands eq. 6-7."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand_recon_ros.estimation.assembly import assemble
from hand_recon_ros.fusion.hand_pairs import HandPair, ViewHand
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import HandEstimate
from hand_recon_ros.weights.files import checksum, own_or_shipped, read_weights


class WeightsFusion:
    """Pose p = w p_right + (1 - w) p_left (eq. 6), w in R^48 from both estimates' features; shape and camera averaged
    (eq. 7), the right camera's through the rig. Needs the estimates of `handnet`, whose features it weighs.

    Rotations are blended as rotation vectors from the left view's, of which eq. 6 on axis-angle numbers is the limit for
    like rotations.
    """
    name = 'weights'

    def __init__(self, model: HandModel, offsets_m=None, max_hands: int = 2, weights_dir: str = ''):
        """weights_dir: a folder of one's own weights, see weights.files. ValueError when they are of another model, or were
        trained upon another HandNet than `handnet` beside them: its features would mean something else."""
        file, network = (own_or_shipped(name, weights_dir) for name in ('stereo_weights', 'handnet'))
        arrays, card = read_weights(file, 'stereo_weights', model.name)
        if card.upon != checksum(network):
            raise ValueError(f'{file}: trained upon weights {card.upon[:12] or "unknown"}..., expected '
                             f'{checksum(network)[:12]}... of {network}')
        self._weight, self._bias = (arrays[f'layer.{name}'].astype(np.float32) for name in ('weight', 'bias'))
        self._skeleton, self._hand = build_skeleton(model), JaxHand(model)

    @property
    def feature_count(self) -> int:
        """Features of one view's estimate."""
        return self._weight.shape[1] // 2

    def fuse(self, rig: StereoRig, pairs: list[HandPair]) -> list[HandEstimate]:
        """One estimate a pair, in the left optical frame; ValueError for estimates without features."""
        return [self._fused(rig, pair) for pair in pairs]

    def _fused(self, rig: StereoRig, pair: HandPair) -> HandEstimate:
        # A view that took the hand for the other one has no features of it as it is.
        seen = [view for view in pair.views if len(view.estimate.features)]
        if not seen:
            raise ValueError('features: none, expected the estimates of handnet (parameter estimator of both mesh_nodes)')
        views = [(view, *_in_left(rig, view, view is pair.right)) for view in seen]
        keypoints = max(seen, key=lambda view: view.keypoints.score).keypoints
        if len(views) == 1:
            view, rotations, root = views[0]
            shape = view.estimate.shape
        else:
            (left, left_rotations, left_root), (right, right_rotations, right_root) = views
            rotations = blended_rotations(left_rotations, right_rotations, self.right_weights(left, right))
            shape = 0.5 * (left.estimate.shape + right.estimate.shape)
            root = 0.5 * (left_root + right_root)
        if pair.identity is not None:
            shape = pair.identity.shape
        pose = matrix_to_axis_angle(rotations).reshape(48).astype(np.float32)
        estimate = assemble(pair.frames[0], self._skeleton, self._hand, keypoints, pose, shape, root, pair.identity)
        return replace(estimate, reprojection_px=float(np.sqrt(np.mean([v.estimate.reprojection_px ** 2 for v in seen]))),
                       joint_std_m=np.full(21, np.nan, np.float32))

    def right_weights(self, left: ViewHand, right: ViewHand) -> np.ndarray:
        """(16, 3) of eq. 6, 0..1: the right view's share in each number of each joint's rotation vector."""
        features = np.concatenate([right.estimate.features, left.estimate.features])
        if len(features) != self._weight.shape[1]:
            raise ValueError(f'features: {len(features)} of two views, expected {self._weight.shape[1]}, those of handnet')
        return (1 / (1 + np.exp(-(self._weight @ features + self._bias)))).reshape(16, 3)


def blended_rotations(left: np.ndarray, right: np.ndarray, right_weights: np.ndarray) -> np.ndarray:
    """Rotations (16, 3, 3) from left towards right, by weights (16, 3) of the rotation vector between them."""
    between = matrix_to_axis_angle(np.swapaxes(left, -1, -2) @ right)
    return left @ axis_angle_to_matrix(right_weights * between)


def _in_left(rig: StereoRig, view: ViewHand, is_right: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (16, 3, 3) and wrist (3,) of a view's estimate in the left frame."""
    rotations = axis_angle_to_matrix(np.asarray(view.estimate.pose, np.float64).reshape(16, 3))
    root = np.asarray(view.estimate.joints_m[0], np.float64)
    if is_right:
        rotations[0] = rig.T_right_left[:3, :3].T @ rotations[0]
        root = rig.to_left(root)
    return rotations, root
