"""Model files: MANO-form pickles and archives of every age load as a drop-in; damaged and hostile ones are refused."""
import collections
import io
import os
import pickle
import sys
import types

import numpy as np
import pytest
from scipy import sparse

from hand_recon_ros.hand_model.assets import load_hand_model, load_named_poses, read_npz
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.pickle_reader import read_pickle
from hand_recon_ros.hand_model.skeleton import JOINT_PARENTS

TREE = np.array([(2 ** 32 - 1, *JOINT_PARENTS[1:]), range(16)], np.int64)


def mano_fields(vertices=778, seed=0):
    """Arrays in the form, dtypes and key set of MANO_RIGHT.pkl, random."""
    rng = np.random.default_rng(seed)
    weights = rng.random((vertices, 16)) ** 4
    return {'hands_components': np.eye(45), 'f': rng.integers(0, vertices, (1538, 3)).astype(np.uint32),
            'J_regressor': sparse.random(16, vertices, 0.05, 'csc', random_state=seed),
            'kintree_table': TREE, 'J': rng.normal(size=(16, 3)), 'weights': weights / weights.sum(1, keepdims=True),
            'posedirs': rng.normal(size=(vertices, 3, 135)) * 1e-3, 'hands_coeffs': np.zeros((5, 45)),
            'bs_style': 'lbs',
            'hands_mean': rng.normal(size=45), 'v_template': rng.normal(size=(vertices, 3)) * 0.1,
            'shapedirs': rng.normal(size=(vertices, 3, 10)) * 1e-3, 'bs_type': 'lrotmin'}


def dump(path, fields, protocol=2):
    path.write_bytes(pickle.dumps(fields, protocol))
    return path


def assert_is(model, fields):
    dense = fields['J_regressor']
    assert (model.joint_regressor == (dense.toarray() if sparse.issparse(dense) else dense)).all()
    for ours, theirs in (('template_m', 'v_template'), ('shape_dirs', 'shapedirs'), ('pose_dirs', 'posedirs'),
                         ('weights', 'weights'), ('faces', 'f')):
        assert (getattr(model, ours) == fields[theirs]).all()


@pytest.fixture
def chumpy(monkeypatch):
    """Classes of chumpy's names that pickle as chumpy's do; the loader never sees this module."""
    module, ch, reordering = (types.ModuleType(name) for name in ('chumpy', 'chumpy.ch', 'chumpy.reordering'))

    class Ch:
        def __init__(self, **state):
            self.__dict__.update(state, _dirty_vars={'x'}, _itr=None, _depends_on_deps=collections.OrderedDict())

        def __getstate__(self):
            return self.__dict__

    Ch.__module__, Ch.__qualname__ = 'chumpy.ch', 'Ch'
    ch.Ch = Ch
    for name in ('Select', 'Reshape', 'Transpose'):
        setattr(reordering, name, type(name, (Ch,), {'__module__': 'chumpy.reordering', '__qualname__': name}))
    for each in (module, ch, reordering):
        monkeypatch.setitem(sys.modules, each.__name__, each)
    yield types.SimpleNamespace(Ch=Ch, Select=reordering.Select, Reshape=reordering.Reshape,
                                Transpose=reordering.Transpose)


@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('form', ['csc', 'csr', 'coo', 'dense'])
def test_pickles_of_every_protocol_load(tmp_path, protocol, form):
    fields = mano_fields()
    fields['J_regressor'] = fields['J_regressor'].toarray() if form == 'dense' else fields['J_regressor'].asformat(form)
    model = load_hand_model(dump(tmp_path / 'MANO_RIGHT.pkl', fields, protocol))
    assert_is(model, fields)
    assert model.name == 'MANO_RIGHT' and model.tip_vertices.tolist() == [744, 320, 443, 554, 671]
    assert (model.vertex_count, model.shape_size) == (778, 10)


@pytest.mark.parametrize('order', ['C', 'F'])
def test_big_endian_and_fortran_arrays_load(tmp_path, order):
    fields = mano_fields()
    fields['posedirs'] = np.array(fields['posedirs'], '>f8', order=order)
    fields['shapedirs'] = np.array(fields['shapedirs'], np.float32, order=order)
    assert_is(load_hand_model(dump(tmp_path / 'hand.pkl', fields)), fields)


def python2_pickle(fields):
    """Bytes as Python 2 wrote them: text protocol modules of old names, array contents as latin1 byte strings."""
    out = io.BytesIO()
    out.write(b'\x80\x02}')

    def string(data):
        out.write(b'T' + len(data).to_bytes(4, 'little') + data)

    def integer(number):
        out.write(b'J' + int(number).to_bytes(4, 'little', signed=True))

    def array(value):
        value = np.ascontiguousarray(value)
        out.write(b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n(K\x00tU\x01b\x87R(K\x01(')
        for size in value.shape:
            integer(size)
        out.write(b'tcnumpy\ndtype\n')
        string(value.dtype.str[1:].encode())
        out.write(b'K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89')
        string(value.tobytes())
        out.write(b'tb')

    for name, value in fields.items():
        string(name.encode())
        if sparse.issparse(value):
            out.write(b'ccopy_reg\n_reconstructor\ncscipy.sparse.csc\ncsc_matrix\nc__builtin__\nobject\nN\x87R}(')
            string(b'_shape')
            integer(value.shape[0])
            integer(value.shape[1])
            out.write(b'\x86')
            for part in ('data', 'indices', 'indptr'):
                string(part.encode())
                array(getattr(value, part))
            out.write(b'ub')
        elif isinstance(value, str):
            string(value.encode())
        else:
            array(value)
        out.write(b's')
    out.write(b'.')
    return out.getvalue()


def test_python_2_pickle_loads(tmp_path):
    fields = mano_fields()
    path = tmp_path / 'MANO_RIGHT.pkl'
    path.write_bytes(python2_pickle(fields))
    assert_is(load_hand_model(path), fields)


@pytest.mark.parametrize('protocol', [0, 2, 4])
def test_chumpy_objects_load_without_chumpy(tmp_path, chumpy, monkeypatch, protocol):
    fields = mano_fields()
    count = fields['shapedirs'].size
    wrapped = dict(fields)
    wrapped['v_template'] = chumpy.Ch(x=fields['v_template'])
    wider = np.concatenate([fields['shapedirs'].ravel(), np.ones(7)])
    wrapped['shapedirs'] = chumpy.Select(a=chumpy.Ch(x=wider), idxs=np.arange(count), preferred_shape=(778, 3, 10))
    wrapped['posedirs'] = chumpy.Reshape(a=chumpy.Ch(x=fields['posedirs'].ravel()), newshape=(778, 3, 135))
    wrapped['weights'] = chumpy.Transpose(a=chumpy.Ch(x=fields['weights'].T), axes=None)
    path = dump(tmp_path / 'MANO_RIGHT.pkl', wrapped, protocol)
    for name in ('chumpy', 'chumpy.ch', 'chumpy.reordering'):
        monkeypatch.delitem(sys.modules, name)
    assert_is(load_hand_model(path), fields)
    assert 'chumpy' not in sys.modules


def test_npz_form_loads(tmp_path):
    fields = mano_fields()
    fields['J_regressor'] = fields['J_regressor'].toarray()
    np.savez(tmp_path / 'mine.npz', **fields)
    assert_is(load_hand_model(str(tmp_path / 'mine.npz')), fields)


def test_own_tips_and_textures_load(tmp_path):
    fields = mano_fields(50)
    fields.update(f=fields['f'] % 50, tip_ids=np.array([1, 2, 3, 4, 5]), vt=np.zeros((60, 2)),
                  ft=np.zeros((1538, 3), np.int64), nail_mask=np.zeros(50))
    model = load_hand_model(dump(tmp_path / 'small.pkl', fields))
    assert model.tip_vertices.tolist() == [1, 2, 3, 4, 5] and model.uvs.shape == (60, 2)
    assert model.nail_mask.shape == (50,)


@pytest.mark.parametrize('name', ['open_hand', 'open_hand_long'])
def test_built_in_hands_load(name):
    model = load_hand_model(name)
    assert model.name == name and model.shape_size == 10 and model.uvs is not None and model.nail_mask is not None
    assert not model.template_m.flags.writeable
    assert all(pose.shape == (48,) and np.isfinite(pose).all() for pose in load_named_poses().values())
    assert {'flat', 'fist', 'pinch', 'point'} <= set(load_named_poses())


class Run:
    """A pickle that runs a callable when it is read by a trusting reader."""

    def __init__(self, call, *arguments):
        self.reduced = call, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize('protocol', [0, 2, 4])
def test_hostile_pickle_is_refused_before_it_runs(tmp_path, protocol):
    ran = tmp_path / 'ran'
    calls = [(os.system, f'touch {ran}', 'system'), (eval, f'open({str(ran)!r}, "w")', 'eval'),
             (os.makedirs, str(ran), 'makedirs')]
    for call, argument, name in calls:
        path = dump(tmp_path / 'MANO_RIGHT.pkl', {'v_template': Run(call, argument)}, protocol)
        with pytest.raises(ValueError, match=rf'MANO_RIGHT.pkl: .*class \w+\.{name} is not allowed'):
            load_hand_model(path)
        assert not ran.exists()


@pytest.mark.parametrize('module, name', [
    ('builtins', 'getattr'), ('builtins', '__import__'), ('numpy', 'load'), ('numpy.core.multiarray', 'os'),
    ('os', 'popen'),
    ('numpy', 'ndarray.tofile'), ('chumpy.ch', 'Ch.__init__.__globals__'), ('operator', 'attrgetter'),
    ('copyreg', 'pickle'),
    ('chumpy.ch', 'add'), ('numpy.testing._private.utils', 'runstring')])
def test_only_listed_names_are_known(tmp_path, module, name):
    text = lambda s: b'\x8c' + bytes([len(s)]) + s.encode()
    path = tmp_path / 'hand.pkl'
    path.write_bytes(b'\x80\x04' + text(module) + text(name) + b'\x93.')
    with pytest.raises(ValueError, match=f'hand.pkl: .*{module}.{name} is not allowed'):
        read_pickle(path, ('f',))


def test_a_file_leaves_no_changed_class_behind(tmp_path, chumpy):
    # BUILD on a class sets attributes on it: here on the stand-in of chumpy.ch.Ch, for the next file to meet
    (tmp_path / 'first.pkl').write_bytes(b'\x80\x02cchumpy.ch\nCh\n(N}U\x04kindU\x05otherstb.')
    with pytest.raises(ValueError, match='holds a|not a readable'):
        read_pickle(tmp_path / 'first.pkl', ('f',))
    path = dump(tmp_path / 'second.pkl', {'f': chumpy.Ch(x=np.arange(3))})
    assert read_pickle(path, ('f',))['f'].tolist() == [0, 1, 2]


def test_chumpy_that_refers_to_itself_is_refused(tmp_path, chumpy):
    loop = chumpy.Select(idxs=np.arange(3), preferred_shape=(3,))
    loop.a = loop
    with pytest.raises(ValueError, match='shapedirs: .*nested'):
        load_hand_model(dump(tmp_path / 'hand.pkl', {**mano_fields(), 'shapedirs': loop}))


@pytest.mark.parametrize('change, said', [
    (lambda f: f.pop('posedirs'), 'posedirs: missing'),
    (lambda f: f.update(v_template=f['v_template'][:, :2]), r'template_m: shape \(778, 2\), expected any x 3'),
    (lambda f: f.update(posedirs=f['posedirs'][:, :, :9]), r'pose_dirs: shape \(778, 3, 9\), expected 778 x 3 x 135'),
    (lambda f: f.update(J_regressor=f['J_regressor'][:15]), r'joint_regressor: shape \(15, 778\)'),
    (lambda f: f['v_template'].__setitem__((3, 1), np.nan), 'template_m: 1 of 2334 values are not finite'),
    (lambda f: f['shapedirs'].__setitem__((0, 0, 0), np.inf), 'shape_dirs: 1 of'),
    (lambda f: f.update(weights=f['weights'] * 2), 'weights: rows sum to 2..2, expected 1'),
    (lambda f: f['f'].__setitem__((0, 0), 778), 'faces: indices 0 to 778, expected 0 to 777'),
    (lambda f: f.update(f=f['f'].astype(float)), 'faces: float64 values, expected integers'),
    (lambda f: f.update(kintree_table=TREE[:, :15]), r'kintree_table: shape \(2, 15\)'),
    (lambda f: f.update(kintree_table=TREE[:, ::-1]), 'kintree_table: .*parents'),
    (lambda f: f.update(v_template='abc'), 'template_m: <U3 values, expected numbers'),
    (lambda f: f.update(v_template=np.array([object(), None])), 'not a readable|cannot be read'),
    (lambda f: f.update(tip_ids=np.array([1, 2, 3])), r'tip_vertices: shape \(3,\), expected 5'),
    (lambda f: f.update(vt=np.zeros((3, 2))), 'uvs: given without uv_faces')])
def test_bad_fields_are_named(tmp_path, change, said):
    fields = mano_fields()
    change(fields)
    with pytest.raises(ValueError, match=f'hand.pkl: .*{said}|hand.pkl: {said}'):
        load_hand_model(dump(tmp_path / 'hand.pkl', fields))


def test_unknown_tips_are_asked_for(tmp_path):
    fields = mano_fields(50)
    fields['f'] %= 50
    with pytest.raises(ValueError, match='tip_ids: missing with 50 vertices'):
        load_hand_model(dump(tmp_path / 'hand.pkl', fields))


def test_sparse_indices_outside_are_refused(tmp_path):
    fields = mano_fields()
    fields['J_regressor'].indices[0] = 4000
    with pytest.raises(ValueError, match='J_regressor: cannot be read'):
        load_hand_model(dump(tmp_path / 'hand.pkl', fields))


@pytest.mark.parametrize('keep', [0, 1, 100, 0.5, -1])
def test_truncated_pickle_is_refused(tmp_path, keep):
    path = dump(tmp_path / 'hand.pkl', mano_fields())
    whole = path.read_bytes()
    path.write_bytes(whole[:int(keep * len(whole)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match='hand.pkl: not a readable hand model pickle'):
        load_hand_model(path)


def test_random_damage_never_escapes_as_another_error(tmp_path):
    fields = mano_fields(778)
    whole = bytearray(pickle.dumps({'f': fields['f'][:4], 'J_regressor': fields['J_regressor']}, 2))
    rng, path = np.random.default_rng(0), tmp_path / 'hand.pkl'
    refused = 0
    for _ in range(300):
        damaged = whole.copy()
        # the head holds the structure; damage in the numbers would go unnoticed
        damaged[rng.integers(0, 400)] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_pickle(path, ('f', 'J_regressor'))
        except ValueError as error:
            refused += 1
            assert 'hand.pkl' in str(error)
    assert refused > 50


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04 not really', b'\x93NUMPY\x01\x00garbage'])
def test_damaged_npz_is_refused(tmp_path, content):
    path = tmp_path / 'hand.npz'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='hand.npz: not a readable .npz'):
        load_hand_model(path)


def test_npz_with_pickled_objects_or_cut_short_is_refused(tmp_path):
    np.savez(tmp_path / 'objects.npz', v_template=np.array([Run(os.getcwd)], dtype=object))
    with pytest.raises(ValueError, match='objects.npz: not a readable'):
        load_hand_model(tmp_path / 'objects.npz')
    np.savez(tmp_path / 'cut.npz', v_template=np.zeros(1000))
    whole = (tmp_path / 'cut.npz').read_bytes()
    (tmp_path / 'cut.npz').write_bytes(whole[:2000] + whole[3000:])
    with pytest.raises(ValueError, match='cut.npz: not a readable'):
        load_hand_model(tmp_path / 'cut.npz')
    np.save(tmp_path / 'one.npy', np.zeros(3))
    with pytest.raises(ValueError, match='single array'):
        read_npz(tmp_path / 'one.npy')


def test_unusable_names_are_refused(tmp_path):
    for name, said in (('mano', "'mano', expected open_hand"), (tmp_path / 'no.pkl', 'no.pkl is not there'),
                       (tmp_path / 'hand.txt', 'expected open_hand')):
        with pytest.raises(ValueError, match=said):
            load_hand_model(name)
    with pytest.raises(ValueError, match='left hand by its name'):
        load_hand_model(dump(tmp_path / 'MANO_LEFT.pkl', mano_fields()))
    with pytest.raises(ValueError, match='holds a list'):
        load_hand_model(dump(tmp_path / 'hand.pkl', [1, 2]))


def test_model_needs_vertices():
    with pytest.raises(ValueError, match='template_m: no vertices'):
        HandModel('none', np.zeros((0, 3)), np.zeros((0, 3, 10)), np.zeros((0, 3, 135)), np.zeros((16, 0)),
                  np.zeros((0, 16)), np.zeros((0, 3), int), np.zeros(5, int))
