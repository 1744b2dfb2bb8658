"""From a detector's points to the camera's axes: the nominal camera of uncalibrated images, and the viewing ray."""
from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from array_api_compat import array_namespace

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.placement import NEAREST_M
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


def ray_rotation(point):
    """Smallest rotation (3, 3) that turns the optical axis into the ray through a normalised point (2,), NumPy or JAX.

    Detectors see a crop as if its centre lay on the optical axis; this brings their 3D points to the camera's axes.
    """
    xp = array_namespace(point)
    length = (1 + point[0] * point[0] + point[1] * point[1]) ** 0.5
    x, y, z = point[0] / length, point[1] / length, 1 / length
    # Rodrigues about (-y, x, 0), with (1 - cos) / sin^2 = 1 / (1 + cos).
    across = -x * y / (1 + z)
    return xp.reshape(xp.stack([1 - x * x / (1 + z), across, x, across, 1 - y * y / (1 + z), y, -x, -y, z]), (3, 3))


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


def sight_of(keypoints: HandKeypoints, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks (21, 2) on the normalised plane and whether the lens model reaches them (21,), as image_plane_points,
    and the middle of the box (2,), whose ray the detector's 3D points look along (ray_rotation)."""
    middle = (keypoints.box_px[:2] + keypoints.box_px[2:]) / 2
    points, reached = image_plane_points(np.concatenate([keypoints.points_px, middle[None]]), camera)
    return points[:21], reached[:21], points[21]


def lifted_points(points, image_points, weak: bool, bone_lengths_m):
    """Points (21, 3) in the camera's axes that project onto image_points, at the depths of the 3D points; traceable.

    A detector's 2D and 3D heads disagree by up to a third of the hand in steep views, and its 2D is the better one:
    from these points, inverse kinematics starts the tailor in the wrong basin on 3 of 360 real frames, from the 3D
    points alone on 44. points: (21, 3) the detector's, in the camera's axes. image_points: (21, 2) on the normalised plane.
    bone_lengths_m: (20,) of the mean hand, which set the size.
    """
    lengths = jnp.linalg.norm(points[CHILDREN] - points[PARENTS], axis=1)
    points = points * jnp.median(bone_lengths_m / jnp.maximum(lengths, 1e-4))
    depth = (points + placed_by_spread(points, image_points))[:, 2]
    # Parallel rays for weak perspective: all points as wide apart as at the mean depth.
    reach = jnp.full(21, depth.mean()) if weak else depth
    return jnp.concatenate([image_points * reach[:, None], depth[:, None]], axis=1)


def placed_by_spread(points_m, image_points):
    """geometry.placement.place_by_spread, traceable: translation (3,) of points (N, 3) m seen at (N, 2), which the
    caller knows to be apart."""
    centre, image_centre = points_m.mean(0), image_points.mean(0)
    spread = ((points_m[:, :2] - centre[:2]) ** 2).sum()
    image_spread = ((image_points - image_centre) ** 2).sum()
    nearest = NEAREST_M + centre[2] - points_m[:, 2].min()
    depth = jnp.maximum(jnp.sqrt(spread / image_spread), nearest)
    return jnp.append(image_centre, 1.0) * depth - centre
