"""The first estimator: a detector's 2D and 3D points, closed-form inverse kinematics, shape by proportions, analytic placement."""
from __future__ import annotations

import jax
import numpy as np

from hand_recon_ros.estimation.assembly import assemble
from hand_recon_ros.estimation.bone_shape import BoneShape
from hand_recon_ros.estimation.inverse_kinematics import InverseKinematics
from hand_recon_ros.estimation.viewing import image_plane_points, lifted_points, nominal_camera
from hand_recon_ros.geometry.placement import place_by_spread
from hand_recon_ros.geometry import weak_perspective
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.mirroring import mirror_image_points, mirror_points
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import HandParameters, to_pose
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, checked_choice

SHAPES = ('mean', 'proportions')


class ClosedFormIk:
    """Pose by inverse kinematics within joint limits, shape from the identity, else as `shape_from` says.

    shape_from 'proportions': minimal-hand eq. 8 on the detector's bone lengths. 'mean': the mean adult hand.
    Needs the detector's 3D points and no image.
    """
    name = 'closed_form_ik'
    needs_image = False

    def __init__(self, model: HandModel, offsets_m=None, shape_from: str = 'mean'):
        self._shape_from = checked_choice('shape_from', shape_from, SHAPES)
        self._model, self._hand = model, JaxHand(model)
        self._skeleton = build_skeleton(model, offsets_m)
        self._kinematics, self._bones = InverseKinematics.build(self._skeleton), BoneShape.build(self._skeleton)
        self._bone_lengths = self._bones.lengths(np.zeros(model.shape_size))
        self._place = jax.jit(place)

    def estimate(self, frame: Frame, keypoints: HandKeypoints, identity: HandIdentity | None = None) -> HandEstimate:
        """Estimate of one detected hand. frame.camera None: weak perspective (HandTailor eq. 17).

        Raises ValueError when the detector gave no 3D points or the identity belongs to another model.
        """
        if keypoints.points_m is None:
            raise ValueError(f'points_m: missing, expected the 3D points of detector {keypoints.detector!r}')
        if identity is not None and identity.model != self._model.name:
            raise ValueError(f'identity {identity.name!r}: for model {identity.model!r}, expected {self._model.name!r}')
        weak = frame.camera is None
        camera = nominal_camera(frame.width, frame.height) if weak else frame.camera
        left = keypoints.handedness == 'left'
        points = lifted_points(keypoints, camera, weak, self._bone_lengths)
        image_points, _ = image_plane_points(keypoints.points_px, camera)
        if left:
            points, image_points = mirror_points(points), mirror_image_points(image_points)
        wrist, angles = self._kinematics.solve(points)
        parameters = HandParameters(wrist.astype(np.float32), angles.astype(np.float32), np.zeros(3, np.float32),
                                    self._shape(points, identity).astype(np.float32))
        landmarks = np.asarray(self._place(self._skeleton, parameters)[1], np.float64)
        if weak:
            scale, *at = weak_perspective.fit(landmarks, image_points)
            root = np.append(at, 1.0) / max(scale, 1e-3)
        else:
            root = place_by_spread(landmarks, image_points)
        pose, root = to_pose(parameters._replace(root=root), self._skeleton.axes, keypoints.handedness)
        return assemble(frame, self._skeleton, self._hand, keypoints, pose, parameters.shape, root, identity)

    def _shape(self, points, identity):
        if identity is not None:
            return np.asarray(identity.shape, np.float64)
        if self._shape_from == 'proportions':
            return self._bones.solve(points)
        return np.zeros(self._model.shape_size)
