"""Metrics by hand-computed values, matching, and the table of a recording."""
import pickle
from dataclasses import replace

import numpy as np
import pytest

from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.evaluation.metrics import aligned_mm, auc, distances_mm, pck, root_relative_mm
from hand_recon_ros.evaluation.summary import Evaluation, table
from hand_recon_ros.evaluation.temporal import stretches
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.types import HandEstimate, HandKeypoints

CAMERA = Camera(320, 240, np.array([[300.0, 0, 160], [0, 300.0, 120], [0, 0, 1]]))


def hand(offset=(0, 0, 0), handedness='right', track=1, seed=0):
    points = np.random.default_rng(seed).standard_normal((21, 3)) * 0.04 + [0, 0, 0.6]
    joints = (points + offset).astype(np.float32)
    return HandEstimate(track, handedness, 1.0, 1.0, 'open_hand', np.zeros(48), np.zeros(10), np.zeros(3), joints,
                        np.concatenate([joints, joints * 1.01]), np.ones(3))


def test_distances_and_alignment():
    points = np.random.default_rng(1).standard_normal((4, 21, 3)) * 0.05
    moved = 1.3 * points @ axis_angle_to_matrix(np.array([0.3, -0.2, 0.9])).T + [0.1, 0, 0.4]
    assert distances_mm(points + [0.003, 0.004, 0], points) == pytest.approx(5.0)
    assert root_relative_mm(points + 1.0, points, points[:, 0] + 1.0, points[:, 0]) == pytest.approx(0.0, abs=1e-9)
    assert aligned_mm(moved, points).max() < 1e-9
    assert aligned_mm(points * [-1, 1, 1], points).mean() > 5           # a mirror image is not an alignment
    with pytest.raises(ValueError, match='expected equal shapes'):
        distances_mm(points, points[:2])


def test_pck_and_area():
    errors = np.array([0.0, 10.0, 20.0, 60.0])
    np.testing.assert_allclose(pck(errors, np.array([0, 10, 15, 50, 60])), [.25, .5, .5, .75, 1])
    assert auc(np.zeros(5), 0, 50) == pytest.approx(1.0)
    assert auc(np.full(5, 25.0), 0, 50, steps=2001) == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(ValueError, match='empty'):
        pck(np.array([]), np.array([1.0]))


def test_matching_ignores_depth_and_handedness():
    near, far = hand((-0.2, 0, 0)), hand((0.2, 0, 0), seed=2)
    deep = replace(far, joints_m=far.joints_m * 1.5, handedness='left')
    assert match_hands([deep, near], [near, far]) == [(0, 1), (1, 0)]
    assert match_hands([hand((3.0, 0, 0))], [near]) == []
    assert match_hands([], [near]) == []


def test_table_of_a_recording():
    evaluation = Evaluation()
    truth = hand()
    shifted = replace(truth, joints_m=truth.joints_m + np.float32(0.01), vertices_m=truth.vertices_m + np.float32(0.01))
    evaluation.add(0, [replace(shifted, track_id=5)], [truth], 0.02)
    evaluation.add(1, [replace(truth, handedness='left', track_id=6)], [truth], 0.04)
    evaluation.add(2, [], [truth])
    metrics = evaluation.metrics()
    assert (evaluation.frames, evaluation.true_hands, len(evaluation.hands)) == (3, 3, 2)
    assert metrics['recall'] == pytest.approx(2 / 3) and metrics['precision'] == 1.0
    assert metrics['cs_mpjpe_mm'] == pytest.approx(np.sqrt(3) * 10 / 2, rel=1e-4)
    assert metrics['mpjpe_mm'] == pytest.approx(0, abs=1e-4) and metrics['pa_mpjpe_mm'] == pytest.approx(0, abs=1e-4)
    assert metrics['cs_mpvpe_mm'] == pytest.approx(np.sqrt(3) * 10 / 2, rel=1e-4)
    assert metrics['mpvpe_mm'] == pytest.approx(0, abs=1e-4) and metrics['pa_mpvpe_mm'] == pytest.approx(0, abs=1e-4)
    assert metrics['handedness_accuracy'] == 0.5 and metrics['id_switches'] == 1
    assert metrics['latency_ms']['p50'] == pytest.approx(30.0)
    assert 'cs_mpjpe_mm' in table(metrics, 'demo') and '0.667' in table(metrics)


def test_nothing_to_judge_gives_no_figures_but_reasons():
    assert Evaluation().metrics() == {}
    empty = Evaluation()
    empty.add(0, [], [])
    assert empty.metrics() == {} and any('no true hand' in note for note in empty.notes())
    missed = Evaluation()
    missed.add(0, [], [hand()])
    assert missed.metrics() == {'recall': 0.0, 'false_positives_per_frame': 0.0}
    assert any('no accuracy figures' in note for note in missed.notes())


def square_hand(model='open_hand', vertices=4):
    """A hand whose mesh is a square before the camera, 51 pixels wide."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], np.float32) * 0.102 + [-0.051, -0.051, 0.6]
    return replace(hand(), vertices_m=corners[:vertices], model=model)


FACES = np.array([[0, 1, 2], [1, 3, 2]])


def noisy_recording(name, seed, frames=6):
    random = np.random.default_rng(seed)
    evaluation = Evaluation(name)
    for index in range(frames):
        truths = [hand((-0.2, 0, 0.01 * index), 'right', 0), hand((0.2, 0, 0), 'left', 1, seed=2)]
        seen = [replace(truth, joints_m=truth.joints_m + random.normal(0, 0.01, (21, 3)), track_id=7 + truth.track_id,
                        joint_std_m=np.full(21, 0.01)) for truth in truths[:1 + (index % 3 > 0)]]
        evaluation.add(index * 33_000_000, seen, truths, 0.01 * random.random())
    return evaluation


def test_parts_from_other_processes_give_the_same_figures_to_the_last_bit():
    parts = [noisy_recording('a', 1), noisy_recording('b', 2, 9)]
    whole = Evaluation.merged(parts, 'set')
    again = Evaluation.merged([pickle.loads(pickle.dumps(noisy_recording('a', 1))),
                               pickle.loads(pickle.dumps(noisy_recording('b', 2, 9)))])
    assert again.metrics() == whole.metrics() and again.notes() == whole.notes()
    assert list(whole.metrics()) == list(parts[0].metrics()) and (whole.frames, whole.true_hands) == (15, 30)
    nested = Evaluation.merged([Evaluation.merged(parts[:1]), parts[1]])
    assert nested.metrics() == whole.metrics()
    # Every hand counts alike: the mean over recordings is weighted by their hands.
    counts = [len(part.hands) for part in parts]
    for name in ('pa_mpjpe_mm', 'cs_mpjpe_mm', 'coverage_95', 'auc_0_50', 'handedness_accuracy'):
        expected = np.average([part.metrics()[name] for part in parts], weights=counts)
        assert whole.metrics()[name] == pytest.approx(expected, rel=1e-12)
    assert whole.metrics()['id_switches'] == sum(part.metrics()['id_switches'] for part in parts)
    # The last frame of one recording and the first of the next are no neighbours.
    steps = [5 + 3, 8 + 5]
    assert whole.metrics()['jitter_mm'] != parts[0].metrics()['jitter_mm']
    assert sum(len(e) - 1 for part in whole.recordings for e, _ in stretches(part.frames)) <= sum(steps)
    with pytest.raises(ValueError, match='put together from others'):
        whole.add(0, [], [])


def test_unordered_frames_say_nothing_of_motion():
    shuffled = Evaluation(sequence=False)
    for index in range(4):
        shuffled.add(index, [hand()], [hand()])
    assert not {'jitter_mm', 'id_switches', 'bone_length_std_mm'} & set(shuffled.metrics())
    assert any('no figures of motion' in note for note in shuffled.notes())


def test_masks_of_matched_hands():
    truth = square_hand()
    true_mask = np.zeros((240, 320), np.uint8)
    true_mask[95:146, 135:186] = 1                               # 300 * 0.051 / 0.6 = 25.5 pixels each way
    evaluation = Evaluation(faces={'open_hand': FACES})
    evaluation.add(0, [truth], [truth], camera=CAMERA, true_mask=true_mask)
    assert evaluation.metrics()['mask_iou'] == 1.0 and evaluation.metrics()['mask_accuracy'] == 1.0
    evaluation.add(1, [replace(truth, vertices_m=truth.vertices_m + np.float32([0.05, 0, 0]))], [truth], camera=CAMERA,
                   true_mask=true_mask)                          # 25 pixels to the right: 26 columns in common
    share = 26 / (51 + 25)
    assert evaluation.metrics()['mask_iou'] == pytest.approx((1 + share) / 2)
    with pytest.raises(ValueError, match='true_mask: uint8'):
        evaluation.add(2, [truth], [truth], camera=CAMERA, true_mask=true_mask[:100])
    with pytest.raises(ValueError, match='camera: none'):
        evaluation.add(2, [truth], [truth], true_mask=true_mask)
    unknown = Evaluation()
    unknown.add(0, [truth], [truth], camera=CAMERA, true_mask=true_mask)
    assert 'mask_iou' not in unknown.metrics() and any('known faces' in note for note in unknown.notes())


def test_other_topology_gives_surfaces_and_never_vertices():
    truth = square_hand()
    other = replace(square_hand(model='other'), vertices_m=truth.vertices_m[[0, 1, 3, 2]] + np.float32([0, 0, 0.008]))
    evaluation = Evaluation(faces={'open_hand': FACES, 'other': np.array([[0, 1, 2], [0, 2, 3]])})
    evaluation.add(0, [other], [truth])
    metrics = evaluation.metrics()
    assert metrics['cs_surface_mm'] == pytest.approx(8.0, abs=1e-4)
    assert (metrics['cs_surface_f_5'], metrics['cs_surface_f_15']) == (0.0, 1.0)
    assert not {'pa_mpvpe_mm', 'mpvpe_mm', 'cs_mpvpe_mm', 'f_5'} & set(metrics)
    assert any("surfaces are compared instead" in note for note in evaluation.notes())
    unknown = Evaluation(faces={'open_hand': FACES})
    unknown.add(0, [other], [truth])
    assert 'cs_surface_mm' not in unknown.metrics() and any('faces of other' in note for note in unknown.notes())
    with pytest.raises(ValueError, match='vertices_m: 3 against 4'):
        evaluation.add(1, [square_hand(vertices=3)], [truth])


def test_detector_errors_in_percent_of_the_box():
    truth = square_hand()                                        # box 51 pixels
    points = CAMERA.project(truth.joints_m)

    def detected(shift, handedness='right'):
        return HandKeypoints(handedness, 1.0, 1.0, np.zeros(4), points + shift, np.ones(21))
    evaluation = Evaluation()
    evaluation.add(0, [], [truth], keypoints=[detected((3, 4))], camera=CAMERA)
    evaluation.add(1, [], [truth], keypoints=[detected((500, 0)), detected((0, 10), 'left')], camera=CAMERA)
    evaluation.add(2, [], [truth], keypoints=[], camera=CAMERA)
    evaluation.add(3, [], [truth], keypoints=None)               # not judged
    metrics = evaluation.metrics()
    assert metrics['keypoint_error_percent'] == pytest.approx(0.5 * (500 + 1000) / 51, rel=1e-4)
    assert metrics['keypoint_recall'] == pytest.approx(2 / 3) and metrics['keypoint_handedness_accuracy'] == 0.5
    assert metrics['recall'] == 0.0


def test_a_stated_uncertainty_is_judged_where_it_is_stated():
    truth = hand()
    sure = replace(truth, joints_m=truth.joints_m + np.float32([0.02, 0, 0]), joint_std_m=np.full(21, 0.004))
    humble = replace(sure, joint_std_m=np.full(21, 0.01))
    evaluation = Evaluation()
    evaluation.add(0, [truth], [truth])
    assert 'coverage_95' not in evaluation.metrics()
    assert any('states an uncertainty' in note for note in evaluation.notes())
    evaluation.add(1, [sure], [truth])
    evaluation.add(2, [humble], [truth])
    assert evaluation.metrics()['coverage_95'] == 0.5            # 20 mm is 5 and 2 deviations; 2.795 are allowed
    assert 'coverage_95: of 2 of the 3 matched hands' in evaluation.notes()


def test_hands_out_of_the_image_are_not_asked_for():
    beside, partly = hand((1.0, 0, 0), track=3), hand((0.3, 0, 0), track=4, seed=2)
    evaluation = Evaluation()
    evaluation.add(0, [hand()], [hand(), beside, partly], camera=CAMERA)
    assert evaluation.true_hands == 2 and evaluation.metrics()['recall'] == 0.5
    assert '1 true hands without a keypoint in the image are not counted' in evaluation.notes()
    everywhere = Evaluation()
    everywhere.add(0, [hand()], [hand(), beside, partly])
    assert everywhere.metrics()['recall'] == pytest.approx(1 / 3)


def test_bad_frames_are_refused():
    with pytest.raises(ValueError, match='ids that differ'):
        Evaluation().add(0, [], [hand(), hand((0.2, 0, 0))])
    with pytest.raises(ValueError, match='latency_s: -1'):
        Evaluation().add(0, [], [], -1.0)
    with pytest.raises(ValueError, match='camera: none'):
        Evaluation().add(0, [], [], keypoints=[])
