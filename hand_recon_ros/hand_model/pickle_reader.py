"""Reading a pickle of arrays, of MANO's form or any other, without running it.

Only a fixed table of classes is known, and none is the real one. Arrays, sparse matrices and chumpy objects in the file
become inert records of what was stored, and are turned into NumPy arrays afterwards from their plain numbers. Nothing
that a file names is ever imported or called.
"""
from __future__ import annotations

import collections
import pickle
from pathlib import Path

import numpy as np
from scipy import sparse

_PLAIN_KINDS = 'biufSU'
_MAX_NESTING = 20


class Record:
    """An inert object of the file: the arguments it was made with and the state that was set."""

    def __new__(cls, *arguments, **_named):
        record = object.__new__(cls)
        record.arguments, record.state = arguments, None
        return record

    def __init__(self, *_arguments, **_named):
        pass

    def __setstate__(self, state):
        self.state = state


def _table() -> dict[tuple[str, str], object]:
    """(module, name) to stand-in: made anew for every file, so that no file can leave a changed one behind."""
    class Dtype(Record):
        """numpy.dtype: arguments[0] is its code, state[1] its byte order."""

    class Array(Record):
        """numpy.ndarray: state is (version, shape, dtype, fortran, bytes)."""

    class Buffer(Record):
        """numpy's protocol 5 array: arguments are (bytes, dtype, shape, order)."""

    class Scalar(Record):
        """numpy scalar: arguments are (dtype, bytes)."""

    class Encoded(Record):
        """bytes that Python 2 wrote as text: arguments are (text, codec)."""

    def reconstructor(kind, base, _state):
        if base is not object or not isinstance(kind, type) or not issubclass(kind, Record):
            raise ValueError(f'copyreg._reconstructor of {kind}, expected a known class')
        return kind()

    def empty_array(*_arguments):
        return Array()

    table = {('collections', 'OrderedDict'): collections.OrderedDict, ('_codecs', 'encode'): Encoded,
             ('numpy', 'dtype'): Dtype, ('numpy', 'ndarray'): Array}
    # Python 3's names, then Python 2's, which protocols up to 2 keep
    for builtins, copyreg in (('builtins', 'copyreg'), ('__builtin__', 'copy_reg')):
        table[builtins, 'object'], table[builtins, 'set'], table[copyreg, '_reconstructor'] = object, set, reconstructor
    for package in ('numpy.core', 'numpy._core'):
        table[f'{package}.multiarray', '_reconstruct'] = empty_array
        table[f'{package}.multiarray', 'scalar'] = Scalar
        table[f'{package}.numeric', '_frombuffer'] = Buffer
    for form in ('csc', 'csr', 'coo'):
        for kind in (f'{form}_matrix', f'{form}_array'):
            stand_in = type('Sparse', (Record,), {'form': form})
            for module in (f'scipy.sparse.{form}', f'scipy.sparse._{form}', 'scipy.sparse'):
                table[module, kind] = stand_in
    for module, kind in (('chumpy.ch', 'Ch'), ('chumpy.reordering', 'Select'), ('chumpy.reordering', 'Reshape'),
                         ('chumpy.reordering', 'Transpose')):
        table[module, kind] = type('Chumpy', (Record,), {'kind': kind})
    return table


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows `_table` and nothing else."""

    def __init__(self, file):
        super().__init__(file, encoding='latin1')
        self._known = _table()

    def find_class(self, module, name):
        if (module, name) not in self._known:
            raise ValueError(f'class {module}.{name} is not allowed in a hand model, expected only arrays')
        return self._known[module, name]


def read_pickle(path: str | Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of the named arrays that the pickled dictionary has. ValueError names file and class or field."""
    path = Path(path)
    stored = _load(path, 'hand model pickle')
    if not isinstance(stored, dict):
        raise ValueError(f'{path}: holds a {type(stored).__name__}, expected a dictionary of arrays')
    arrays = {}
    for name in names:
        if name in stored:
            try:
                arrays[name] = _array(stored[name])
            except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError) as error:
                raise ValueError(f'{path}: {name}: cannot be read as an array ({error})') from error
    return arrays


def read_pickled_tree(path: str | Path):
    """Everything in a pickle of dictionaries, lists and tuples of arrays, numbers, text and None, arrays as NumPy's.

    ValueError names the file, and the class or the entry that is none of these.
    """
    path = Path(path)
    try:
        return _tree(_load(path, 'pickle of arrays'), 'top')
    except (TypeError, KeyError, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f'{path}: cannot be read as arrays ({error})') from error
    except ValueError as error:
        raise ValueError(error if str(error).startswith(str(path)) else f'{path}: {error}') from error


def _load(path: Path, what: str):
    try:
        with path.open('rb') as file:
            return _Unpickler(file).load()
    # the bytes of a damaged or hostile file can make the unpickler raise anything at all
    except Exception as error:
        raise ValueError(f'{path}: not a readable {what} ({error or type(error).__name__})') from error


def _tree(value, where: str, depth: int = 0):
    if depth > _MAX_NESTING:
        raise ValueError(f'{where}: nested more than {_MAX_NESTING} deep')
    if isinstance(value, dict):
        keys = [_array(key).item() if isinstance(key, Record) else key for key in value]
        return {key: _tree(entry, f'{where}.{key}', depth + 1) for key, entry in zip(keys, value.values())}
    if isinstance(value, (list, tuple)):
        return [_tree(entry, f'{where}[{row}]', depth + 1) for row, entry in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    try:
        return _encoded(value) if type(value).__name__ == 'Encoded' else _array(value)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f'{where}: cannot be read as an array ({error})') from error


def _array(value, depth: int = 0) -> np.ndarray:
    """The numbers behind a stored value."""
    if depth > _MAX_NESTING:
        raise ValueError(f'nested more than {_MAX_NESTING} deep, expected plain arrays')
    if not isinstance(value, Record):
        array = np.asarray(value)
        if array.dtype.kind not in _PLAIN_KINDS:
            raise ValueError(f'{type(value).__name__} of {array.dtype}, expected numbers')
        return array
    kind = type(value).__name__
    if kind == 'Array':
        _version, shape, dtype, fortran, data = value.state
        return _from_bytes(data, dtype, shape, 'F' if fortran else 'C')
    if kind == 'Buffer':
        data, dtype, shape, *order = value.arguments
        return _from_bytes(data, dtype, shape, order[0] if order else 'C')
    if kind == 'Scalar':
        dtype, data = value.arguments
        return _from_bytes(data, dtype, (), 'C')
    if kind == 'Sparse':
        return _dense(value.form, value.state, depth + 1)
    if kind == 'Chumpy':
        return _evaluated(value.kind, value.state, depth + 1)
    raise ValueError(f'a bare {kind}, expected an array')


def _from_bytes(data, dtype, shape, order: str) -> np.ndarray:
    if isinstance(data, Record) and type(data).__name__ == 'Encoded':
        data = _encoded(data)
    elif isinstance(data, str):
        data = data.encode('latin1')
    if not isinstance(data, (bytes, bytearray)):
        raise ValueError(f'contents are a {type(data).__name__}, expected bytes')
    if not (isinstance(dtype, Record) and type(dtype).__name__ == 'Dtype' and isinstance(dtype.arguments[0], str)):
        raise ValueError('an unknown element type, expected a numpy dtype')
    element = np.dtype(dtype.arguments[0])
    if element.kind not in _PLAIN_KINDS:
        raise ValueError(f'elements are {element}, expected numbers')
    if dtype.state is not None and dtype.state[1] in ('<', '>'):
        element = element.newbyteorder(dtype.state[1])
    shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
    array = np.frombuffer(data, element).reshape(shape, order=order)
    return array.astype(element.newbyteorder('='))


def _encoded(record: Record) -> bytes:
    text, codec = record.arguments
    if codec not in ('latin1', 'latin-1', 'iso-8859-1'):
        raise ValueError(f'bytes as {codec}, expected latin1')
    return text.encode('latin1')


def _dense(form: str, state, depth: int) -> np.ndarray:
    shape = tuple(int(n) for n in (state['_shape'] if '_shape' in state else state['shape']))
    data = _array(state['data'], depth)
    if form == 'coo':
        rows, columns = state['coords'] if 'coords' in state else (state['row'], state['col'])
        return sparse.coo_matrix((data, (_array(rows, depth), _array(columns, depth))), shape).toarray()
    kind = sparse.csc_matrix if form == 'csc' else sparse.csr_matrix
    matrix = kind((data, _array(state['indices'], depth), _array(state['indptr'], depth)), shape)
    # indices beyond the shape would be written outside the dense array
    matrix.check_format(full_check=True)
    return matrix.toarray()


def _evaluated(kind: str, state, depth: int) -> np.ndarray:
    """What chumpy would compute for the objects that MANO-form files hold."""
    if kind == 'Ch':
        return _array(state['x'], depth)
    inner = _array(state['a'], depth)
    if kind == 'Select':
        chosen = inner.ravel()[_array(state['idxs'], depth)]
        return chosen.reshape(tuple(int(n) for n in _sizes(state['preferred_shape'], depth))) \
            if state.get('preferred_shape') is not None else chosen
    if kind == 'Reshape':
        return inner.reshape(_sizes(state['newshape'], depth))
    return inner.transpose(_sizes(state['axes'], depth) if state.get('axes') is not None else None)


def _sizes(value, depth: int) -> tuple[int, ...]:
    return tuple(int(n) for n in np.atleast_1d(_array(value, depth)))
