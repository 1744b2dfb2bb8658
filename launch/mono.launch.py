"""One camera: keypoint_node, mesh_node, tailor_node, and overlay_node where wanted. Needs a ROS installation's launch.

ros2 launch hand_recon_ros mono.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info
"""
import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

PACKAGE = 'hand_recon_ros'
NODES = ('keypoint_node', 'mesh_node', 'tailor_node', 'overlay_node')
# Fast DDS 3 (Kilted and later) complains about the name that Fast DDS 2 knows.
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
FAST_DDS_2 = ('humble', 'iron', 'jazzy')
# A node that is compiling, or on a busy machine, takes longer than launch's 5 s to say goodbye after Ctrl-C.
ENDING_S = '15'


def generate_launch_description():
    config = os.path.join(get_package_share_directory(PACKAGE), 'config')
    arguments = [
        DeclareLaunchArgument('namespace', default_value='', description='Namespace of all nodes and relative topics.'),
        DeclareLaunchArgument('params_file', default_value=os.path.join(config, 'mono.yaml'),
                              description='Parameters of all nodes; /**/keypoint_node holds in any namespace.'),
        DeclareLaunchArgument('image', default_value='image',
                              description='Base topic of the images; parameter image_transport: raw or compressed.'),
        DeclareLaunchArgument('camera_info', default_value='camera_info',
                              description='Calibration that comes with the images.'),
        DeclareLaunchArgument('overlay', default_value='false', choices=('true', 'false'),
                              description='Also start overlay_node, which draws the meshes over the images.'),
        DeclareLaunchArgument('use_sim_time', default_value='false', choices=('true', 'false'),
                              description='Follow /clock, as when a recording is replayed.'),
    ]
    # With Fast DDS's default of 512 KiB shared memory, camera images are lost more often than they arrive.
    variable = PROFILE_VARIABLES[os.environ.get('ROS_DISTRO') in FAST_DDS_2]
    chosen = any(os.environ.get(name) for name in PROFILE_VARIABLES)
    profile = [] if chosen else [SetEnvironmentVariable(variable, os.path.join(config, 'fastdds.xml'))]
    sim_time = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    nodes = [
        Node(package=PACKAGE, executable=name, name=name, namespace=LaunchConfiguration('namespace'), output='screen',
             parameters=[LaunchConfiguration('params_file'), {'use_sim_time': sim_time}],
             remappings=[(topic, LaunchConfiguration(topic)) for topic in ('image', 'camera_info')],
             respawn=True, respawn_delay=2.0, respawn_max_retries=10, sigterm_timeout=ENDING_S,
             condition=IfCondition(LaunchConfiguration('overlay')) if name == 'overlay_node' else None)
        for name in NODES]
    return LaunchDescription([*arguments, *profile, *nodes])
