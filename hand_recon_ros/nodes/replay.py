"""Recordings through the nodes: started once, fed with the images of one after the other, their topics recorded."""
from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from hand_recon_ros.bags.camera_topics import CameraTopics, camera_topics
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.stereo_recording import RIG_FILE
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.detection.mediapipe_detector import LONGEST_GAP_S
from hand_recon_ros.estimation.names import FROM_IMAGE
from hand_recon_ros.messages.hands import identity_to_msg
from hand_recon_ros.messages.stamps import NS_PER_S, to_ns
from hand_recon_ros.msg import HandIdentity as HandIdentityMsg
from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray
from hand_recon_ros.nodes.environment import config_file
from hand_recon_ros.nodes.model_settings import LATCHED
from hand_recon_ros.nodes.player import BagPlayer
from hand_recon_ros.nodes.recorder import BagRecorder
from hand_recon_ros.nodes.session import Session
from hand_recon_ros.nodes.supervisor import NodeSpec, mono_nodes, stereo_nodes
from hand_recon_ros.types import HandIdentity

KEYPOINTS, INITIAL, FUSED, MESH = '/hands/keypoints', '/hands/mesh_initial', '/hands/fused', '/hands/mesh'
LEFT_KEYPOINTS, RIGHT_KEYPOINTS = '/left/hands/keypoints', '/right/hands/keypoints'
LEFT_MESH, RIGHT_MESH = '/left/hands/mesh', '/right/hands/mesh'
STATIC_TF, IDENTITY = '/tf_static', '/hands/identity'


@dataclass(frozen=True)
class Stage:
    """What one node reads and publishes. infos: the cameras (0 left or only, 1 right) whose camera_info it reads."""
    inputs: tuple[str, ...]
    outputs: dict[str, type]
    infos: tuple[int, ...] = field(default=())


# In the order in which an image passes through them.
STAGES = {'keypoint_node': Stage((), {KEYPOINTS: HandKeypointsArray}),
          'mesh_node': Stage((KEYPOINTS,), {INITIAL: HandMeshArray}, (0,)),
          'tailor_node': Stage((KEYPOINTS, INITIAL), {MESH: HandMeshArray}, (0,))}
STEREO_STAGES = {
    'stereo_keypoint_node': Stage((), {LEFT_KEYPOINTS: HandKeypointsArray, RIGHT_KEYPOINTS: HandKeypointsArray},
                                  (0, 1)),
    'left_mesh_node': Stage((LEFT_KEYPOINTS,), {LEFT_MESH: HandMeshArray}, (0,)),
    'right_mesh_node': Stage((RIGHT_KEYPOINTS,), {RIGHT_MESH: HandMeshArray}, (1,)),
    'stereo_fusion_node': Stage((LEFT_KEYPOINTS, RIGHT_KEYPOINTS, LEFT_MESH, RIGHT_MESH), {FUSED: HandMeshArray},
                                (0, 1)),
    'tailor_node': Stage((FUSED,), {MESH: HandMeshArray})}
# Longest that a slow machine is given to finish the last image.
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Replay:
    """What came of one recording. stamps_ns: of the (left) images played, in order. arrived_ns: stamps recorded, by
    topic, in the order of the stages. restarts: nodes that died on the way. start_s: until the nodes were active, 0
    when they were already.
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


class NodesReplay(ABC):
    """`with MonoReplay() as replay: replay.play(recording, out)`, as often as wanted.

    The nodes are started for the first recording and kept for all that have the same camera topics and whose stamps
    jump, back or ahead: of those that follow closely, the nodes could not know that another recording begins.
    parameters: {node: {name: value}} beside what the recording itself asks for (transport, rectified, sim time).
    nodes: those to run, in the order of the stages. Without the first, keypoints must be played in place of images.
    """
    stages: dict[str, Stage]
    # Topics that carry the stamps of the first camera's images, in order: what is lost shows in them.
    counted: tuple[str, ...]

    def __init__(self, rate: float = 1.0, params_file: Path | None = None,
                 parameters: dict[str, dict[str, str]] | None = None, nodes: tuple[str, ...] = (),
                 report: Callable[[str], None] = print):
        self._rate, self._params_file, self._parameters, self._report = rate, params_file, parameters or {}, report
        self._nodes = nodes or tuple(self.stages)
        first = next(iter(self.stages))
        self._recorded = {topic: kind for name, stage in self.stages.items() if name in self._nodes or name == first
                          for topic, kind in stage.outputs.items()}
        self._keypoints = tuple(self.stages[first].outputs)
        self._open, self._session, self._recorder, self._cameras = ExitStack(), None, None, None
        self._last_ns: int | None = None

    def __enter__(self) -> NodesReplay:
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    @abstractmethod
    def _cameras_of(self, bag: BagReader) -> tuple[CameraTopics, ...]:
        """The cameras to play; ValueError when they are not there."""

    @abstractmethod
    def _specs(self, cameras: tuple[CameraTopics, ...], bag: BagReader) -> list[NodeSpec]:
        """The nodes for these cameras."""

    def play(self, recording: Path, out: Path, most: int | None = None, keypoints: Path | None = None,
             progress: Callable[[int, int], None] = lambda *_: None) -> Replay:
        """Play a recording's camera or cameras, at most `most` images each, and record the nodes' topics into `out`.

        keypoints: a recording of the keypoints' topics and the camera_infos, to play instead of images.
        progress(image, count): called before each. ValueError when a node cannot be started or the recording is bad.
        """
        with BagReader(recording) as bag:
            cameras = self._cameras_of(bag)
            stamps_ns = tuple(to_ns(message.header.stamp)
                              for _, _, message in islice(bag.messages(cameras[0].image), most))
            start_s = self._start(cameras, stamps_ns, bag)
        session, recorder = self._session, self._recorder
        with ExitStack() as opened:
            bag = opened.enter_context(BagReader(keypoints or recording))
            sources = list(self._keypoints) if keypoints else [camera.image for camera in cameras]
            told = [camera.info for camera in cameras if camera.info] + [STATIC_TF] * (STATIC_TF in bag.topics)
            player = BagPlayer(session.node, bag, sources + told, self._rate, dict.fromkeys(sources, len(stamps_ns)))
            opened.callback(player.close)
            self._wait_for_subscribers(player, cameras, sources, told)
            opened.enter_context(recorder.into(opened.enter_context(BagWriter(out, overwrite=True))))
            began_s, restarts, images = time.monotonic(), self._restarts(), 0

            def before(topic: str, _: int) -> None:
                nonlocal images
                if topic == sources[0]:
                    images += 1
                    progress(images, len(stamps_ns))

            player.play(between=session.supervisor.poll, before=before)
            self._wait_for_the_last(stamps_ns[-1])
            play_s = time.monotonic() - began_s
            arrived = {topic: frozenset(recorder.stamps_ns[topic]) for topic in self.counted if topic in self._recorded}
        return Replay(stamps_ns, arrived, self._restarts() - restarts, start_s, play_s)

    def _start(self, cameras: tuple[CameraTopics, ...], stamps_ns: tuple[int, ...], bag: BagReader) -> float:
        """Have the nodes run for these cameras' topics; seconds that took."""
        follows = self._last_ns is not None and 0 <= stamps_ns[0] - self._last_ns <= LONGEST_GAP_S * NS_PER_S
        self._last_ns = stamps_ns[-1]
        if self._cameras == cameras and not follows:
            return 0.0
        self._open.close()
        began_s = time.monotonic()
        nodes = [node for node in self._specs(cameras, bag) if node.name in self._nodes]
        self._session = self._open.enter_context(Session(nodes, self._params_file, report=self._report, name='replay'))
        self._session.wait_until_active()
        self._recorder, self._cameras = BagRecorder(self._session.node, self._recorded), cameras
        return time.monotonic() - began_s

    def _image_readers(self) -> int:
        """How many nodes read each image: the first one, and mesh_node where its estimator looks at images."""
        names = [name for name in self._nodes if name.endswith('mesh_node')][:1]
        return 1 + any(self._parameters.get(name, {}).get('estimator') in FROM_IMAGE for name in names)

    def _wait_for_subscribers(self, player: BagPlayer, cameras: tuple[CameraTopics, ...], sources: list[str],
                              told: list[str]) -> None:
        """Until every stage listens to the one before: what comes earlier would be lost on the way."""
        # Our recorder reads what the nodes publish.
        listeners = Counter({**dict.fromkeys(sources, self._image_readers()), **dict.fromkeys(self._recorded, 1)})
        for name in self._nodes:
            stage = self.stages[name]
            listeners.update(stage.inputs)
            listeners.update(cameras[number].info for number in stage.infos if cameras[number].info)

        def count(topic: str) -> int:
            """Of a topic that we play, those that our new publisher has met; of the nodes' own, those that exist."""
            return player.subscribers(topic) if topic in player.topics else self._session.node.count_subscribers(topic)
        self._session.wait_until(lambda: all(count(topic) >= wanted for topic, wanted in listeners.items()), 20.0,
                                 'the nodes to subscribe to the images and to each other')
        # The publisher knows of a subscriber a little before the subscriber knows of the publisher.
        time.sleep(0.5)
        for topic in told:
            # A camera runs before its images are looked at: the first of them must not wait for their camera_info.
            player.announce(topic)
        if told:
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

    def _merged(self, own: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        """What the recording asks for, under what the caller does."""
        return {name: {**own.get(name, {}), **self._parameters.get(name, {})} for name in {*own, *self._parameters}}


class MonoReplay(NodesReplay):
    """The first camera of recordings through the nodes of one camera."""
    stages, counted = STAGES, (KEYPOINTS, INITIAL, MESH)

    def _cameras_of(self, bag: BagReader) -> tuple[CameraTopics, ...]:
        return tuple(camera_topics(bag)[:1])

    def _specs(self, cameras: tuple[CameraTopics, ...], bag: BagReader) -> list[NodeSpec]:
        camera = cameras[0]
        rectified = {'rectified': str(camera.rectified).lower()}
        own = {'keypoint_node': {'image_transport': camera.transport},
               'mesh_node': {'image_transport': camera.transport, **rectified}, 'tailor_node': rectified}
        return mono_nodes(camera.base, camera.info or 'camera_info', use_sim_time=True, parameters=self._merged(own))


class StereoReplay(NodesReplay):
    """The first two cameras of recordings, left and right, through the nodes of a stereo rig, but for identity_node.

    How the cameras stand is told as a live rig would: by P of rectified images, else by /tf_static; where the recording
    has neither, by the rig.yaml in its folder. Without smoothing and prediction unless parameters ask for them.
    identity: whose hands they are, told as identity_node would; None for nobody's.
    """
    stages, counted = STEREO_STAGES, (LEFT_KEYPOINTS, LEFT_MESH, FUSED, MESH)

    def __init__(self, rate: float = 1.0, params_file: Path | None = None,
                 parameters: dict[str, dict[str, str]] | None = None, nodes: tuple[str, ...] = (),
                 report: Callable[[str], None] = print, identity: HandIdentity | None = None):
        super().__init__(rate, params_file or config_file('stereo.yaml'), parameters, nodes, report)
        self._identity = identity

    def _start(self, cameras: tuple[CameraTopics, ...], stamps_ns: tuple[int, ...], bag: BagReader) -> float:
        took_s = super()._start(cameras, stamps_ns, bag)
        if took_s and self._identity is not None:
            # Latched: the nodes have it before the first image, for which the caller waits until all of them listen.
            self._session.node.create_publisher(HandIdentityMsg, IDENTITY, LATCHED).publish(
                identity_to_msg(self._identity, stamps_ns[0]))
        return took_s

    def _image_readers(self) -> int:
        """The fusion too where it measures the skin's disparity."""
        return super()._image_readers() + (self._parameters.get('stereo_fusion_node', {}).get('disparity') == 'true')

    def _cameras_of(self, bag: BagReader) -> tuple[CameraTopics, ...]:
        cameras = tuple(camera_topics(bag)[:2])
        if len(cameras) < 2 or cameras[0].transport != cameras[1].transport or \
                cameras[0].rectified != cameras[1].rectified or not all(camera.info for camera in cameras):
            raise ValueError(f'{bag.path}: cameras {[camera.image for camera in cameras]}, expected a left and a right '
                             'one of like images, both with camera_info')
        return cameras

    def _specs(self, cameras: tuple[CameraTopics, ...], bag: BagReader) -> list[NodeSpec]:
        left, right = cameras
        rectified = {'rectified': str(left.rectified).lower()}
        rig = dict(rectified)
        if not left.rectified and STATIC_TF not in bag.topics:
            rig['rig_file'] = str(Path(bag.path) / RIG_FILE)
        pictures = {'image_transport': left.transport, **rig}
        mesh = {'image_transport': left.transport, **rectified}
        own = {'stereo_keypoint_node': pictures, 'left_mesh_node': mesh, 'right_mesh_node': mesh,
               'stereo_fusion_node': pictures,
               'tailor_node': {'smoothing': 'none', 'predict_s': '0.0'}}
        return stereo_nodes(left.base, right.base, left.info, right.info, use_sim_time=True,
                            parameters=self._merged(own))
