"""What a sample says of the hand in one of its views, as a right hand's: left ones are mirrored here for all of training."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.sample import Sample
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.assets import BUILT_IN, load_hand_model, read_npz
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_rotations
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.pickle_reader import read_pickle
from hand_recon_ros.types import checked

PALM_FOR_WRIST = 'stb_palm'


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


@dataclass(frozen=True, eq=False)
class LabelModel:
    """A hand model and how data sets tell its parameters. label_name: what they call it (Sample.model). hands_mean: (45,)
    the mean pose that some count from, None where the model's file has none."""
    model: HandModel
    label_name: str
    hands_mean: np.ndarray | None = None

    @classmethod
    def load(cls, name_or_path: str) -> LabelModel:
        """Our own model, or a user's MANO file, whose parameters FreiHAND and others are labelled with."""
        model = load_hand_model(name_or_path)
        if model.name in BUILT_IN:
            return cls(model, model.name)
        path = Path(name_or_path).expanduser()
        read = read_pickle if path.suffix == '.pkl' else read_npz
        mean = read(path, ('hands_mean',)).get('hands_mean')
        return cls(model, 'mano', None if mean is None else checked('hands_mean', mean, (45,), np.float64))


def hand_labels(sample: Sample, view_number: int, told: LabelModel) -> HandLabels:
    """Labels of a sample's hand in one view; parameters only where they are this model's, in axis-angle numbers, and
    their zero is known (a set that does not tell is taken to count from the flat hand). A hand whose side the set does
    not tell is taken for a right one. A palm's centre is not labelled as the wrist."""
    view, mirrored = sample.views[view_number], sample.handedness == 'left'
    joints_px = np.full((21, 2), np.nan) if view.joints_px is None else np.asarray(view.joints_px, np.float64)
    to_view = view.T_view_first[:3, :3]
    joints_m = np.full((21, 3), np.nan)
    if sample.joints_m is not None:
        joints_m = np.asarray(sample.joints_m, np.float64) @ to_view.T + view.T_view_first[:3, 3]
    rotations = _rotations(sample, to_view @ sample.T_first_model[:3, :3], told)
    if sample.joint_definition == PALM_FOR_WRIST:
        joints_px, joints_m = joints_px.copy(), joints_m.copy()
        joints_px[0] = joints_m[0] = np.nan
    if mirrored:
        joints_m = mirror_points(joints_m)
        rotations = None if rotations is None else mirror_rotations(rotations)
    shape = None
    if sample.shape is not None and sample.model == told.label_name:
        shape = checked('shape', sample.shape, (told.model.shape_size,), np.float64)
    return HandLabels(mirrored, joints_px, joints_m, rotations, shape)


def _rotations(sample: Sample, turn: np.ndarray, told: LabelModel) -> np.ndarray | None:
    """Local rotations (16, 3, 3) of the hand as it is, the wrist's turned by `turn`; None where they are not known."""
    if sample.pose is None or sample.model != told.label_name or sample.pose_space != 'axis_angle':
        return None
    pose = np.asarray(sample.pose, np.float64).copy()
    if sample.flat_hand_mean is False:
        if told.hands_mean is None:
            return None
        # A left hand's mean, the mirror image of the right one's: (x, -y, -z) in axis-angle numbers.
        pose[3:] += told.hands_mean * (np.tile([1, -1, -1], 15) if sample.handedness == 'left' else 1)
    rotations = axis_angle_to_matrix(pose.reshape(16, 3))
    rotations[0] = turn @ rotations[0]
    return rotations
