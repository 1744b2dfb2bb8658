"""What each figure of the table says, in a line. docs/evaluation.md has the whole definitions."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """group: heading in the report. meaning: one line, HTML-free."""
    group: str
    meaning: str


def _group(group: str, **meanings: str) -> dict[str, Definition]:
    return {name: Definition(group, meaning) for name, meaning in meanings.items()}


DEFINITIONS = {
    **_group('Joints', pa_mpjpe_mm='mean joint error after a similarity alignment of each hand (no reflection)',
             pa_mpjpe_p95_mm='95th percentile over hands of the aligned error',
             mpjpe_mm='mean joint error, wrists together',
             mpjpe_p95_mm='95th percentile over hands of the root-relative error',
             cs_mpjpe_mm='mean joint error in the camera\'s frame, nothing aligned',
             cs_mpjpe_p95_mm='95th percentile over hands of the camera-space error'),
    **_group('Area under the PCK curve', auc_0_50='aligned joints, 0 to 50 mm (FreiHAND)',
             auc_20_50='aligned joints, 20 to 50 mm',
             auc_5_20='aligned joints, 5 to 20 mm (HandTailor\'s stricter range)',
             auc_0_50_root_relative='wrists together, 0 to 50 mm',
             auc_20_50_root_relative='wrists together, 20 to 50 mm',
             auc_5_20_root_relative='wrists together, 5 to 20 mm'),
    **_group('Meshes', pa_mpvpe_mm='mean vertex error, meshes aligned by their own vertices',
             mpvpe_mm='mean vertex error, wrists together', cs_mpvpe_mm='mean vertex error in the camera\'s frame',
             f_5='F-score of aligned vertices at 5 mm', f_15='F-score of aligned vertices at 15 mm',
             cs_f_5='F-score at 5 mm, nothing aligned', cs_f_15='F-score at 15 mm, nothing aligned',
             pa_surface_mm='mean distance between surfaces of different topology, aligned by the joints',
             cs_surface_mm='the same in the camera\'s frame', surface_f_5='F-score of aligned surfaces at 5 mm',
             surface_f_15='F-score of aligned surfaces at 15 mm',
             cs_surface_f_5='F-score of surfaces at 5 mm, nothing aligned',
             cs_surface_f_15='F-score of surfaces at 15 mm, nothing aligned',
             mask_iou='intersection over union of the drawn mesh and the true mask, mean over hands',
             mask_accuracy='share of pixels labelled rightly in the true mask\'s box made 1.5 times longer'),
    **_group('Finding hands', recall='share of true hands with an estimate at their place in the image',
             precision='share of estimates that are a true hand',
             false_positives_per_frame='estimates that are no true hand',
             handedness_accuracy='share of matched hands whose side is right',
             keypoint_recall='share of true hands the detector found',
             keypoint_error_percent='the detector\'s mean 2D error, % of the true box\'s longer side',
             keypoint_error_p95_percent='95th percentile over hands of the same',
             keypoint_handedness_accuracy='share of detections whose side is right'),
    **_group('Over time', id_switches='how often a true hand\'s estimate changed its track id',
             jitter_mm='mean change of a joint\'s error vector from one frame to the next',
             still_jitter_mm='mean step of estimated joints while the true joint rests (under 0.2 mm a frame)',
             acceleration_error_mm='norm of the difference of second differences, mm per frame squared',
             acceleration_mm='the estimate\'s own second difference, mm per frame squared',
             true_acceleration_mm='the truth\'s second difference, mm per frame squared',
             bone_length_std_mm='standard deviation of a bone\'s length over a track, mean over bones'),
    **_group('Uncertainty', coverage_95='share of joints within the stated 95 % ball (2.795 standard deviations)',
             stated_std_mm='mean stated standard deviation per axis'),
    **_group('Speed', latency_ms='time from image to estimate, percentiles over frames'),
}
