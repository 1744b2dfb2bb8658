"""Published lengths of the adult hand, the lengths this hand is built to, and the comparison of the two.

Sources (docs/hand_model.md says which of them was read and which is only quoted):
  ANSUR II    Gordon et al. 2014, 2012 Anthropometric Survey of U.S. Army Personnel, NATICK/TR-15/007; the means and
              standard deviations here are computed from the public records of 4082 men and 1986 women.
  B&K         Buryanov & Kotiuk 2010, Proportions of Hand Segments, Int. J. Morphol. 28(3):755-758: radiographs of the
              right hands of 66 adults of both sexes; bones from joint space to joint space, soft tissue of tips apart.
  Youm        Youm et al. 1978, J. Bone Joint Surg. 60-A:423-431: carpal height / third metacarpal 0.54 +- 0.03.
All lengths in mm.
"""
from dataclasses import dataclass
from math import sqrt

from naming import TIP_FINGERS

HAND_LENGTH = {"men": (193.28, 9.95), "women": (181.08, 10.06)}         # ANSUR II: mean, standard deviation
HAND_BREADTH = {"men": (88.26, 4.39), "women": (78.15, 3.84)}
MEAN_LENGTH = (HAND_LENGTH["men"][0] + HAND_LENGTH["women"][0]) / 2     # as many women as men

METACARPAL = {"thumb": (46.2, 3.9), "index": (68.1, 6.3), "middle": (64.6, 5.4), "ring": (58.0, 5.1),
              "pinky": (53.7, 4.4)}
PROXIMAL = {"thumb": (31.6, 3.1), "index": (39.8, 4.9), "middle": (44.6, 3.8), "ring": (41.4, 3.9),
            "pinky": (32.7, 2.8)}
MIDDLE = {"index": (22.4, 2.5), "middle": (26.3, 3.0), "ring": (25.7, 3.3), "pinky": (18.1, 2.5)}
DISTAL = {"thumb": (21.7, 1.6), "index": (15.8, 2.3), "middle": (17.4, 1.9), "ring": (17.3, 2.2), "pinky": (16.0, 2.5)}
SOFT_TIP = {"thumb": 5.7, "index": 3.8, "middle": 4.0, "ring": 4.0, "pinky": 3.7}
CARPAL_HEIGHT_RATIO = (0.54, 0.03)                                      # Youm: of the third metacarpal
KNUCKLE_RADIUS = 7.0                # the centre of rotation lies this far below the metacarpal head's end

# What the mean hand (MEAN_LENGTH from wrist pivot to the middle fingertip) is built to: wrist to knuckle, then the
# three segments to the tip vertex; the thumb's first number is its metacarpal. A joint turns about the head of its
# proximal bone, 2-3 mm short of the joint space, so the last segments are aimed somewhat above bone + soft tip.
TARGET = {
    "thumb": (44.6, 31.4, 27.2),
    "index": (91.0, 40.9, 24.2, 21.4),
    "middle": (92.1, 44.3, 28.0, 22.8),
    "ring": (85.8, 40.9, 26.3, 22.9),
    "pinky": (80.6, 32.4, 19.6, 20.3),
}


@dataclass(frozen=True)
class Comparison:
    """One row of the table: a length of ours against the published mean and standard deviation, mm."""
    bone: str
    source: str
    mean: float
    deviation: float
    ours: float

    @property
    def z_score(self) -> float:
        return (self.ours - self.mean) / self.deviation


def palm_length(finger: str) -> tuple[float, float]:
    """Published wrist-to-knuckle distance (mean, s.d.): metacarpal + carpal height - radius of the bone's head."""
    bone, bone_deviation = METACARPAL[finger]
    third, third_deviation = METACARPAL["middle"]
    ratio, ratio_deviation = CARPAL_HEIGHT_RATIO
    carpus_deviation = sqrt((ratio * third_deviation) ** 2 + (ratio_deviation * third) ** 2)
    return bone + ratio * third - KNUCKLE_RADIUS, sqrt(bone_deviation ** 2 + carpus_deviation ** 2)


def published_segments(finger: str) -> list[tuple[str, str, float, float]]:
    """(bone, source, mean, s.d.) of the segments of a finger that have a published figure, from the palm outwards."""
    if finger == "thumb":
        rows = [("thumb metacarpal", "B&K", *METACARPAL["thumb"])]
    else:
        rows = [(f"{finger} wrist to knuckle", "B&K, Youm", *palm_length(finger))]
    rows.append((f"{finger} proximal phalanx", "B&K", *PROXIMAL[finger]))
    if finger != "thumb":
        rows.append((f"{finger} middle phalanx", "B&K", *MIDDLE[finger]))
    mean, deviation = DISTAL[finger]
    rows.append((f"{finger} distal phalanx + soft tip", "B&K", mean + SOFT_TIP[finger], deviation))
    return rows


def compare(segments_mm: dict[str, list[float]], hand_length_mm: float, hand_breadth_mm: float) -> list[Comparison]:
    """Compare a mean hand to the published figures.

    segments_mm: finger -> four lengths wrist - joint 1 - joint 2 - joint 3 - tip; the thumb's first one (wrist to the
    carpometacarpal joint) has no published counterpart and is left out. Hand length and breadth are compared with
    the mean of men and women, by the mean of their standard deviations.
    """
    rows = []
    for label, figure, ours in (("hand length", HAND_LENGTH, hand_length_mm),
                                ("hand breadth", HAND_BREADTH, hand_breadth_mm)):
        mean, deviation = ((figure["men"][k] + figure["women"][k]) / 2 for k in (0, 1))
        rows.append(Comparison(label, "ANSUR II", mean, deviation, ours))
    for finger in TIP_FINGERS:
        lengths = list(segments_mm[finger])
        if len(lengths) != 4:
            raise ValueError(f"segments_mm[{finger!r}]: {len(lengths)} lengths, expected 4 (wrist, three joints, tip)")
        published = published_segments(finger)
        for (bone, source, mean, deviation), ours in zip(published, lengths[-len(published):]):
            rows.append(Comparison(bone, source, mean, deviation, float(ours)))
    return rows

