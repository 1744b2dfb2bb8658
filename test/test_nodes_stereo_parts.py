"""What the stereo nodes are made of: static frames, stamps in order, pairs that fail, a stream that is alone."""
import numpy as np
import pytest

from hand_recon_ros.geometry.transform_trees import TransformTree
from hand_recon_ros.nodes.monitoring import Faults
from hand_recon_ros.nodes.synchronisation import LoneStream, PairingWatch, StampOrder

MS = 1_000_000


def shifted(x):
    T = np.eye(4)
    T[0, 3] = x
    return T


def test_frames_are_connected_over_others():
    tree = TransformTree()
    turned = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0.5], [0, 0, 1, 0], [0, 0, 0, 1]])
    tree.add('base', 'left', shifted(0.1))
    tree.add('base', 'head', turned)
    tree.add('head', 'right', shifted(0.3))
    T = tree.between('right', 'left')
    np.testing.assert_allclose(T, np.linalg.inv(turned @ shifted(0.3)) @ shifted(0.1), atol=1e-12)
    np.testing.assert_allclose(tree.between('left', 'right') @ T, np.eye(4), atol=1e-12)
    with pytest.raises(ValueError, match="nothing connects 'left' and 'map'.*base, head, left, right"):
        tree.between('left', 'map')


def test_late_stamps_are_told_from_a_new_beginning():
    order = StampOrder()
    assert [order.behind_ns(stamp * MS) for stamp in (1000, 1033, 1000, 1033, 1066)] == [0, 0, 33 * MS, 0, 0]
    assert order.behind_ns(100 * MS) == 0 and order.behind_ns(133 * MS) == 0 and order.late == 1


def test_two_streams_that_never_pair_are_named_once_both_come():
    now = [0.0]
    watch = PairingWatch(('a', 'b'), 5 * MS, clock=lambda: now[0])
    for step in range(40):
        now[0] = step / 30
        watch.arrived('a', step * 33 * MS)
        if step < 5:
            continue
        watch.arrived('b', step * 33 * MS + 12 * MS)
        assert bool(watch.problem()) == (now[0] >= 1.0)
    assert watch.problem() == ('a and b: nothing pairs, stamps differ by 12.0 ms, expected at most 5 ms '
                               '(parameter tolerance_s)')
    watch.paired()
    assert not watch.problem()
    now[0] += 5                                       # both silent: that is another fault
    assert not watch.problem()


def test_a_stream_goes_on_alone_when_its_partner_is_silent_and_no_sooner():
    now = [0.0]
    lone = LoneStream(('a', 'b'), 0.5, clock=lambda: now[0])

    def heard(name, at_s):
        now[0] = at_s
        return lone.alone(name)
    assert not any(heard('a', step / 10) for step in range(10))         # b was never there
    lone.paired({'a': 1, 'b': 2})
    assert [heard('a', 2 + step / 10) for step in range(8)] == [False] * 6 + [True] * 2
    assert not any(heard(name, 3 + step / 10) for step in range(20) for name in 'ba')     # skewed, not silent
    assert lone.last == {'a': 1, 'b': 2} and lone.count == 2


def test_a_jump_back_is_told_once_and_late_stamps_as_long_as_they_come():
    now = [0.0]
    faults, order = Faults(hold_s=2.0, clock=lambda: now[0]), StampOrder()
    refused = [order.refusal('/left/image', stamp * MS, faults) for stamp in (30_000, 30_033, 30_000)]
    assert refused == [False, False, True]
    assert [text for _, text, _ in faults.current()] == ['/left/image: stamps not in order, one 33.0 ms older than the '
                                                         'one before; what comes late is not used']
    now[0] = 3.0
    assert not order.refusal('/left/image', 10_033 * MS, faults) and order.jump_ns == 20_000 * MS
    assert [(kind, warning) for kind, _, warning in faults.current()] == [('jump', True)]
    assert 'stamps jumped back by 20.0 s' in faults.current()[0][1]
    assert not order.refusal('/left/image', 10_066 * MS, faults) and order.jump_ns == 0
    now[0] = 5.5
    assert faults.current() == [] and faults.counts == {'order': 1, 'jump': 1}
