"""Figures that need no truth: exact on exact hands, and each fault moves the figure that is to show it."""
import json
from dataclasses import replace

import numpy as np
import pytest
from stereo_scripts import pairs, recorded, scripted

from hand_recon_ros import cli
from hand_recon_ros.detection.kept_detections import KeptDetections
from hand_recon_ros.evaluation.consistency import ConsistencyJudge, Instant, joint_differences_mm
from hand_recon_ros.evaluation.frame_labels import frame_labels
from hand_recon_ros.evaluation.truth_detector import StereoTruthDetector
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax

MM = 1e-3


@pytest.fixture(scope='module')
def exact():
    """Rig, judge, and instants whose fused hands are the truth that both views saw; a wide rig with distortion."""
    prepare_jax()
    rig, truths = scripted('wide', None)
    detector = StereoTruthDetector(truths)
    detector.use(rig)
    instants = [Instant(left.stamp_ns, *detector.detect(left, right), truths[left.stamp_ns])
                for left, right in pairs(rig, truths)]
    return rig, ConsistencyJudge(load_hand_model('open_hand'), np.zeros((21, 3)), rig), instants


def moved(hand, by_m):
    by_m = np.asarray(by_m, np.float32)
    return replace(hand, joints_m=hand.joints_m + by_m, translation=hand.translation + by_m)


def test_exact_hands_leave_nothing_over(exact):
    _, judge, instants = exact
    figures = judge.figures(instants)
    assert (figures.instants, figures.with_hand, figures.hands, figures.tracks) == (12, 12, 24, 2)
    assert figures.seen_twice == 1 and figures.side_changes == 0
    assert figures.epipolar_px < 1e-3 and figures.reprojection_px < 0.05 and figures.reprojection_percent < 0.05
    assert figures.length_std_mm < 1e-6 and figures.width_std_mm < 1e-6 and 170 < figures.length_mm < 200


def test_what_moves_shows_where_it_should(exact):
    rig, judge, instants = exact
    apart = [replace(instant, hands=[moved(hand, (0, 0, 0.02)) for hand in instant.hands]) for instant in instants]
    away = [np.linalg.norm(a - b, axis=-1).mean() for instant, far in zip(instants, apart)
            for hand, other in zip(instant.hands, far.hands)
            for a, b in zip(rig.project(hand.joints_m.astype(float)), rig.project(other.joints_m.astype(float)))]
    assert judge.figures(apart).reprojection_px == pytest.approx(np.mean(away), abs=0.05) and np.mean(away) > 5
    assert judge.figures(apart).epipolar_px < 1e-3
    lower = [replace(instant, left=[replace(k, points_px=k.points_px + np.array([0, 6])) for k in instant.left])
             for instant in instants]
    assert judge.figures(lower).epipolar_px > 1.0
    other = [replace(instant, hands=[replace(instant.hands[0], track_id=7 if n == 3 else 0), *instant.hands[1:]])
             for n, instant in enumerate(instants)]
    assert judge.figures(other).tracks == 3
    turned = [replace(instant, hands=[replace(hand, handedness='left') for hand in instant.hands[:1]] if n == 3 else
                      instant.hands[:1]) for n, instant in enumerate(instants)]
    assert judge.figures(turned).side_changes == 1
    with pytest.raises(ValueError, match='stamps not in order'):
        judge.figures(instants[::-1])


def test_jitter_of_a_hand_at_rest(exact):
    _, judge, instants = exact
    still = [replace(instants[0], stamp_ns=round(n * 1e9 / 30)) for n in range(20)]
    assert judge.figures(still).still_jitter_mm < 1e-6 and judge.figures(still).still_instants == 2 * (20 - 8)
    shaken = [replace(instant, hands=[moved(hand, ((-1) ** n * MM, 0, 0)) for hand in instant.hands])
              for n, instant in enumerate(still)]
    figures = judge.figures(shaken)
    assert [figures.acceleration_mm, figures.still_acceleration_mm] == pytest.approx([4.0, 4.0], rel=1e-3)
    # A parabola through nine points has in its middle (-21 14 39 54 59 54 39 14 -21) / 231 of them (Savitzky-Golay).
    weights = np.array([-21, 14, 39, 54, 59, 54, 39, 14, -21]) / 231
    assert figures.still_jitter_mm == pytest.approx(1 - weights @ (-1.0) ** np.arange(-4, 5), rel=1e-3)
    # A hand that goes steadily at 60 mm/s is not shaken; at 300 mm/s it is not at rest.
    for speed, instants_at_rest in ((2 * MM, 24), (10 * MM, 0)):
        gone = []
        for n, instant in enumerate(still):
            hands = [moved(hand, (n * speed, 0, 0)) for hand in instant.hands]
            detector = StereoTruthDetector({instant.stamp_ns: hands})
            detector.use(exact[0])
            (pair,) = pairs(exact[0], {instant.stamp_ns: hands})
            gone.append(Instant(instant.stamp_ns, *detector.detect(*pair), hands))
        figures = judge.figures(gone)
        assert figures.still_instants == instants_at_rest
        assert figures.still_jitter_mm < 1e-3 if instants_at_rest else np.isnan(figures.still_jitter_mm)


def test_nothing_seen_is_no_figure(exact):
    _, judge, instants = exact
    figures = judge.figures([replace(instant, hands=[]) for instant in instants])
    assert figures.with_hand == figures.hands == figures.tracks == 0
    assert np.isnan(figures.epipolar_px) and np.isnan(figures.seen_twice) and np.isnan(figures.length_std_mm)
    alone = judge.figures([replace(instant, right=[]) for instant in instants])
    assert alone.hands == 24 and alone.seen_twice == 0 and np.isnan(alone.reprojection_px)


def test_agreement_with_labels_and_between_runs(exact):
    _, judge, instants = exact
    labels = {n: 1.1 * instants[n].hands[0].joints_m.astype(float) + [0, 0, 0.01] for n in (2, 5)}
    labels[40] = np.zeros((21, 3))
    found = judge.agreement(instants, labels)
    assert (found.labelled, found.compared) == (3, 2) and found.joints_mm > 30
    assert found.joints_scaled_mm < 1e-3 and found.joints_aligned_mm < 1e-3
    assert found.landmarks_scaled_mm < 0.1 and found.triangulated_mm == pytest.approx(found.joints_mm, abs=0.1)
    other = [replace(instant, hands=[moved(hand, (0, 2 * MM, 0)) for hand in instant.hands[::-1]])
             for instant in instants[:4]]
    assert joint_differences_mm(instants, other) == pytest.approx(np.full(8, 2.0), abs=1e-3)
    assert joint_differences_mm(instants, []).size == 0


def test_labels_by_the_number_in_their_name(tmp_path):
    def stored(*names):
        view = {'image': 'a.jpg', 'size': [640, 480], 'K': np.eye(3).tolist()}
        entries = [{'id': name, 'views': [view], 'gt_kind': 'mediapipe', 'joints_3d': [[0, 0, k]] * 21}
                   for k, name in enumerate(names, 1)]
        (tmp_path / 'samples.json').write_text(json.dumps(entries))
        return tmp_path
    labels = frame_labels(stored('desk_f017', 'desk_f120'))
    assert list(labels) == [17, 120] and labels[120][0].tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match="'desk', expected a name that ends in the number"):
        frame_labels(stored('desk'))
    with pytest.raises(ValueError, match='two samples of instant 3'):
        frame_labels(stored('a_3', 'b_03'))


def test_detections_are_made_once(exact):
    rig, _, instants = exact

    class Counting(StereoTruthDetector):
        asked = 0

        def detect(self, left, right):
            self.asked += 1
            return super().detect(left, right)
    truths = {instant.stamp_ns: instant.hands for instant in instants}
    counting = Counting(truths, 1.0)
    counting.use(rig)
    kept = KeptDetections(counting, rig)
    first, again = ([kept.detect(*pair)[0][0].points_px for pair in pairs(rig, truths)] for _ in range(2))
    assert counting.asked == len(truths) and np.array_equal(first, again)
    for other, more in ((rig, 0), (rig.scaled(1.0), 1)):
        kept.use(other)
        kept.detect(*next(pairs(other, truths)))
        assert counting.asked == len(truths) + more
    assert kept.name == counting.name


def test_the_command_on_pictures_without_hands(tmp_path, capsys):
    rig, truths = scripted('rectified', 0.12, frames=4)
    bag = recorded(tmp_path / 'bag', rig, truths)
    assert cli.main(['consistency', str(bag), '--json', str(tmp_path / 'figures.json')]) == 0
    assert 'cameras 120.0 mm apart' in capsys.readouterr().out
    stored = json.loads((tmp_path / 'figures.json').read_text())
    assert set(stored['figures']) == {'joint', 'joint, one_euro'}
    assert stored['figures']['joint']['instants'] == 4 and stored['figures']['joint']['hands'] == 0
    assert stored['figures']['joint']['epipolar_px'] is None
    assert cli.main(['consistency', str(bag), '--calibrate', '--smoothing', 'none']) == 2
    assert 'no usable hand in the first 2 instants' in capsys.readouterr().err
    assert cli.main(['consistency', str(bag), '--calibrate', '--identity', 'a.yaml']) == 2
    assert cli.main(['consistency', str(tmp_path / 'none')]) == 2
