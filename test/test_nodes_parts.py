"""The parts that need no ROS graph: stamp matching, the worker, health, camera_info."""
import threading

import numpy as np
import pytest

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.messages.cameras import camera_from_msg, camera_to_msg
from hand_recon_ros.nodes.camera_source import CameraSource
from hand_recon_ros.nodes.monitoring import Faults, InputMonitor, Throughput
from hand_recon_ros.nodes.synchronisation import StampMatcher
from hand_recon_ros.nodes.worker import Worker

MS = 1_000_000


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_equal_stamps_meet_in_any_order():
    matcher = StampMatcher(('a', 'b'))
    assert matcher.add('a', 1, 'a1') is None and matcher.add('a', 2, 'a2') is None
    assert matcher.add('b', 2, 'b2') == {'a': 'a2', 'b': 'b2'}
    assert matcher.unmatched == 1                       # a1 was given up
    assert matcher.add('b', 3, 'b3') is None and matcher.add('a', 3, 'a3') == {'a': 'a3', 'b': 'b3'}


def test_near_stamps_meet_only_within_the_tolerance():
    assert StampMatcher(('a', 'b')).add('b', 1, 0) is None
    matcher = StampMatcher(('a', 'b'), tolerance_ns=5 * MS)
    matcher.add('a', 100 * MS, 'far')
    matcher.add('a', 110 * MS, 'near')
    assert matcher.add('b', 112 * MS, 'b') == {'a': 'near', 'b': 'b'}
    matcher.add('a', 200 * MS, 'late')
    assert matcher.add('b', 206 * MS, 'b') is None


def test_a_backward_jump_starts_over():
    matcher = StampMatcher(('a', 'b'))
    matcher.add('a', 10_000 * MS, 'old')
    matcher.add('a', 9_900 * MS, 'late, not a jump')
    assert matcher.resets == 0
    matcher.add('a', 1_000 * MS, 'new')
    assert matcher.resets == 1
    # The slow stream still delivers the old recording's end: its old partner is forgotten, the new one is not.
    assert matcher.add('b', 10_000 * MS, 'old') is None and matcher.resets == 1
    assert matcher.add('b', 1_000 * MS, 'b') == {'a': 'new', 'b': 'b'} and matcher.resets == 2
    assert matcher.add('b', 10_000 * MS, 'later') is None and matcher.add('a', 10_000 * MS, 'a') == {
        'b': 'later', 'a': 'a'}


def test_the_buffer_is_bounded():
    matcher = StampMatcher(('a', 'b'), depth=3)
    for stamp in range(10):
        matcher.add('a', stamp, stamp)
    assert matcher.unmatched == 7 and matcher.add('b', 6, 0) is None and matcher.add('b', 9, 'b') == {'a': 9, 'b': 'b'}


def test_the_worker_takes_the_newest_and_counts_the_rest():
    entered, leave, done = threading.Event(), threading.Event(), []

    def process(item):
        entered.set()
        leave.wait(5)
        done.append(item)
    worker = Worker('w', process, depth=1)
    worker.submit('before it is open')
    worker.open()
    worker.submit(0)
    assert entered.wait(5)
    for item in range(1, 6):
        worker.submit(item)
    leave.set()
    assert worker.call(lambda: 'result') == 'result'
    assert worker.call(lambda: threading.current_thread().name) == 'w'
    while len(done) < 2:
        pass
    assert done == [0, 5] and worker.dropped == 4
    with pytest.raises(ValueError, match='told'):
        worker.call(lambda: (_ for _ in ()).throw(ValueError('told')))
    with pytest.raises(InterruptedError):
        worker.call(lambda: threading.Event().wait(0.5), give_up=lambda: True)
    assert worker.end()


def test_an_input_says_what_is_wrong():
    clock = Clock()
    monitor = InputMonitor('/image', True, 1.0, clock=clock)
    assert monitor.problem(0) is None                   # not subscribed: nothing expected
    monitor.opened()
    assert monitor.problem(0) is None                   # not yet
    clock.now += 1.1
    assert monitor.problem(0) == ('missing', '/image: no publisher')
    assert monitor.problem(1) == ('stale', '/image: no message in 1.1 s, though there is a publisher')
    monitor.mismatched('a publisher offers RELIABILITY')
    assert monitor.problem(1)[0] == 'mismatch'
    monitor.arrived()
    assert monitor.problem(1) is None
    clock.now += 2.0
    assert monitor.problem(0)[0] == 'missing'
    optional = InputMonitor('/identity', False, 1.0, clock=clock)
    optional.opened()
    clock.now += 5.0
    assert optional.problem(0) is None


def test_latched_inputs_are_never_stale():
    clock = Clock()
    monitor = InputMonitor('/camera_info', True, 1.0, streams=False, clock=clock)
    monitor.opened()
    monitor.arrived()
    clock.now += 50.0
    assert monitor.problem(1) is None


def test_rates_and_percentiles():
    clock = Clock()
    throughput = Throughput(clock)
    for i in range(101):
        clock.now += 0.02
        throughput.add(i / 1000, i / 100)
    summary = throughput.summary()
    assert summary['rate_hz'] == '50.0'
    assert summary['latency_p50_ms'] == '50.00' and summary['latency_p95_ms'] == '95.00'
    assert summary['age_p50_ms'] == '500.00' and summary['published'] == '101'


def test_a_fault_is_held_until_it_was_seen():
    clock = Clock()
    faults = Faults(hold_s=2.0, clock=clock)
    faults.put('input', 'bad jpeg')
    faults.clear('input')
    assert faults.current() == [('input', 'bad jpeg', False)]
    clock.now += 2.1
    assert faults.current() == [] and faults.counts == {'input': 1}


def camera_info(**changes):
    camera = Camera(640, 480, np.array([[500, 0, 320], [0, 510, 240], [0, 0, 1.0]]), 'plumb_bob', [0.1, 0, 0, 0, 0])
    message = camera_to_msg(camera, 5, 'optical', baseline_m=0.1)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_camera_info_round_trip():
    message = camera_info()
    raw, rectified = camera_from_msg(message, False), camera_from_msg(message, True)
    assert raw.K[1, 1] == 510 and raw.D[0] == pytest.approx(0.1) and raw.distortion_model == 'plumb_bob'
    assert rectified.K[0, 0] == 500 and not np.any(rectified.D)
    assert message.p[3] == pytest.approx(-50.0)         # -fx * baseline
    half = camera_from_msg(camera_info(binning_x=2, binning_y=2), False)
    assert (half.width, half.height, half.K[0, 0]) == (320, 240, 250)


@pytest.mark.parametrize('changes, named', [
    ({'k': np.full(9, np.nan)}, 'K'), ({'k': np.zeros(9)}, 'K'), ({'width': 0}, 'width'),
    ({'distortion_model': 'fishy'}, 'distortion_model')])
def test_bad_camera_info_names_the_field(changes, named):
    with pytest.raises(ValueError, match=named):
        camera_from_msg(camera_info(**changes), False)


def test_camera_source_reports_and_recovers():
    source, faults = CameraSource(False), Faults(hold_s=0.0)
    with pytest.raises(ValueError, match='camera_info: none received'):
        source.camera(640, 480)
    watch = source.watcher(faults, tolerates_uncalibrated=False)
    watch(camera_info(k=np.zeros(9)))
    assert source.uncalibrated and 'K' in faults.current()[0][1]
    watch(camera_info())
    assert source.camera(640, 480).K[0, 0] == 500 and not source.uncalibrated
    with pytest.raises(ValueError, match="640 x 480, expected the image's 320 x 240"):
        source.camera(320, 240)
    assert "'optical', expected the image's 'left'" in source.frame_mismatch('left')
