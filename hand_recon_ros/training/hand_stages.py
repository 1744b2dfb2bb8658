"""HandNet's training stages: what information flows, what learns and what is locked (Seeber et al. 2021, fig. 4-5).

The figures are drawn, not told in words; sec. 3.5 says that parts are removed from the flow or fixed. Read as:
image trains the image branch with tail and regressor; keypoint trains the keypoint branch to speak the same language to
a locked tail; fusion trains fusion block, tail and regressor on locked branches; segmentation trains the decoder alone;
finalize trains everything; synthetic_adaption the image branch alone; stereo the weights alone.
"""
from __future__ import annotations

from dataclasses import dataclass

from hand_recon_ros.types import checked_choice

IMAGE, KEYPOINTS, FUSION, TAIL, REGRESSOR, MASK = 'image', 'keypoints', 'fusion', ('third', 'fourth'), 'regressor', 'mask'
ALL = (IMAGE, KEYPOINTS, FUSION, *TAIL, REGRESSOR, MASK)
STEREO_WEIGHTS = 'stereo_weights'


@dataclass(frozen=True)
class Stage:
    """learns: parts of HandNet, or its stereo weights, that do; the others are locked. sees_image, sees_keypoints: what
    flows. mano, mask: which losses are descended. measures_mask: whether validation draws masks, as from the decoder's
    training on. follows: the stage whose weights it takes over, '' for none. pairs: whether it learns from both views."""
    learns: tuple[str, ...]
    follows: str
    sees_image: bool = True
    sees_keypoints: bool = True
    mano: bool = True
    mask: bool = False
    measures_mask: bool = False
    pairs: bool = False


STAGES = {
    'image': Stage((IMAGE, *TAIL, REGRESSOR), '', sees_keypoints=False),
    'keypoint': Stage((KEYPOINTS,), 'image', sees_image=False),
    'fusion': Stage((FUSION, *TAIL, REGRESSOR), 'keypoint'),
    'segmentation': Stage((MASK,), 'fusion', mano=False, mask=True, measures_mask=True),
    'finalize': Stage(ALL, 'segmentation', mask=True, measures_mask=True),
    'synthetic_adaption': Stage((IMAGE,), 'finalize', measures_mask=True),
    'stereo': Stage((STEREO_WEIGHTS,), 'synthetic_adaption', pairs=True),
    # What the stages are compared with: everything at once from the start, "single-stage" of Table 2.
    'single': Stage(ALL, '', mask=True, measures_mask=True),
}


def stage(name: str) -> Stage:
    """One of STAGES; ValueError for an unknown name."""
    return STAGES[checked_choice('stage', name, tuple(STAGES))]
