"""Frames of a labelled recording as pictures to look at."""
from __future__ import annotations

from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.media.contact_sheet import Picture


def recorded_pictures(recording: LabelledRecording, places: list[int]) -> list[Picture]:
    """The first camera's frames at these places, in the recording's order, with their hands and masks where it has them."""
    wanted, pictures = set(places), []
    for frame in recording.frames():
        if frame.index in wanted:
            joints = tuple(frame.camera.project(hand.joints_m) for hand in recording.truths.get(frame.stamp_ns, ())
                           if frame.camera is not None)
            pictures.append(Picture(frame.image, recording.mask(frame.stamp_ns), joints))
    return pictures
