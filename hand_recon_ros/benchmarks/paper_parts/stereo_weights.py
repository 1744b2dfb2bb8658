"""HandNet's two views blended by learned weights, beside one view, their plain mean and fusion `joint` (table 4)."""
from __future__ import annotations

import sys

import numpy as np
from tqdm import tqdm

from hand_recon_ros.benchmarks.paper_parts.held_out import HeldOut, Sight
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.evaluation.metrics import aligned_mm, distances_mm
from hand_recon_ros.fusion.hand_pairs import HandPair, ViewHand
from hand_recon_ros.fusion.joint import JointFusion
from hand_recon_ros.fusion.weights import WeightsFusion
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import HandEstimate

# RealisticHands, table 4: PA-MPVPE of the stereo method over that of one view, the right one as there.
PAPER_RATIO = 0.94 / 1.65
# ORACLE takes the better view of every hand: what any choice between both could reach.
MONO, ORACLE = 'one view', 'the better view of every hand'


class PlainMean(WeightsFusion):
    """Every weight one half."""

    def right_weights(self, left: ViewHand, right: ViewHand) -> np.ndarray:
        return np.full((16, 3), 0.5)


def stereo_rows(held_out: HeldOut) -> list[dict]:
    """A row a way, on pairs whose both views the detector saw."""
    estimator = build_estimator('handnet', held_out.model, held_out.offsets_m)
    ways = {'learned weights': WeightsFusion(held_out.model), 'plain mean': PlainMean(held_out.model),
            'joint': JointFusion(held_out.model, held_out.offsets_m, max_hands=1)}
    errors = {name: [] for name in (MONO, *ways, ORACLE)}
    for number in tqdm(held_out.numbers, 'pairs', disable=not sys.stderr.isatty()):
        left, right = (held_out.sight(number, place) for place in (0, 1))
        rig = StereoRig(left.frame.camera, right.frame.camera, held_out.sample(number).views[1].T_view_first)
        views = [ViewHand(s.frame, s.keypoints, estimator.estimate(s.frame, s.keypoints)) for s in (left, right)]
        pair = HandPair(*views, (left.frame, right.frame))
        of_views = [_errors(view.estimate, sight) for view, sight in zip(views, (left, right))]
        errors[MONO].append(of_views[1])
        errors[ORACLE].append(min(of_views))
        for name, way in ways.items():
            errors[name].append(_errors(way.fuse(rig, [pair])[0], left))
    means = {name: np.mean(values, 0) for name, values in errors.items()}
    rows = []
    for name, (vertices, joints, placed) in means.items():
        row = {'case': f'HandNet, two views, {name}' if name != MONO else 'HandNet, one view', 'section': 'stereo',
               'hands': len(errors[name]), 'pa_mpvpe_mm': float(vertices), 'pa_mpjpe_mm': float(joints),
               'cs_mpjpe_mm': float(placed), 'pa_mpvpe_to_mono': float(vertices / means[MONO][0])}
        rows.append(row | ({'paper_pa_mpvpe_to_mono': PAPER_RATIO} if name == 'learned weights' else {}))
    return rows


def _errors(estimate: HandEstimate, truth: Sight) -> tuple[float, float, float]:
    """Vertices and joints aligned, joints where they lie, mm."""
    return (aligned_mm(estimate.vertices_m, truth.vertices_m).mean(), aligned_mm(estimate.joints_m, truth.joints_m).mean(),
            distances_mm(estimate.joints_m, truth.joints_m).mean())
