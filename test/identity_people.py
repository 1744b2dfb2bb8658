"""Made-up people before a made-up rig: sights without any detector error, for the tests of identity/."""
import numpy as np

from hand_recon_ros.estimation.assembly import assemble
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.anatomy import joint_ranges
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.parameters import HandParameters, to_pose
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.identity.sights import Sight
from hand_recon_ros.types import Frame, HandKeypoints

CAMERA = Camera(640, 480, np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]))
BASELINE_M = 0.12
RIG = StereoRig(CAMERA, CAMERA, np.array([[1.0, 0, 0, -BASELINE_M], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))


class People:
    """Sights of shapes, posed at random around the mean posture, palms towards the cameras and away."""

    def __init__(self, model, offsets_m=None):
        self._model, self._skeleton, self._hand = model, build_skeleton(model, offsets_m), JaxHand(model)

    def sights(self, shape, count, rng, stereo=True, noise_px=0.0, handedness='right', score=0.9):
        """Sights of one person; the estimate has the true pose and place, but the mean shape."""
        shape = np.asarray(shape, np.float32)
        return [self._sight(shape, rng, stereo, noise_px, handedness, score) for _ in range(count)]

    def _sight(self, shape, rng, stereo, noise_px, handedness, score):
        ranges = joint_ranges()
        angles = ranges['mean'] + 0.5 * ranges['spread'] * rng.standard_normal((15, 3))
        angles = np.clip(angles, ranges['lower'], ranges['upper'])
        angles[:, 1:] = ranges['mean'][:, 1:]
        truth = HandParameters(axis_angle_to_matrix(rng.uniform(-0.8, 0.8, 3)), angles,
                               np.array([rng.uniform(-.08, .08), rng.uniform(-.05, .05), rng.uniform(.45, .7)]), shape)
        truth = HandParameters(*(np.asarray(leaf, np.float32) for leaf in truth))
        landmarks = np.asarray(place(self._skeleton, truth)[1], np.float64)
        if handedness == 'left':
            landmarks = mirror_points(landmarks)
        frame = Frame(640, 480, camera=CAMERA)
        seen = [self._keypoints(pixels + noise_px * rng.standard_normal((21, 2)), landmarks, handedness, score)
                for pixels in RIG.project(landmarks)]
        pose, root = to_pose(truth, self._skeleton.axes, handedness)
        estimate = assemble(frame, self._skeleton, self._hand, seen[0], pose, np.zeros_like(shape), root, None)
        return Sight(estimate, tuple(seen), (frame, frame), RIG) if stereo else Sight(estimate, (seen[0],), (frame,))

    @staticmethod
    def _keypoints(pixels, landmarks, handedness, score):
        box = np.concatenate([pixels.min(0), pixels.max(0)])
        return HandKeypoints(handedness, 1.0, score, box, pixels, np.ones(21), landmarks - landmarks.mean(0))
