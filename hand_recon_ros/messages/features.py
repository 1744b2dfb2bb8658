"""What a network saw of the hands of one image <-> HandFeatures."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.messages.arrays import floats, matrix, unsigned
from hand_recon_ros.messages.stamps import to_header
from hand_recon_ros.msg import HandFeatures
from hand_recon_ros.types import HandEstimate


def features_to_msg(estimates: list[HandEstimate], estimator: str, stamp_ns: int, frame_id: str) -> HandFeatures:
    """Message of the features of all hands of one image; ValueError where their number differs."""
    sizes = {len(estimate.features) for estimate in estimates}
    if len(sizes) > 1:
        raise ValueError(f'features: {sorted(sizes)} numbers, expected as many of every hand')
    size = sizes.pop() if sizes else 0
    rows = np.stack([estimate.features for estimate in estimates]) if estimates else np.zeros((0, size))
    return HandFeatures(header=to_header(stamp_ns, frame_id), estimator=estimator, size=size,
                        track_ids=[unsigned('track_ids', estimate.track_id) for estimate in estimates],
                        values=floats('values', rows, (len(estimates), size)))


def msg_to_features(msg: HandFeatures) -> dict[int, np.ndarray]:
    """{track id: (F,) features} of a message; ValueError names the field that does not fit."""
    if not len(msg.track_ids):
        return {}
    if msg.size < 1:
        raise ValueError(f'size: {msg.size}, expected at least 1')
    rows = matrix('values', msg.values, int(msg.size), len(msg.track_ids))
    return {int(track): row for track, row in zip(msg.track_ids, rows)}
