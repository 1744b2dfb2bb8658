"""How long a person's palm is by the detector's landmarks: the yardstick that shows a rig's scale to be wrong."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hand_recon_ros.fusion.association import PALM
from hand_recon_ros.hand_model.landmarks import build_skeleton, landmark_shape_dirs, rest_landmarks
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import HandEstimate, HandIdentity, checked


# An identity whose palm is known no better (one standard deviation) says nothing about a rig.
LARGEST_SPREAD = 0.03


class PalmLengths:
    """Mean length of the wrist-to-knuckle bones, metres, as a detector's landmarks would show them.

    offsets_m: (21, 3) of the detector's landmarks. The palm is rigid, so the resting hand tells it for all poses, but
    for what the offsets at the knuckles turn with the fingers.
    """

    def __init__(self, model: HandModel, offsets_m=None):
        skeleton = build_skeleton(model, offsets_m)
        self._rest = np.asarray(rest_landmarks(skeleton), np.float64)
        self._moved = np.asarray(landmark_shape_dirs(skeleton), np.float64)

    def of_shape(self, shape) -> float:
        """Of a shape (B,) of the model; ValueError for another length."""
        points = self._rest + self._moved @ checked('shape', shape, (self._moved.shape[-1],), np.float64)
        return float(np.mean([np.linalg.norm(points[a] - points[b]) for a, b in PALM]))

    def spread(self, identity: HandIdentity) -> float:
        """One standard deviation of an identity's palm as part of it, by its shape's; inf where nobody stated that."""
        std = np.asarray(identity.shape_std, np.float64)
        if not np.isfinite(std).all():
            return float('inf')
        at, length_m = np.asarray(identity.shape, np.float64), self.of_shape(identity.shape)
        slopes = [(self.of_shape(at + step) - length_m) / length_m for step in np.eye(len(at))]
        return float(np.linalg.norm(np.array(slopes) * std))

    def by_handedness(self, hands: Sequence[HandEstimate], by_track: Mapping[int, HandIdentity],
                      default: HandIdentity | None) -> dict[str, float]:
        """Of the hands of an instant, where a person's is known and measured (`metric`): an assumed size shows nothing.
        Two hands of one side are left out, for nobody tells them apart there."""
        sides = [hand.handedness for hand in hands]
        found = {}
        for hand in hands:
            identity = by_track.get(hand.track_id, default)
            if identity is not None and identity.metric and sides.count(hand.handedness) == 1 \
                    and self.spread(identity) <= LARGEST_SPREAD:
                found[hand.handedness] = self.of_shape(identity.shape)
        return found
