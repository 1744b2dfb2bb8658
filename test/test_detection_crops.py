"""Crops, tiles and rotations map back exactly, in pixels and in 3D directions."""
import numpy as np
import pytest

from hand_recon_ros.detection.crops import Crop
from hand_recon_ros.detection.retry import detect_with_retries, retry_stages, tiles, to_image, window
from hand_recon_ros.types import HandKeypoints


def coordinate_image(width, height):
    """An image whose pixels hold their own coordinates: (H, W, 3) float32 of x, y, 1."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def hand_at(points_px, points_m=None, score=0.9):
    low, high = points_px.min(0), points_px.max(0)
    grow = 0.05 * (high - low).max()
    return HandKeypoints('right', score, score, np.concatenate([low - grow, high + grow]), points_px,
                         np.full(21, score), points_m)


CROPS = [Crop((120.3, 80.1), 64, 48, 1.7, 0.4), Crop((99.5, 74.5), 150, 200, 1.0, np.pi / 2),
         Crop((150.0, 60.0), 40, 40, 0.5, -2.0), Crop((100.0, 75.0), 60, 45, 0.28, np.pi)]


@pytest.mark.parametrize('crop', CROPS)
def test_pixels_taken_lie_where_the_mapping_says(crop):
    taken = crop.take(coordinate_image(200, 150))
    x, y = np.meshgrid(np.arange(crop.width), np.arange(crop.height))
    expected = crop.to_image(np.stack([x, y], -1))
    inside = ((expected > 3) & (expected < [196, 146])).all(-1)
    assert inside.sum() > 200
    # OpenCV's bilinear weights are quantised to 1/32 pixel.
    assert np.abs(taken[..., :2] - expected)[inside].max() < 0.07


@pytest.mark.parametrize('crop', CROPS)
def test_mapping_there_and_back_is_exact(crop):
    points = np.random.default_rng(0).uniform(-50, 300, (4, 21, 2))
    np.testing.assert_allclose(crop.to_image(crop.to_crop(points)), points, atol=1e-10)
    np.testing.assert_allclose(crop.to_crop(points), points @ crop.matrix[:, :2].T + crop.matrix[:, 2], atol=1e-10)


def test_a_quarter_turn_is_numpys():
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    turned = Crop((29.5, 19.5), 40, 60, 1.0, np.pi / 2)
    np.testing.assert_array_equal(turned.take(image), np.rot90(image, -1))
    np.testing.assert_allclose(turned.to_image([0.0, 0.0]), [0, 39], atol=1e-12)


def test_square_crop_holds_the_grown_box():
    crop = Crop.square((10, 20, 50, 40), 100, margin=0.25)
    np.testing.assert_allclose(crop.to_image([[-0.5, -0.5], [99.5, 99.5]]), [[0, 0], [60, 60]])


def test_bad_crops_are_refused():
    with pytest.raises(ValueError, match='crop size: 0 x 5'):
        Crop((0, 0), 0, 5)
    with pytest.raises(ValueError, match='crop scale: nan'):
        Crop((0, 0), 5, 5, float('nan'))
    with pytest.raises(ValueError, match='box_px'):
        Crop.square((5, 5, 5, 5), 10)


@pytest.mark.parametrize('size', [(640, 480), (98, 177)])
def test_every_retried_view_maps_a_known_hand_back_exactly(size):
    rng = np.random.default_rng(3)
    points_px, points_m = rng.uniform(10, 90, (21, 2)), rng.normal(0, 0.05, (21, 3))
    views = [crop for stage in retry_stages(*size) for crop in stage]
    assert len(views) == 3 + 3 + 4 + 9 + 16 + 12 and max(max(crop.width, crop.height) for crop in views) == 640
    for crop in views:
        cosine, sine = np.cos(crop.angle_rad), np.sin(crop.angle_rad)
        in_view = points_m @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]).T
        back = to_image(hand_at(crop.to_crop(points_px), in_view), crop)
        np.testing.assert_allclose(back.points_px, points_px, atol=2e-4)
        np.testing.assert_allclose(back.points_m, points_m, atol=1e-7)
        low, high = points_px.min(0), points_px.max(0)
        assert (back.box_px[:2] < low).all() and (back.box_px[2:] > high).all()


@pytest.mark.parametrize('count', [2, 3, 4])
def test_tiles_cover_the_image_and_overlap(count):
    boxes = np.array(tiles(count))
    assert len(boxes) == count ** 2 and boxes.min() == 0 and boxes.max() == pytest.approx(1)
    side = boxes[0, 2]
    assert boxes[1, 0] == pytest.approx(0.7 * side)


def test_a_turned_window_shows_the_whole_image():
    crop = window(300, 200, (0, 0, 1, 1), 0.0, np.pi / 2)
    corners = crop.to_image([[-0.5, -0.5], [crop.width - 0.5, crop.height - 0.5]])
    np.testing.assert_allclose(np.sort(corners, axis=0), [[-0.5, -0.5], [299.5, 199.5]], atol=0.3)


def test_a_find_that_no_second_look_confirms_is_dropped():
    points, views = np.random.default_rng(0).uniform(100, 200, (21, 2)), []

    def sees_only_whole_views(view):
        views.append(view.shape)
        return [hand_at(points)] if view.shape[0] == 480 and len(views) > 1 else []

    assert detect_with_retries(np.zeros((480, 640, 3), np.uint8), sees_only_whole_views, 2) == []
    assert len(views) > 30
