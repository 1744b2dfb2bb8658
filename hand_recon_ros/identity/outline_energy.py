"""The outline of the hand in both images as residuals beside the landmarks': point to line, in the model's vertices."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hand_recon_ros.fusion.energy import ReprojectionEnergy, to_right
from hand_recon_ros.fusion.observations import StereoObservation
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.anatomy import angles_to_rotations
from hand_recon_ros.hand_model.landmarks import FIRST, SECOND, THIRD, Skeleton
from hand_recon_ros.hand_model.mirroring import mirror_image_points
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.identity.outlines import POINTS, Outline
from hand_recon_ros.refinement import residuals
from hand_recon_ros.refinement.observations import Observation

# Found outlines are off by half a pixel, but neighbouring points alike: about one in ten is news.
OUTLINE_SIGMA_PX, OUTLINE_LIMIT = 1.5, 2.0
# Blur and the soft step between two colours put the found edge this far inside the hand (15 rendered people).
EDGE_BIAS_PX = 0.2


class SeenOutline(NamedTuple):
    """An Outline as the residuals read it, of a right hand. vertices: (POINTS,) as float32. lines: (POINTS, 2) outward
    normals. targets: (POINTS, 2) on the normalised image plane. weights: (POINTS,)."""
    vertices: np.ndarray
    lines: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


class OutlinedObservation(NamedTuple):
    """What the landmarks and the outlines of both views say."""
    stereo: StereoObservation
    left: SeenOutline
    right: SeenOutline


def seen_outline(outline: Outline, camera: Camera, handedness: str) -> SeenOutline:
    """Outline found in a camera's image, mirrored for a left hand."""
    targets = camera.normalise(outline.targets + EDGE_BIAS_PX * outline.normals.astype(np.float64))
    reached = np.isfinite(targets).all(1)
    targets, lines = np.where(reached[:, None], targets, 0.0), outline.normals
    if handedness == 'left':
        targets, lines = mirror_image_points(targets), mirror_image_points(lines)
    fields = outline.vertices, lines, targets, outline.weights * reached
    return SeenOutline(*(np.asarray(field, np.float32) for field in fields))


@dataclass(frozen=True, eq=False)
class OutlineEnergy:
    """ReprojectionEnergy and, in both views, the distance of outline vertices from the outline found, Huber.

    In two parts: what depends on the landmark offsets, and `surface`, what does not.
    """
    model: HandModel
    landmarks: ReprojectionEnergy = ReprojectionEnergy()
    sigma_px: float = OUTLINE_SIGMA_PX
    limit: float = OUTLINE_LIMIT

    @cached_property
    def _mesh(self) -> tuple[np.ndarray, ...]:
        model = self.model
        parts = model.template_m, model.shape_dirs, model.pose_dirs, model.weights
        return tuple(np.asarray(part, np.float32) for part in parts)

    def example(self, shape_count: int) -> OutlinedObservation:
        """An observation of the compiled shapes."""
        none = SeenOutline(*(np.zeros(shape, np.float32) for shape in ((POINTS,), (POINTS, 2), (POINTS, 2), (POINTS,))))
        return OutlinedObservation(self.landmarks.example(shape_count), none, none)

    def __call__(self, skeleton: Skeleton, parameters: HandParameters, observation: OutlinedObservation):
        """Residuals of the landmarks of one hand."""
        return self.landmarks(skeleton, parameters, observation.stereo)

    def surface(self, skeleton: Skeleton, parameters: HandParameters, observation: OutlinedObservation):
        """Residuals of the surface of one hand, on which no landmark offset has a bearing: (2 POINTS,)."""
        stereo, parts = observation.stereo, []
        for outline, view, right in ((observation.left, stereo.left, False), (observation.right, stereo.right, True)):
            points = self._vertices(skeleton, parameters, outline.vertices.astype(jnp.int32))
            parts.append(self._distances(to_right(points, stereo) if right else points, outline, view))
        return jnp.concatenate(parts)

    def _distances(self, points, outline: SeenOutline, view: Observation):
        plane = points[:, :2] / jnp.maximum(points[:, 2:], residuals.NEAREST_M)
        away = (view.focal_px * (plane - outline.targets) * outline.lines).sum(-1)
        return (outline.weights[:, None] * residuals.huber(away[:, None] / self.sigma_px, self.limit)).ravel()

    def _vertices(self, skeleton: Skeleton, parameters: HandParameters, chosen):
        """Chosen vertices (N, 3) of the posed hand, optical frame: linear blend skinning as in hand_model.skinning."""
        template, shape_dirs, pose_dirs, weights = (jnp.asarray(part)[chosen] for part in self._mesh)
        joints = skeleton.joints + (skeleton.joint_dirs * parameters.shape).sum(-1)
        local = angles_to_rotations(parameters.angles, skeleton.axes)
        root = parameters.rotation
        first = root @ local[FIRST - 1]
        second = first @ local[SECOND - 1]
        third = second @ local[THIRD - 1]
        turn = lambda rotation, vector: (rotation * vector[..., None, :]).sum(-1)      # noqa: E731
        at_first = parameters.root + turn(root, joints[FIRST] - joints[0])
        at_second = at_first + turn(first, joints[SECOND] - joints[FIRST])
        at_third = at_second + turn(second, joints[THIRD] - joints[SECOND])
        rotations = jnp.concatenate([root[None], jnp.stack([first, second, third], 1).reshape(15, 3, 3)])
        places = jnp.concatenate([parameters.root[None], jnp.stack([at_first, at_second, at_third], 1).reshape(15, 3)])
        flat = template + shape_dirs @ parameters.shape + pose_dirs @ (local - jnp.eye(3)).reshape(135)
        # Blended per vertex: sum_j w_j (R_j (v - joint_j) + place_j).
        blended = jnp.einsum('nj,jab->nab', weights, rotations)
        return turn(blended, flat) + weights @ (places - turn(rotations, joints))
