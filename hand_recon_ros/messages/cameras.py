"""Camera <-> sensor_msgs/CameraInfo (REP-104)."""
from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.messages.stamps import to_header

# ROS has no name for "no distortion": plumb_bob with zeros says it.
_TO_ROS = {'none': 'plumb_bob'}


def camera_from_msg(msg: CameraInfo, rectified: bool) -> Camera:
    """Camera of the image the message goes with; ValueError names the field that is missing, NaN or zero.

    rectified: True for images of a rectifying node (`image_rect`): P holds and there is no distortion. False for raw
    images: K and D hold. Binning and region of interest are applied, so that the camera has the image's own size.
    """
    roi = msg.roi
    return Camera.from_calibration(
        width=int(msg.width), height=int(msg.height), K=np.asarray(msg.k, np.float64).reshape(3, 3),
        D=np.asarray(msg.d, np.float64), P=np.asarray(msg.p, np.float64).reshape(3, 4),
        distortion_model=msg.distortion_model, rectified=rectified, binning=(int(msg.binning_x), int(msg.binning_y)),
        roi=(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)))


def camera_to_msg(camera: Camera, stamp_ns: int, frame_id: str, baseline_m: float = 0.0) -> CameraInfo:
    """CameraInfo of a camera; P is K beside (-fx * baseline_m, 0, 0), which is that of a right rectified camera."""
    K = np.asarray(camera.K, np.float64)
    P = np.concatenate([K, [[-K[0, 0] * baseline_m], [0.0], [0.0]]], axis=1)
    distortion = np.asarray(camera.D, np.float64).ravel()
    return CameraInfo(
        header=to_header(stamp_ns, frame_id), width=int(camera.width), height=int(camera.height),
        distortion_model=_TO_ROS.get(camera.distortion_model, camera.distortion_model),
        d=[float(value) for value in (distortion if distortion.size else np.zeros(5))],
        k=K.ravel(), r=np.eye(3).ravel(), p=P.ravel())
