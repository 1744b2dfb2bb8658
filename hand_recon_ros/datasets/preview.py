"""A look at samples: crops around the hand with the labelled joints drawn, one cell for each view."""
from __future__ import annotations

import cv2
import numpy as np

from hand_recon_ros.datasets.sample import MASK_LEFT, MASK_RIGHT, View
from hand_recon_ros.media.images import contact_sheet
from hand_recon_ros.rendering.overlay import draw_skeleton

CELL_PX = 256
_CONTEXT = 1.5          # how much wider than the hand's box a crop is
_TINTS = {MASK_RIGHT: (40, 150, 250), MASK_LEFT: (255, 150, 45)}


def preview(view: View) -> np.ndarray:
    """(256, 256, 3) RGB around the hand, the mask's outline and the joints drawn; a view without box is shown whole."""
    image = view.image().copy()
    mask = view.mask()
    if mask is not None:
        for value, colour in _TINTS.items():
            outlines, _ = cv2.findContours((mask == value).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(image, outlines, -1, colour, 1)
    if view.box_px is None:
        centre, side = np.array([view.width - 1, view.height - 1]) / 2, max(view.width, view.height)
    else:
        centre = (view.box_px[:2] + view.box_px[2:]) / 2
        side = max(16.0, _CONTEXT * float((view.box_px[2:] - view.box_px[:2]).max()))
    scale = CELL_PX / side
    # a pixel centre c of the crop goes to (c + 0.5) s - 0.5
    shift = (CELL_PX - 1) / 2 - scale * centre
    warp = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    crop = cv2.warpAffine(image, warp, (CELL_PX, CELL_PX), flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
                          borderMode=cv2.BORDER_CONSTANT, borderValue=(32, 32, 32))
    if view.joints_px is not None:
        draw_skeleton(crop, scale * view.joints_px + shift, 1)
    return crop


def sheet(views: list[View]) -> np.ndarray:
    """Contact sheet of views that have an image; RGB. ValueError when there is none."""
    return contact_sheet([preview(view) for view in views if view.image_reader is not None], columns=8, cell=CELL_PX)
