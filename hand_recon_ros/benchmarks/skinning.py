"""Skinning against the smplx package's MANO class on the same hand: milliseconds a call, CPU, no gradients."""
from __future__ import annotations

import argparse
import importlib
import time

import numpy as np

from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.model import HandModel

HELP = "skinning in torch and JAX against the smplx package's MANO layer (needs the pip extra 'mano')"
BATCHES = (1, 64)
_WARM_UP = 20
# vertices of the two implementations must be the same hand, or the times say nothing
_LARGEST_DIFFERENCE_M = 1e-5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('--model', default='open_hand', help='hand by name or MANO-form file (default %(default)s)')
    parser.add_argument('--calls', type=int, default=300, help='timed calls of each (default %(default)s)')
    parser.add_argument('--threads', type=int, default=0, help="torch's threads, 0 for its default")
    parser.add_argument('--seed', type=int, default=0, help='seed of the poses (default %(default)s)')


def run(args: argparse.Namespace) -> dict:
    """Rows: ours in torch and in JAX against smplx, median of interleaved calls, at batch 1 and 64."""
    import torch

    from hand_recon_ros.hand_model.skinning_jax import JaxHand
    from hand_recon_ros.hand_model.skinning_torch import TorchHand
    if args.calls < 1:
        raise ValueError(f'--calls: {args.calls}, expected at least 1')
    if args.threads < 0:
        raise ValueError(f'--threads: {args.threads}, expected 0 or more')
    if args.threads:
        torch.set_num_threads(args.threads)
    model = load_hand_model(args.model)
    rng = np.random.default_rng(args.seed)
    ours_torch, ours_jax = TorchHand(model).eval(), JaxHand(model)
    rows = []
    for batch in BATCHES:
        try:
            reference = smplx_layer(model, batch).eval()
        except ModuleNotFoundError as error:
            # missing software is a failure (1), not a wrong argument (2)
            raise SystemExit(f"bench skinning: {error}; the reference "
                             "comes with the extra: pip install '.[mano]'") from None
        arrays = [np.float32(rng.normal(0, sigma, (batch, size)))
                  for sigma, size in ((0.5, 48), (1.0, model.shape_size), (0.3, 3))]
        pose, shape, translation = (torch.from_numpy(array) for array in arrays)
        calls = {'torch': lambda: ours_torch(pose, shape, translation)[0].numpy(),
                 'jax': lambda: ours_jax(*arrays)[0],
                 'smplx': lambda: reference(betas=shape, global_orient=pose[:, :3], hand_pose=pose[:, 3:],
                                            transl=translation).vertices.numpy()}
        with torch.no_grad():
            milliseconds, vertices = _timed(calls, args.calls)
        for name in ('torch', 'jax'):
            difference = float(np.abs(vertices[name] - vertices['smplx']).max())
            if difference > _LARGEST_DIFFERENCE_M:
                raise SystemExit(f'bench skinning: {name} and smplx differ by {difference:.2e} m, '
                                 'expected the same hand')
            rows.append({'case': f'{name}, batch {batch}', 'ours_ms': milliseconds[name],
                         'reference_ms': milliseconds['smplx'], 'ratio': milliseconds['smplx'] / milliseconds[name],
                         'difference_m': difference})
    return {'name': 'skinning', 'rows': rows, 'model': model.name, 'vertices': model.vertex_count,
            'torch_threads': torch.get_num_threads()}


def _timed(calls: dict, count: int) -> tuple[dict, dict]:
    """Median milliseconds and last result of each; the calls take turns, so that all meet the same machine."""
    for _ in range(_WARM_UP):
        results = {name: call() for name, call in calls.items()}
    spent = {name: [] for name in calls}
    for _ in range(count):
        for name, call in calls.items():
            start = time.perf_counter()
            results[name] = call()
            spent[name].append(time.perf_counter() - start)
    return {name: 1e3 * float(np.median(times)) for name, times in spent.items()}, results


def smplx_layer(model: HandModel, batch: int, dtype=None):
    """The smplx package's MANO of our model, full pose, flat mean. dtype: of torch, None for its default.

    ModuleNotFoundError when it is not installed.
    """
    import torch
    smplx = importlib.import_module('smplx')
    utils = importlib.import_module('smplx.utils')
    stored = utils.Struct(v_template=model.template_m, shapedirs=model.shape_dirs, posedirs=model.pose_dirs,
                          J_regressor=model.joint_regressor, weights=model.weights,
                          kintree_table=np.array([[0, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14], range(16)]),
                          f=model.faces.astype(np.int64), hands_components=np.eye(45), hands_mean=np.zeros(45))
    # the package reads the side from the file's name, even when it reads no file
    return smplx.MANO('MANO_RIGHT.pkl', data_struct=stored, is_rhand=True, use_pca=False, flat_hand_mean=True,
                      num_betas=model.shape_size, batch_size=batch, dtype=dtype or torch.get_default_dtype())
