"""Check asset files: closed mesh, weights, tips, uvs, volumes in the named poses, lengths against published figures.

    python tools/hand_model/check.py hand_recon_ros/hand_model/assets

prints the table of docs/hand_model.md; exit status 1 when anything is wrong.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
import trimesh

from anthropometry import Comparison, compare
from mesh_geometry import volume
from naming import TIP_FINGERS, TIP_IDS
from posing import PosableHand
from proportions import hand_breadth, segments_mm

FILES = ("open_hand_right.npz", "open_hand_long_right.npz")
VOLUME_RANGE = (.93, 1.08)        # of a named pose's volume to the volume at rest


def comparisons(hand: PosableHand) -> list[Comparison]:
    """The mean hand's lengths against the published ones."""
    points = hand.rest_points()
    length = 1e3 * -hand.template[:, 0].min()
    breadth = 1e3 * hand_breadth(hand.template, points, hand.weights)
    return compare({finger: list(lengths) for finger, lengths in segments_mm(points).items()}, length, breadth)


def form_faults(hand: PosableHand) -> list[str]:
    """What is wrong with a file's form; empty when nothing is."""
    mesh = trimesh.Trimesh(hand.template, hand.faces, process=False)
    influences = (hand.weights > 0).sum(1)
    tests = {
        "the mesh is not watertight": mesh.is_watertight,
        "the winding is not consistent": mesh.is_winding_consistent,
        "faces point inward": mesh.volume > 0,
        "weights do not sum to one": np.allclose(hand.weights.sum(1), 1, atol=1e-5),
        "weights are negative": hand.weights.min() >= 0,
        f"a vertex has {influences.max()} influences, expected at most 4": influences.max() <= 4,
        "the tips are not at MANO's ids": hand.tips.tolist() == [TIP_IDS[f] for f in TIP_FINGERS],
        "uvs leave the unit square": 0 <= hand.data["vt"].min() and hand.data["vt"].max() <= 1,
        "the wrist joint is not the origin": np.abs(hand.joints[0]).max() < 1e-5,
    }
    return [fault for fault, passed in tests.items() if not passed]


def report(directory: Path) -> int:
    """Print the findings on the files in a directory; 0 when all is well, 1 when not."""
    faults = []
    for name in FILES:
        hand = PosableHand(directory / name)
        faults += [f"{name}: {fault}" for fault in form_faults(hand)]
        cubic_cm = 1e6 * volume(hand.template, hand.faces)
        print(f"{name}: {len(hand.template)} vertices, {len(hand.faces)} faces, {cubic_cm:.0f} cm3, "
              f"{(directory / name).stat().st_size} bytes")
    hand = PosableHand(directory / FILES[0])
    print("| bone | source | published, mm | ours, mm | z |\n|---|---|---|---|---|")
    for row in comparisons(hand):
        published = f"{row.mean:.1f} ± {row.deviation:.1f}"
        print(f"| {row.bone} | {row.source} | {published} | {row.ours:.1f} | {row.z_score:+.2f} |")
        if abs(row.z_score) > 1:
            faults.append(f"{row.bone}: {row.ours:.1f} mm, z {row.z_score:+.2f}, expected -1 to 1")
    bare, rest = hand.without_correctives(), volume(hand.template, hand.faces)
    print("| pose | volume / rest | without correctives |\n|---|---|---|")
    with np.load(directory / "poses.npz", allow_pickle=False) as poses:
        for name in poses.files:
            kept, uncorrected = (volume(h(poses[name])[0], hand.faces) / rest for h in (hand, bare))
            print(f"| {name} | {kept:.3f} | {uncorrected:.3f} |")
            if not VOLUME_RANGE[0] <= kept <= VOLUME_RANGE[1]:
                faults.append(f"{name}: volume {kept:.3f} of rest, expected {VOLUME_RANGE[0]} to {VOLUME_RANGE[1]}")
    for fault in faults:
        print("FAULT", fault)
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="directory with the asset files")
    return report(parser.parse_args().directory)


if __name__ == "__main__":
    sys.exit(main())
