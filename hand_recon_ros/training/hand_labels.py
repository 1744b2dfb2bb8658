"""What a sample says of the hand in one of its views, as a right hand's: left ones are mirrored here for all of training."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.datasets.sample import Sample
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_rotations
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import checked


@dataclass(frozen=True)
class HandLabels:
    """A right hand, or the mirror image of a left one, in the axes of a view. mirrored: which of the two.

    joints_px: (21, 2) image pixels, *not* mirrored, NaN where not labelled. joints_m: (21, 3) metres, NaN where not
    labelled. rotations: (16, 3, 3), the wrist's in the view's axes, the others relative to their parents, or None.
    shape: (B,), or None.
    """
    mirrored: bool
    joints_px: np.ndarray
    joints_m: np.ndarray
    rotations: np.ndarray | None
    shape: np.ndarray | None

    @property
    def complete(self) -> bool:
        """Whether every label is there."""
        return self.rotations is not None and self.shape is not None and bool(np.isfinite(self.joints_m).all())


def hand_labels(sample: Sample, view_number: int, model: HandModel, hands_mean=None) -> HandLabels:
    """Labels of a sample's hand in one view; parameters only where they are this model's, in axis-angle numbers.

    hands_mean: (45,) the model's mean pose, for sets whose pose counts from it; without it their poses are not used.
    A hand whose side the set does not tell is taken for a right one.
    """
    view, mirrored = sample.views[view_number], sample.handedness == 'left'
    joints_px = np.full((21, 2), np.nan) if view.joints_px is None else np.asarray(view.joints_px, np.float64)
    to_view = view.T_view_first[:3, :3]
    joints_m = np.full((21, 3), np.nan)
    if sample.joints_m is not None:
        joints_m = np.asarray(sample.joints_m, np.float64) @ to_view.T + view.T_view_first[:3, 3]
    rotations = _rotations(sample, to_view @ sample.T_first_model[:3, :3], model, hands_mean)
    if mirrored:
        joints_m = mirror_points(joints_m)
        rotations = None if rotations is None else mirror_rotations(rotations)
    shape = None
    if sample.shape is not None and sample.model == model.name:
        shape = checked('shape', sample.shape, (model.shape_size,), np.float64)
    return HandLabels(mirrored, joints_px, joints_m, rotations, shape)


def _rotations(sample: Sample, turn: np.ndarray, model: HandModel, hands_mean) -> np.ndarray | None:
    """Local rotations (16, 3, 3) of the hand as it is, the wrist's turned by `turn`; None where they are not known."""
    if sample.pose is None or sample.model != model.name or sample.pose_space != 'axis_angle':
        return None
    pose = np.asarray(sample.pose, np.float64).copy()
    if sample.flat_hand_mean is False:
        if hands_mean is None:
            return None
        pose[3:] += checked('hands_mean', hands_mean, (45,), np.float64)
    rotations = axis_angle_to_matrix(pose.reshape(16, 3))
    rotations[0] = turn @ rotations[0]
    return rotations
