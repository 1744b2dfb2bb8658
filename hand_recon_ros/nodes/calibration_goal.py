"""One goal of hands/calibrate_identity: what was asked for, how far it is, and how it ended."""
from __future__ import annotations

from rclpy.task import Future

from hand_recon_ros.action import CalibrateIdentity
from hand_recon_ros.identity.calibration import Calibration
from hand_recon_ros.identity.collector import IdentityCollector, Progress
from hand_recon_ros.identity.sights import Sight
from hand_recon_ros.identity.store import checked_name
from hand_recon_ros.types import HANDEDNESS, checked_choice

MOST_FRAMES = 200


class CalibrationGoal:
    """ValueError when the goal asks for what cannot be. `outcome` holds a message, empty on success, once it is over;
    `result` is there on success. baseline_m: of the rig by which it was measured."""

    def __init__(self, handle, frames: int):
        request = handle.request
        self.name, self.handedness = checked_name(request.name), request.handedness
        if self.handedness:
            checked_choice('handedness', self.handedness, HANDEDNESS)
        self.track_id, self.save = int(request.track_id), bool(request.save)
        self.frames = int(request.frames) or frames
        if self.frames > MOST_FRAMES:
            raise ValueError(f'frames: {self.frames}, expected at most {MOST_FRAMES}')
        self._handle = handle
        self.collector: IdentityCollector | None = None
        self.result: Calibration | None = None
        self.baseline_m = float('nan')
        self.outcome = Future()

    def wanted(self, sights: dict[int, Sight]) -> tuple[Sight | None, str]:
        """The sight of an instant to gather, or None and why."""
        if self.track_id >= 0:
            sight = sights.get(self.track_id)
            if sight is not None and self.handedness in ('', sight.estimate.handedness):
                return sight, ''
            return None, f'track {self.track_id} not seen by both cameras'
        fitting = [sight for sight in sights.values() if self.handedness in ('', sight.estimate.handedness)]
        sides = [sight.estimate.handedness for sight in fitting]
        if not fitting:
            return None, 'no such hand seen by both cameras'
        if len(set(sides)) < len(sides):
            return None, 'two hands of one side in view: several people, expected one (or track_id)'
        # Both hands of a person have one shape: the hand of which fewer sights are there.
        gathered = [sight.estimate.handedness for sight in self.collector.sights]
        return min(fitting, key=lambda sight: gathered.count(sight.estimate.handedness)), ''

    def tell(self, progress: Progress) -> None:
        """Feedback to who asked."""
        self._handle.publish_feedback(CalibrateIdentity.Feedback(
            frames=progress.frames, remaining=progress.remaining, width_std_mm=progress.width_std_mm,
            length_std_mm=progress.length_std_mm, refusal=progress.why))

    def end(self, message: str = '') -> None:
        """It is over: done, or given up for a reason. Only the first call counts."""
        if not self.outcome.done():
            self.outcome.set_result(message)
