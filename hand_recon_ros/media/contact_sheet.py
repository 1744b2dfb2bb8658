"""Many pictures on one: a contact sheet of frames drawn at random, a film strip of a motion; labels drawn if asked."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hand_recon_ros.rendering.overlay import draw_skeleton

GAP_PX, GAP_GREY = 2, 32
_OUTLINES = {1: (40, 150, 250), 2: (255, 150, 45)}      # of a mask's right and left hand


@dataclass(frozen=True)
class Picture:
    """image: (H, W, 3) uint8 RGB. mask: (H, W) uint8, 1 right hand, 2 left hand, or None. joints_px: (21, 2) a hand."""
    image: np.ndarray
    mask: np.ndarray | None = None
    joints_px: tuple[np.ndarray, ...] = ()

    def shown(self, width: int, labels: bool) -> np.ndarray:
        """The image at a width in pixels, with joints and the mask's outline if asked."""
        scale = width / self.image.shape[1]
        size = (width, max(1, round(scale * self.image.shape[0])))
        image = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        if not labels:
            return image
        if self.mask is not None:
            mask = cv2.resize(self.mask, size, interpolation=cv2.INTER_NEAREST)
            for value, colour in _OUTLINES.items():
                lines, _ = cv2.findContours((mask == value).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
                cv2.drawContours(image, lines, -1, colour, 1)
        for joints_px in self.joints_px:
            draw_skeleton(image, (joints_px + 0.5) * scale - 0.5, 1)
        return image


def sheet(pictures: list[Picture], columns: int, width: int, labels: bool = False) -> np.ndarray:
    """RGB image of pictures in rows of `columns`, each `width` pixels wide; ValueError for none."""
    if not pictures:
        raise ValueError('pictures: none, expected at least one')
    if columns < 1 or width < 1:
        raise ValueError(f'columns, width: {columns}, {width}, expected at least 1')
    cells = [picture.shown(width, labels) for picture in pictures]
    columns, height = min(columns, len(cells)), max(cell.shape[0] for cell in cells)
    rows = -(-len(cells) // columns)
    image = np.full((rows * (height + GAP_PX) - GAP_PX, columns * (width + GAP_PX) - GAP_PX, 3), GAP_GREY, np.uint8)
    for place, cell in enumerate(cells):
        y, x = place // columns * (height + GAP_PX), place % columns * (width + GAP_PX)
        image[y:y + cell.shape[0], x:x + width] = cell
    return image


def random_places(count: int, total: int, seed: int) -> list[int]:
    """At most `count` different places below `total`, drawn at random, in order."""
    return sorted(np.random.default_rng(seed).permutation(total)[:count].tolist())


def even_places(count: int, total: int, apart: int) -> list[int]:
    """At most `count` places from the middle of `total`, `apart` one from the next or less where there is no room."""
    apart = max(1, min(apart, (total - 1) // max(count - 1, 1)))
    count = min(count, 1 + (total - 1) // apart)
    first = (total - 1 - apart * (count - 1)) // 2
    return [first + apart * place for place in range(count)]
