"""From a detector's points to the camera's axes: the nominal camera of uncalibrated images, and the viewing ray."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.placement import place_by_spread
from hand_recon_ros.geometry.rotations import rotation_between
from hand_recon_ros.hand_model.skeleton import KEYPOINT_PARENTS
from hand_recon_ros.types import HandKeypoints

# Focal length assumed where K is unknown, in units of the image's longer side (a 53 degree field of view).
NOMINAL_FOCAL = 1.0

CHILDREN = np.arange(1, 21)
PARENTS = np.asarray(KEYPOINT_PARENTS)[CHILDREN]


def nominal_camera(width: int, height: int) -> Camera:
    """Stand-in pinhole for an image of unknown intrinsics; only its weak perspective is ever used."""
    focal = NOMINAL_FOCAL * max(width, height)
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])
    return Camera(width, height, K)


def ray_rotation(point: np.ndarray) -> np.ndarray:
    """Smallest rotation (3, 3) that turns the optical axis into the ray through a normalised point (2,).

    Detectors see a crop as if its centre lay on the optical axis; this brings their 3D points to the camera's axes.
    """
    return rotation_between(np.array([0.0, 0.0, 1.0]), np.append(np.asarray(point, np.float64), 1.0))


def image_plane_points(points_px: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) on the normalised plane (N, 2), and whether the lens model reaches them (N,).

    Beyond its reach, in a far corner of a strongly distorted image, the pinhole's direction stands in: good enough for a
    start, and the second value lets a fit leave such points out.
    """
    points_px = np.asarray(points_px, np.float64)
    points = camera.normalise(points_px)
    reached = np.isfinite(points).all(-1)
    pinhole = (points_px - camera.centre_px) / (camera.fx_px, camera.fy_px)
    return np.where(reached[:, None], points, pinhole), reached


def camera_axes_points(keypoints: HandKeypoints, camera: Camera, weak: bool) -> np.ndarray | None:
    """The detector's 3D points (21, 3) in the camera's axes, or None where it gave none."""
    if keypoints.points_m is None:
        return None
    points = np.asarray(keypoints.points_m, np.float64)
    if weak:
        return points
    centre = (keypoints.box_px[:2] + keypoints.box_px[2:]) / 2
    return points @ ray_rotation(image_plane_points(centre[None], camera)[0][0]).T


def lifted_points(keypoints: HandKeypoints, camera: Camera, weak: bool, bone_lengths_m: np.ndarray) -> np.ndarray:
    """Points (21, 3) in the camera's axes that project onto the detected pixels, at the depths of the 3D points.

    A detector's 2D and 3D heads disagree by up to a third of the hand in steep views, and its 2D is the better one: from
    these points, inverse kinematics starts the tailor in the wrong basin on 3 of 360 real frames, from the 3D points
    alone on 44. bone_lengths_m: (20,) of the mean hand, which set the size. The 3D points must be there.
    """
    points = camera_axes_points(keypoints, camera, weak)
    lengths = np.linalg.norm(points[CHILDREN] - points[PARENTS], axis=1)
    points = points * np.median(bone_lengths_m / np.maximum(lengths, 1e-4))
    image_points, _ = image_plane_points(keypoints.points_px, camera)
    depth = (points + place_by_spread(points, image_points))[:, 2]
    # Parallel rays for weak perspective: all points as wide apart as at the mean depth.
    reach = np.full(21, depth.mean()) if weak else depth
    return np.concatenate([image_points * reach[:, None], depth[:, None]], axis=1)
