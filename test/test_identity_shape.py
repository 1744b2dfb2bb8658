"""One shape of many frames: attention, eq. 7, the bundle, the collector, recognition."""
import numpy as np
import pytest
from identity_people import People

from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.identity.bundle import ShapeBundle, _Linearised
from hand_recon_ros.identity.calibration import ShapeCalibration, inflated
from hand_recon_ros.identity.collector import IdentityCollector
from hand_recon_ros.identity.confidence import ShapeConfidence, attention_weights
from hand_recon_ros.identity.consensus import ShapeConsensus
from hand_recon_ros.identity.landmark_response import LandmarkResponse, load_response, save_response
from hand_recon_ros.identity.measures import HandMeasures
from hand_recon_ros.identity.recognition import UNKNOWN, Recogniser, TrackShape
from hand_recon_ros.types import HandIdentity

SHAPE = np.array([1.2, -0.8, 0.6, 0, 0, 0, 0, 0, 0, 0])


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def people(model):
    return People(model)


@pytest.fixture(scope='module')
def calibration(model):
    exact = LandmarkResponse(np.zeros((21, 3)), np.zeros((21, 3, 0)), np.full(21, 1e-4))
    return ShapeCalibration(model, exact, outlines=False)


def test_attention_is_eq_6():
    weights = attention_weights([1.0, 1.33, 0.34])
    assert weights == pytest.approx(np.array([1.0, np.e, np.exp(-2)]) / (1 + np.e + np.exp(-2)), rel=1e-6)
    assert attention_weights([5.0, 5.0], temperature=0.1) == pytest.approx([0.5, 0.5])
    assert attention_weights([1000.0, 0.0]) == pytest.approx([1.0, 0.0])
    with pytest.raises(ValueError, match='confidences'):
        attention_weights([])
    with pytest.raises(ValueError, match='confidences'):
        attention_weights([np.nan])
    with pytest.raises(ValueError, match='temperature'):
        attention_weights([1.0], temperature=0)


def test_inflation_leaves_the_prior():
    assert inflated(np.eye(3), 5.0) == pytest.approx(np.eye(3))
    # Seen with variance 1/3 beside a prior of 1: 1 / (3 + 1); seen with twice the deviation: 1 / (3 / 4 + 1).
    assert inflated(np.diag([0.25, 1.0]), 2.0) == pytest.approx(np.diag([1 / 1.75, 1.0]))


def test_ranking_learns_what_orders_the_errors():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((60, 6))
    errors = np.exp(-1.5 * features[:, 2] + 0.5 * features[:, 4])
    weights = ShapeConfidence.ranked([(features, errors)]).weights
    assert weights[2] / weights[4] == pytest.approx(-3, rel=0.1)
    assert np.abs(weights[[0, 1, 3, 5]]).max() < 0.05 * weights[2]


def test_measures_are_the_papers(model):
    hand, measures = JaxHand(model), HandMeasures(model)
    _, joints = hand(np.zeros(48, np.float32), np.float32(SHAPE), np.zeros(3, np.float32))
    expected = 1000 * np.array([np.linalg.norm(joints[5] - joints[13]), np.linalg.norm(joints[0] - joints[12])])
    assert measures.lengths_mm(SHAPE) == pytest.approx(expected, abs=1e-3)
    steps = np.stack([(measures.lengths_mm(SHAPE + step) - measures.lengths_mm(SHAPE - step)) / 2e-4
                      for step in 1e-4 * np.eye(10)], axis=1)
    assert measures.gradient_mm(SHAPE) == pytest.approx(steps, abs=1e-5)
    size = measures.size(SHAPE, np.diag([0.04, *[0.0] * 9]))
    assert size.length_std_mm == pytest.approx(0.2 * abs(steps[1, 0]), rel=1e-4)
    with pytest.raises(ValueError, match='shape'):
        measures.size(np.zeros(9))


def test_stereo_finds_the_exact_shape_of_either_hand(people, calibration):
    for side in ('right', 'left'):
        sights = people.sights(SHAPE, 12, np.random.default_rng(3), handedness=side)
        result = calibration.calibrate(sights, 'anna')
        error = calibration.measures.lengths_mm(result.identity.shape) - calibration.measures.lengths_mm(SHAPE)
        off = np.abs(result.identity.shape - SHAPE)
        assert np.abs(error).max() < 0.5 and off[:2].max() < 0.06 and off[2] < 0.35     # the third is held by its prior
        assert result.identity.metric and result.identity.name == 'anna' and result.weights.sum() == pytest.approx(1)
        assert 0.05 < result.size.length_std_mm < 3


def test_one_camera_shows_proportions_and_says_so(people, calibration):
    result = calibration.calibrate(people.sights(SHAPE, 12, np.random.default_rng(3), stereo=False))
    assert not result.identity.metric and result.size.length_std_mm > 5
    width, length = calibration.measures.lengths_mm(result.identity.shape)
    true_width, true_length = calibration.measures.lengths_mm(SHAPE)
    mean_width, mean_length = calibration.measures.lengths_mm(np.zeros(10))
    ratio = true_width / true_length
    assert abs(width / length - ratio) < 0.35 * abs(mean_width / mean_length - ratio)


def test_schur_complement_is_the_dense_solution(model):
    bundle = ShapeBundle(model, LandmarkResponse.unmeasured(np.zeros((21, 3))))
    rng, size, own = np.random.default_rng(1), bundle._size, bundle._own
    jacobians = rng.standard_normal((3, 200, size))
    now = _Linearised(np.swapaxes(jacobians, 1, 2) @ jacobians, rng.standard_normal((3, size)), np.zeros(3))
    shared, weights, owner = rng.standard_normal((2, size - own)), np.array([0.5, 1.5, 1.0]), np.array([0, 0, 1])
    own_step, shared_step = bundle._step(now, shared, owner, weights, np.zeros(2))
    # The first person's two sights as one dense system: own unknowns of each, then the shared ones with their prior.
    count = size - own
    dense, right = np.zeros((2 * own + count,) * 2), np.zeros(2 * own + count)
    dense[2 * own:, 2 * own:], right[2 * own:] = np.eye(count), shared[0]
    for row in range(2):
        index = np.r_[row * own:(row + 1) * own, 2 * own:2 * own + count]
        dense[np.ix_(index, index)] += weights[row] * now.information[row]
        right[index] += weights[row] * now.gradient[row]
    step = -np.linalg.solve(dense, right)
    assert np.concatenate([own_step[0], own_step[1], shared_step[0]]) == pytest.approx(step, abs=1e-6)
    with pytest.raises(ValueError, match='weights'):
        bundle.together([None, None], [0.9, 0.9])
    with pytest.raises(ValueError, match='sights'):
        bundle.together([])


def test_eq_7_is_a_weighted_median_in_the_mesh(model, people):
    consensus = ShapeConsensus(model)
    sights = people.sights(SHAPE, 5, np.random.default_rng(2))
    from dataclasses import replace
    good = [replace(sight.estimate, shape=SHAPE) for sight in sights]
    assert consensus.shape(good) == pytest.approx(SHAPE, abs=1e-4)
    outlier = replace(good[0], shape=-SHAPE)
    assert consensus.shape([*good, outlier]) == pytest.approx(SHAPE, abs=0.02)        # a mean would be off by 0.4
    assert consensus.shape([good[0], outlier], [0.2, 0.8]) == pytest.approx(-SHAPE, abs=0.02)
    with pytest.raises(ValueError, match='estimates'):
        consensus.shape([])
    with pytest.raises(ValueError, match='weights'):
        consensus.shape(good, [1.0])


def test_collector_gathers_what_differs(people, calibration):
    rng = np.random.default_rng(5)
    sights = people.sights(SHAPE, 4, rng)
    collector = IdentityCollector(calibration, frames=3)
    first = collector.add(sights[0])
    assert first.taken and (first.frames, first.remaining) == (1, 2) and not first.done
    again = collector.add(sights[0])
    assert not again.taken and 'like' in again.why and again.frames == 1
    one_view = people.sights(SHAPE, 1, rng, stereo=False)[0]
    assert 'one camera' in collector.add(one_view).why
    assert 'score' in collector.add(people.sights(SHAPE, 1, rng, score=0.2)[0]).why
    second, third = collector.add(sights[1]), collector.add(sights[2])
    assert third.done and third.length_std_mm < second.length_std_mm < first.length_std_mm < 12
    collector.add(sights[3])
    assert len(collector) == 3
    assert collector.calibrate('bo').identity.name == 'bo'
    collector.restart()
    assert len(collector) == 0
    with pytest.raises(ValueError, match='sights'):
        collector.calibrate()
    with pytest.raises(ValueError, match='frames'):
        IdentityCollector(calibration, frames=0)


def test_two_people_keep_two_identities(people, calibration):
    rng = np.random.default_rng(7)
    shapes = {'anna': SHAPE, 'bo': np.array([-1.0, 0.9, *[0] * 8]), 'stranger': np.array([0, -2.0, 1, *[0] * 7])}
    known = [calibration.calibrate(people.sights(shapes[name], 10, rng), name).identity for name in ('anna', 'bo')]
    tracks, people_of = {}, {4: ('bo', 'right'), 5: ('anna', 'right'), 6: ('anna', 'left'), 9: ('stranger', 'left')}
    for number, (name, side) in people_of.items():
        result = calibration.calibrate(people.sights(shapes[name], 5, rng, handedness=side))
        tracks[number] = TrackShape(side, result.identity.shape, result.covariance)
    answers = Recogniser(known).recognise(tracks)
    assert {number: answer.name for number, answer in answers.items()} == {4: 'bo', 5: 'anna', 6: 'anna', 9: UNKNOWN}
    assert answers[5].probability > 0.9 and sum(answers[5].candidates.values()) == pytest.approx(1)
    # A person has one right hand: of two tracks like anna's, one is hers at most.
    both = Recogniser(known).recognise({5: tracks[5], 7: tracks[5]})
    assert sorted(answer.name for answer in both.values()) == [UNKNOWN, 'anna']
    # Nothing seen yet: nobody is named.
    blank = Recogniser(known).recognise({1: TrackShape('left', np.zeros(10), np.eye(10))})
    assert blank[1].name == UNKNOWN
    assert Recogniser([]).recognise({4: tracks[4]})[4].name == UNKNOWN
    with pytest.raises(ValueError, match='identities'):
        Recogniser([known[0], known[0]])
    with pytest.raises(ValueError, match='one model'):
        Recogniser([known[0], HandIdentity('c', 'other', np.zeros(10), np.zeros(10))])


def test_response_moves_the_landmarks_with_the_shape(model, calibration, tmp_path):
    rng = np.random.default_rng(0)
    response = LandmarkResponse(0.004 * rng.standard_normal((21, 3)), 0.002 * rng.standard_normal((21, 3, 2)),
                                np.full(21, 0.001), {'note': 'made up'})
    save_response(response, tmp_path / 'r.yaml')
    back = load_response(tmp_path / 'r.yaml')
    for name in ('offsets_m', 'directions_m', 'rest_sigma_m'):
        assert getattr(back, name) == pytest.approx(getattr(response, name), abs=1e-6)
    assert back.provenance == {'note': 'made up'}
    # A person whose landmarks sit where the response says is found only with the response.
    own = response.offsets_m + response.directions_m @ SHAPE[:2].astype(np.float32)
    sights = People(model, own).sights(SHAPE, 10, np.random.default_rng(4))
    bundle = ShapeBundle(model, LandmarkResponse(response.offsets_m, np.zeros((21, 3, 0)), np.full(21, 1e-4)))
    without = np.abs(bundle.together(sights).shape - SHAPE).max()
    bundle.response = LandmarkResponse(response.offsets_m, response.directions_m, np.full(21, 1e-4))
    assert np.abs(bundle.together(sights).shape - SHAPE)[:2].max() < 0.05 < 0.25 * without
    (tmp_path / 'r.yaml').write_text('landmarks_mm: 3')
    with pytest.raises(ValueError, match='landmark response .*r.yaml'):
        load_response(tmp_path / 'r.yaml')
    with pytest.raises(ValueError, match='rest_sigma_m'):
        LandmarkResponse(response.offsets_m, response.directions_m, np.zeros(21))
