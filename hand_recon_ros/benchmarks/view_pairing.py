"""How many of the hands before both cameras are fused from both: with hands sought across the views, and without."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.benchmarks.stereo_cases import Case, CaseRun, Detected, Detections
from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.pipeline import StereoResult
from hand_recon_ros.types import HandEstimate

ACROSS, APART = 'sought across the views', 'each view by itself'
DETECTORS = {ACROSS: 'openvino', APART: 'openvino, single views'}
SEEN_SHARE = 0.5        # of a hand's keypoints that must lie in an image


def seen_by_both(rig: StereoRig, truth: HandEstimate) -> bool:
    """Whether a true hand lies in both images, whatever hides it there."""
    pixels = rig.project(np.asarray(truth.joints_m, np.float64))
    return all(camera.inside(points).mean() >= SEEN_SHARE for camera, points in zip((rig.left, rig.right), pixels))


def fused_from_both(recording: Detected, results: list[StereoResult]) -> tuple[int, int, int]:
    """True hands that both images hold, those of them that were found, and those fused from both views."""
    there = found = both = 0
    for (frame, _), result in zip(recording.pairs, results):
        truths = [truth for truth in recording.truths.get(frame.stamp_ns, []) if seen_by_both(recording.rig, truth)]
        matched = match_hands(result.estimates, truths)
        there, found = there + len(truths), found + len(matched)
        both += sum(not result.hands[index].one_view for index, _ in matched)
    return there, found, both


def pairing_rows(name: str, case: Case, recordings: list) -> list[dict]:
    """One row for each way to detect. recordings: (SetRecording, StereoRecording)."""
    rows = []
    for title, kind in DETECTORS.items():
        detections, run, counts = Detections(kind), CaseRun(case), np.zeros(3, int)
        try:
            for recording, stereo in recordings:
                seen = detections.of(f'{name}/{recording.index:02d}', stereo, recording.frames)
                counts += fused_from_both(seen, run.add(seen))
        finally:
            detections.close()
        there, found, both = counts.tolist()
        rows.append({'case': f'{name}, {title}', 'true_hands': there, 'found': found / there,
                     'fused_from_both': both / there, 'cs_mpjpe_mm': run.metrics()['cs_mpjpe_mm']})
    return rows
