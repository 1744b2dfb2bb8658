"""Silhouettes drawn at pixel centres, which of two hands is seen, and what is counted."""
import numpy as np
import pytest

from hand_recon_ros.evaluation.masks import draw_labels, mask_errors

SQUARE = np.array([[0, 1, 2], [1, 3, 2]])


def square(low, high, depth, label, faces=SQUARE):
    corners = np.array([[low, low], [high, low], [low, high], [high, high]], float)
    return corners, np.full(4, depth), faces, label


def test_pixels_whose_centres_lie_inside():
    labels = draw_labels(8, 6, [square(0.5, 3.5, 1.0, 1)])
    expected = np.zeros((6, 8), np.uint8)
    expected[1:4, 1:4] = 1                                       # centres 1, 2, 3: the shared edge leaves no gap
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(draw_labels(8, 6, [square(0.5, 3.5, 1.0, 1, SQUARE[:, ::-1])]), expected)
    clipped = draw_labels(8, 6, [square(-50.0, 2.0, 1.0, 2)])
    assert clipped[:3, :3].all() and clipped.sum() == 2 * 9
    assert draw_labels(8, 6, []).sum() == 0


def test_the_nearer_hand_is_seen():
    near, far = square(0, 3, 0.4, 1), square(2, 5, 0.6, 2)
    for hands in ([near, far], [far, near]):
        labels = draw_labels(6, 6, hands)
        assert labels[2, 2] == labels[3, 3] == 1 and labels[4, 4] == 2 and (labels == 1).sum() == 16
    # Two crossing slopes: each is seen where it is nearer. 1/z is linear over the image.
    rising = (square(0, 4, 1, 1)[0], np.array([1.0, 0.5, 1.0, 0.5]), SQUARE, 1)
    falling = (square(0, 4, 1, 2)[0], np.array([0.5, 1.0, 0.5, 1.0]), SQUARE, 2)
    row = draw_labels(5, 5, [rising, falling])[1]
    assert row[:2].tolist() == [2, 2] and row[3:].tolist() == [1, 1]


def test_triangles_without_a_pixel_are_left_out():
    corners, depths, faces, label = square(0, 3, 1.0, 1)
    broken, behind = corners.copy(), depths.copy()
    broken[3], behind[3] = np.nan, -1.0
    upper = draw_labels(4, 4, [(corners, depths, faces[:1], label)])
    np.testing.assert_array_equal(draw_labels(4, 4, [(broken, depths, faces, label)]), upper)
    np.testing.assert_array_equal(draw_labels(4, 4, [(corners, behind, faces, label)]), upper)


def test_counts():
    true, drawn = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    true[10:20, 10:20], drawn[10:20, 15:25] = True, True
    errors = mask_errors(drawn, true, (10, 10, 19, 19))
    assert (errors.intersection, errors.union) == (50, 150)
    # A box of 9 made 13.5 around (14.5, 14.5): pixels 8 to 21 both ways, 14 x 14, of which 50 + 20 are wrong.
    assert errors.seen == 14 * 14 and errors.right == 14 * 14 - 50 - 20
    assert mask_errors(true, true, (10, 10, 19, 19)).right == 14 * 14
    corner = mask_errors(true, true, (0, 0, 9, 9))
    assert corner.seen == 12 * 12                                # cut at the image's border
    with pytest.raises(ValueError, match='true_mask: shape'):
        mask_errors(drawn, true[:5], (0, 0, 1, 1))
