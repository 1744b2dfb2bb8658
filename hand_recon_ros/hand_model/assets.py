"""Loading hands: the package's, and a user's own file in MANO's form (.npz or .pkl), never trusting either."""
from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.pickle_reader import read_pickle
from hand_recon_ros.hand_model.skeleton import JOINT_COUNT, JOINT_PARENTS

ASSETS = Path(__file__).parent / 'assets'
BUILT_IN = {'open_hand': 'open_hand_right.npz', 'open_hand_long': 'open_hand_long_right.npz'}
# MANO's files name no tips; these are the vertices that smplx takes (vertex_ids, 'mano'), thumb to pinky.
MANO_VERTICES, MANO_TIPS = 778, (744, 320, 443, 554, 671)
REQUIRED = ('v_template', 'shapedirs', 'posedirs', 'J_regressor', 'weights', 'kintree_table', 'f')
OPTIONAL = ('tip_ids', 'vt', 'ft', 'nail_mask')


def load_hand_model(name_or_path: str | Path = 'open_hand') -> HandModel:
    """A right hand by name ('open_hand'; 'open_hand_long' with forearm) or from a MANO-form .npz or .pkl file.

    hands_mean of a file is not used: our pose is always relative to the flat hand. ValueError names file and field.
    """
    if str(name_or_path) in BUILT_IN:
        name, path = str(name_or_path), ASSETS / BUILT_IN[str(name_or_path)]
    else:
        path = Path(name_or_path).expanduser()
        name = path.stem
        if path.suffix not in ('.npz', '.pkl'):
            raise ValueError(f'hand model: {str(name_or_path)!r}, '
                             f'expected {", ".join(BUILT_IN)} or a .npz or .pkl file')
    if not path.is_file():
        raise ValueError(f'hand model: {path} is not there, expected a file')
    if 'left' in path.stem.lower():
        raise ValueError(f'hand model: {path} is a left hand by its name, '
                         f'expected a right one (left hands are mirrored)')
    fields = read_pickle(path, REQUIRED + OPTIONAL) if path.suffix == '.pkl' else read_npz(path, REQUIRED + OPTIONAL)
    try:
        return _from_mano_form(name, fields)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def load_named_poses() -> dict[str, np.ndarray]:
    """Named poses, (48,) radians each: flat, fist, pinch, spread, thumbs_up, point, relaxed, cup, victory."""
    return read_npz(ASSETS / 'poses.npz')


def read_npz(path: Path, names: tuple | None = None) -> dict[str, np.ndarray]:
    """Arrays of an .npz file (all, or those of `names` that it has), none pickled. ValueError when damaged."""
    try:
        stored = np.load(path, allow_pickle=False)
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise ValueError('a single array, expected an archive of named ones')
        with stored:
            return {name: stored[name] for name in (stored.files if names is None else names) if name in stored.files}
    # a damaged zip surfaces as any of these
    except (ValueError, OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f'{path}: not a readable .npz ({error})') from error


def _from_mano_form(name: str, fields: dict) -> HandModel:
    missing = [key for key in REQUIRED if key not in fields]
    if missing:
        raise ValueError(f'{", ".join(missing)}: missing, expected {", ".join(REQUIRED)}')
    tree = np.asarray(fields['kintree_table'])
    if tree.shape != (2, JOINT_COUNT) or tuple(int(p) for p in tree[0, 1:]) != JOINT_PARENTS[1:]:
        raise ValueError(f'kintree_table: shape {tree.shape}, parents {tree[0].tolist() if tree.ndim == 2 else tree}, '
                         f'expected MANO\'s 2 x {JOINT_COUNT} with parents {list(JOINT_PARENTS)}')
    template = np.asarray(fields['v_template'])
    if 'tip_ids' in fields:
        tips = fields['tip_ids']
    elif template.ndim != 2 or len(template) == MANO_VERTICES:
        # a template of another form is refused by the model, by name
        tips = np.array(MANO_TIPS)
    else:
        raise ValueError(f'tip_ids: missing with {len(template)} vertices, expected five vertex numbers '
                         f'(they are known only for MANO\'s {MANO_VERTICES} vertices)')
    given = dict(template_m=template, shape_dirs=fields['shapedirs'], pose_dirs=fields['posedirs'],
                 joint_regressor=fields['J_regressor'], weights=fields['weights'], faces=fields['f'], tip_vertices=tips,
                 uvs=fields.get('vt'), uv_faces=fields.get('ft'), nail_mask=fields.get('nail_mask'))
    return HandModel(name=name, **given)
