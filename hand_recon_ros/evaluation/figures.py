"""The table of figures of one or many recordings."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.evaluation.metrics import M_TO_MM, auc
from hand_recon_ros.evaluation.records import RecordingErrors
from hand_recon_ros.evaluation.temporal import (acceleration_error_mm, acceleration_mm, bone_length_std_mm, id_switches,
                                                jitter_mm, still_jitter_mm, stretches)
from hand_recon_ros.evaluation.uncertainty import coverage, is_stated, standardised

AUC_RANGES_MM = ((0, 50), (20, 50), (5, 20))
PERCENTILES = (50, 95, 99)


def figures(recordings: tuple[RecordingErrors, ...]) -> tuple[dict, list[str]]:
    """Figures by name and the reasons for those that are absent. Definitions: docs/evaluation.md.

    Accuracy is the mean over matched hands of each hand's mean over its points: every hand of every frame counts once.
    """
    frames = [frame for recording in recordings for frame in recording.frames]
    hands = [hand for frame in frames for hand in frame.matched]
    result, notes = {}, []
    if hands:
        result |= _joints(hands)
    else:
        notes.append('no accuracy figures: no estimate was matched to a true hand')
    for part, absent in (_vertices(hands), _surfaces(hands), _detection(frames, hands), _motion(recordings),
                         _uncertainty(hands), _masks(hands), _keypoints(frames), _stereo(frames), _latency(frames)):
        result |= part
        notes += absent
    return result, notes


def _joints(hands) -> dict:
    aligned, relative, camera = (np.stack([getattr(hand, name) for hand in hands])
                                 for name in ('aligned_mm', 'root_relative_mm', 'camera_space_mm'))
    result = {}
    for name, errors in (('pa_mpjpe', aligned), ('mpjpe', relative), ('cs_mpjpe', camera)):
        result[f'{name}_mm'] = float(errors.mean())
        result[f'{name}_p95_mm'] = float(np.percentile(errors.mean(1), 95))
    for suffix, errors in (('', aligned), ('_root_relative', relative)):
        for lower, upper in AUC_RANGES_MM:
            result[f'auc_{lower}_{upper}{suffix}'] = auc(errors, lower, upper)
    return result


def _vertices(hands) -> tuple[dict, list[str]]:
    errors = [hand.vertices for hand in hands if hand.vertices is not None]
    if not errors:
        return {}, ['no vertex errors: no matched hand has vertices of the truth\'s own model'] if hands else []

    def mean(name: str) -> float:
        return float(np.mean([getattr(error, name) for error in errors]))
    return ({'pa_mpvpe_mm': mean('aligned_mm'), 'mpvpe_mm': mean('root_relative_mm'),
             'cs_mpvpe_mm': mean('camera_space_mm'), 'f_5': mean('aligned_f_5'), 'f_15': mean('aligned_f_15'),
             'cs_f_5': mean('f_5'), 'cs_f_15': mean('f_15')}, _share('vertex figures', len(errors), len(hands)))


def _surfaces(hands) -> tuple[dict, list[str]]:
    errors = [hand.surface for hand in hands if hand.surface is not None]
    if not errors:
        return {}, []

    def mean(name: str) -> float:
        return float(np.mean([getattr(error, name) for error in errors]))
    return ({'pa_surface_mm': mean('aligned_mm'), 'cs_surface_mm': mean('camera_space_mm'),
             'surface_f_5': mean('aligned_f_5'), 'surface_f_15': mean('aligned_f_15'),
             'cs_surface_f_5': mean('f_5'), 'cs_surface_f_15': mean('f_15')},
            _share('surface figures', len(errors), len(hands)))


def _detection(frames, hands) -> tuple[dict, list[str]]:
    true_hands, estimates = sum(frame.true_hands for frame in frames), sum(frame.estimates for frame in frames)
    hidden = sum(frame.out_of_sight for frame in frames)
    notes = [f'{hidden} true hands without a keypoint in the image are not counted'] if hidden else []
    if not true_hands:
        return {}, [*notes, 'no recall: there is no true hand to be seen']
    result = {'recall': len(hands) / true_hands}
    if estimates:
        result['precision'] = len(hands) / estimates
    result['false_positives_per_frame'] = (estimates - len(hands)) / len(frames)
    if hands:
        result['handedness_accuracy'] = sum(hand.right_side for hand in hands) / len(hands)
    return result, notes


def _motion(recordings) -> tuple[dict, list[str]]:
    sequences = [recording for recording in recordings if recording.sequence]
    if not any(frame.matched for recording in sequences for frame in recording.frames):
        return {}, ['no figures of motion: no hand was matched in a sequence of frames'] if recordings else []
    result = {'id_switches': sum(id_switches(recording.frames) for recording in sequences)}
    runs = [run for recording in sequences for run in stretches(recording.frames)]
    notes = []
    for name, measure in (('jitter_mm', jitter_mm), ('still_jitter_mm', still_jitter_mm),
                          ('acceleration_error_mm', acceleration_error_mm),
                          ('acceleration_mm', lambda estimated, _: acceleration_mm(estimated)),
                          ('true_acceleration_mm', lambda _, true: acceleration_mm(true))):
        values = [np.ravel(measure(*run)) for run in runs]
        if sum(map(len, values)):
            result[name] = float(np.concatenate(values).mean())
        else:
            notes.append(f'no {name}: no hand was ' + ('seen at rest' if name.startswith('still') else
                                                       'followed over enough neighbouring frames'))
    tracks = [bone_length_std_mm(recording.frames) for recording in sequences]
    deviations, lengths = (np.concatenate(parts) for parts in zip(*tracks))
    if len(lengths):
        result['bone_length_std_mm'] = float(np.average(deviations.mean(1), weights=lengths))
    else:
        notes.append('no bone_length_std_mm: no track has two frames')
    return result, notes


def _uncertainty(hands) -> tuple[dict, list[str]]:
    if not hands:
        return {}, []
    ratios = [standardised(hand.camera_space_mm, hand.joint_std_m) for hand in hands]
    values = np.concatenate(ratios)
    if not len(values):
        return {}, ['no coverage_95: no estimate states an uncertainty']
    stated = np.concatenate([hand.joint_std_m[is_stated(hand.joint_std_m)] for hand in hands])
    return ({'coverage_95': float(coverage(values)), 'stated_std_mm': float(stated.mean() * M_TO_MM)},
            _share('coverage_95', sum(len(ratio) > 0 for ratio in ratios), len(hands)))


def _masks(hands) -> tuple[dict, list[str]]:
    errors = [hand.mask for hand in hands if hand.mask is not None]
    if not errors:
        return {}, ['no mask figures: no true mask was given, or no mesh to draw'] if hands else []
    return ({'mask_iou': float(np.mean([error.intersection / error.union for error in errors])),
             'mask_accuracy': float(np.mean([error.right / error.seen for error in errors]))},
            _share('mask figures', len(errors), len(hands)))


def _keypoints(frames) -> tuple[dict, list[str]]:
    judged = [frame.keypoints for frame in frames if frame.keypoints is not None]
    true_hands, detected = sum(part.true_hands for part in judged), sum(part.detected for part in judged)
    if not true_hands:
        return {}, ['no detector figures: no keypoints were given'] if frames else []
    result = {'keypoint_recall': detected / true_hands}
    if not detected:
        return result, ['no keypoint_error_percent: no hand was detected']
    percent = np.concatenate([part.percent for part in judged])
    return result | {'keypoint_error_percent': float(percent.mean()),
                     'keypoint_error_p95_percent': float(np.percentile(percent.mean(1), 95)),
                     'keypoint_handedness_accuracy': sum(part.right_side for part in judged) / detected}, []


def _stereo(frames) -> tuple[dict, list[str]]:
    """Two-view triangulation of the detector's points: each hand's mean over the points whose rays meet."""
    parts = [frame.stereo for frame in frames if frame.stereo is not None]
    matched = sum(part.matched for part in parts)
    if not matched:
        return {}, []
    errors = np.concatenate([part.triangulated_mm for part in parts])
    if not len(errors):
        return {'seen_twice': 0.0}, ['no triangulated_points_mm: no matched hand was seen by both cameras']
    met = np.isfinite(errors)
    hands = np.array([row[kept].mean() for row, kept in zip(errors, met) if kept.any()])
    notes = _share('triangulated_points_mm', len(hands), matched)
    if not met.all():
        notes.append(f'triangulated_points_mm: {100 * (1 - met.mean()):.1f} % of the points have rays that do not meet '
                     'ahead of the cameras and are left out')
    result = {'seen_twice': len(errors) / matched,
              'epipolar_px': float(np.mean(np.concatenate([part.epipolar_px for part in parts])))}
    if len(hands):
        result |= {'triangulated_points_mm': float(hands.mean()),
                   'triangulated_points_p95_mm': float(np.percentile(hands, 95))}
    return result, notes


def _latency(frames) -> tuple[dict, list[str]]:
    values = [frame.latency_s for frame in frames if frame.latency_s is not None]
    if not values:
        return {}, ['no latency_ms: none was measured'] if frames else []
    numbers = np.percentile(np.asarray(values) * 1e3, PERCENTILES)
    return {'latency_ms': {f'p{p}': float(number) for p, number in zip(PERCENTILES, numbers)}}, []


def _share(what: str, part: int, whole: int) -> list[str]:
    return [f'{what}: of {part} of the {whole} matched hands'] if part < whole else []
