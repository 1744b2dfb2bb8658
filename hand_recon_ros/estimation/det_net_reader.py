"""DetNet's reading of a detected hand: its own 21 points in place of the detector's (Zhou et al. 2020, sec. 3.1)."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hand_recon_ros.estimation.hand_crop import HandCrop, network_image
from hand_recon_ros.estimation.viewing import nominal_camera
from hand_recon_ros.hand_model.landmarks import build_skeleton, rest_landmarks
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.networks.ik_encoding import ROOT, WRIST
from hand_recon_ros.types import Frame, HandKeypoints
from hand_recon_ros.weights.compiled import CompiledNetwork
from hand_recon_ros.weights.store import load_weights


class DetNetReader:
    """Crop, maps, look-up. Its points are the hand model's own keypoints: no landmark offsets belong to them."""
    name = 'detnet'

    def __init__(self, model: HandModel, weights: str | Path = 'detnet', backend: str = 'auto'):
        """backend: of weights.compiled. ValueError when the weights are of another model."""
        network, card = load_weights(weights, 'detnet', model.name)
        self._size = card.crop_px
        rest = np.asarray(rest_landmarks(build_skeleton(model)))
        self._bone_m = float(np.linalg.norm(rest[WRIST] - rest[ROOT]))
        self._network = CompiledNetwork(network, (np.zeros((1, 3, self._size, self._size), np.float32),), backend)

    def read(self, frame: Frame, keypoints: HandKeypoints) -> HandKeypoints:
        """The same hand with the points that DetNet sees in the square around the detector's.

        points_m is of a hand whose reference bone, wrist to middle knuckle, is the mean adult's. ValueError without an
        image, or for keypoints in one place.
        """
        if frame.image is None:
            raise ValueError('frame.image: none, expected the image that the hand was detected in')
        camera = frame.camera or nominal_camera(frame.width, frame.height)
        crop = HandCrop.around(keypoints.points_px, keypoints.handedness == 'left', camera, self._size)
        heat, _, location = (maps[0] for maps in self._network(network_image(crop.take(frame.image)[None])))
        at, cells = peaks(heat)
        points = location[np.arange(21), :, cells[:, 1], cells[:, 0]] * self._bone_m
        points = points - points.mean(0)
        points_px = crop.to_image((at + 0.5) * (self._size / heat.shape[-1]) - 0.5)
        half = 0.5 * self._size / crop.crop.scale
        centre = np.asarray(crop.crop.centre_px)
        # The box is the crop's: its middle is where the points' axes look along.
        return replace(keypoints, detector=self.name, points_px=points_px,
                       box_px=np.concatenate([centre - half, centre + half]),
                       point_scores=np.clip(heat.max((1, 2)), 0, 1),
                       points_m=mirror_points(points) if crop.mirrored else points)


def peaks(heat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maxima of maps (N, M, M): places (N, 2) between the cells, as a parabola through the neighbours tells, and cells
    (N, 2), column and row."""
    count, size = heat.shape[0], heat.shape[-1]
    cells = np.stack(np.unravel_index(heat.reshape(count, -1).argmax(1), (size, size))[::-1], axis=-1)
    padded = np.pad(heat, ((0, 0), (1, 1), (1, 1)), mode='reflect')
    column, row, maps = cells[:, 0] + 1, cells[:, 1] + 1, np.arange(count)
    middle, places = padded[maps, row, column], cells.astype(np.float64)
    for axis, (x, y) in enumerate(((1, 0), (0, 1))):
        before, after = padded[maps, row - y, column - x], padded[maps, row + y, column + x]
        bend = before - 2 * middle + after
        places[:, axis] += np.where(bend < -1e-6, 0.5 * (before - after) / np.minimum(bend, -1e-6), 0.0).clip(-0.5, 0.5)
    return places, cells
