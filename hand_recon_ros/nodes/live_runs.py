"""Labelled recordings through the real nodes, judged as the pipeline in one process is."""
from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.recorded_hands import RecordedHands
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.detection.tracking import HandTracker
from hand_recon_ros.evaluation.runs import FrameJudging, Judged, RunSettings
from hand_recon_ros.messages.hands import keypoints_to_msg
from hand_recon_ros.nodes.replay import INITIAL, KEYPOINTS, MESH, STAGES, MonoReplay, Replay


@dataclass(frozen=True)
class LiveRun:
    """The judged recording, and what became of its images on their way through the nodes."""
    judged: Judged
    replay: Replay


class LiveRuns:
    """`with LiveRuns(settings, rate) as runs: runs.evaluate(...)`: the nodes run on from recording to recording."""

    def __init__(self, settings: RunSettings, rate: float, report: Callable[[str], None] = print):
        """report: called with every line of the nodes."""
        self._settings = settings
        pipeline = settings.pipeline
        names = [name for name in STAGES if not (name == 'keypoint_node' and settings.detector != 'mediapipe')
                 and not (name == 'tailor_node' and pipeline.tailor == 'none')]
        self._mesh_topic = INITIAL if pipeline.tailor == 'none' else MESH
        model = {'model': pipeline.model, 'offsets': pipeline.offsets,
                 'detector': 'mediapipe' if settings.detector == 'mediapipe' else 'truth'}
        hands = {'max_hands': str(pipeline.max_hands)}
        parameters = {
            'keypoint_node': {'mode': pipeline.mode, 'min_detection_score': str(pipeline.min_detection_score), **hands},
            # Without its camera a hand would be placed by guess, in silence.
            'mesh_node': {**model, 'estimator': pipeline.estimator, 'projection': 'perspective'},
            'tailor_node': {**model, 'solver': pipeline.tailor, **hands}}
        self._replay = MonoReplay(rate, parameters={name: parameters[name] for name in names}, nodes=tuple(names),
                                  report=report)

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
            if detector:
                _write_keypoints(recording, detector, most, keypoints)
            replay = self._replay.play(recording.path, recorded, most, keypoints, progress)
        hands = RecordedHands.read(recorded, self._mesh_topic, KEYPOINTS)
        judging = FrameJudging(name, self._settings.pipeline.model, recording.truths, recording.mask)
        for frame in recording.frames(most=most):
            stamp_ns = frame.stamp_ns
            judging.add(frame, hands.meshes.get(stamp_ns, []), hands.keypoints.get(stamp_ns),
                        hands.latencies_s.get(stamp_ns))
        return LiveRun(judging.judged, replay)


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
