"""A stereo recording through the live graph while a person is calibrated, and what the fused hands look like."""
from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from hand_recon_ros.action import CalibrateIdentity
from hand_recon_ros.bags.camera_topics import camera_topics
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.messages.hands import msg_to_estimates
from hand_recon_ros.msg import HandIdentity, HandMeshArray
from hand_recon_ros.nodes.calibration_client import CalibrationGoal
from hand_recon_ros.nodes.environment import config_file
from hand_recon_ros.nodes.model_settings import LATCHED
from hand_recon_ros.nodes.player import BagPlayer
from hand_recon_ros.nodes.session import Session
from hand_recon_ros.nodes.supervisor import stereo_nodes
from hand_recon_ros.types import HandEstimate

DEPTH, SETTLE_S = 100, 1.0


class LiveIdentity:
    """`with LiveIdentity(recording, folder, offsets) as live:` the whole stereo graph, identities kept in `folder`.

    recording: of a rectified pair with camera_info. rate: of playing. names: identities in use from the start.
    """

    def __init__(self, recording: Path, folder: Path, offsets: str, rate: float = 1.0, names: tuple[str, ...] = (),
                 report: Callable[[str], None] = print):
        self._path, self._rate = Path(recording), rate
        with BagReader(self._path) as bag:
            cameras = camera_topics(bag)[:2]
        if len(cameras) < 2 or not all(camera.rectified and camera.info for camera in cameras):
            raise ValueError(f'{recording}: expected a recording of a rectified pair with camera_info')
        left, right = cameras
        self._topics = [topic for camera in cameras for topic in (camera.image, camera.info)]
        rectified, table = {'rectified': 'true'}, {'offsets': offsets}
        parameters = {'stereo_keypoint_node': {'image_transport': left.transport, **rectified},
                      'left_mesh_node': {**rectified, **table}, 'right_mesh_node': {**rectified, **table},
                      'stereo_fusion_node': {**rectified, **table}, 'tailor_node': table,
                      'identity_node': {**rectified, **table, 'folder': str(folder)}}
        if names:
            parameters['identity_node']['identities'] = ','.join(names)
        nodes = stereo_nodes(left.base, right.base, left.info, right.info, use_sim_time=True, parameters=parameters)
        self._session = Session(nodes, config_file('stereo.yaml'), report=report, name='live_identity')
        self._open, self._fused = ExitStack(), []

    def __enter__(self) -> LiveIdentity:
        with ExitStack() as opening:
            self._begin(opening)
            self._open = opening.pop_all()
        return self

    def _begin(self, opening: ExitStack) -> None:
        opening.enter_context(self._session)
        self._session.node.create_subscription(HandMeshArray, 'hands/fused', self._fused.append, DEPTH)
        self._session.node.create_subscription(HandMeshArray, 'hands/mesh', lambda _: None, DEPTH)
        self._session.wait_until_active(180.0)      # six processes, on a machine that may be busy
        time.sleep(SETTLE_S)

    def __exit__(self, *_) -> None:
        self._open.close()

    def play(self) -> list[HandEstimate]:
        """Play the recording once; the fused hands of it."""
        self._fused.clear()
        with BagReader(self._path) as bag:
            player = BagPlayer(self._session.node, bag, self._topics, self._rate)
            try:
                self._session.wait_until(lambda: all(player.subscribers(topic) for topic in self._topics), 20.0,
                                         'the nodes to subscribe to the recording')
                time.sleep(SETTLE_S)
                player.play(between=self._session.supervisor.poll)
                time.sleep(SETTLE_S)
            finally:
                player.close()
        return [hand for message in list(self._fused) for hand in msg_to_estimates(message)]

    def calibrate(self, name: str, frames: int, most_plays: int = 10
                  ) -> tuple[CalibrateIdentity.Result, list[CalibrateIdentity.Feedback]]:
        """Have a person calibrated and saved while the recording is played, again and again until it is done.

        ValueError when the node refuses or most_plays were not enough."""
        heard = []
        goal = CalibrationGoal(self._session.node, CalibrateIdentity.Goal(
            name=name, frames=frames, track_id=-1, save=True), heard.append)
        try:
            self._session.wait_until(lambda: goal.offered, 20.0, 'the action')
            goal.send()
            for _ in range(most_plays):
                self.play()
                if goal.done:
                    return goal.result(), heard
            raise ValueError(f'identity {name!r}: {heard[-1].frames if heard else 0} of {frames} sights after '
                             f'{most_plays} times the recording, expected more postures in it')
        finally:
            if not goal.done:
                goal.cancel()
            goal.close()

    def heard_late(self, timeout_s: float = 5.0) -> HandIdentity:
        """What one who subscribes to hands/identity only now is told."""
        heard = []
        subscription = self._session.node.create_subscription(HandIdentity, 'hands/identity', heard.append, LATCHED)
        try:
            self._session.wait_until(lambda: heard, timeout_s, 'the latched hands/identity')
            return heard[-1]
        finally:
            self._session.node.destroy_subscription(subscription)
