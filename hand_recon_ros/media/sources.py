"""An image, a folder of images or a video as a sequence of frames."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.media.images import IMAGE_SUFFIXES, read_image

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v')
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class SourceImage:
    """One image of a source: its name, stamp (ns from the start) and RGB pixels, or the reason why there are none."""
    name: str
    stamp_ns: int
    image: np.ndarray | None
    error: str = ''


@dataclass(frozen=True)
class Source:
    """A sequence of images. is_video: consecutive frames of one camera. count: frames, as far as the file tells."""
    path: Path
    is_video: bool
    count: int
    frames_per_s: float

    @classmethod
    def open(cls, path: str | Path) -> Source:
        """Source at `path`; ValueError when there is nothing usable there."""
        path = Path(path)
        if path.is_dir():
            count = len(_image_files(path))
            if count == 0:
                raise ValueError(f'folder {path}: no images, expected files ending in {", ".join(IMAGE_SUFFIXES)}')
            return cls(path, False, count, 1.0)
        if not path.exists():
            raise ValueError(f'{path}: no such file or folder')
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            return cls(path, False, 1, 1.0)
        video = cv2.VideoCapture(str(path))
        count, rate = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), video.get(cv2.CAP_PROP_FPS)
        readable = video.isOpened() and video.read()[0]
        video.release()
        if not readable:
            raise ValueError(f'video {path}: not readable, expected {", ".join(VIDEO_SUFFIXES)} with at least one frame')
        return cls(path, True, count, rate if rate > 0 else 30.0)

    def __iter__(self) -> Iterator[SourceImage]:
        """Images in order (a folder's sorted by name). An unreadable file among several comes with its error; alone it
        raises ValueError."""
        if self.is_video:
            yield from self._video()
        elif self.path.is_dir():
            for index, file in enumerate(_image_files(self.path)):
                try:
                    yield SourceImage(file.name, index * NS_PER_S, read_image(file))
                except ValueError as error:
                    yield SourceImage(file.name, index * NS_PER_S, None, str(error))
        else:
            yield SourceImage(self.path.name, 0, read_image(self.path))

    def _video(self) -> Iterator[SourceImage]:
        video = cv2.VideoCapture(str(self.path))
        try:
            index = 0
            while True:
                got, image = video.read()
                if not got:
                    return
                stamp_ns = round(index * NS_PER_S / self.frames_per_s)
                yield SourceImage(f'{self.path.stem}_{index:06d}', stamp_ns, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
                index += 1
        finally:
            video.release()


def _image_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith('.'))
