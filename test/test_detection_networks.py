"""The directly run networks: anchors, suppression and regions by hand-computed values, agreement with MediaPipe."""
import importlib.util
import sys

import cv2
import numpy as np
import pytest

from hand_recon_ros.benchmarks.detector import RECORDING, recorded_frames
from hand_recon_ros.detection.duplicates import landmark_distance
from hand_recon_ros.detection.hand_networks import SearchPolicy
from hand_recon_ros.detection.hand_regions import CROP_SIZE, HandRegion
from hand_recon_ros.detection.palm_anchors import anchor_centres
from hand_recon_ros.detection.palm_detector import decoded
from hand_recon_ros.detection.palm_suppression import overlaps, weighted_suppression
from hand_recon_ros.detection.registry import build_detector
from hand_recon_ros.types import Frame

needs_openvino = pytest.mark.skipif(importlib.util.find_spec('openvino') is None, reason='OpenVINO is not installed')


@pytest.fixture(scope='module')
def frames():
    return recorded_frames(str(RECORDING))[:12]


def test_anchors_are_two_of_each_cell_of_24_and_six_of_each_cell_of_12():
    anchors = anchor_centres()
    assert anchors.shape == (24 * 24 * 2 + 12 * 12 * 6, 2) == (2016, 2)
    np.testing.assert_allclose(anchors[:3], [[0.5 / 24] * 2, [0.5 / 24] * 2, [1.5 / 24, 0.5 / 24]])
    np.testing.assert_allclose(anchors[1151:1153], [[23.5 / 24] * 2, [0.5 / 12] * 2], rtol=1e-6)
    np.testing.assert_allclose(anchors[-1], [11.5 / 12] * 2, rtol=1e-6)


def test_palms_are_decoded_from_their_anchors():
    raw = np.zeros((2016, 18), np.float32)
    raw[0] = [19.2, -9.6, 96, 48, *([1.92, 3.84] * 7)]
    boxes, points = decoded(raw)
    centre = 0.5 / 24
    np.testing.assert_allclose(boxes[0], [centre + 0.1 - 0.25, centre - 0.05 - 0.125, centre + 0.35, centre + 0.075],
                               atol=1e-7)
    np.testing.assert_allclose(points[0, 6], [centre + 0.01, centre + 0.02], atol=1e-7)


def test_overlap_is_intersection_over_union():
    assert overlaps([0, 0, 2, 2], [[0, 0, 2, 2], [1, 0, 3, 2], [2, 0, 4, 2], [1, 1, 1, 1]]) == pytest.approx(
        [1, 1 / 3, 0, 0])


def test_overlapping_answers_become_their_mean_weighted_by_score():
    boxes = [[0, 0, 2, 2], [5, 5, 7, 7], [0.5, 0, 2.5, 2], [1, 0, 3, 2]]
    values = [[0.0], [10.0], [4.0], [7.0]]
    # 0.5 apart they overlap by 1.5 / 2.5 = 0.6; 1 apart by a third, above 0.3 as well.
    means, scores = weighted_suppression(boxes, values, [0.6, 0.8, 0.9, 0.5], 0.3)
    np.testing.assert_allclose(means[:, 0], [(0.9 * 4 + 0.6 * 0 + 0.5 * 7) / 2.0, 10])
    np.testing.assert_allclose(scores, [0.9, 0.8])
    # With 0.5 as the limit the outer two do not belong to the first: 0.6 and 0.6 from the middle one, which is best.
    means, scores = weighted_suppression(boxes, values, [0.6, 0.8, 0.4, 0.5], 0.5)
    np.testing.assert_allclose(means[:, 0], [10, (0.6 * 0 + 0.4 * 4) / 1.0, 7])
    assert weighted_suppression([], np.zeros((0, 3)), [], 0.3)[0].shape == (0, 3)
    # An answer without area does not go on for ever.
    assert weighted_suppression([[1, 1, 1, 1]], [[5.0]], [0.9], 0.3)[0].tolist() == [[5.0]]


def upright_hand(size=100.0):
    """(21, 2): wrist below, MCPs in a row above it, fingers up."""
    points = np.zeros((21, 2))
    points[1:5] = [[-0.3, -0.2], [-0.4, -0.35], [-0.45, -0.5], [-0.5, -0.6]]
    for finger, x in enumerate((-0.2, 0.0, 0.2, 0.35)):
        points[5 + 4 * finger:9 + 4 * finger] = [[x, -0.5], [x, -0.7], [x, -0.8], [x, -0.9]]
    return points * size + [300, 250]


def test_region_of_an_upright_palm_lies_above_it():
    points = np.array([[50, 100], [40, 50], [50, 50], [60, 50], [70, 60], [30, 90], [25, 70]], float)
    region = HandRegion.from_palm([20, 40, 80, 110], points)
    assert region.angle_rad == pytest.approx(0) and region.side_px == pytest.approx(2.6 * 70)
    np.testing.assert_allclose(region.centre_px, [50, 75 - 35])


def test_region_from_landmarks_is_by_the_steady_ones_and_turns_with_the_hand():
    points = upright_hand()
    points[[5, 13], 0] = 280, 320       # knuckles straight above the wrist: not turned
    region = HandRegion.from_landmarks(points)
    # Wrist to PIP: 70 px high; thumb's IP to the pinky: 80 px wide.
    assert region.angle_rad == pytest.approx(0) and region.side_px == pytest.approx(160)
    np.testing.assert_allclose(region.centre_px, [(255 + 335) / 2, (180 + 250) / 2 - 7])
    turn = 0.7
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    turned = HandRegion.from_landmarks(points @ matrix.T)
    assert turned.angle_rad == pytest.approx(turn) and turned.side_px == pytest.approx(160)
    np.testing.assert_allclose(turned.centre_px, matrix @ region.centre_px)


@pytest.mark.parametrize('region', [HandRegion((120.3, 80.1), 90, 0.4), HandRegion((20.5, -7), 300, -2.9)])
def test_crops_map_back_exactly_and_take_the_pixels_they_say(region):
    points = np.random.default_rng(0).uniform(-50, 250, (40, 2))
    np.testing.assert_allclose(region.to_image(region.to_crop(points)), points, atol=1e-9)
    x, y = np.meshgrid(np.arange(240, dtype=np.float32), np.arange(180, dtype=np.float32))
    taken = cv2.warpAffine(np.dstack([x, y]), region.matrix, (CROP_SIZE, CROP_SIZE), borderValue=(np.nan, np.nan))
    inside = np.argwhere(np.isfinite(taken).all(-1))[::97]
    expected = region.to_image(inside[:, ::-1])
    # OpenCV's bilinear weights have 5 bits.
    assert np.abs(taken[tuple(inside.T)] - expected).max() < 0.04
    along = region.directions_to_image([0.0, -1.0, 0.5])
    np.testing.assert_allclose(along, [np.sin(region.angle_rad), -np.cos(region.angle_rad), 0.5])


def test_regions_overlap_as_squares():
    here = HandRegion((50, 50), 20, 0.3)
    assert here.overlap(HandRegion((60, 50), 20, -1.0)) == pytest.approx(1 / 3) and here.overlap(here) == 1
    assert here.overlap(HandRegion((90, 50), 20, 0)) == 0
    with pytest.raises(ValueError, match='region side_px: 0'):
        HandRegion((1, 2), 0, 0)


def test_palms_are_searched_for_at_once_when_a_hand_is_lost_else_every_third_image():
    policy = SearchPolicy()
    assert [policy.due(0, 2, False) for _ in range(3)] == [True] * 3
    assert [policy.due(1, 2, False) for _ in range(6)] == [False, False, True] * 2
    assert not any(policy.due(2, 2, False) for _ in range(6))
    assert policy.due(1, 2, True) and not policy.due(1, 2, False)


def test_without_openvino_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(ValueError, match=r"'openvino' needs OpenVINO.*pip install '\.\[openvino\]'.*'mediapipe'"):
        build_detector('openvino')
    with build_detector('mediapipe') as detector:
        assert detector.name == 'mediapipe'
    with pytest.raises(ValueError, match="detector: 'yolo', expected one of openvino, mediapipe"):
        build_detector('yolo')


@needs_openvino
def test_bad_settings_and_frames_are_refused():
    for setting, message in (({'mode': 'film'}, "mode: 'film'"), ({'max_hands': 0}, 'max_hands: 0'),
                             ({'min_detection_score': 1.5}, 'min_detection_score: 1.5'),
                             ({'min_tracking_score': -1}, 'min_tracking_score: -1'), ({'threads': 0}, 'threads: 0')):
        with pytest.raises(ValueError, match=message):
            build_detector('openvino', **setting)
    detector = build_detector('openvino')
    with pytest.raises(ValueError, match='frame.image: None, expected'):
        detector.detect(Frame(640, 480))
    for image in (np.zeros((1, 900, 3), np.uint8), np.full((480, 640, 3), 127, np.uint8)):
        assert detector.detect(Frame.from_image(image)) == []
    detector.close()
    detector.close()
    with pytest.raises(ValueError, match='already closed'):
        detector.detect(Frame(640, 480))


@needs_openvino
@pytest.mark.parametrize('precision, limit, of_score', [('f32', 0.001, 0.02), ('mixed', 0.0025, 0.06),
                                                          ('bf16', 0.008, 0.12)])
def test_hands_are_mediapipes(frames, precision, limit, of_score):
    from hand_recon_ros.detection.hand_networks_detector import HandNetworksDetector
    for mode in ('image', 'video'):
        with HandNetworksDetector(mode, precision=precision) as ours, build_detector('mediapipe', mode) as reference:
            for frame in frames[:4 if mode == 'image' else 12]:
                found, expected = ours.detect(frame), reference.detect(frame)
                assert len(found) == len(expected) == 2
                for hand in expected:
                    same = min(found, key=lambda other: landmark_distance(hand, other))
                    # Following, small differences feed back through the next crop: twice the limit.
                    assert landmark_distance(hand, same) < limit * (1 if mode == 'image' else 2)
                    assert same.handedness == hand.handedness and same.detector == 'mediapipe'
                    assert abs(same.handedness_score - hand.handedness_score) < of_score
                    assert np.abs(same.points_m - hand.points_m).max() < (0.0015 if precision == 'f32' else 0.01)


@needs_openvino
def test_the_same_frames_give_the_same_numbers_and_a_jump_starts_afresh(frames):
    with build_detector('openvino', 'video') as detector:
        first = [detector.detect(frame) for frame in frames[:5]]
        again = [detector.detect(frame) for frame in frames[:5]]      # stamps run backward here
    for hands, same in zip(first, again):
        for hand, other in zip(hands, same, strict=True):
            assert (hand.points_px == other.points_px).all() and hand.score == other.score


@needs_openvino
def test_batches_are_only_a_matter_of_speed(frames):
    from hand_recon_ros.detection.landmark_network import LandmarkNetwork
    network = LandmarkNetwork((2, 4), precision='f32')
    regions = [HandRegion((200 + 40 * i, 240), 250, 0.2 * i) for i in range(7)]
    together = network.read([frames[0].image] * 7, regions)
    for region, reading in zip(regions, together, strict=True):
        alone = network.read([frames[0].image], [region])[0]
        assert np.abs(alone.points_px - reading.points_px).max() < 0.02
        assert alone.presence == pytest.approx(reading.presence, abs=1e-4)
    assert network.read([], []) == []
    with pytest.raises(ValueError, match='regions: 1, expected one for each of the 2 images'):
        network.read([frames[0].image] * 2, regions[:1])


@needs_openvino
def test_both_ends_in_f32_take_most_of_bf16s_error_away(frames):
    from hand_recon_ros.detection.landmark_network import LandmarkNetwork
    with build_detector('openvino', 'image') as detector:
        hands = [(frame.image, hand) for frame in frames[:6] for hand in detector.detect(frame)]
    images, regions = [image for image, _ in hands], [HandRegion.from_landmarks(hand.points_px) for _, hand in hands]
    read = {precision: LandmarkNetwork((1, 4), precision=precision).read(images, regions)
            for precision in ('f32', 'mixed', 'bf16')}
    away = {precision: np.sqrt(np.mean([np.square(region.to_crop(one.points_px) - region.to_crop(exact.points_px))
                                        for region, one, exact in zip(regions, readings, read['f32'], strict=True)]))
            for precision, readings in read.items()}
    assert len(hands) >= 10
    if away['bf16'] < 0.05:
        pytest.skip('this CPU has no bf16: OpenVINO computes in f32 whatever is asked for')
    assert away['mixed'] < 0.15 and away['mixed'] < 0.5 * away['bf16']
