"""A look at samples: crops around the hand with the labelled joints and the mask's outline, one cell for each view."""
from __future__ import annotations

import cv2
import numpy as np

from hand_recon_ros.datasets.sample import View
from hand_recon_ros.media.contact_sheet import Picture, sheet

CELL_PX = 256
COLUMNS = 8
_CONTEXT = 1.5          # how much wider than the hand's box a crop is


def close_up(view: View) -> Picture:
    """256 x 256 around the hand with its labels; a view without a box is shown whole. ValueError without an image."""
    if view.box_px is None:
        centre, side = np.array([view.width - 1, view.height - 1]) / 2, max(view.width, view.height)
    else:
        centre = (view.box_px[:2] + view.box_px[2:]) / 2
        side = max(16.0, _CONTEXT * float((view.box_px[2:] - view.box_px[:2]).max()))
    scale = CELL_PX / side
    # the middle of the crop shows the centre of the box
    shift = (CELL_PX - 1) / 2 - scale * centre
    warp, size = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]]), (CELL_PX, CELL_PX)
    image = cv2.warpAffine(view.image(), warp, size, flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
                           borderValue=(32, 32, 32))
    mask = view.mask()
    return Picture(image, None if mask is None else cv2.warpAffine(mask, warp, size, flags=cv2.INTER_NEAREST),
                   () if view.joints_px is None else (scale * view.joints_px + shift,))


def preview(views: list[View]) -> np.ndarray:
    """Contact sheet of views that have an image; RGB. ValueError when there is none."""
    pictures = [close_up(view) for view in views if view.image_reader is not None]
    return sheet(pictures, COLUMNS, CELL_PX, labels=True)
