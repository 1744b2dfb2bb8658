"""Labelled recordings through the real nodes, judged as the pipeline in one process is."""
from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.recorded_hands import RecordedHands
from hand_recon_ros.bags.stereo_recording import StereoRecording
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.detection.tracking import HandTracker
from hand_recon_ros.evaluation.runs import TRUE_DETECTORS, FrameJudging, Judged, RunSettings
from hand_recon_ros.messages.hands import keypoints_to_msg
from hand_recon_ros.nodes.replay import (INITIAL, KEYPOINTS, LEFT_KEYPOINTS, MESH, RIGHT_KEYPOINTS, STATIC_TF,
                                         MonoReplay, Replay, StereoReplay)
from hand_recon_ros.pipeline import MonoSettings, StereoSettings


@dataclass(frozen=True)
class LiveRun:
    """The judged recording, and what became of its images on their way through the nodes."""
    judged: Judged
    replay: Replay


class LiveRuns:
    """`with LiveRuns(settings, rate) as runs: runs.evaluate(...)`: the nodes run on from recording to recording.

    settings.pipeline tells whether these are the nodes of one camera or of two.
    """

    def __init__(self, settings: RunSettings, rate: float, report: Callable[[str], None] = print):
        """report: called with every line of the nodes. ValueError for settings that no node has."""
        self._settings = settings
        self._stereo = isinstance(settings.pipeline, StereoSettings)
        kind, topics, parameters = _stereo_nodes(settings) if self._stereo else _mono_nodes(settings)
        self._mesh_topic, self._keypoint_topic = topics
        self._replay = kind(rate, parameters=parameters, nodes=tuple(parameters), report=report)

    def __enter__(self) -> LiveRuns:
        return self

    def __exit__(self, *exception) -> None:
        self._replay.__exit__(*exception)

    def evaluate(self, name: str, recording: LabelledRecording, recorded: Path, most: int | None = None,
                 progress: Callable[[int, int], None] = lambda *_: None) -> LiveRun:
        """Play a recording's first `most` images, keep the nodes' topics in the bag `recorded`, and judge them.

        Where the settings want the truth as detector, its keypoints are played instead. An image of which nothing came
        out counts as one in which nothing was found.
        """
        with tempfile.TemporaryDirectory(prefix='hand_recon_') as folder:
            detector = self._settings.truth_detector(recording.truths)
            keypoints = Path(folder) / 'keypoints' if detector else None
            if detector and self._stereo:
                _write_stereo_keypoints(StereoRecording.read(recording.path), detector, most, keypoints)
            elif detector:
                _write_keypoints(recording, detector, most, keypoints)
            replay = self._replay.play(recording.path, recorded, most, keypoints, progress)
        hands = RecordedHands.read(recorded, self._mesh_topic, self._keypoint_topic)
        judging = FrameJudging(name, self._settings.pipeline.model, recording.truths, recording.mask)
        for frame in recording.frames(most=most):
            stamp_ns = frame.stamp_ns
            judging.add(frame, hands.meshes.get(stamp_ns, []), hands.keypoints.get(stamp_ns),
                        hands.latencies_s.get(stamp_ns))
        return LiveRun(judging.judged, replay)


def _mono_nodes(settings: RunSettings):
    """Kind of replay, topics of meshes and keypoints, and parameters by node."""
    pipeline = settings.pipeline
    model = _model_parameters(pipeline, settings.detector)
    hands = {'max_hands': str(pipeline.max_hands)}
    weights = _weights_parameters(pipeline)
    parameters = {
        'keypoint_node': {'mode': pipeline.mode, 'backend': settings.detector,
                          'min_detection_score': str(pipeline.min_detection_score), **hands},
        # Without its camera a hand would be placed by guess, in silence.
        'mesh_node': {**model, 'estimator': pipeline.chosen_estimator, **weights, 'projection': 'perspective'},
        'tailor_node': {**model, 'solver': pipeline.tailor, **hands}}
    if settings.detector in TRUE_DETECTORS:
        del parameters['keypoint_node']
    if pipeline.tailor == 'none':
        del parameters['tailor_node']
    return MonoReplay, (INITIAL if pipeline.tailor == 'none' else MESH, KEYPOINTS), parameters


def _stereo_nodes(settings: RunSettings):
    parameters = stereo_parameters(settings.pipeline, settings.detector)
    if settings.detector in TRUE_DETECTORS:
        del parameters['stereo_keypoint_node']
    return StereoReplay, (MESH, LEFT_KEYPOINTS), parameters


def stereo_parameters(pipeline: StereoSettings, detector: str) -> dict[str, dict[str, str]]:
    """Parameters by node that make the stereo graph do what these settings do in one process."""
    if pipeline.tailor != 'none':
        raise ValueError(f'tailor: {pipeline.tailor!r}, expected none: no node refines the single views of a pair')
    model, hands = _model_parameters(pipeline, detector), {'max_hands': str(pipeline.max_hands)}
    weights = _weights_parameters(pipeline)
    mesh = {**model, 'estimator': pipeline.chosen_estimator, **weights, 'projection': 'perspective'}
    return {
        'stereo_keypoint_node': {'backend': detector, **hands, 'track_gap_s': str(pipeline.max_gap_s),
                                 'min_detection_score': str(pipeline.min_detection_score)},
        'left_mesh_node': mesh, 'right_mesh_node': mesh,
        'stereo_fusion_node': {**model, 'method': pipeline.fusion, **weights, **hands,
                               'track_gap_s': str(pipeline.max_gap_s),
                               'disparity': str(pipeline.disparity).lower(),
                               'disparity_budget_ms': str(float(pipeline.disparity_budget_ms))},
        'tailor_node': {**model, 'refine': 'false', **hands}}


def _model_parameters(pipeline: MonoSettings | StereoSettings, detector: str) -> dict[str, str]:
    return {'model': pipeline.model, 'offsets': pipeline.offsets,
            'detector': 'truth' if detector in TRUE_DETECTORS else 'mediapipe'}


def _weights_parameters(pipeline: MonoSettings | StereoSettings) -> dict[str, str]:
    """An empty value on a node's command line is none, and refused."""
    return {'weights_dir': pipeline.weights_dir} if pipeline.weights_dir else {}


def _write_stereo_keypoints(recording: StereoRecording, detector, most: int | None, path: Path) -> None:
    """What stereo_keypoint_node would publish had it this detector, and what tells of the rig, as a recording."""
    detector.use(recording.rig)
    trackers = HandTracker(), HandTracker()
    labels = recording.labels
    with BagReader(labels.path) as bag, BagWriter(path) as out:
        told = [camera.info for camera in labels.cameras[:2] if camera.info] + [STATIC_TF] * (STATIC_TF in bag.topics)
        for topic, stamp_ns, message in bag.messages(told):
            out.write(topic, message, stamp_ns)
        for pair in recording.pairs(most):
            frames = [replace(frame, camera=camera)
                      for frame, camera in zip(pair, (recording.rig.left, recording.rig.right))]
            for frame, tracker, topic, found in zip(frames, trackers, (LEFT_KEYPOINTS, RIGHT_KEYPOINTS),
                                                    detector.detect(*frames)):
                hands = tracker.update(found, frame.stamp_ns)
                out.write(topic, keypoints_to_msg(hands, frame.stamp_ns, frame.frame_id, frame.width, frame.height),
                          frame.stamp_ns)


def _write_keypoints(recording: LabelledRecording, detector, most: int | None, path: Path) -> None:
    """What keypoint_node would publish had it this detector, and the camera_info, as a recording."""
    tracker, info = HandTracker(), recording.cameras[0].info
    with BagReader(recording.path) as bag, BagWriter(path) as out:
        for topic, stamp_ns, message in bag.messages(info):
            out.write(topic, message, stamp_ns)
        for frame in recording.frames(most=most):
            hands = tracker.update(detector.detect(frame), frame.stamp_ns)
            out.write(KEYPOINTS, keypoints_to_msg(hands, frame.stamp_ns, frame.frame_id, frame.width, frame.height),
                      frame.stamp_ns)
