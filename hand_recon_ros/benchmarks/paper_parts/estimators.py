"""Every estimator, with and without the tailor, on the benchmark sets, all on the same detections."""
from __future__ import annotations

import sys
import time
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.detection.registry import build_detector
from hand_recon_ros.detection.tracking import HandTracker
from hand_recon_ros.estimation.names import NAMES
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.estimation.rehearsal import rehearse
from hand_recon_ros.evaluation.metrics import aligned_mm
from hand_recon_ros.evaluation.runs import FrameJudging
from hand_recon_ros.evaluation.sets import ACCURACY_SETS, generate, load_set
from hand_recon_ros.evaluation.stereo_reference import StereoReference
from hand_recon_ros.evaluation.summary import Evaluation
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.refinement.tailor import Tailor
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints

MODEL, DETECTOR, MAX_HANDS = 'open_hand', 'mediapipe', 2
TAILORS = ('none', 'gauss_newton', 'adam')
FIGURES = ('recall', 'pa_mpjpe_mm', 'pa_mpvpe_mm', 'cs_mpjpe_mm', 'auc_5_20', 'auc_20_50')
POINTS_SET = 'mono_wild'


@dataclass(frozen=True)
class Seen:
    """One recording and what the detector saw in it. frames: with their images and hands, in order."""
    name: str
    frames: list[tuple[Frame, list[HandKeypoints]]]
    truths: dict[int, list[HandEstimate]]


def estimator_rows(most: int | None) -> list[dict]:
    """A row for each set, estimator and tailor; on POINTS_SET the points that DetNet and the detector read, too."""
    model = load_hand_model(MODEL)
    rows = []
    for set_name in ACCURACY_SETS:
        chosen = load_set(set_name)
        offsets_m = load_offsets(DETECTOR, chosen.offsets).offsets_m
        estimators = {name: build_estimator(name, model, offsets_m) for name in NAMES}
        tailors = {name: Tailor(model, offsets_m, name, MAX_HANDS) for name in TAILORS if name != 'none'}
        for estimator in estimators.values():
            rehearse(estimator, model, DETECTOR)
        evaluations, seconds, hands = defaultdict(list), defaultdict(float), 0
        points = PointReading(model, offsets_m) if set_name == POINTS_SET else None
        for seen in _seen(chosen, most):
            judging = {(name, tailor): FrameJudging(seen.name, MODEL, seen.truths) for name in NAMES for tailor in TAILORS}
            for frame, keypoints in tqdm(seen.frames, seen.name, leave=False, disable=not sys.stderr.isatty()):
                hands += len(keypoints)
                if points is not None:
                    points.add(frame, keypoints, seen.truths.get(frame.stamp_ns, []))
                for name, estimator in estimators.items():
                    started = time.perf_counter()
                    initial = [estimator.estimate(frame, hand) for hand in keypoints]
                    seconds[name, 'none'] += time.perf_counter() - started
                    judging[name, 'none'].add(frame, initial, keypoints, None)
                    for tailor, refinement in tailors.items():
                        started = time.perf_counter()
                        refined = refinement.refine(frame, keypoints, initial)
                        seconds[name, tailor] += time.perf_counter() - started
                        judging[name, tailor].add(frame, refined, keypoints, None)
            for key, one in judging.items():
                evaluations[key].append(one.judged.evaluation)
        for name in NAMES:
            plain = Evaluation.merged(evaluations[name, 'none']).metrics()
            for tailor in TAILORS:
                metrics = Evaluation.merged(evaluations[name, tailor]).metrics()
                rows.append({'case': f'{set_name}, {name}' + ('' if tailor == 'none' else f' + {tailor}'),
                             'section': 'estimators', 'hands': hands,
                             'ours_ms': 1e3 * seconds[name, tailor] / max(hands, 1),
                             **{figure: metrics[figure] for figure in FIGURES if figure in metrics},
                             'over_untailored': metrics['pa_mpjpe_mm'] / plain['pa_mpjpe_mm']})
        if points is not None:
            rows += points.rows(set_name, {name: Evaluation.merged(evaluations[name, 'none']).metrics()
                                           for name in ('iknet', 'minimal_hand')})
    return rows


def _seen(chosen, most: int | None):
    """The set's recordings, detected one by one as a live camera would be."""
    detector = build_detector(DETECTOR, 'video', MAX_HANDS)
    try:
        for recording in tqdm(chosen.first(most), chosen.name, disable=not sys.stderr.isatty()):
            labelled = LabelledRecording.read(generate(recording))
            detector.restart()
            tracker, frames = HandTracker(), []
            for frame in labelled.frames(most=recording.frames):
                frames.append((frame, tracker.update(detector.detect(frame), frame.stamp_ns)))
            yield Seen(f'{chosen.name}/{recording.index:02d}', frames, labelled.truths)
    finally:
        detector.close()


class PointReading:
    """Points alone, before any inverse kinematics: DetNet's against the model's joints, the detector's against where the
    table of offsets has its landmarks."""

    def __init__(self, model, offsets_m):
        from hand_recon_ros.estimation.det_net_reader import DetNetReader
        self._reader, self._reference = DetNetReader(model), StereoReference(model, offsets_m)
        self._errors = {'DetNet': [], 'MediaPipe': []}

    def add(self, frame: Frame, keypoints: list[HandKeypoints], truths: list[HandEstimate]) -> None:
        """One frame's hands that lie nearest to a true one, by the middles of both in the image."""
        for hand in keypoints:
            there = [truth for truth in truths if truth.handedness == hand.handedness]
            if not there or frame.camera is None:
                continue
            middle = hand.points_px.mean(0)
            away = [np.linalg.norm(frame.camera.project(truth.joints_m).mean(0) - middle) for truth in there]
            if min(away) > 0.5 * hand.box_size_px:
                continue
            truth = there[int(np.argmin(away))]
            read = self._reader.read(frame, hand)
            self._errors['DetNet'].append(aligned_mm(read.points_m, truth.joints_m).mean())
            self._errors['MediaPipe'].append(aligned_mm(hand.points_m, self._reference.landmarks_m(truth)).mean())

    def rows(self, set_name: str, with_iknet: dict[str, dict]) -> list[dict]:
        """Points alone beside what IKNet makes of them."""
        rows = []
        for name, estimator in (('DetNet', 'minimal_hand'), ('MediaPipe', 'iknet')):
            alone, posed = float(np.mean(self._errors[name])), with_iknet[estimator]['pa_mpjpe_mm']
            common = {'section': 'detnet', 'hands': len(self._errors[name])}
            rows += [{'case': f'{set_name}, {name} alone', **common, 'pa_mpjpe_mm': alone},
                     {'case': f'{set_name}, {name} + IKNet', **common, 'pa_mpjpe_mm': posed, 'over_alone': posed / alone}]
        return rows
