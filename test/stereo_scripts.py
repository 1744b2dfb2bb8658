"""Scripted hands before a stereo rig: their truth, frames without images, recordings of blank images."""
import numpy as np

from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.benchmarks.smoothing import FPS
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.hands import estimates_to_msg
from hand_recon_ros.messages.images import rgb_to_compressed
from hand_recon_ros.synthesis.motion import script_motions
from hand_recon_ros.synthesis.poses import PoseSpace
from hand_recon_ros.synthesis.rigs import sample_rig
from hand_recon_ros.types import Frame, HandEstimate

BLANK = np.zeros((480, 640, 3), np.uint8)


def scripted(kind, baseline_m, frames=12, seed=3):
    """(StereoRig, {stamp: both true hands})."""
    rng, model = np.random.default_rng(seed), load_hand_model('open_hand')
    rig, T_first_viewer = sample_rig(kind, 640, 480, 0.55, baseline_m, rng)
    motions = script_motions(PoseSpace(model), ('right', 'left'), frames, FPS, 'desk', 'free', rig, T_first_viewer,
                             0.55, rng)
    hand, shape, truths = JaxHand(model), np.zeros(model.shape_size, np.float32), {}
    for frame in range(frames):
        truths[round(frame * 1e9 / FPS)] = [
            HandEstimate(k, motion.handedness, 1.0, 1.0, model.name, pose, shape, place_m, joints, vertices,
                         np.array([1000.0, 320, 240]), metric=True)
            for k, motion in enumerate(motions)
            for pose, place_m in [[array[frame].astype(np.float32) for array in (motion.poses, motion.translations)]]
            for vertices, joints in [map(np.asarray, posed_hand(hand, pose, shape, place_m, motion.handedness))]]
    return rig.stereo_rig(), truths


def pairs(rig, truths):
    for index, stamp_ns in enumerate(truths):
        yield tuple(Frame(640, 480, None, camera, stamp_ns, side, index)
                    for side, camera in (('left', rig.left), ('right', rig.right)))


def recorded(path, rig, truths):
    with BagWriter(path) as bag:
        bag.write('/left/camera_info', camera_to_msg(rig.left, 0, 'left'), 0)
        bag.write('/right/camera_info', camera_to_msg(rig.right, 0, 'left', rig.baseline_m), 0)
        for stamp_ns, hands in truths.items():
            for side in ('left', 'right'):
                bag.write(f'/{side}/image_rect/compressed', rgb_to_compressed(BLANK, stamp_ns, 'left'), stamp_ns)
            message = estimates_to_msg(hands, stamp_ns, 'left', 'truth', 0.0, 0.0)
            bag.write('/ground_truth/hands/mesh', message, stamp_ns)
    return path
