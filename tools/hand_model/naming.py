"""Names and orders shared by the build steps: MANO's joints, the fingertips, MakeHuman's digits."""
import numpy as np

MANO_FINGERS = ("index", "middle", "pinky", "ring", "thumb")            # order of the joints in MANO's files
TIP_FINGERS = ("thumb", "index", "middle", "ring", "pinky")             # order of the five tips, rows 16..20
LONG_FINGERS = ("index", "middle", "ring", "pinky")
JOINT_NAMES = ["wrist"] + [f"{finger}{level}" for finger in MANO_FINGERS for level in (1, 2, 3)]
JOINT = {name: row for row, name in enumerate(JOINT_NAMES)}
JOINT_COUNT = len(JOINT_NAMES)
PARENTS = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14])
TIP_ROW = {finger: JOINT_COUNT + k for k, finger in enumerate(TIP_FINGERS)}
TIP_IDS = {"thumb": 744, "index": 320, "middle": 443, "ring": 554, "pinky": 671}      # vertex ids, as in MANO
MAKEHUMAN_DIGIT = {"thumb": 1, "index": 2, "middle": 3, "ring": 4, "pinky": 5}


def chain(finger: str) -> list[int]:
    """Rows of a finger's three joints and its tip in an array of 16 joints + 5 tips."""
    first = JOINT[finger + "1"]
    return [first, first + 1, first + 2, TIP_ROW[finger]]


def makehuman_bone(finger: str, level: int) -> str:
    """Name of MakeHuman's right-hand bone that carries a finger's phalanx, e.g. finger2-1.R."""
    return f"finger{MAKEHUMAN_DIGIT[finger]}-{level}.R"
