"""Shape from proportions: minimal-hand eq. 8, the shape whose bone-length ratios are the observed ones."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.estimation.viewing import CHILDREN, PARENTS
from hand_recon_ros.hand_model.landmarks import Skeleton, landmark_shape_dirs, rest_landmarks

# Reference bone: wrist to middle MCP (minimal-hand sec. 3.1), the row of keypoint 9 among the bones.
REFERENCE = 8
ITERATIONS = 3


@dataclass(frozen=True)
class BoneShape:
    """Bone vectors of a model's rest landmarks and how shape changes them: (20, 3) and (20, 3, B), metres."""
    bones: np.ndarray
    bone_dirs: np.ndarray

    @classmethod
    def build(cls, skeleton: Skeleton) -> BoneShape:
        """For the keypoints of a model and the landmark offsets of a detector."""
        points, dirs = rest_landmarks(skeleton), landmark_shape_dirs(skeleton)
        return cls((points[CHILDREN] - points[PARENTS]).astype(np.float64),
                   (dirs[CHILDREN] - dirs[PARENTS]).astype(np.float64))

    def lengths(self, shape: np.ndarray) -> np.ndarray:
        """Bone lengths (20,) of shape (B,), metres."""
        return np.linalg.norm(self.bones + self.bone_dirs @ shape, axis=-1)

    def solve(self, points: np.ndarray, regularisation: float = 2e-2) -> np.ndarray:
        """Shape (B,) minimising sum_b (l_b(shape) / l_ref(shape) - l_b / l_ref)^2 + regularisation |shape|^2, eq. 8.

        points: (21, 3) landmarks at any size. The paper leaves the weight open; 0.02 keeps a detector's usual 10 % error
        of a bone below one standard deviation of shape.
        """
        points = np.asarray(points, np.float64)
        seen = np.linalg.norm(points[CHILDREN] - points[PARENTS], axis=-1)
        if seen[REFERENCE] < 1e-4:
            raise ValueError(f'points: wrist and middle knuckle {seen[REFERENCE]:.2g} m apart, expected a hand')
        wanted = seen / seen[REFERENCE]
        count = self.bone_dirs.shape[-1]
        shape = np.zeros(count)
        for _ in range(ITERATIONS):
            bones = self.bones + self.bone_dirs @ shape
            length = np.linalg.norm(bones, axis=-1)
            slope = np.einsum('bi,bik->bk', bones, self.bone_dirs) / length[:, None]
            ratio = length / length[REFERENCE]
            jacobian = (slope - ratio[:, None] * slope[REFERENCE]) / length[REFERENCE]
            normal = jacobian.T @ jacobian + regularisation * np.eye(count)
            shape = np.linalg.solve(normal, jacobian.T @ (wanted - ratio + jacobian @ shape))
        return shape
