"""Joints that somebody labelled in some instants of a recording."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.curated import Curated

_NUMBER = re.compile(r'(\d+)$')


def frame_labels(folder: str | Path) -> dict[int, np.ndarray]:
    """{place of the instant in its recording: joints (21, 3) metres, left optical frame} of a folder with samples.json.

    A sample's name ends in the place, as desk_f017; one hand an instant. ValueError for a name without a number, two
    samples of one instant, or no joints at all.
    """
    found: dict[int, np.ndarray] = {}
    for sample in Curated(folder, 'all'):
        if sample.joints_m is None:
            continue
        number = _NUMBER.search(sample.id)
        if number is None:
            raise ValueError(f'{folder}: sample {sample.id!r}, expected a name that ends in the number of its instant')
        place = int(number[1])
        if place in found:
            raise ValueError(f'{folder}: two samples of instant {place}, expected one hand in each')
        found[place] = np.asarray(sample.joints_m, np.float64)
    if not found:
        raise ValueError(f'{folder}: no sample with joints in space, expected at least one')
    return found
