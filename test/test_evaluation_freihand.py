"""The FreiHAND procedure against a second derivation, written out step by step from its published definition."""
import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import cdist

from hand_recon_ros.evaluation.freihand import PROPER, THRESHOLDS_MM, FreiHandEvaluation, alignment
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix


def align_by_definition(true, estimate):
    """Centre, divide by the Frobenius norm + 1e-8, orthogonal Procrustes (reflections too), scale, put back."""
    true_centre, centre = true.mean(0), estimate.mean(0)
    true_norm = np.sqrt(((true - true_centre) ** 2).sum()) + 1e-8
    norm = np.sqrt(((estimate - centre) ** 2).sum()) + 1e-8
    matrix, scale = orthogonal_procrustes((true - true_centre) / true_norm, (estimate - centre) / norm)
    return (estimate - centre) / norm @ matrix.T * scale * true_norm + true_centre, (matrix, scale, true_norm)


def table_by_definition(errors_m):
    """Mean, median and AUC per keypoint, then over keypoints, cm thresholds as published."""
    thresholds = np.linspace(0.0, 0.05, 100)
    means, medians, areas, curves = [], [], [], []
    for keypoint in range(errors_m.shape[1]):
        of_one = errors_m[:, keypoint]
        curve = [np.mean(of_one <= threshold) for threshold in thresholds]
        means.append(of_one.mean())
        medians.append(np.median(of_one))
        curves.append(curve)
        areas.append(np.trapz(curve, thresholds) / np.trapz(np.ones(100), thresholds))
    return np.mean(means) * 1e3, np.mean(medians) * 1e3, np.mean(areas), np.mean(curves, 0)


def f_by_definition(true, estimate, threshold):
    distances = cdist(true, estimate)
    precision, recall = np.mean(distances.min(1) < threshold), np.mean(distances.min(0) < threshold)
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def frames(count=12, vertices=60, estimated_vertices=60, seed=0):
    """Noise, turns, and every third estimate a mirror image."""
    random = np.random.default_rng(seed)
    for index in range(count):
        joints, mesh = (random.normal(0, 0.04, (number, 3)) + [0, 0, 0.7] for number in (21, vertices))
        change = axis_angle_to_matrix(random.normal(0, 0.2, 3)) * random.uniform(0.7, 1.4)
        if index % 3 == 0:
            change = change @ np.diag([-1.0, 1.0, 1.0])
        noisy = [points @ change.T + random.normal(0, 0.006, points.shape) + random.normal(0, 0.01, 3)
                 for points in (joints, np.resize(mesh, (estimated_vertices, 3)))]
        yield joints, mesh, *noisy


def assert_scores(scores, errors_m):
    mean, median, area, curve = table_by_definition(np.array(errors_m))
    assert scores.mean_mm == pytest.approx(mean, abs=1e-9) and scores.median_mm == pytest.approx(median, abs=1e-9)
    assert scores.auc == pytest.approx(area, abs=1e-9)
    np.testing.assert_allclose(scores.pck, curve, atol=1e-9)


def test_every_figure_is_the_published_one():
    evaluation, errors, f_plain, f_aligned = FreiHandEvaluation(), [[], [], [], []], [], []
    mirrored = 0
    for true_joints, true_mesh, joints, mesh in frames():
        evaluation.add(joints, mesh, true_joints, true_mesh)
        moved_joints, (matrix, _, _) = align_by_definition(true_joints, joints)
        moved_mesh, _ = align_by_definition(true_mesh, mesh)
        mirrored += np.linalg.det(matrix) < 0
        for into, (a, b) in zip(errors, ((joints, true_joints), (moved_joints, true_joints), (mesh, true_mesh),
                                         (moved_mesh, true_mesh))):
            into.append(np.linalg.norm(a - b, axis=1))
        f_plain.append([f_by_definition(true_mesh, mesh, t) for t in (0.005, 0.015)])
        f_aligned.append([f_by_definition(true_mesh, moved_mesh, t) for t in (0.005, 0.015)])
    scores = evaluation.scores()
    assert mirrored == 4                                        # reflections did take part
    for ours, theirs in zip((scores.joints, scores.joints_aligned, scores.vertices, scores.vertices_aligned), errors):
        assert_scores(ours, theirs)
    np.testing.assert_allclose(scores.f_scores, np.mean(f_plain, 0), atol=1e-9)
    np.testing.assert_allclose(scores.f_scores_aligned, np.mean(f_aligned, 0), atol=1e-9)
    assert 0.05 < scores.f_scores_aligned[0] < 0.95 and 0.1 < scores.joints_aligned.auc < 0.99


def test_other_topology_follows_the_joints_with_the_published_scale():
    evaluation, f_aligned = FreiHandEvaluation(), []
    for true_joints, true_mesh, joints, mesh in frames(estimated_vertices=45):
        evaluation.add(joints, mesh, true_joints, true_mesh)
        _, (matrix, scale, true_norm) = align_by_definition(true_joints, joints)
        moved = (mesh - mesh.mean(0)) @ matrix.T * scale * true_norm
        moved += true_joints.mean(0) - joints.mean(0) + mesh.mean(0)
        f_aligned.append([f_by_definition(true_mesh, moved, t) for t in (0.005, 0.015)])
    scores = evaluation.scores()
    assert scores.vertices is None and scores.vertices_aligned is None
    np.testing.assert_allclose(scores.f_scores_aligned, np.mean(f_aligned, 0), atol=1e-9)
    with pytest.raises(ValueError, match='expected different numbers as in the first frame'):
        evaluation.add(true_joints, true_mesh, true_joints, true_mesh)


def test_mirror_images_align_as_published_but_not_properly():
    true_joints, true_mesh, _, _ = next(frames())
    mirror = np.array([-1.0, 1.0, 1.0])
    published, proper = FreiHandEvaluation(), FreiHandEvaluation(PROPER)
    for evaluation in (published, proper):
        evaluation.add(true_joints * mirror, true_mesh * mirror, true_joints, true_mesh)
    assert published.scores().joints_aligned.mean_mm < 1e-3 and published.scores().f_scores_aligned == (1.0, 1.0)
    assert proper.scores().joints_aligned.mean_mm > 5
    turned = 1.7 * true_joints @ axis_angle_to_matrix(np.array([0.4, -1.0, 0.2])).T + [0.3, 0, 0]
    np.testing.assert_allclose(alignment(turned, true_joints, PROPER).own(turned), true_joints, atol=1e-12)
    assert np.linalg.det(alignment(true_joints * mirror, true_joints, PROPER).rotation) == pytest.approx(1.0)


def test_proper_variant_carries_another_topology_rightly():
    true_joints, true_mesh, _, _ = next(frames())
    turn = axis_angle_to_matrix(np.array([0.1, 0.7, -0.3]))
    evaluation = FreiHandEvaluation(PROPER)
    mesh = np.concatenate([true_mesh, true_mesh])
    evaluation.add(0.6 * true_joints @ turn.T, 0.6 * mesh @ turn.T, true_joints, true_mesh)
    assert evaluation.scores().f_scores_aligned == (1.0, 1.0)


def test_thresholds_and_bad_input():
    assert len(THRESHOLDS_MM) == 100 and THRESHOLDS_MM[[0, -1]].tolist() == [0.0, 50.0]
    with pytest.raises(ValueError, match='frames: none'):
        FreiHandEvaluation().scores()
    with pytest.raises(ValueError, match='variant'):
        FreiHandEvaluation('mine')
    with pytest.raises(ValueError, match=r'joints_m: shape \(20, 3\)'):
        FreiHandEvaluation().add(np.zeros((20, 3)), np.zeros((5, 3)), np.zeros((21, 3)), np.zeros((5, 3)))
