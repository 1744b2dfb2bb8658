"""Estimator iknet: the shipped weights pose hands within their joints' limits, both sides alike, nearer than closed form."""
import dataclasses

import numpy as np
import pytest

from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.estimation.learned_kinematics import LearnedKinematics
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.geometry.alignment import aligned
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.anatomy import limit_violation, rotations_to_angles
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.synthesis.poses import PoseSpace
from hand_recon_ros.types import Frame, HandKeypoints
from hand_recon_ros.weights.files import read_card

CAMERA = Camera(640, 480, np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]))
FRAME = Frame(640, 480, camera=CAMERA)
HANDS = 40


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def skeleton(model):
    return build_skeleton(model, load_offsets('mediapipe', 'real').offsets_m)


@pytest.fixture(scope='module')
def hands(model, skeleton):
    """(detection with 4 mm of noise in depth, true landmarks) of hands of mean shape."""
    space, rng, made = PoseSpace(model), np.random.default_rng(5), []
    for _ in range(HANDS):
        turns = axis_angle_to_matrix(space.pose(space.sample_angles(rng))[3:].reshape(15, 3))
        parameters = HandParameters(axis_angle_to_matrix(rng.uniform(-1, 1, 3)), rotations_to_angles(turns, skeleton.axes),
                                    np.array([0.05, -0.03, 0.6]), np.zeros(10))
        truth = np.asarray(place(skeleton, parameters)[1], np.float64)
        seen = truth + rng.normal(size=(21, 3)) * [0, 0, 0.004]
        pixels = CAMERA.project(truth)
        made.append((HandKeypoints('right', 1.0, 1.0, np.concatenate([pixels.min(0), pixels.max(0)]), pixels, np.ones(21),
                                   seen - seen.mean(0)), truth))
    return made


def landmarks(estimate, skeleton):
    from hand_recon_ros.hand_model.parameters import from_pose
    parameters = from_pose(estimate.pose, estimate.shape, estimate.joints_m[0], skeleton.axes, estimate.handedness)
    return np.asarray(place(skeleton, parameters)[1], np.float64)


def test_iknet_finds_poses_within_the_joints_limits(model, skeleton, hands):
    estimator = build_estimator('iknet', model, skeleton.offsets)
    errors = []
    for keypoints, truth in hands:
        estimate = estimator.estimate(FRAME, keypoints)
        found = landmarks(estimate, skeleton)
        errors.append(np.linalg.norm(aligned(found, truth) - truth, axis=1).mean())
        angles = rotations_to_angles(axis_angle_to_matrix(estimate.pose.reshape(16, 3)[1:].astype(float)), skeleton.axes)
        assert limit_violation(angles).max() < 1e-3
    assert np.mean(errors) < 0.008


def test_a_left_hand_is_the_mirror_image(model, skeleton, hands):
    estimator, (keypoints, _) = build_estimator('iknet', model, skeleton.offsets), hands[0]
    flipped = keypoints.points_px * [-1, 1] + [2 * CAMERA.K[0, 2], 0]
    left = dataclasses.replace(keypoints, handedness='left', points_px=flipped, points_m=keypoints.points_m * [-1, 1, 1],
                               box_px=np.concatenate([flipped.min(0), flipped.max(0)]))
    one, other = estimator.estimate(FRAME, keypoints), estimator.estimate(FRAME, left)
    np.testing.assert_allclose(other.joints_m, one.joints_m * [-1, 1, 1], atol=1e-5)


def test_weights_of_another_hand_model_are_refused(skeleton):
    with pytest.raises(ValueError, match="for model 'open_hand', expected 'MANO_RIGHT'"):
        LearnedKinematics(skeleton, 'MANO_RIGHT')


def test_the_shipped_card_tells_how_it_was_made():
    card = read_card('iknet')
    assert card.command.startswith('hand-recon train iknet --config small') and card.figures['error_mm'] < 20
    assert card.hours > 0 and card.licence == 'Apache-2.0'
