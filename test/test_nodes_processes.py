"""Starting, refusing and ending: exit codes, one clear line, no orphans."""
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from process_ends import ended

from hand_recon_ros.nodes.environment import config_file, ros_environment
from hand_recon_ros.nodes.session import choose_private_domain
from hand_recon_ros.nodes.supervisor import NodeSpec, Supervisor, mono_nodes

choose_private_domain()


def run_node(name, *arguments, timeout=60):
    command = [sys.executable, '-m', f'hand_recon_ros.nodes.{name}', '--ros-args', *arguments]
    return subprocess.run(command, env=ros_environment(), capture_output=True, text=True, timeout=timeout)


@pytest.mark.parametrize('node, argument, named', [
    ('keypoint_node', 'max_hnads:=2', 'parameter max_hnads: unknown, expected one of '),
    ('keypoint_node', 'max_hands:=99', 'parameter max_hands: 99, expected 1 to 8'),
    ('keypoint_node', 'max_hands:=two', "parameter max_hands: 'two' is a str, expected a int"),
    ('keypoint_node', 'mode:=fast', "parameter mode: 'fast', expected one of video, image"),
    ('keypoint_node', 'qos_overrides./imgae.subscription.depth:=3', 'qos_overrides./imgae.subscription.depth: unknown'),
    ('mesh_node', 'model:=/no/such/hand.npz', '/no/such/hand.npz'),
    ('mesh_node', 'estimator:=wishful', "estimator: 'wishful', expected one of auto, closed_form_ik"),
    ('tailor_node', 'tf_prefix:=/hands', "parameter tf_prefix: '/hands', expected no slash")])
def test_a_wrong_parameter_is_refused(node, argument, named):
    result = run_node(node, '-p', argument)
    assert result.returncode == 2
    errors = [line for line in (result.stdout + result.stderr).splitlines() if '[ERROR]' in line]
    assert len(errors) == 1 and named in errors[0] and 'Traceback' not in result.stderr


def test_an_unknown_parameter_in_the_file_is_refused(tmp_path):
    file = tmp_path / 'wrong.yaml'
    file.write_text('/**/keypoint_node:\n  ros__parameters:\n    detektor: mediapipe\n')
    result = run_node('keypoint_node', '--params-file', str(file))
    assert result.returncode == 2 and 'parameter detektor: unknown' in result.stdout + result.stderr


def test_the_supervisor_stops_at_a_refusal(tmp_path):
    file = tmp_path / 'wrong.yaml'
    file.write_text('/**/keypoint_node:\n  ros__parameters:\n    detektor: mediapipe\n')
    lines = []
    supervisor = Supervisor([mono_nodes()[0]], file, report=lines.append)
    assert supervisor.run() == 1
    assert supervisor.refused == 'keypoint_node' and supervisor.nodes[0].restarts == 0
    assert any('parameter detektor: unknown' in line for line in lines)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match='params_file'):
        Supervisor(mono_nodes(), tmp_path / 'none.yaml')


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_node_ends_with_code_0(number):
    command = [sys.executable, '-u', '-m', 'hand_recon_ros.nodes.keypoint_node', '--ros-args', '--params-file',
               str(config_file('mono.yaml'))]
    with subprocess.Popen(command, env=ros_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as node:
        for line in node.stdout:
            if 'active' in line:
                break
        node.send_signal(number)
        rest = node.stdout.read()
        assert node.wait(15) == 0 and 'Traceback' not in rest


def start_up(tmp_path, *arguments):
    """`hand-recon up mono` in the background, and its nodes' processes once there are three."""
    code = ('import argparse, sys\nfrom hand_recon_ros.commands import up\nparser = argparse.ArgumentParser()\n'
            'up.add_arguments(parser)\nsys.exit(up.run(parser.parse_args()))\n')
    script = tmp_path / 'start.py'
    script.write_text(code)
    process = subprocess.Popen([sys.executable, str(script), 'mono', *arguments], env=ros_environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    children = []
    deadline = time.monotonic() + 30
    while len(children) < 3 and time.monotonic() < deadline:
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    assert len(children) == 3
    return process, children


@pytest.mark.parametrize('number, code', [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -9)])
def test_no_orphan_is_left(tmp_path, number, code):
    process, children = start_up(tmp_path)
    # In the middle of loading and compiling, which is the hardest moment to end.
    time.sleep(1.5)
    process.send_signal(number)
    assert process.wait(30) == code
    assert ended(children, 10)
    process.stdout.close()


def test_a_dead_process_is_started_again_with_growing_delays():
    lines = []
    spec = NodeSpec('broken', 'hand_recon_ros.no_such_node')
    supervisor = Supervisor([spec], report=lines.append)
    supervisor.start()
    deadline = time.monotonic() + 30
    while supervisor.nodes[0].restarts < 2 and time.monotonic() < deadline:
        supervisor.poll()
        time.sleep(0.02)
    supervisor.stop()
    reports = [line for line in lines if line.startswith('[up] broken ended with exit code 1')]
    assert reports[0].endswith('starting it again in 0.5 s') and reports[1].endswith('starting it again in 1 s')


def test_the_environment_overrides_nothing():
    given = {'AMENT_PREFIX_PATH': '/opt/ros/jazzy', 'FASTRTPS_DEFAULT_PROFILES_FILE': '/mine.xml', 'HOME': '/home/ann'}
    made = ros_environment(given)
    assert {name: made[name] for name in given} == given and 'FASTDDS_DEFAULT_PROFILES_FILE' not in made
    bare = ros_environment({})
    assert bare['AMENT_PREFIX_PATH'] == sys.prefix and os.path.isfile(bare['FASTDDS_DEFAULT_PROFILES_FILE'])
    assert 'ROS_LOG_DIR' in bare and 'ROS_LOG_DIR' not in made
