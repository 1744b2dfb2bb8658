"""Two cameras: stereo_keypoint_node, two mesh_nodes, stereo_fusion_node, tailor_node, identity_node, and overlay_node
where wanted. Needs a ROS installation's launch.

ros2 launch hand_recon_ros stereo.launch.py left_image:=/left/image_rect right_image:=/right/image_rect
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
INFOS = {'left/camera_info': 'left_camera_info', 'right/camera_info': 'right_camera_info'}
# (name, executable, {topic as the node calls it: the launch argument that says what it is}, {topic: other topic}).
NODES = (
    ('stereo_keypoint_node', 'stereo_keypoint_node',
     {'left/image': 'left_image', 'right/image': 'right_image', **INFOS}, {}),
    ('left_mesh_node', 'mesh_node', {'image': 'left_image', 'camera_info': 'left_camera_info'},
     {'hands/keypoints': 'left/hands/keypoints', 'hands/mesh_initial': 'left/hands/mesh',
      'hands/features': 'left/hands/features', 'hands/mask': 'left/hands/mask'}),
    ('right_mesh_node', 'mesh_node', {'image': 'right_image', 'camera_info': 'right_camera_info'},
     {'hands/keypoints': 'right/hands/keypoints', 'hands/mesh_initial': 'right/hands/mesh',
      'hands/features': 'right/hands/features', 'hands/mask': 'right/hands/mask'}),
    ('stereo_fusion_node', 'stereo_fusion_node',
     {'left/image': 'left_image', 'right/image': 'right_image', **INFOS}, {}),
    ('tailor_node', 'tailor_node', {}, {'hands/mesh_initial': 'hands/fused'}),
    ('identity_node', 'identity_node', INFOS, {}),
    ('overlay_node', 'overlay_node', {'image': 'left_image', 'camera_info': 'left_camera_info'},
     {'hands/keypoints': 'left/hands/keypoints'}),
)
# Fast DDS 3 (Kilted and later) complains about the name that Fast DDS 2 knows.
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
FAST_DDS_2 = ('humble', 'iron', 'jazzy')
# A node that is compiling, or on a busy machine, takes longer than launch's 5 s to say goodbye after Ctrl-C.
ENDING_S = '15'


def generate_launch_description():
    config = os.path.join(get_package_share_directory(PACKAGE), 'config')
    arguments = [
        DeclareLaunchArgument('namespace', default_value='', description='Namespace of all nodes and relative topics.'),
        DeclareLaunchArgument('params_file', default_value=os.path.join(config, 'stereo.yaml'),
                              description='Parameters of all nodes; /**/tailor_node holds in any namespace.'),
        DeclareLaunchArgument('left_image', default_value='left/image_rect',
                              description='Base topic of the left images; parameter image_transport.'),
        DeclareLaunchArgument('right_image', default_value='right/image_rect',
                              description='Base topic of the right images.'),
        DeclareLaunchArgument('left_camera_info', default_value='left/camera_info',
                              description='Calibration that comes with the left images.'),
        DeclareLaunchArgument('right_camera_info', default_value='right/camera_info',
                              description='Calibration that comes with the right images; its P tells the baseline.'),
        DeclareLaunchArgument('overlay', default_value='false', choices=('true', 'false'),
                              description='Also start overlay_node, which draws the meshes over the left images.'),
        DeclareLaunchArgument('use_sim_time', default_value='false', choices=('true', 'false'),
                              description='Follow /clock, as when a recording is replayed.'),
    ]
    # With Fast DDS's default of 512 KiB shared memory, camera images are lost more often than they arrive.
    variable = PROFILE_VARIABLES[os.environ.get('ROS_DISTRO') in FAST_DDS_2]
    chosen = any(os.environ.get(name) for name in PROFILE_VARIABLES)
    profile = [] if chosen else [SetEnvironmentVariable(variable, os.path.join(config, 'fastdds.xml'))]
    sim_time = ParameterValue(LaunchConfiguration('use_sim_time'), value_type=bool)
    nodes = [
        Node(package=PACKAGE, executable=executable, name=name, namespace=LaunchConfiguration('namespace'),
             output='screen', parameters=[LaunchConfiguration('params_file'), {'use_sim_time': sim_time}],
             remappings=[*((topic, LaunchConfiguration(argument)) for topic, argument in arguments_of.items()),
                         *topics.items()],
             respawn=True, respawn_delay=2.0, respawn_max_retries=10, sigterm_timeout=ENDING_S,
             condition=IfCondition(LaunchConfiguration('overlay')) if name == 'overlay_node' else None)
        for name, executable, arguments_of, topics in NODES]
    return LaunchDescription([*arguments, *profile, *nodes])
