"""Recordings through the nodes: started once, fed with the images of one after the other, their topics recorded."""
from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hand_recon_ros.bags.camera_topics import CameraTopics, camera_topics
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.detection.mediapipe_detector import LONGEST_GAP_S
from hand_recon_ros.messages.stamps import NS_PER_S, to_ns
from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray
from hand_recon_ros.nodes.player import BagPlayer
from hand_recon_ros.nodes.recorder import BagRecorder
from hand_recon_ros.nodes.session import Session
from hand_recon_ros.nodes.supervisor import mono_nodes

KEYPOINTS, INITIAL, MESH = '/hands/keypoints', '/hands/mesh_initial', '/hands/mesh'
# What each node publishes, in the order in which an image passes through them.
STAGES = {'keypoint_node': (KEYPOINTS, HandKeypointsArray), 'mesh_node': (INITIAL, HandMeshArray),
          'tailor_node': (MESH, HandMeshArray)}
INPUTS = {'mesh_node': (KEYPOINTS,), 'tailor_node': (KEYPOINTS, INITIAL)}
# Longest that a slow machine is given to finish the last image.
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Replay:
    """What came of one recording. stamps_ns: of the images played, in order. arrived_ns: stamps recorded, by topic, in
    the order of the stages. restarts: nodes that died on the way. start_s: until the nodes were active, 0 when they
    were already.
    """
    stamps_ns: tuple[int, ...]
    arrived_ns: dict[str, frozenset[int]]
    restarts: int
    start_s: float
    play_s: float

    @property
    def images(self) -> int:
        """Images played."""
        return len(self.stamps_ns)

    @property
    def counts(self) -> dict[str, int]:
        """Messages recorded, by topic."""
        return {topic: len(stamps) for topic, stamps in self.arrived_ns.items()}

    @property
    def lost(self) -> dict[str, int]:
        """Images that got as far as the stage before and not through this one, by the stage's topic."""
        before, lost = set(self.stamps_ns), {}
        for topic, stamps in self.arrived_ns.items():
            lost[topic] = len(before - stamps)
            before &= stamps
        return lost


class MonoReplay:
    """`with MonoReplay() as replay: replay.play(recording, out)`, as often as wanted.

    The nodes are started for the first recording and kept for all that have the same camera topics and whose stamps
    jump, back or ahead: of those that follow closely, the nodes could not know that another recording begins.
    parameters: {node: {name: value}} beside what the recording itself asks for (transport, rectified, sim time).
    nodes: those to run, in the order of STAGES. Without keypoint_node, keypoints must be played in place of images.
    """

    def __init__(self, rate: float = 1.0, params_file: Path | None = None,
                 parameters: dict[str, dict[str, str]] | None = None, nodes: tuple[str, ...] = tuple(STAGES),
                 report: Callable[[str], None] = print):
        self._rate, self._params_file, self._parameters, self._report = rate, params_file, parameters or {}, report
        self._nodes = nodes
        self._recorded = dict(STAGES[name] for name in STAGES if name in nodes or name == 'keypoint_node')
        self._open, self._session, self._recorder, self._camera = ExitStack(), None, None, None
        self._last_ns: int | None = None

    def __enter__(self) -> MonoReplay:
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def play(self, recording: Path, out: Path, most: int | None = None, keypoints: Path | None = None,
             progress: Callable[[int, int], None] = lambda *_: None) -> Replay:
        """Play the first camera of a recording, at most `most` images, and record the nodes' topics into `out`.

        keypoints: a recording of KEYPOINTS and the camera_info, to play instead of images. progress(image, count):
        called before each. ValueError when a node cannot be started or the recording is bad.
        """
        with BagReader(recording) as bag:
            camera = camera_topics(bag)[0]
            stamps_ns = tuple(to_ns(message.header.stamp) for _, _, message in islice(bag.messages(camera.image), most))
        start_s = self._start(camera, stamps_ns)
        session, recorder = self._session, self._recorder
        with ExitStack() as opened:
            bag = opened.enter_context(BagReader(keypoints or recording))
            source = KEYPOINTS if keypoints else camera.image
            topics = [source] + ([camera.info] if camera.info else [])
            player = BagPlayer(session.node, bag, topics, self._rate, {source: len(stamps_ns)})
            opened.callback(player.close)
            self._wait_for_subscribers(player, camera, source)
            opened.enter_context(recorder.into(opened.enter_context(BagWriter(out, overwrite=True))))
            began_s, restarts, images = time.monotonic(), self._restarts(), 0

            def before(topic: str, _: int) -> None:
                nonlocal images
                if topic == source:
                    images += 1
                    progress(images, len(stamps_ns))

            player.play(between=session.supervisor.poll, before=before)
            self._wait_for_the_last(stamps_ns[-1])
            play_s = time.monotonic() - began_s
            arrived = {topic: frozenset(stamps) for topic, stamps in recorder.stamps_ns.items()}
        return Replay(stamps_ns, arrived, self._restarts() - restarts, start_s, play_s)

    def _start(self, camera: CameraTopics, stamps_ns: tuple[int, ...]) -> float:
        """Have the nodes run for this camera's topics; seconds that took."""
        follows = self._last_ns is not None and 0 <= stamps_ns[0] - self._last_ns <= LONGEST_GAP_S * NS_PER_S
        self._last_ns = stamps_ns[-1]
        if self._camera == camera and not follows:
            return 0.0
        self._open.close()
        began_s = time.monotonic()
        nodes = mono_nodes(camera.base, camera.info or 'camera_info', use_sim_time=True,
                           parameters=_parameters(camera, self._parameters))
        nodes = [node for node in nodes if node.name in self._nodes]
        self._session = self._open.enter_context(Session(nodes, self._params_file, report=self._report, name='replay'))
        self._session.wait_until_active()
        self._recorder, self._camera = BagRecorder(self._session.node, self._recorded), camera
        return time.monotonic() - began_s

    def _wait_for_subscribers(self, player: BagPlayer, camera: CameraTopics, source: str) -> None:
        """Until every stage listens to the one before: what comes earlier would be lost on the way."""
        listeners = {source: 1, **{topic: 1 for topic in self._recorded}}     # keypoint_node and our recorder
        for name, inputs in INPUTS.items():
            for topic in inputs if name in self._nodes else ():
                listeners[topic] += 1
        if camera.info:
            listeners[camera.info] = len([name for name in self._nodes if name in INPUTS])

        def count(topic: str) -> int:
            """Of a topic that we play, those that our new publisher has met; of the nodes' own, those that exist."""
            return player.subscribers(topic) if topic in player.topics else self._session.node.count_subscribers(topic)
        self._session.wait_until(lambda: all(count(topic) >= wanted for topic, wanted in listeners.items()), 20.0,
                                 'the nodes to subscribe to the images and to each other')
        # The publisher knows of a subscriber a little before the subscriber knows of the publisher.
        time.sleep(0.5)
        if camera.info:
            # A camera runs before its images are looked at: the first of them must not wait for their camera_info.
            player.announce(camera.info)
            time.sleep(0.2)

    def _wait_for_the_last(self, stamp_ns: int) -> None:
        """Until the last image's meshes are recorded, or nothing has come for a while: that image was dropped."""
        final = list(self._recorded)[-1]
        changed_s, counts = time.monotonic(), None
        while stamp_ns not in self._recorder.stamps_ns[final] and time.monotonic() - changed_s < PATIENCE_S:
            self._session.supervisor.poll()
            if counts != self._recorder.counts:
                changed_s, counts = time.monotonic(), self._recorder.counts
            time.sleep(0.05)

    def _restarts(self) -> int:
        return sum(node.restarts for node in self._session.supervisor.nodes)


def _parameters(camera: CameraTopics, given: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    rectified = {'rectified': str(camera.rectified).lower()}
    own = {'keypoint_node': {'image_transport': camera.transport}, 'mesh_node': rectified, 'tailor_node': rectified}
    return {name: {**own.get(name, {}), **given.get(name, {})} for name in {*own, *given}}
