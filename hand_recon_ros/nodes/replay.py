"""A recording through the nodes: started, fed with the recording's images, and their topics recorded."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hand_recon_ros.bags.camera_topics import CameraTopics, camera_topics
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray
from hand_recon_ros.nodes.player import BagPlayer
from hand_recon_ros.nodes.recorder import BagRecorder
from hand_recon_ros.nodes.session import Session
from hand_recon_ros.nodes.supervisor import mono_nodes

KEYPOINTS, INITIAL, MESH = '/hands/keypoints', '/hands/mesh_initial', '/hands/mesh'
RECORDED = {KEYPOINTS: HandKeypointsArray, INITIAL: HandMeshArray, MESH: HandMeshArray}
# Longest that a slow machine is given to finish the last image.
PATIENCE_S = 5.0


@dataclass(frozen=True)
class Replay:
    """What came of it. images: played. counts: messages recorded by topic. restarts: nodes that died on the way."""
    images: int
    counts: dict[str, int]
    restarts: int
    start_s: float
    play_s: float


def replay_mono(recording: Path, out: Path, rate: float = 1.0, params_file: Path | None = None,
                parameters: dict[str, dict[str, str]] | None = None, report: Callable[[str], None] = print,
                progress: Callable[[int, int], None] = lambda *_: None) -> Replay:
    """Play a recording's first camera through keypoint_node, mesh_node and tailor_node; record their topics into `out`.

    parameters: {node: {name: value}} beside what the recording itself asks for (transport, rectified, sim time).
    progress(image, count): called before each image. ValueError when a node cannot be started or the recording is bad.
    """
    with BagReader(recording) as bag:
        camera = camera_topics(bag)[0]
        count = bag.topics[camera.image].message_count
        nodes = mono_nodes(camera.base, camera.info or 'camera_info', use_sim_time=True,
                           parameters=_parameters(camera, parameters or {}))
        began_s = time.monotonic()
        with Session(nodes, params_file, report=report, name='replay') as session, \
                BagWriter(out, overwrite=True) as writer:
            session.wait_until_active()
            recorder = BagRecorder(session.node, writer, RECORDED)
            played = [camera.image] + ([camera.info] if camera.info else [])
            player = BagPlayer(session.node, bag, played, rate)
            session.wait_until(lambda: all(player.subscribers(topic) for topic in played), 20.0,
                               'the nodes to subscribe to the images')
            # The publisher knows of a subscriber a little before the subscriber knows of the publisher.
            time.sleep(0.5)
            started_s = time.monotonic()
            seen = [0, 0]

            def before(topic: str, stamp_ns: int) -> None:
                if topic == camera.image:
                    seen[:] = seen[0] + 1, stamp_ns
                    progress(seen[0], count)

            player.play(between=session.supervisor.poll, before=before)
            _wait_for_the_last(session, recorder, seen[1])
            ended_s = time.monotonic()
            restarts = sum(node.restarts for node in session.supervisor.nodes)
    return Replay(seen[0], dict(recorder.counts), restarts, started_s - began_s, ended_s - started_s)


def _parameters(camera: CameraTopics, given: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    rectified = {'rectified': str(camera.rectified).lower()}
    own = {'keypoint_node': {'image_transport': camera.transport}, 'mesh_node': rectified, 'tailor_node': rectified}
    return {name: {**own.get(name, {}), **given.get(name, {})} for name in {*own, *given}}


def _wait_for_the_last(session: Session, recorder: BagRecorder, stamp_ns: int) -> None:
    """Until the last image's mesh is recorded, or nothing has come for a while because that image was dropped."""
    changed_s, counts = time.monotonic(), None
    while recorder.last_ns[MESH] < stamp_ns and time.monotonic() - changed_s < PATIENCE_S:
        session.supervisor.poll()
        if counts != recorder.counts:
            changed_s, counts = time.monotonic(), dict(recorder.counts)
        time.sleep(0.05)
