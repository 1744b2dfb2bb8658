"""Outlines of hands in images drawn for the purpose, and what they are worth where landmarks err alike everywhere."""
from dataclasses import replace

import cv2
import numpy as np
import pytest
from identity_people import CAMERA, RIG, People

from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.landmarks import build_skeleton, wrist_position
from hand_recon_ros.hand_model.mirroring import mirror_points, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.identity.calibration import ShapeCalibration
from hand_recon_ros.identity.landmark_response import LandmarkResponse
from hand_recon_ros.identity.outline_energy import EDGE_BIAS_PX, seen_outline
from hand_recon_ros.identity.outline_finder import OutlineFinder
from hand_recon_ros.identity.outlines import find_outline, no_outline
from hand_recon_ros.types import Frame

SHAPE = np.array([1.0, -1.2, 0.5, 0, 0, 0, 0, 0, 0, 0], np.float32)


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand')


def drawn(model, pixels, rng, hand=(205, 150, 120), behind=(70, 90, 110)):
    """A picture (480, 640, 3) of a mesh in one colour on another, with a camera's blur and noise."""
    image = np.full((480 * 4, 640 * 4, 3), behind, np.uint8)
    for triangle in np.round((pixels[model.faces] + 0.5) * 4 - 0.5).astype(np.int32):
        cv2.fillConvexPoly(image, triangle, hand)
    image = cv2.GaussianBlur(cv2.resize(image, (640, 480), interpolation=cv2.INTER_AREA), (0, 0), 0.7)
    return np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def posed(model):
    """Vertices (V, 3) and keypoints (21, 3) of a sight's hand with another shape, the wrist where it is."""
    hand, skeleton = JaxHand(model), build_skeleton(model)

    def pose(sight, shape=SHAPE):
        estimate, wrist = sight.estimate, wrist_position(skeleton, shape)
        wrist = mirror_points(wrist) if estimate.handedness == 'left' else wrist
        found = posed_hand(hand, estimate.pose, shape, np.float32(estimate.joints_m[0] - wrist), estimate.handedness)
        return tuple(np.asarray(points, np.float64) for points in found)
    return pose


def test_the_outline_is_found_where_it_is(model, posed):
    rng = np.random.default_rng(0)
    sight = People(model).sights(SHAPE, 1, rng)[0]
    pixels = CAMERA.project(posed(sight)[0])
    image, allowed = drawn(model, pixels, rng), np.ones(model.vertex_count, bool)
    for moved in (0.0, 3.0):
        found = find_outline(image, pixels + [moved, 0], model.faces, allowed)
        there = found.weights > 0
        shift = ((found.targets - pixels[found.vertices] - [moved, 0]) * found.normals).sum(1)[there]
        assert there.sum() > 40 and np.linalg.norm(found.normals[there], axis=1) == pytest.approx(1, abs=1e-4)
        expected = -moved * found.normals[there, 0]
        assert np.median(np.abs(shift - expected)) < 0.8 and abs(np.median(shift - expected)) < 0.6
    # Nothing to be told apart, and a hand outside the image.
    assert not find_outline(np.full_like(image, 120), pixels, model.faces, allowed).weights.any()
    assert not find_outline(image, pixels + 2000, model.faces, allowed).weights.any()
    assert not find_outline(image, pixels, model.faces, ~allowed).weights.any()


def test_left_hands_are_read_as_right_ones():
    outline = no_outline()
    outline.targets[0], outline.normals[0], outline.weights[0] = (419.5, 239.5), (1.0, 0.0), 1.0
    right, left = (seen_outline(outline, CAMERA, side) for side in ('right', 'left'))
    assert right.targets[0] == pytest.approx([(100 + EDGE_BIAS_PX) / 600, 0], abs=1e-6) and right.lines[0, 0] == 1
    assert left.targets[0] == pytest.approx([-(100 + EDGE_BIAS_PX) / 600, 0], abs=1e-6) and left.lines[0, 0] == -1


def test_outlines_see_what_landmarks_hide(model, posed):
    """A detector that draws every hand halfway to the mean: landmarks alone are taken in, with outlines far less."""
    rng = np.random.default_rng(1)
    people, sights = People(model), []
    for sight in people.sights(SHAPE, 6, rng) + people.sights(SHAPE, 2, rng, handedness='left'):
        true = posed(sight)[0]
        frames = tuple(Frame.from_image(drawn(model, camera.project(points), rng), camera)
                       for camera, points in ((RIG.left, true), (RIG.right, RIG.to_right(true))))
        seen = RIG.project(posed(sight, 0.5 * SHAPE)[1])
        keypoints = tuple(replace(k, points_px=pixels, points_m=None) for k, pixels in zip(sight.keypoints, seen))
        sights.append(replace(sight, frames=frames, keypoints=keypoints))
    response = LandmarkResponse(np.zeros((21, 3)), np.zeros((21, 3, 0)), np.full(21, 0.003))
    off = {}
    for outlines in (False, True):
        calibration = ShapeCalibration(model, response, outlines=outlines)
        found = calibration.calibrate(sights).identity.shape
        off[outlines] = np.abs(calibration.measures.lengths_mm(found) - calibration.measures.lengths_mm(SHAPE))
    assert off[False][1] > 5 and off[True][1] < 3 and off[True].sum() < 0.6 * off[False].sum()


def test_no_image_no_outline(model):
    sight = People(model).sights(SHAPE, 1, np.random.default_rng(2), stereo=False)[0]
    finder = OutlineFinder(model)
    left, right = finder.find(sight, sight.start(build_skeleton(model).axes))
    assert not left.weights.any() and not right.weights.any()
