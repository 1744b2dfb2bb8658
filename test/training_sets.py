"""A small synthetic set of pairs and what a perfect detector would say of it, for the tests of training."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.datasets.registry import open_dataset
from hand_recon_ros.synthesis.shards import ShardOptions, synthesize_shards
from hand_recon_ros.synthesis.studio import StudioConfig
from hand_recon_ros.training.detected_hands import DetectedHands

SAMPLES = 10


def small_set(folder, seed=3):
    """A data set of SAMPLES pairs of 64 pixels."""
    synthesize_shards(StudioConfig(SAMPLES, 64, 2, seed, skins=1, rooms=1), folder, ShardOptions(shard_size=5), workers=1,
                      progress=False)
    return open_dataset('shards', folder)


def perfect_detections(dataset):
    """The true joints as if detected, in both views."""
    found = DetectedHands(np.zeros((len(dataset), 2, 21, 2)), np.zeros((len(dataset), 2, 21, 3)),
                          np.ones((len(dataset), 2)))
    for number in range(len(dataset)):
        sample = dataset[number]
        for place, view in enumerate(sample.views):
            found.points_px[number, place] = view.joints_px
            joints = sample.joints_m @ view.T_view_first[:3, :3].T
            found.points_m[number, place] = joints - joints.mean(0)
    return found
