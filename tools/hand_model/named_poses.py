"""The nine named poses, as joint angles; where the thumb has to touch something, its angles are solved for."""
import numpy as np
from scipy.optimize import least_squares

from naming import JOINT, LONG_FINGERS, TIP_ROW
from posing import PosableHand, pose_from_angles

THUMB_BOUNDS = ([-25, -35, -40, -10, -15], [55, 35, 55, 60, 80])        # CMC flexion, abduction, twist; MCP; IP
FIST = dict(knuckle=(84, 88, 87, 84), middle=(104, 107, 107, 104), last=(68, 70, 70, 66), spread=(-10, -2, 8, 15))


def finger_angles(knuckle, middle, last, spread=(0, 0, 0, 0)) -> dict:
    """Joint angles of index, middle, ring and pinky; a single number holds for all four."""
    angles = {}
    for row, finger in enumerate(LONG_FINGERS):
        angles[finger + "1"] = (np.broadcast_to(knuckle, 4)[row], spread[row])
        angles[finger + "2"], angles[finger + "3"] = np.broadcast_to(middle, 4)[row], np.broadcast_to(last, 4)[row]
    return angles


def between(points, first: str, second: str, share: float = .5) -> np.ndarray:
    """share * first joint + (1 - share) * second joint."""
    return share * points[JOINT[first]] + (1 - share) * points[JOINT[second]]


def reach_thumb(hand: PosableHand, angles: dict, target, start) -> dict:
    """Add thumb angles so that its tip reaches target(points); `start` also is what they are drawn to."""
    start = np.array(start, float)

    def with_thumb(values):
        return dict(angles, thumb1=tuple(values[:3]), thumb2=values[3], thumb3=values[4])

    def residual(values):
        points = hand(pose_from_angles(with_thumb(values), hand.axes))[1]
        return np.concatenate([(target(points) - points[TIP_ROW["thumb"]]) * 1000, .05 * (values - start)])

    return with_thumb(least_squares(residual, start, bounds=THUMB_BOUNDS, diff_step=1e-3, max_nfev=25).x)


def named_poses(hand: PosableHand) -> dict[str, np.ndarray]:
    """name -> pose (48,) of the right hand, wrist at rest."""
    fist = finger_angles(*FIST.values())
    thumb_over_fist = reach_thumb(
        hand, fist,
        lambda p: .55 * between(p, "index2", "index3") + .45 * between(p, "middle2", "middle3") + [0, -.017, 0],
        (25, -5, 20, 30, 40))
    pinch = finger_angles((57, 18, 14, 10), (52, 25, 22, 20), (34, 12, 12, 10))
    point = finger_angles((6, 80, 80, 77), (6, 100, 102, 99), (4, 60, 60, 58), (0, -2, 8, 15))
    victory = finger_angles((0, 0, 80, 76), (0, 0, 100, 97), (0, 0, 58, 56), (9, -8, 6, 13))
    relaxed = finger_angles((18, 22, 26, 30), (25, 28, 30, 30), (10, 12, 12, 12))
    cup = finger_angles((40, 42, 44, 46), (40, 42, 44, 44), 20)
    angles = {
        "flat": {},
        "fist": thumb_over_fist,
        "pinch": reach_thumb(hand, pinch, lambda p: p[TIP_ROW["index"]] + [.005, -.002, .003], (25, 10, 30, 20, 10)),
        "spread": dict(finger_angles(-5, 0, 0, (10, 1, -8, -16)), thumb1=(-12, 10, 0), thumb3=-10),
        "thumbs_up": dict(fist, thumb1=(-15, 18, 0), thumb2=-5, thumb3=-15),
        "point": reach_thumb(
            hand, point, lambda p: between(p, "middle3", "middle2", .6) + [-.002, -.012, .004], (30, 0, 25, 25, 30)),
        "relaxed": dict(relaxed, thumb1=(8, -4, 8), thumb2=10, thumb3=12),
        "cup": dict(cup, thumb1=(15, -8, 15), thumb2=15, thumb3=20),
        "victory": reach_thumb(
            hand, victory, lambda p: between(p, "ring2", "ring3", .3) + [-.004, -.012, .004], (30, 0, 25, 25, 30)),
    }
    return {name: pose_from_angles(a, hand.axes) for name, a in angles.items()}
