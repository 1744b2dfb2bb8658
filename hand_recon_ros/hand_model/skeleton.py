"""The hand's skeleton: joint and keypoint names, parents, and the one table between the two orders.

Joints are MANO's 16: wrist, then three per finger in the order index, middle, pinky, ring, thumb. Keypoints are the 21
of MediaPipe and OpenPose: wrist, then base to tip of thumb, index, middle, ring, pinky.
"""
from __future__ import annotations

FINGERS = ('thumb', 'index', 'middle', 'ring', 'pinky')
JOINT_FINGERS = ('index', 'middle', 'pinky', 'ring', 'thumb')
JOINT_NAMES = ('wrist',) + tuple(f'{finger}{k}' for finger in JOINT_FINGERS for k in (1, 2, 3))
JOINT_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
JOINT_COUNT = len(JOINT_NAMES)

KEYPOINT_NAMES = ('wrist',) + tuple(f'{finger}{k}' for finger in FINGERS for k in (1, 2, 3, 4))
KEYPOINT_PARENTS = (-1,) + tuple(0 if k == 0 else 4 * f + k for f in range(5) for k in range(4))

# Rows of the stacked [16 joints, 5 tips in FINGERS order] that give the 21 keypoints.
KEYPOINT_ROWS = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
# The joint in whose frame each keypoint is fixed: itself, or for a tip the last joint of its finger.
KEYPOINT_JOINTS = tuple(row if row < JOINT_COUNT else JOINT_NAMES.index(f'{FINGERS[row - JOINT_COUNT]}3')
                        for row in KEYPOINT_ROWS)


def joint_index(name: str) -> int:
    """Index of a joint by name; ValueError when there is none."""
    if name not in JOINT_NAMES:
        raise ValueError(f'joint: {name!r}, expected one of {", ".join(JOINT_NAMES)}')
    return JOINT_NAMES.index(name)
