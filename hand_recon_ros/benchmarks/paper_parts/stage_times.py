"""Milliseconds a hand of every learned stage, compiled beside eager PyTorch, and what the papers state."""
from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from hand_recon_ros.benchmarks.paper_parts.held_out import HeldOut
from hand_recon_ros.estimation.handnet import OneHand
from hand_recon_ros.estimation.names import NAMES
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.networks.ik_encoding import ik_inputs
from hand_recon_ros.weights.compiled import CompiledNetwork
from hand_recon_ros.weights.store import load_weights

RUNS, HANDS = 60, 40
# Zhou et al. 2020, sec. 4: one forward pass on a GTX 1080 Ti. Seeber et al. state none.
PAPER = {'DetNet': (8.9, 'GTX 1080 Ti'), 'IKNet': (0.9, 'GTX 1080 Ti'), 'minimal_hand': (9.8, 'GTX 1080 Ti')}


def time_rows(held_out: HeldOut) -> list[dict]:
    """Networks alone, then whole estimates."""
    rng = np.random.default_rng(0)
    rows = []
    detnet, card = load_weights('detnet', 'detnet')
    image = rng.normal(size=(1, 3, card.crop_px, card.crop_px)).astype(np.float32)
    rows.append(_network_row('DetNet', detnet, (image,)))
    iknet, _ = load_weights('iknet', 'iknet')
    points = torch.from_numpy(rng.normal(size=(1, 21, 3)).astype(np.float32))
    rows.append(_network_row('IKNet', iknet, (ik_inputs(points, points).numpy(),)))
    handnet, card = load_weights('handnet', 'handnet')
    image = rng.normal(size=(1, 3, card.crop_px, card.crop_px)).astype(np.float32)
    points_px = rng.uniform(0, card.crop_px, (1, 21, 2)).astype(np.float32)
    for name, masks in (('HandNet without its mask', False), ('HandNet', True)):
        rows.append(_network_row(name, OneHand(handnet, card.crop_px, card.sigma_px, masks), (image, points_px)))
    sights = [held_out.sight(number, 0) for number in held_out.numbers[:HANDS]]
    for name in NAMES:
        estimator = build_estimator(name, held_out.model, held_out.offsets_m)
        estimator.estimate(sights[0].frame, sights[0].keypoints)
        milliseconds = 1e3 * float(np.median([_seconds(lambda: estimator.estimate(s.frame, s.keypoints)) for s in sights]))
        rows.append(_row(f'whole estimate, {name}', name, milliseconds))
    return rows


def _network_row(name: str, network: torch.nn.Module, inputs: tuple[np.ndarray, ...]) -> dict:
    compiled, eager = (CompiledNetwork(network, inputs, backend) for backend in ('auto', 'torch'))
    ours, reference = (_median_ms(lambda: run(*inputs)) for run in (compiled, eager))
    apart = max(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-6)) for a, b in zip(compiled(*inputs), eager(*inputs)))
    return _row(f'network, {name}', name, ours) | {'backend': compiled.backend, 'reference_ms': reference,
                                                   'ratio': reference / ours, 'relative_difference': apart}


def _row(case: str, name: str, milliseconds: float) -> dict:
    row = {'case': case, 'section': 'times', 'ours_ms': milliseconds}
    if name in PAPER:
        row |= {'paper_ms': PAPER[name][0], 'paper_hardware': PAPER[name][1]}
    return row


def _median_ms(run: Callable) -> float:
    run()
    return 1e3 * float(np.median([_seconds(run) for _ in range(RUNS)]))


def _seconds(run: Callable) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
