"""`metric` says whether a hand's size was measured, by a pair or as a known person's: the mean adult's is assumed."""
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from identity_people import CAMERA, RIG, People

from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.fusion.stereo_fuser import METHODS, StereoFuser, View
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.identity.measures import HandMeasures
from hand_recon_ros.refinement.tailor import Tailor
from hand_recon_ros.types import Frame, HandIdentity

SHAPE = np.array([1.2, -0.8, 0.6, 0.4, 0, 0, 0, 0, 0, 0])
KNOWN = {'measured': HandIdentity('ann', 'open_hand', SHAPE, np.full(10, 0.1), metric=True),
         'assumed': HandIdentity('ann', 'open_hand', SHAPE, np.full(10, 0.1), metric=False), 'nobody': None}
LATER_NS = 10_000_000_000


@cache
def parts():
    model = load_hand_model('open_hand')
    return model, ClosedFormIk(model), Tailor(model), People(model).sights(SHAPE, 3, np.random.default_rng(2))


@cache
def fuser(method):
    return StereoFuser(parts()[0], method=method)


@pytest.mark.parametrize('camera, who, expected', [
    (CAMERA, 'nobody', False), (CAMERA, 'assumed', False), (CAMERA, 'measured', True), (None, 'measured', False)])
def test_one_camera_measures_only_who_was_measured(camera, who, expected):
    """Estimated, and refined; without a calibrated camera nothing is metric."""
    model, estimator, tailor, sights = parts()
    frame, keypoints = Frame(640, 480, camera=camera), sights[0].keypoints[0]
    estimate = estimator.estimate(frame, keypoints, KNOWN[who])
    refined, = tailor.refine(frame, [keypoints], [estimate], KNOWN[who])
    for hand in (estimate, refined):
        assert hand.metric is expected and hand.identity == ('' if who == 'nobody' else 'ann')
        if who != 'nobody':
            assert hand.shape == pytest.approx(SHAPE, abs=0.02)
    if who == 'nobody':         # the mean adult's
        assert estimate.shape == pytest.approx(np.zeros(10))
        mean, found = (HandMeasures(model).lengths_mm(shape) for shape in (np.zeros(10), refined.shape))
        assert np.abs(found / mean - 1).max() < 0.1


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('who, seen_by_both, seen_by_one', [
    ('nobody', True, True), ('assumed', False, False), ('measured', True, True)])
def test_two_cameras_measure_unless_the_size_is_held_at_an_assumed_one(method, who, seen_by_both, seen_by_one):
    """First both see the hand, then one goes on with the scale that both had measured; a hand that one alone ever saw
    has the mean adult's. `weights` averages two estimates of one camera: they measure nothing."""
    _, estimator, _, sights = parts()
    identity, measuring = KNOWN[who], method != 'weights'

    def fused(sight, stamp_ns, lost=None):
        views = []
        for view, keypoints in enumerate(sight.keypoints):
            frame = Frame(640, 480, camera=CAMERA, stamp_ns=stamp_ns)
            hands = [] if view == lost else [keypoints]
            estimates = [replace(estimator.estimate(frame, hand), features=np.zeros(512)) for hand in hands]
            views.append(View(frame, hands, estimates))
        return fuser(method).fuse(RIG, *views, default_identity=identity)[0].estimate
    fuser(method).restart()
    alone = fused(sights[0], 0, lost=1)
    assert alone.metric is (who == 'measured')
    fuser(method).restart()
    both = [fused(sights[0], LATER_NS + k * 33_000_000) for k in range(3)][-1]
    assert both.metric is (seen_by_both and (measuring or who == 'measured'))
    for step, lost in enumerate((1, 0)):
        single = fused(sights[0], LATER_NS + 100_000_000 + step * 33_000_000, lost)
        assert single.track_id == both.track_id
        if measuring or who == 'measured':
            assert single.metric is seen_by_one
    if identity is not None:
        for hand in (alone, both, single):
            assert hand.identity == 'ann' and hand.shape == pytest.approx(SHAPE, abs=0.02)
