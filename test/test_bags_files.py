"""Recordings come back as they were written; missing, empty and damaged ones are refused in one clear line."""
import array

import numpy as np
import pytest
from geometry_msgs.msg import PointStamped
from rosbags.rosbag2 import Reader

from hand_recon_ros.bags.definitions import message_class, message_folder, type_name, typestore
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.writer import STORAGES, BagWriter, is_bag
from hand_recon_ros.messages.stamps import to_header
from hand_recon_ros.msg import HandMesh, HandMeshArray

START = 1_700_000_000_000_000_000


def hands(value: int, count: int = 1) -> HandMeshArray:
    return HandMeshArray(header=to_header(START + value, 'cam'), method='test', hands=[
        HandMesh(track_id=k, hand_id=f'left_{k}', model='m', vertices=array.array('f', np.arange(300) + value),
                 pose=array.array('f', [0.25] * 48)) for k in range(count)])


def write(path, storage='mcap', count=20, **options):
    with BagWriter(path, storage, **options) as bag:
        for k in range(count):
            bag.write('/hands', hands(k, k % 3), START + k * 1000)
            if k % 2:
                bag.write('/point', PointStamped(header=to_header(START, 'cam')), START + k * 1000 + 1, latched=True)
    return path


@pytest.mark.parametrize('storage', STORAGES)
def test_what_is_written_is_read(tmp_path, storage):
    path = write(tmp_path / 'bag', storage)
    with BagReader(path) as bag:
        topics = bag.topics
        assert {name: info.message_count for name, info in topics.items()} == {'/hands': 20, '/point': 10}
        assert topics['/hands'].type_name == 'hand_recon_ros/msg/HandMeshArray'
        assert (topics['/hands'].latched, topics['/point'].latched) == (False, True)
        assert (bag.start_ns, bag.duration_ns) == (START, 19001)
        everything = list(bag.messages())
        stamps = [stamp for _, stamp, _ in everything]
        assert len(everything) == 30 and stamps == sorted(stamps)
        for k, (topic, stamp, message) in enumerate(bag.messages('/hands')):
            assert (topic, stamp) == ('/hands', START + 1000 * k)
            assert message == hands(k, k % 3)
        raw = list(bag.raw_messages(['/point']))
        assert [r[3] for r in raw] == ['geometry_msgs/msg/PointStamped'] * 10 and raw[0][2][:4] == b'\x00\x01\x00\x00'
        with pytest.raises(ValueError, match="no topic '/nowhere', expected one of /hands, /point"):
            next(bag.messages('/nowhere'))
    assert is_bag(path) and not is_bag(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ['bag']


def test_rosbags_reads_the_messages_by_their_definitions_alone(tmp_path):
    path = write(tmp_path / 'bag')
    with Reader(path) as reader:
        connection = next(c for c in reader.connections if c.topic == '/hands')
        assert 'float32[] vertices' in connection.msgdef.data
        assert connection.digest == typestore().hash_rihs01('hand_recon_ros/msg/HandMeshArray')
        data = [raw for _, _, raw in reader.messages([connection])]
    message = typestore().deserialize_cdr(data[2], connection.msgtype)
    np.testing.assert_array_equal(message.hands[1].vertices, np.arange(300, dtype=np.float32) + 2)


def test_our_definitions_are_those_the_generated_code_was_made_from():
    assert {path.stem for path in message_folder().glob('*.msg')} >= {'HandMesh', 'HandMeshArray', 'HandKeypointsArray'}
    assert typestore().hash_rihs01('hand_recon_ros/msg/HandMeshArray').startswith('RIHS01_')
    generated = set(HandMesh.get_fields_and_field_types())
    assert {field[0] for field in typestore().fielddefs['hand_recon_ros/msg/HandMesh'][1]} == generated
    assert type_name(hands(0)) == 'hand_recon_ros/msg/HandMeshArray'
    assert message_class('hand_recon_ros/msg/HandMeshArray') is HandMeshArray
    with pytest.raises(ValueError, match="'nothing_msgs/msg/Thing' is not installed"):
        message_class('nothing_msgs/msg/Thing')


@pytest.mark.parametrize('error', [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_nothing(tmp_path, error):
    with pytest.raises(error), BagWriter(tmp_path / 'bag') as bag:
        bag.write('/hands', hands(1), START)
        assert not (tmp_path / 'bag').exists()
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_existing_recording_is_kept_unless_overwriting_and_until_the_new_one_is_whole(tmp_path):
    path = write(tmp_path / 'bag', count=4)
    with pytest.raises(ValueError, match='exists already'):
        BagWriter(path)
    with pytest.raises(RuntimeError), BagWriter(path, overwrite=True) as bag:
        bag.write('/hands', hands(1), START)
        raise RuntimeError
    with BagReader(path) as bag:
        assert bag.topics['/hands'].message_count == 4
    write(path, count=6, overwrite=True)
    with BagReader(path) as bag:
        assert bag.topics['/hands'].message_count == 6
    (tmp_path / 'precious').mkdir()
    with pytest.raises(ValueError, match='is no recording'):
        BagWriter(tmp_path / 'precious', overwrite=True)


def test_wrong_use_is_refused(tmp_path):
    with pytest.raises(ValueError, match="storage: 'zip', expected one of mcap, sqlite3"):
        BagWriter(tmp_path / 'bag', 'zip')
    with BagWriter(tmp_path / 'bag') as bag:
        bag.write('/hands', hands(1), START)
        with pytest.raises(ValueError, match="/PointStamped', expected 'hand_recon_ros/msg/HandMeshArray'"):
            bag.write('/hands', PointStamped(), START)
        with pytest.raises(ValueError, match='stamp_ns: -1'):
            bag.write('/hands', hands(1), -1)
        with pytest.raises(ValueError, match='expected a ROS message'):
            bag.write('/other', {'not': 'a message'}, START)
    with pytest.raises(ValueError, match='not open'):
        bag.write('/hands', hands(1), START)


def test_missing_and_empty_recordings(tmp_path):
    with pytest.raises(ValueError, match='no such recording'):
        BagReader(tmp_path / 'nothing')
    with pytest.raises(ValueError, match='no metadata.yaml'):
        BagReader(tmp_path)
    with BagWriter(tmp_path / 'empty'):
        pass
    with pytest.raises(ValueError, match='empty'):
        BagReader(tmp_path / 'empty')


@pytest.mark.parametrize('storage', STORAGES)
@pytest.mark.parametrize('damage', ['cut', 'emptied', 'zeroed', 'metadata', 'gone', 'payload'])
def test_damaged_recordings(tmp_path, storage, damage):
    path = write(tmp_path / 'bag', storage)
    file = next(p for p in path.iterdir() if p.suffix in ('.mcap', '.db3'))
    data = file.read_bytes()
    if damage == 'metadata':
        (path / 'metadata.yaml').write_text('rosbag2_bagfile_information: [', encoding='utf-8')
    elif damage == 'gone':
        file.unlink()
    elif damage == 'payload':
        file.write_bytes(data.replace(b'\x2c\x01\x00\x00', b'\xff\xff\xff\x7f'))      # 300 vertices become 2^31 - 1
    else:
        damaged = {'cut': data[:len(data) // 2], 'emptied': b'', 'zeroed': data[:64] + bytes(len(data) - 64)}
        file.write_bytes(damaged[damage])
    with pytest.raises(ValueError, match='bag: ') as refusal:
        with BagReader(path) as bag:
            list(bag.messages())
    assert '\n' not in str(refusal.value)
