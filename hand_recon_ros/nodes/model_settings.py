"""Parameters that mesh_node and tailor_node share: which hand, whose landmarks, whose shape."""
from __future__ import annotations

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.types import HandKeypoints

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE)

MODEL_SPECS = (
    ParameterSpec('model', 'open_hand', 'Hand model: open_hand, or the path of a MANO-form .npz or .pkl file.'),
    ParameterSpec('detector', 'mediapipe', 'Detector whose landmark definition the keypoints follow.'),
    ParameterSpec('offsets', 'real', 'Table of landmark offsets: real, synthetic (for rendered images) or a path.'),
)
WEIGHTS_DIR = ParameterSpec('weights_dir', '', 'Folder of your own .safetensors weights; those that are not there are the '
                            'shipped ones.')


def load_model_and_offsets(node):
    """(HandModel, LandmarkOffsets) as the node's parameters say; ValueError when one cannot be loaded."""
    from hand_recon_ros.detection.offsets import load_offsets
    from hand_recon_ros.hand_model.assets import load_hand_model
    model = load_hand_model(node.setting('model'))
    return model, load_offsets(node.setting('detector'), node.setting('offsets'))


def check_detector(keypoints: list[HandKeypoints], detector: str) -> None:
    """ValueError when keypoints follow another detector's definition than the node was configured for."""
    for hand in keypoints:
        if hand.detector != detector:
            raise ValueError(f'detector: {hand.detector!r}, expected {detector!r} (parameter detector)')
