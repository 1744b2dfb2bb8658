"""Which landmark response goes with a detector's table of offsets."""
from __future__ import annotations

from pathlib import Path

from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.identity.landmark_response import LandmarkResponse, load_response, response_path


def response_of(detector: str, table: str, model: HandModel) -> LandmarkResponse:
    """The bundled response measured for this table; the table alone, less trusted, where nobody measured one.

    Both detectors find MediaPipe's landmarks. ValueError for an unknown table.
    """
    offsets = load_offsets('mediapipe', table)
    path = response_path('mediapipe', Path(table).stem)
    if path.is_file() and offsets.model == model.name:
        return load_response(path)
    return LandmarkResponse.unmeasured(offsets.offsets_m)
