"""Starts the nodes as processes, restarts one that dies, and takes all of them down with itself. No ROS in here.

What `ros2 launch` does on a ROS installation, for machines where ROS 2 comes from wheels and has no launch.
"""
from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from hand_recon_ros.nodes import process_group
from hand_recon_ros.nodes.environment import config_file, ros_environment

CONFIGURATION_REFUSED = 2       # exit code of a node; see running.py
FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 15.0
# A node that ran this long is healthy: its next death starts again with the shortest delay.
HEALTHY_AFTER_S = 20.0


@dataclass(frozen=True)
class NodeSpec:
    """One node to run: `python -m module --ros-args ...`. remappings: {name: topic}."""
    name: str
    module: str
    remappings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)

    def command(self, params_file: Path, namespace: str) -> list[str]:
        """The command line, as ros2 run would build it."""
        line = [sys.executable, '-m', self.module, '--ros-args', '--params-file', str(params_file)]
        if namespace:
            line += ['-r', f'__ns:=/{namespace.strip("/")}']
        for name, topic in self.remappings.items():
            line += ['-r', f'{name}:={topic}']
        for name, value in self.parameters.items():
            line += ['-p', f'{name}:={value}']
        return line


def mono_nodes(image: str = 'image', camera_info: str = 'camera_info', overlay: bool = False,
               use_sim_time: bool = False, parameters: dict[str, dict[str, str]] | None = None) -> list[NodeSpec]:
    """The nodes of one camera, the same as launch/mono.launch.py. parameters: {node: {name: value}} over the file's."""
    names = ['keypoint_node', 'mesh_node', 'tailor_node'] + (['overlay_node'] if overlay else [])
    remappings = {'image': image, 'camera_info': camera_info}
    remappings = {name: topic for name, topic in remappings.items() if name != topic}
    sim_time = {'use_sim_time': 'true'} if use_sim_time else {}
    return [NodeSpec(name, f'hand_recon_ros.nodes.{name}', remappings, {**sim_time, **(parameters or {}).get(name, {})})
            for name in names]


def stereo_nodes(left_image: str = 'left/image_rect', right_image: str = 'right/image_rect',
                 left_info: str = 'left/camera_info', right_info: str = 'right/camera_info', overlay: bool = False,
                 use_sim_time: bool = False, parameters: dict[str, dict[str, str]] | None = None) -> list[NodeSpec]:
    """The nodes of two cameras, the same as launch/stereo.launch.py. parameters: as of mono_nodes."""
    infos = {'left/camera_info': left_info, 'right/camera_info': right_info}
    images = {'left/image': left_image, 'right/image': right_image}
    specs = [('stereo_keypoint_node', 'stereo_keypoint_node', {**images, **infos})]
    for side, info, image in (('left', left_info, left_image), ('right', right_info, right_image)):
        topics = {f'hands/{name}': f'{side}/hands/{name}' for name in ('keypoints', 'features', 'mask')}
        specs.append((f'{side}_mesh_node', 'mesh_node', {
            '__node': f'{side}_mesh_node', 'hands/mesh_initial': f'{side}/hands/mesh', 'camera_info': info, 'image': image,
            **topics}))
    specs += [('stereo_fusion_node', 'stereo_fusion_node', {**images, **infos}),
              ('tailor_node', 'tailor_node', {'hands/mesh_initial': 'hands/fused'}),
              ('identity_node', 'identity_node', infos)]
    if overlay:
        specs.append(('overlay_node', 'overlay_node', {'image': left_image, 'camera_info': left_info,
                                                       'hands/keypoints': 'left/hands/keypoints'}))
    sim_time = {'use_sim_time': 'true'} if use_sim_time else {}
    return [NodeSpec(name, f'hand_recon_ros.nodes.{module}',
                     {topic: other for topic, other in remappings.items() if topic != other},
                     {**sim_time, **(parameters or {}).get(name, {})}) for name, module, remappings in specs]


class Supervised:
    """One node's process and its history."""

    def __init__(self, spec: NodeSpec, command: list[str]):
        self.spec, self.command = spec, command
        self.process: subprocess.Popen | None = None
        self.started_s = 0.0
        self.delay_s = FIRST_DELAY_S
        self.start_again_at_s: float | None = 0.0
        self.restarts = 0


class Supervisor:
    """Runs nodes until told to stop. Use run() from the main thread, or start(), poll() and stop() by hand.

    report: called with every line, the supervisor's own and the nodes' (prefixed by the node's name).
    """

    def __init__(self, nodes: list[NodeSpec], params_file: Path | None = None, namespace: str = '',
                 report=print, environment: dict | None = None):
        params_file = Path(params_file) if params_file else config_file('mono.yaml')
        if not params_file.is_file():
            raise ValueError(f'params_file: {params_file} does not exist')
        self._environment = ros_environment(environment)
        # Nodes write to pipes; a line must come when it is written.
        self._environment['PYTHONUNBUFFERED'] = '1'
        self._environment.setdefault('RCUTILS_LOGGING_BUFFERED_STREAM', '0')
        self._report = report
        self.nodes = [Supervised(spec, spec.command(params_file, namespace)) for spec in nodes]
        self.refused = ''

    def start(self) -> None:
        """Start all nodes."""
        for node in self.nodes:
            self._start(node)

    def poll(self) -> None:
        """Notice dead nodes, report them, and start them again when their time has come."""
        for node in self.nodes:
            if node.process is not None and node.process.poll() is not None:
                self._died(node, node.process.returncode)
            if node.process is None and node.start_again_at_s is not None and time.monotonic() >= node.start_again_at_s:
                node.restarts += 1
                self._start(node)

    def stop(self) -> None:
        """End all nodes and whatever they started; returns when none is left."""
        running = [node.process for node in self.nodes if node.process is not None]
        killed = process_group.end(running)
        for node in self.nodes:
            if node.process is not None and node.process.pid in killed:
                self._report(f'[up] {node.spec.name} did not end by itself and was killed')
            node.process = None

    def run(self) -> int:
        """Run until SIGINT or SIGTERM (0), or until a node refuses its configuration (1)."""
        stop = threading.Event()
        before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.start()
            while not stop.is_set() and not self.refused:
                self.poll()
                stop.wait(0.1)
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        return 1 if self.refused else 0

    def _start(self, node: Supervised) -> None:
        node.process = process_group.start(
            node.command, self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors='replace')
        node.started_s, node.start_again_at_s = time.monotonic(), None
        threading.Thread(target=self._forward, args=(node.spec.name, node.process.stdout), daemon=True).start()

    def _forward(self, name: str, lines) -> None:
        for line in lines:
            self._report(f'[{name}] {line.rstrip()}')

    def _died(self, node: Supervised, code: int) -> None:
        node.process = None
        if code == CONFIGURATION_REFUSED:
            # The same file would be refused again.
            self.refused = self.refused or node.spec.name
            self._report(f'[up] {node.spec.name} refused its configuration; see its line above')
            return
        if time.monotonic() - node.started_s > HEALTHY_AFTER_S:
            node.delay_s = FIRST_DELAY_S
        how = f'by {signal.Signals(-code).name}' if code < 0 else f'with exit code {code}'
        self._report(f'[up] {node.spec.name} ended {how}; starting it again in {node.delay_s:g} s')
        node.start_again_at_s = time.monotonic() + node.delay_s
        node.delay_s = min(2 * node.delay_s, LONGEST_DELAY_S)
