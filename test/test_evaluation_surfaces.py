"""Point-to-triangle distances, surfaces of different topology, F-scores: values known by construction."""
import numpy as np
import pytest

from hand_recon_ros.evaluation.f_scores import f_score, nearest_mm, point_f_scores
from hand_recon_ros.evaluation.surfaces import (compare_surfaces, point_triangle_distances, surface_distances_mm,
                                                vertex_areas)

TRIANGLE = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])


def grid(n: int, z: float = 0.0, size: float = 0.1):
    """A square of side `size` in the plane z, n x n cells of two triangles."""
    x, y = np.meshgrid(np.linspace(0, size, n + 1), np.linspace(0, size, n + 1))
    vertices = np.stack([x.ravel(), y.ravel(), np.full(x.size, z)], axis=1)
    corner = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    right, below = corner + 1, corner + n + 1
    return vertices, np.concatenate([np.stack([corner, right, below], 1), np.stack([right, below + 1, below], 1)])


@pytest.mark.parametrize('point, distance', [
    ((0.25, 0.25, 2.0), 2.0),                 # above the inside
    ((0.3, 0.3, 0.0), 0.0),                   # in it
    ((-3.0, -4.0, 0.0), 5.0),                 # a corner
    ((0.5, -2.0, 0.0), 2.0),                  # an edge
    ((1.0, 1.0, 0.0), np.sqrt(0.5)),          # the long edge
    ((2.0, 0.0, 1.0), np.sqrt(2.0))])
def test_distance_to_a_triangle(point, distance):
    for turn in range(3):
        corners = np.roll(TRIANGLE, turn, axis=0)
        assert point_triangle_distances([point], corners[None])[0] == pytest.approx(distance, abs=1e-12)
        assert point_triangle_distances([point], corners[None, ::-1])[0] == pytest.approx(distance, abs=1e-12)


def test_degenerate_triangles_are_their_edges():
    line = np.array([[[0.0, 0, 0], [1, 0, 0], [3, 0, 0]]])
    dot = np.ones((1, 3, 3))
    assert point_triangle_distances([[2.0, 0.5, 0]], line)[0] == pytest.approx(0.5)
    assert point_triangle_distances([[1.0, 1, 3]], dot)[0] == pytest.approx(2.0)


def test_nearest_triangle_is_exact_among_triangles_of_all_sizes():
    random = np.random.default_rng(3)
    vertices = random.normal(0, 0.05, (120, 3))
    faces = np.stack([random.permutation(120)[:3] for _ in range(200)])
    small = vertices[:60] * 0.1                                 # a cluster of tiny triangles beside large ones
    vertices, faces = np.concatenate([vertices, small]), np.concatenate([faces, 120 + faces[(faces < 60).all(1)]])
    points = random.normal(0, 0.08, (150, 3))
    every = np.stack([point_triangle_distances(points, np.repeat(vertices[face][None], 150, 0)) for face in faces])
    np.testing.assert_allclose(surface_distances_mm(points, vertices, faces), every.min(0) * 1e3, atol=1e-9)
    assert surface_distances_mm(points[:2], TRIANGLE, [[0, 1, 2]]).shape == (2,)


def test_density_of_vertices_does_not_matter():
    coarse, fine = grid(2), grid(17, z=0.004)
    result = compare_surfaces(*coarse, *fine)
    assert result.mean_mm == pytest.approx(4.0) and result.f_scores == (1.0, 1.0)
    assert compare_surfaces(*coarse, *grid(17, z=0.007)).f_scores == (0.0, 1.0)
    assert vertex_areas(*fine).sum() == pytest.approx(0.01)
    # Half of the estimate's square is denser by far, and 20 mm off: the area counts, not the vertices.
    low, high = grid(1, size=0.1), grid(30, z=0.02, size=0.1)
    both = np.concatenate([low[0], high[0]]), np.concatenate([low[1], high[1] + len(low[0])])
    mixed = compare_surfaces(*both, *grid(8))
    assert mixed.mean_mm == pytest.approx(0.5 * 10.0)           # there: half at 0, half at 20 mm; back: all at 0
    assert mixed.f_scores[0] == pytest.approx(2 * 0.5 / 1.5)


def test_bad_meshes_are_named():
    vertices, faces = grid(1)
    with pytest.raises(ValueError, match='true faces: shape .* indices under 4'):
        compare_surfaces(vertices, faces, vertices, faces + 1)
    with pytest.raises(ValueError, match='estimated vertices_m: shape'):
        compare_surfaces(vertices * np.nan, faces, vertices, faces)


def test_f_scores():
    points = np.array([[0.0, 0, 0], [0.1, 0, 0], [0.2, 0, 0], [0.3, 0, 0]])
    assert point_f_scores(points, points) == (1.0, 1.0)
    moved = points + [0, 0.01, 0]
    assert point_f_scores(moved, points) == (0.0, 1.0)
    assert nearest_mm(moved, points) == pytest.approx(10.0)
    # One of two estimated points lies on the truth (precision 1/2); one of four true points is met (recall 1/4).
    assert point_f_scores(np.array([[0.0, 0, 0], [0.05, 0, 0]]), points)[0] == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    assert f_score([5.0], [5.0], 5.0) == 0.0                    # below, not at
    assert f_score([1.0, 9.0], [1.0], 5.0, [3.0, 1.0]) == pytest.approx(2 * 0.75 / 1.75)
    with pytest.raises(ValueError, match='others_m: shape'):
        nearest_mm(points, np.zeros((0, 3)))
