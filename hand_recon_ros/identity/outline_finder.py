"""The outlines of a sight's hand in its images, looked for around a fitted model."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.hand_model.landmarks import build_skeleton, wrist_position
from hand_recon_ros.hand_model.mirroring import mirror_points, posed_hand
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import HandParameters, to_pose
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.identity.outline_energy import SeenOutline, seen_outline
from hand_recon_ros.identity.outlines import find_outline, no_outline
from hand_recon_ros.identity.sights import Sight

WRIST_M = 0.02          # this far from the wrist joint towards the fingers the hand's own outline begins
MIDDLE_KNUCKLE = 4      # joint row


class OutlineFinder:
    """Of one model. Not thread-safe."""

    def __init__(self, model: HandModel):
        self._model, self._hand, self._skeleton = model, JaxHand(model), build_skeleton(model)
        along = model.rest_joints_m[MIDDLE_KNUCKLE] - model.rest_joints_m[0]
        reach = (model.template_m - model.rest_joints_m[0]) @ (along / np.linalg.norm(along))
        self._allowed = reach > WRIST_M

    def find(self, sight: Sight, parameters: HandParameters) -> tuple[SeenOutline, SeenOutline]:
        """Outlines in the left (or only) and the right image; empty ones where a frame has no image or camera.
        parameters: of the right hand that stands for the sight's."""
        side = sight.estimate.handedness
        pose, root = to_pose(parameters, self._skeleton.axes, side)
        rest_wrist = wrist_position(self._skeleton, parameters.shape)
        translation = np.float32(root - (mirror_points(rest_wrist) if side == 'left' else rest_wrist))
        vertices, _ = posed_hand(self._hand, pose, np.float32(parameters.shape), translation, side)
        vertices = np.asarray(vertices, np.float64)
        found = [self._in_view(sight.frames[0], vertices, side)]
        if sight.stereo:
            found.append(self._in_view(sight.frames[1], sight.rig.to_right(vertices), side))
        else:
            found.append(_empty())
        return found[0], found[1]

    def _in_view(self, frame, vertices_m: np.ndarray, side: str) -> SeenOutline:
        if frame.image is None or frame.camera is None:
            return _empty()
        pixels = frame.camera.project(vertices_m)
        return seen_outline(find_outline(frame.image, pixels, self._model.faces, self._allowed), frame.camera, side)


def _empty() -> SeenOutline:
    none = no_outline()
    return SeenOutline(np.asarray(none.vertices, np.float32), none.normals, none.targets, none.weights)
