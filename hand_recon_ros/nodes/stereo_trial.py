"""The stereo nodes under load: pairs from a process of their own, and what of them arrived when on which topic."""
from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from rclpy.serialization import deserialize_message

from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray
from hand_recon_ros.nodes import process_group
from hand_recon_ros.nodes.environment import config_file, ros_environment
from hand_recon_ros.nodes.pair_player import NS_PER_S, READY, STAMP, STAMP_AT, PlayedPairs
from hand_recon_ros.nodes.session import Session
from hand_recon_ros.nodes.supervisor import stereo_nodes

FINAL = 'hands/mesh'
TOPICS = {'left/hands/keypoints': HandKeypointsArray, 'right/hands/keypoints': HandKeypointsArray,
          'left/hands/mesh': HandMeshArray, 'right/hands/mesh': HandMeshArray, 'hands/fused': HandMeshArray,
          FINAL: HandMeshArray}
PLAYER, SUBSCRIBER = 'pair player', 'measuring subscriber'
# A mesh that has not come this long after the last image was sent does not come any more.
PATIENCE_S = 2.0
SLOWEST_START_S = 90.0


@dataclass(frozen=True)
class Load:
    """What a process used: CPU seconds per second (of one core, in percent), resident MB, times it was restarted."""
    cpu_percent: float
    memory_mb: float
    restarts: int


@dataclass(frozen=True)
class Trial:
    """sent: what was played. arrived_ns: by topic {stamp: system's clock at arrival}. working_ms: by topic {stamp: what
    its node says it worked}. hands: of every final mesh. loads: by process. took_s: the time over which they hold."""
    sent: PlayedPairs
    arrived_ns: dict[str, dict[int, int]]
    working_ms: dict[str, dict[int, float]]
    hands: dict[int, int]
    loads: dict[str, Load]
    took_s: float

    def latencies_ms(self, topic: str = FINAL) -> list[float]:
        """From the images' sending to a topic's message, of all pairs that got there, in their order."""
        arrived = self.arrived_ns[topic]
        return [(arrived[stamp] - stamp) / 1e6 for stamp in self.sent.stamps_ns if stamp in arrived]

    @property
    def dropped(self) -> int:
        """Pairs sent of which no mesh came."""
        return len(self.sent.stamps_ns) - len(self.latencies_ms())


class StereoTrials:
    """`with StereoTrials(recording) as trials: trials.run(rate, seconds)`: the nodes run on from trial to trial.

    frames: of the recording at most. parameters: by node. report: called with every line of the nodes.
    """

    def __init__(self, recording: Path, params_file: Path | None = None, frames: int | None = None,
                 parameters: dict[str, dict[str, str]] | None = None, report: Callable[[str], None] = print):
        nodes = stereo_nodes(parameters=parameters)
        self._session = Session(nodes, params_file or config_file('stereo.yaml'), report=report, name='stereo_trial')
        self._command = [sys.executable, '-m', 'hand_recon_ros.nodes.pair_player', str(recording)]
        self._command += [] if frames is None else ['--frames', str(frames)]
        self._player: subprocess.Popen | None = None
        self._entered = False
        self._arrivals: dict[str, list[tuple[int, bytes]]] = {topic: [] for topic in TOPICS}

    def __enter__(self) -> StereoTrials:
        # The player first: nodes that find no camera say so.
        self._player = process_group.start(self._command, ros_environment(), stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
        try:
            answer = self._answer(SLOWEST_START_S, 'the recording to be read')
            if answer != READY:
                raise ValueError(answer)
            self._session.__enter__()
            self._entered = True
            node = self._session.node
            for topic, kind in TOPICS.items():
                node.create_subscription(kind, topic, self._taker(topic), 50, raw=True)
            self._session.wait_until_active(SLOWEST_START_S)
            wanted = [node.resolve_topic_name(f'{side}/image_rect') for side in ('left', 'right')]
            self._session.wait_until(lambda: all(node.count_subscribers(topic) for topic in wanted), 20.0,
                                     'stereo_keypoint_node to subscribe')
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception) -> None:
        # The end of its input ends it; what a dead one did not read cannot be told it.
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._player.stdin.close()
            self._player.wait(PATIENCE_S)
        process_group.end([self._player])
        if self._entered:
            self._session.__exit__(*exception)

    def run(self, rate_hz: float, seconds: float, progress: Callable[[float], None] = lambda _: None) -> Trial:
        """Play at a rate for a time. progress: called with the seconds gone by since the last call."""
        for arrivals in self._arrivals.values():
            arrivals.clear()
        processes = self._processes()
        before = {name: _cpu_s(process) for name, process in processes.items()}
        began_s = time.monotonic()
        self._player.stdin.write(f'{rate_hz} {seconds}\n')
        self._player.stdin.flush()
        sent = PlayedPairs(**json.loads(self._answer(seconds + 30.0, 'the pairs to be played', progress)))
        took_s = time.monotonic() - began_s
        loads = {name: Load(100 * (_cpu_s(process) - before[name]) / took_s, process.memory_info().rss / 1e6, 0)
                 for name, process in processes.items()}
        restarts = {node.spec.name: node.restarts for node in self._session.supervisor.nodes}
        loads = {name: Load(load.cpu_percent, load.memory_mb, restarts.get(name, 0)) for name, load in loads.items()}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and not self._has(FINAL, sent.stamps_ns[-1]):
            time.sleep(0.02)
        return self._trial(sent, loads, took_s)

    def _trial(self, sent: PlayedPairs, loads: dict[str, Load], took_s: float) -> Trial:
        arrived, working, hands = {}, {}, {}
        for topic, kind in TOPICS.items():
            arrived[topic], working[topic] = {}, {}
            for at_ns, data in self._arrivals[topic]:
                message = deserialize_message(data, kind)
                stamp_ns = _stamp_ns(data)
                arrived[topic][stamp_ns] = at_ns
                working[topic][stamp_ns] = 1000 * message.processing_latency_s
                if topic == FINAL:
                    hands[stamp_ns] = len(message.hands)
        return Trial(sent, arrived, working, hands, loads, took_s)

    def _taker(self, topic: str):
        arrivals = self._arrivals[topic]
        return lambda data: arrivals.append((time.time_ns(), data))

    def _has(self, topic: str, stamp_ns: int) -> bool:
        return any(_stamp_ns(data) == stamp_ns for _, data in self._arrivals[topic][-5:])

    def _processes(self) -> dict[str, psutil.Process]:
        pids = {node.spec.name: node.process.pid for node in self._session.supervisor.nodes}
        pids |= {PLAYER: self._player.pid, SUBSCRIBER: os.getpid()}
        return {name: psutil.Process(pid) for name, pid in pids.items()}

    def _answer(self, patience_s: float, what: str, progress: Callable[[float], None] = lambda _: None) -> str:
        """The player's next line, while the nodes are supervised; ValueError when none comes."""
        lines = []
        reading = threading.Thread(target=lambda: lines.append(self._player.stdout.readline().strip()), daemon=True)
        reading.start()
        deadline, last_s = time.monotonic() + patience_s, time.monotonic()
        while reading.is_alive():
            reading.join(0.2)
            if self._entered:
                self._session.supervisor.poll()
            now = time.monotonic()
            progress(now - last_s)
            last_s = now
            if now > deadline:
                raise ValueError(f'waited {patience_s:g} s in vain for {what}')
        if not lines[0]:
            raise ValueError(f'the player ended with exit code {self._player.wait()}, expected {what}')
        return lines[0]


def _stamp_ns(data: bytes) -> int:
    seconds, nanoseconds = STAMP.unpack_from(data, STAMP_AT)
    return seconds * NS_PER_S + nanoseconds


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
