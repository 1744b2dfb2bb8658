"""Named shapes of the hand by its own angles: signs of one-handed alphabets and numbers, and grasps of Feix' taxonomy.

Grasps: Feix et al. 2016, "The GRASP taxonomy of human grasp types", IEEE Trans. Human-Machine Systems 46:66. Letters:
the one-handed alphabet of American Sign Language. The angles were set here, by eye, from descriptions of the shapes.
"""
from __future__ import annotations

import numpy as np

from hand_recon_ros.hand_model.skeleton import JOINT_NAMES

# (knuckle flexion, middle joint, end joint, abduction towards the thumb), degrees.
STRAIGHT, FOLDED, HOOKED = (2, 3, 2, 0), (84, 104, 66, 0), (5, 92, 58, 0)
# (base flexion, abduction, twist; middle joint; end joint), degrees.
TUCKED, OVER, ASIDE, OUT = (38, -1, 23, 35, 36), (17, 1, 29, 35, 46), (4, -2, 4, 6, 8), (-12, 10, 2, 0, -10)
OPPOSED, ROUND = (23, 18, 27, 19, 9), (18, 10, 22, 16, 18)
# thumb, index, middle, ring, pinky. A finger by three numbers is curled so; by four, abducted too.
SHAPES = {
    # signs
    'letter_a': (ASIDE, FOLDED, FOLDED, FOLDED, FOLDED),
    'letter_b': (TUCKED, (2, 3, 2, -4), STRAIGHT, (2, 3, 2, 3), (2, 3, 2, 8)),
    'letter_c': (ROUND, (38, 46, 26, 0), (40, 46, 26, 0), (40, 46, 26, 0), (38, 44, 26, 3)),
    'letter_d': (OPPOSED, STRAIGHT, (58, 54, 34, 0), (66, 64, 40, 0), (70, 70, 44, 0)),
    'letter_e': (TUCKED, (46, 98, 62, -3), (46, 100, 62, 0), (46, 100, 62, 2), (46, 96, 60, 6)),
    'letter_f': (OPPOSED, (57, 52, 34, -2), (10, 14, 8, 2), (4, 8, 5, -3), (2, 5, 4, -8)),
    'number_six': ((34, 8, 34, 26, 18), (2, 4, 3, 6), (4, 5, 3, 1), (14, 10, 6, -5), (64, 62, 40, 0)),
    'letter_i': (OVER, FOLDED, FOLDED, FOLDED, (3, 4, 3, -4)),
    'letter_k': (ASIDE, (4, 6, 4, 6), (38, 8, 5, -2), FOLDED, FOLDED),
    'letter_l': (OUT, (2, 3, 2, 4), FOLDED, FOLDED, FOLDED),
    'letter_m': ((34, -4, 20, 30, 30), (68, 72, 40, 0), (70, 74, 40, 0), (70, 74, 40, 0), FOLDED),
    'letter_o': (OPPOSED, (54, 50, 32, -2), (56, 54, 34, 0), (58, 56, 36, 0), (58, 56, 36, 4)),
    'letter_u': (TUCKED, (2, 3, 2, -5), (2, 3, 2, 3), FOLDED, FOLDED),
    'letter_w': (TUCKED, (2, 4, 3, 9), (2, 4, 3, 0), (3, 5, 3, -10), (78, 98, 60, 0)),
    'letter_x': (OVER, HOOKED, FOLDED, FOLDED, FOLDED),
    'letter_y': (OUT, FOLDED, FOLDED, FOLDED, (4, 5, 4, -12)),
    'number_three': (OUT, (2, 3, 2, 8), (2, 3, 2, -5), FOLDED, FOLDED),
    'number_four': (TUCKED, (0, 3, 2, 10), (0, 3, 2, 2), (0, 3, 2, -7), (0, 4, 3, -13)),
    'number_eight': (OPPOSED, (8, 12, 8, 6), (60, 54, 34, 0), (12, 16, 9, -5), (6, 10, 6, -12)),
    'horns': (OVER, (2, 3, 2, 6), FOLDED, FOLDED, (3, 4, 3, -8)),
    'love': (OUT, (2, 3, 2, 6), FOLDED, FOLDED, (3, 4, 3, -8)),
    'claw': (ROUND, (12, 62, 40, 8), (14, 64, 42, 1), (14, 64, 42, -6), (12, 58, 38, -12)),
    # grasps
    'large_diameter': ((10, 6, 20, 14, 16), (30, 36, 20, 6), (34, 40, 22, 1), (34, 40, 22, -4), (34, 38, 20, -8)),
    'small_diameter': ((14, 10, 24, 24, 30), (66, 70, 40, 0), (70, 74, 42, 0), (70, 74, 42, 0), (68, 72, 42, 0)),
    'medium_wrap': ((18, 8, 24, 20, 20), (50, 56, 32, 2), (52, 60, 34, 0), (54, 60, 34, 0), (54, 58, 34, -3)),
    'adducted_thumb': (ASIDE, (62, 76, 42, 0), (66, 80, 46, 0), (68, 80, 46, 0), (68, 78, 46, 0)),
    'light_tool': ((8, 2, 18, 20, 28), (64, 86, 52, 0), (68, 88, 52, 0), (72, 90, 54, 0), (74, 92, 54, 0)),
    'prismatic_four': ((24, 16, 26, 16, 8), (48, 30, 18, -2), (50, 32, 20, 0), (50, 32, 20, 0), (48, 30, 18, 3)),
    'prismatic_two': ((22, 16, 26, 16, 8), (46, 34, 20, -3), (46, 36, 20, 1), (26, 34, 20, -2), (22, 32, 18, -5)),
    'palmar_pinch': ((24, 16, 26, 14, 6), (54, 42, 22, -2), (38, 50, 28, 0), (46, 56, 32, 0), (50, 58, 34, 0)),
    'tip_pinch': ((22, 18, 27, 24, 24), (54, 66, 40, -2), (30, 42, 24, 0), (34, 44, 26, 0), (36, 44, 26, 0)),
    'tripod': ((24, 16, 27, 18, 10), (52, 44, 26, -2), (54, 48, 28, 1), (50, 62, 36, 0), (50, 64, 38, 0)),
    'writing': ((22, 14, 26, 24, 22), (50, 42, 16, -2), (58, 56, 30, 0), (66, 72, 42, 0), (68, 74, 44, 0)),
    'power_sphere': ((8, 12, 18, 16, 18), (28, 38, 24, 10), (32, 42, 26, 2), (32, 42, 26, -6), (30, 40, 24, -12)),
    'power_disk': ((4, 12, 12, 10, 10), (10, 42, 28, 12), (14, 46, 30, 2), (14, 46, 30, -7), (12, 42, 28, -14)),
    'precision_sphere': ((18, 18, 26, 14, 10), (42, 34, 20, 8), (44, 38, 22, 1), (42, 38, 22, -5), (38, 34, 20, -11)),
    'fixed_hook': ((4, -2, 6, 8, 8), (26, 84, 52, 0), (28, 86, 54, 0), (28, 86, 54, 0), (28, 84, 52, 0)),
    'lateral': ((16, -4, 16, 16, 24), (56, 70, 40, 0), (62, 76, 44, 0), (64, 78, 46, 0), (66, 78, 46, 0)),
    'index_extension': ((20, 4, 24, 22, 20), (26, 8, 4, 0), (64, 74, 42, 0), (68, 76, 44, 0), (70, 76, 44, 0)),
    'parallel_extension': ((26, 14, 26, 8, 2), (52, 6, 4, -3), (54, 6, 4, 0), (54, 6, 4, 2), (52, 6, 4, 5)),
    'ventral': ((16, 2, 22, 24, 24), (20, 62, 40, 0), (56, 76, 44, 0), (60, 78, 46, 0), (62, 78, 46, 0)),
}


def shape_angles(name: str) -> np.ndarray:
    """Flexion, abduction, twist of the 15 finger joints, (15, 3) radians, of one of SHAPES."""
    thumb, *fingers = SHAPES[name]
    angles = np.zeros((15, 3))
    for finger, (knuckle, middle, end, aside) in zip(('index', 'middle', 'ring', 'pinky'), fingers):
        row = JOINT_NAMES.index(f'{finger}1') - 1
        # A folded finger cannot be spread: the knuckle's ligaments are tight.
        angles[row:row + 3, 0] = knuckle, middle, end
        angles[row, 1] = aside if knuckle < 60 else 0.3 * aside
    row = JOINT_NAMES.index('thumb1') - 1
    angles[row] = thumb[:3]
    angles[row + 1:row + 3, 0] = thumb[3:]
    return np.radians(angles)
