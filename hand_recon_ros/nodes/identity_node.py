"""identity_node: fused hands and both views' keypoints in; whose hands they are out: calibrated, loaded, recognised."""
from __future__ import annotations

import sys
import threading
import time
from datetime import date

from rclpy.action import ActionServer, CancelResponse

from hand_recon_ros.action import CalibrateIdentity
from hand_recon_ros.messages.hands import identity_to_msg, msg_to_estimates, msg_to_keypoints, nobody_to_msg
from hand_recon_ros.messages.identities import identities_to_msg
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandIdentity as HandIdentityMsg
from hand_recon_ros.msg import HandIdentityArray, HandKeypointsArray, HandMeshArray
from hand_recon_ros.nodes.calibration_goal import CalibrationGoal
from hand_recon_ros.nodes.matching import MatchingNode
from hand_recon_ros.nodes.model_settings import LATCHED, MODEL_SPECS, check_detector, load_model_and_offsets
from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.nodes.rig_source import RIG_SPECS, SIDES, RigSource
from hand_recon_ros.nodes.synchronisation import StampMatcher
from hand_recon_ros.srv import LoadIdentity, SaveIdentity
from hand_recon_ros.types import Frame


class IdentityNode(MatchingNode):
    """Reads the hands only while somebody calibrates, or while several people's hands have to be told apart.

    One identity in use holds for all hands (hands/identity); of several, each holds for the tracks that are recognised
    as that person's (hands/identities), and hands/identity says nobody.
    """
    depth = 2
    specs = MODEL_SPECS + RIG_SPECS + (
        ParameterSpec('frames', 20, 'Sights that a calibration gathers, the most different.', '', 1, 200),
        ParameterSpec('identities', '', 'Names of saved identities to use from the start, separated by commas.'),
        ParameterSpec('folder', '', 'Where identities are saved; empty: the user\'s data folder.'),
        ParameterSpec('tolerance_s', 0.0, 'Left and right belong together when their stamps differ by at most this.',
                      's', 0.0, 0.5),
    )

    def __init__(self):
        super().__init__('identity_node')
        self._lock = threading.Lock()
        # By name; guarded by the lock, as is the goal: services and the worker use them.
        self._in_use: dict[str, object] = {}
        self._goal: CalibrationGoal | None = None
        self._latest = self._calibration = self._recognition = self._recognised = self._model = None
        self._offered, self._action = [], None

    def endpoints(self) -> None:
        from hand_recon_ros.identity.store import IdentityStore
        self._detector = self.setting('detector')
        self._store = IdentityStore(self.setting('folder') or None)
        self._matcher = StampMatcher(('left', 'right', 'fused'), round(self.setting('tolerance_s') * 1e9))
        self._source = RigSource(self)
        self._one = self.add_output(HandIdentityMsg, 'hands/identity', LATCHED, demand=False)
        self._all = self.add_output(HandIdentityArray, 'hands/identities', LATCHED, demand=False)
        for side in SIDES:
            self.add_input(HandKeypointsArray, f'{side}/hands/keypoints', lambda m, side=side: self._on_part(side, m),
                           10)
        self.add_input(HandMeshArray, 'hands/fused', lambda m: self._on_part('fused', m), 10)
        self._source.add_inputs(self)

    def build(self) -> None:
        from hand_recon_ros.hand_model.jax_runtime import prepare_jax
        prepare_jax()
        self._model, _ = load_model_and_offsets(self)
        names = [name.strip() for name in self.setting('identities').split(',') if name.strip()]
        self._in_use = {name: self._store.load(name, self._model.name) for name in names}

    def release(self) -> None:
        self._model = self._calibration = self._recognition = None

    def on_activate(self, state):
        result = super().on_activate(state)
        self._offered = [self.create_service(SaveIdentity, 'hands/save_identity', self._on_save),
                          self.create_service(LoadIdentity, 'hands/load_identity', self._on_load)]
        self._action = ActionServer(self, CalibrateIdentity, 'hands/calibrate_identity', self._calibrate,
                                    cancel_callback=self._on_cancel)
        self._announce()
        return result

    def on_deactivate(self, state):
        self._end_goal('the node was deactivated')
        for service in self._offered:
            self.destroy_service(service)
        self._action.destroy()
        self._offered, self._action = [], None
        return super().on_deactivate(state)

    def destroy_node(self):
        if self._action is not None:
            self._action.destroy()
        super().destroy_node()

    def wanted(self) -> bool:
        """Not by who subscribes, which everybody does, but by what there is to find out."""
        several = len(self._in_use) > 1 and self.count_subscribers(self.resolve_topic_name('hands/mesh')) > 0
        return self.active and (self._goal is not None or several or self.setting('always_on'))

    # What others ask for

    def _on_save(self, request, response):
        from hand_recon_ros.identity.store import checked_name
        try:
            if self._latest is None:
                raise ValueError('nothing was calibrated yet, expected a goal of hands/calibrate_identity first')
            stored = self._latest.named(checked_name(request.name)) if request.name else self._latest
            response.file, response.success = str(self._store.save(stored)), True
        except (ValueError, OSError) as error:
            response.message = str(error)
        return response

    def _on_load(self, request, response):
        try:
            stored = self._store.load(request.name, self._model.name) if request.name or not request.alone else None
        except (ValueError, OSError) as error:
            response.message = str(error)
            return response
        with self._lock:
            if request.alone:
                self._in_use = {}
            if stored is not None:
                self._in_use = {**self._in_use, stored.identity.name: stored}
                response.identity = identity_to_msg(stored.identity)
        self._announce()
        response.success = True
        return response

    async def _calibrate(self, handle):
        result = CalibrateIdentity.Result()
        try:
            goal = CalibrationGoal(handle, self.setting('frames'))
            with self._lock:
                if self._goal is not None:
                    raise ValueError(f'{self._goal.name!r} is being calibrated, expected one at a time')
                self._goal = goal
        except ValueError as error:
            handle.abort()
            result.message = str(error)
            return result
        self.follow_demand()
        result.message = await goal.outcome
        with self._lock:
            self._goal = None
        self.follow_demand()
        if result.message:
            handle.canceled() if handle.is_cancel_requested else handle.abort()
            return result
        self._take_up(goal, result)
        handle.succeed()
        return result

    def _on_cancel(self, handle) -> CancelResponse:
        self._end_goal('cancelled')
        return CancelResponse.ACCEPT

    def _end_goal(self, message: str) -> None:
        with self._lock:
            goal = self._goal
        if goal is not None:
            goal.end(message)

    def _take_up(self, goal: CalibrationGoal, result) -> None:
        """Use what was calibrated, and save it where asked for."""
        from hand_recon_ros.identity.store import StoredIdentity
        found = goal.result
        self._latest = StoredIdentity(found.identity, found.size, len(goal.collector), date.today().isoformat(),
                                      f'measured by a pair {1000 * goal.baseline_m:.1f} mm apart')
        with self._lock:
            self._in_use = {**self._in_use, goal.name: self._latest}
        self._announce()
        result.success, result.identity = True, identity_to_msg(found.identity, self.get_clock().now().nanoseconds)
        for name in ('width_mm', 'width_std_mm', 'length_mm', 'length_std_mm'):
            setattr(result, name, float(getattr(found.size, name)))
        if goal.save:
            try:
                result.file = str(self._store.save(self._latest))
            except OSError as error:
                result.success, result.message = False, f'in use, but not saved: {error}'

    def _announce(self) -> None:
        """Tell everybody who is who."""
        with self._lock:
            identities = [stored.identity for stored in self._in_use.values()]
            known = self._recognition.names if self._recognition is not None else {}
        stamp_ns = self.get_clock().now().nanoseconds
        self._one.publish(identity_to_msg(identities[0], stamp_ns) if len(identities) == 1 else nobody_to_msg(stamp_ns))
        names = {identity.name for identity in identities}
        owners = {track: name for track, name in known.items() if name in names} if len(identities) > 1 else {}
        self._all.publish(identities_to_msg(identities, owners, stamp_ns))

    # The hands

    def process(self, parts) -> None:
        from hand_recon_ros.identity.fused_sights import fused_sights
        started = time.monotonic()
        seen = [parts[side] for side in SIDES]
        keypoints = [msg_to_keypoints(message) for message in seen]
        for hands in keypoints:
            check_detector(hands, self._detector)
        rig = self._source.rig(*((message.image_width, message.image_height) for message in seen))
        frames = tuple(Frame(m.image_width, m.image_height, None, camera, to_ns(m.header.stamp), m.header.frame_id)
                       for m, camera in zip(seen, (rig.left, rig.right)))
        stamp_ns = frames[0].stamp_ns
        sights = fused_sights(rig, frames, *keypoints, msg_to_estimates(parts['fused']))
        with self._lock:
            goal, in_use = self._goal, self._in_use
        if goal is not None and not goal.outcome.done():
            self._gather(goal, sights, rig)
        elif len(in_use) > 1:
            self._recognise(in_use, sights, stamp_ns)
        self.published(started, stamp_ns)

    def _shape_calibration(self):
        if self._calibration is None:
            from hand_recon_ros.identity.calibration import ShapeCalibration
            from hand_recon_ros.identity.responses import response_of
            response = response_of(self._detector, self.setting('offsets'), self._model)
            self._calibration = ShapeCalibration(self._model, response)
        return self._calibration

    def _gather(self, goal: CalibrationGoal, sights, rig) -> None:
        from hand_recon_ros.identity.collector import IdentityCollector
        if goal.collector is None:
            goal.collector, goal.baseline_m = IdentityCollector(self._shape_calibration(), goal.frames), rig.baseline_m
        sight, why = goal.wanted(sights)
        progress = goal.collector.add(sight) if sight is not None else goal.collector.missed(why)
        goal.tell(progress)
        if progress.done:
            goal.result = goal.collector.calibrate(goal.name)
            goal.end()
            # The executor sleeps until something comes; it is to resume the goal now.
            self.wake()

    def _recognise(self, in_use, sights, stamp_ns: int) -> None:
        from hand_recon_ros.identity.track_recognition import TrackRecognition
        if self._recognition is None or self._recognised is not in_use:
            identities = [stored.identity for stored in in_use.values()]
            self._recognition, self._recognised = TrackRecognition(self._shape_calibration(), identities), in_use
        if self._recognition.add(sights, stamp_ns):
            self._announce()

    def extra_values(self) -> dict[str, str]:
        if not self.configured:
            return {}
        values = {'in_use': ', '.join(self._in_use) or 'none', 'unmatched': str(self._matcher.unmatched)}
        goal = self._goal
        if goal is not None:
            values['calibrating'] = f'{goal.name}: {len(goal.collector or ())} of {goal.frames} sights'
        if self._recognition is not None:
            values['recognised'] = ', '.join(f'{track}: {name}' for track, name in self._recognition.names.items())
        return values


def main(arguments=None) -> int:
    from hand_recon_ros.nodes.running import run
    return run(IdentityNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
