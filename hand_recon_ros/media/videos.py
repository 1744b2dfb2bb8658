"""Writing videos: MPEG-4 through OpenCV, under a temporary name until whole."""
from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np


class VideoWriter:
    """Context manager: `write` RGB frames of one size; the file gets its name when the block ends without an error."""

    def __init__(self, path: str | os.PathLike, frames_per_s: float):
        self._path = Path(path)
        self._temporary = self._path.with_name(f'.{self._path.stem}.part{self._path.suffix}')
        self._frames_per_s, self._writer, self._size = frames_per_s, None, None

    def __enter__(self) -> VideoWriter:
        return self

    def write(self, image: np.ndarray) -> None:
        """Append one RGB frame; ValueError when its size is not the first frame's or the file cannot be opened."""
        size = image.shape[1], image.shape[0]
        if self._writer is None:
            self._size = size
            self._writer = cv2.VideoWriter(str(self._temporary), cv2.VideoWriter_fourcc(*'mp4v'), self._frames_per_s, size)
            if not self._writer.isOpened():
                raise ValueError(f'video {self._path}: cannot be opened for writing')
        if size != self._size:
            raise ValueError(f'video {self._path}: frame of {size}, expected {self._size} as the first')
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def __exit__(self, kind, *_) -> None:
        if self._writer is None:
            return
        self._writer.release()
        if kind is None:
            os.replace(self._temporary, self._path)
        else:
            self._temporary.unlink(missing_ok=True)
