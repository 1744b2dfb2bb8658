"""The environment that ROS 2 from wheels needs and a ROS installation sets by itself. Nothing set is overridden."""
from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from hand_recon_ros.installation import share_folder

# Fast DDS 3 (Kilted and later, the wheels) complains about the name that Fast DDS 2 knows.
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
FAST_DDS_2 = ('humble', 'iron', 'jazzy')


def config_file(name: str) -> Path:
    """Path of a file in config/; ValueError when it is missing."""
    path = share_folder() / 'config' / name
    if not path.is_file():
        raise ValueError(f'{path}: missing, expected a configuration file of the package')
    return path


def ros_environment(base: dict | None = None) -> dict:
    """Copy of `base` (default: this process's) with what nodes need: prefix, DDS profile, a place for logs."""
    environment = dict(os.environ if base is None else base)
    environment.setdefault('AMENT_PREFIX_PATH', sys.prefix)
    # Child processes run the package that this one runs, also from a source tree that is not the working directory.
    package = str(Path(__file__).resolve().parents[2])
    others = [path for path in environment.get('PYTHONPATH', '').split(os.pathsep) if path and path != package]
    environment['PYTHONPATH'] = os.pathsep.join([package, *others])
    if not any(environment.get(name) for name in PROFILE_VARIABLES):
        # Without large shared memory nearly all camera images are lost (README).
        name = PROFILE_VARIABLES[environment.get('ROS_DISTRO') in FAST_DDS_2]
        environment[name] = str(config_file('fastdds.xml'))
    if not environment.get('HOME') and not environment.get('ROS_LOG_DIR') and not environment.get('ROS_HOME'):
        environment['ROS_LOG_DIR'] = str(Path(tempfile.gettempdir()) / f'ros-log-{os.getuid()}')
    return environment


def prepare_this_process() -> None:
    """Set the same in this process; before rclpy.init()."""
    os.environ.update(ros_environment())
