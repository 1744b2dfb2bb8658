"""Overlays land on the projected hand, for both projections and any image, and touch nothing else."""
import numpy as np
import pytest

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import load_hand_model, load_named_poses
from hand_recon_ros.hand_model.mirroring import mirror_pose, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.rendering.overlay import OverlayRenderer, projected_px
from hand_recon_ros.types import WEAK_PERSPECTIVE, Frame, HandEstimate, HandKeypoints

CAMERA = Camera(320, 240, np.array([[300.0, 0, 160], [0, 300.0, 120], [0, 0, 1]]), 'plumb_bob', (-0.2, 0.05, 0, 0, 0))


@pytest.fixture(scope='module')
def hand():
    return JaxHand(load_hand_model())


@pytest.fixture(scope='module')
def renderer(hand):
    return OverlayRenderer(hand.model)


def estimate_of(hand, handedness='right', translation=(0.05, 0.02, 0.55), **changes):
    pose = load_named_poses()['relaxed'].copy()
    pose[:3] = (1.2, -1.2, 1.2)      # fingers up, palm to the camera
    if handedness == 'left':
        pose = mirror_pose(pose)
    vertices, keypoints = posed_hand(hand, pose, np.zeros(10), translation, handedness)
    values = dict(track_id=3, handedness=handedness, handedness_score=1.0, score=0.9, model='open_hand', pose=pose,
                  shape=np.zeros(10), translation=translation, joints_m=keypoints, vertices_m=vertices,
                  weak_camera=(540.0, 150.0, 130.0))
    return HandEstimate(**{**values, **changes})


def grey(width=320, height=240, camera=CAMERA):
    return Frame.from_image(np.full((height, width, 3), 100, np.uint8), camera)


def changed(image):
    return (image != 100).any(-1)


def test_the_mesh_covers_its_projected_vertices_and_nothing_far_from_them(hand, renderer):
    for side, translation in (('right', (0.05, 0.02, 0.55)), ('left', (-0.05, 0.02, 0.55))):
        estimate = estimate_of(hand, side, translation)
        drawn = changed(renderer.draw(grey(), [estimate], skeleton=False, labels=False))
        pixels = projected_px(estimate, grey(), estimate.vertices_m)
        inside = CAMERA.inside(pixels, -2)
        u, v = np.round(pixels[inside]).astype(int).T
        assert inside.sum() > 1000 and drawn[v, u].mean() > 0.93     # rims and edges are covered in part
        rows, columns = np.nonzero(drawn)
        low, high = pixels.min(0), pixels.max(0)
        assert columns.min() >= low[0] - 1 and columns.max() <= high[0] + 1
        assert rows.min() >= low[1] - 1 and rows.max() <= high[1] + 1


def test_a_left_hand_is_the_mirror_image_in_the_other_colour(hand, renderer):
    camera = Camera(321, 241, np.array([[300.0, 0, 160], [0, 300.0, 120], [0, 0, 1]]))
    frame = grey(321, 241, camera)
    right = renderer.draw(frame, [estimate_of(hand)], skeleton=False, labels=False)
    left = renderer.draw(frame, [estimate_of(hand, 'left', (-0.05, 0.02, 0.55))], skeleton=False, labels=False)
    same = changed(right)[:, ::-1] == changed(left)
    assert same.mean() > 0.998
    assert right[changed(right)].mean(0)[2] > right[changed(right)].mean(0)[0] + 30     # blue
    assert left[changed(left)].mean(0)[0] > left[changed(left)].mean(0)[2] + 30         # orange


def test_weak_perspective_needs_no_camera_and_follows_its_own_formula(hand, renderer):
    estimate = estimate_of(hand, projection=WEAK_PERSPECTIVE)
    frame = grey(camera=None)
    expected = 540.0 * (estimate.vertices_m - estimate.joints_m[0])[:, :2] + [150.0, 130.0]
    assert projected_px(estimate, frame, estimate.vertices_m) == pytest.approx(expected, abs=1e-3)
    rows, columns = np.nonzero(changed(renderer.draw(frame, [estimate], skeleton=False, labels=False)))
    assert [columns.min(), rows.min()] == pytest.approx(np.maximum(expected.min(0), 0), abs=1.5)
    with pytest.raises(ValueError, match='frame.camera: none'):
        renderer.draw(frame, [estimate_of(hand)])


def test_an_opaque_mesh_hides_and_an_invisible_one_leaves_the_image(hand):
    estimate, frame = estimate_of(hand), grey()
    clear = OverlayRenderer(hand.model, opacity=0.0).draw(frame, [estimate], skeleton=False, labels=False)
    np.testing.assert_array_equal(clear, frame.image)
    noise = Frame.from_image(np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8), CAMERA)
    solid = OverlayRenderer(hand.model, opacity=1.0)
    on_noise = solid.draw(noise, [estimate], skeleton=False, labels=False)
    on_grey = solid.draw(frame, [estimate], skeleton=False, labels=False)
    agree = (np.abs(on_noise.astype(int) - on_grey) <= 2).all(-1)
    assert agree[changed(on_grey)].mean() > 0.9


def test_lines_and_rings_are_drawn_at_the_landmarks(hand, renderer):
    estimate = estimate_of(hand)
    points = CAMERA.project(estimate.joints_m)
    landmarks = HandKeypoints('right', 1.0, 1.0, (0, 0, 319, 239), points + 20.0, np.ones(21))
    frame = grey()
    image = renderer.draw(frame, [estimate], [landmarks], labels=False)
    u, v = np.round(points[8]).astype(int)
    assert tuple(image[v, u]) == (120, 230, 120)        # the index finger's colour at its tip
    far = HandKeypoints('right', 1.0, 1.0, (0, 0, 1, 1), np.full((21, 2), 1e9), np.ones(21))
    np.testing.assert_array_equal(renderer.draw(frame, [], [far]), frame.image)


def test_any_size_of_image_and_hands_outside_of_it(hand, renderer):
    estimate = estimate_of(hand, translation=(5.0, 0.0, 0.55))
    np.testing.assert_array_equal(renderer.draw(grey(), [estimate]), grey().image)
    behind = estimate_of(hand, translation=(0.0, 0.0, -0.5))
    np.testing.assert_array_equal(renderer.draw(grey(), [behind]), grey().image)
    for width, height in ((1, 1), (37, 500), (1500, 900)):
        camera = CAMERA.resized(width, height)
        image = renderer.draw(grey(width, height, camera), [estimate_of(hand)])
        assert image.shape == (height, width, 3) and image.dtype == np.uint8
    with pytest.raises(ValueError, match='frame.image: none'):
        renderer.draw(Frame(320, 240, camera=CAMERA), [])
    with pytest.raises(ValueError, match='vertices_m: 10 of model'):
        renderer.draw(grey(), [estimate_of(hand, vertices_m=np.zeros((10, 3)))])
