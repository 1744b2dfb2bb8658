"""DetNet's reading of the hands that the detector saw in a data set, for IKNet to learn its errors, too."""
from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from hand_recon_ros.estimation.det_net_reader import DetNetReader
from hand_recon_ros.estimation.viewing import nominal_camera, ray_rotation, sight_of
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.installation import cache_folder
from hand_recon_ros.training.detected_hands import DetectedHands
from hand_recon_ros.training.training_sets import TrainingSet, made_by_one, set_name
from hand_recon_ros.types import Frame, HandKeypoints
from hand_recon_ros.weights.files import weight_file


def reread(training: TrainingSet, model: HandModel, weights: str, progress: bool = True) -> DetectedHands:
    """What DetNet sees where the detector saw a hand; kept in the user's cache folder under the set and the weights.

    weights: a name or file, see weights.files.
    """
    reader = DetNetReader(model, weights)
    digest = hashlib.sha256(weight_file(weights).read_bytes()).hexdigest()[:16]
    file = cache_folder() / 'detected' / f'{set_name(training.dataset)}-{digest}.npz'
    with made_by_one(file):
        if not file.is_file():
            _read(training, reader, progress).save(file)
    return DetectedHands.load(file)


def _read(training: TrainingSet, reader: DetNetReader, progress: bool) -> DetectedHands:
    seen, dataset = training.detected, training.dataset
    nothing = (np.full_like(array, np.nan) for array in (seen.points_px, seen.points_m))
    found = DetectedHands(*nothing, np.zeros_like(seen.presence))
    for number in tqdm(range(len(dataset)), 'reading again', disable=not progress, unit='sample'):
        sample = dataset[number]
        for place, view in enumerate(sample.views[:seen.presence.shape[1]]):
            keypoints = seen.keypoints(number, place, sample.handedness or 'right')
            if keypoints is None:
                continue
            frame = Frame.from_image(view.image(), view.camera)
            again = reader.read(frame, keypoints)
            found.points_px[number, place], found.points_m[number, place] = again.points_px, _about_points(again, frame)
            found.presence[number, place] = seen.presence[number, place]
    return found


def _about_points(read: HandKeypoints, frame: Frame) -> np.ndarray:
    """points_m along the ray through the points' own box, which DetectedHands keeps, instead of the crop's."""
    camera = frame.camera or nominal_camera(frame.width, frame.height)
    own = np.concatenate([read.points_px.min(0), read.points_px.max(0)])
    crop_ray, own_ray = (ray_rotation(sight_of(replace(read, box_px=box), camera)[2]) for box in (read.box_px, own))
    return read.points_m @ np.asarray(crop_ray).T @ np.asarray(own_ray)
