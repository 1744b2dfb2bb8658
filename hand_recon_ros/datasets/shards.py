"""The package's own training sets (`hand-recon synthesize --format shards`): by number, or streamed shard by shard."""
from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.datasets.dataset import Dataset
from hand_recon_ros.datasets.files import field, numbers, read_json, require
from hand_recon_ros.datasets.sample import Sample, View
from hand_recon_ros.geometry.cameras import Camera

INDEX = 'shards.json'
_KINDS = {'image': ('jpg', np.uint8, 3), 'mask': ('mask.png', np.uint8, 2), 'depth': ('depth.png', np.uint16, 2)}


@dataclass(frozen=True)
class Shard:
    """One tar file as the index tells of it. first: number of its first sample."""
    path: Path
    first: int
    samples: int
    size: int
    sha256: str


@dataclass(frozen=True)
class PackedPixels:
    """Decodes an image of a shard when called. scale: metres a unit, of depth."""
    where: str
    data: bytes
    kind: str
    scale: float = 1.0

    def __call__(self) -> np.ndarray:
        _, dtype, dimensions = _KINDS[self.kind]
        image = cv2.imdecode(np.frombuffer(self.data, np.uint8), cv2.IMREAD_UNCHANGED) if self.data else None
        if image is None or image.dtype != dtype or image.ndim != dimensions:
            raise ValueError(f'{self.where}: {len(self.data)} bytes that are no {self.kind}')
        if self.kind == 'image':
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return image if self.kind == 'mask' else (image * np.float64(self.scale)).astype(np.float32)


class Shards(Dataset):
    """root/shards.json and the tar files it names, of samples KEY.[left.|right.]{jpg,mask.png,depth.png}, KEY.json.

    The index gives every shard's size and checksum: damage is found when a shard is streamed, and by check().
    """
    NAME = 'shards'
    SPLITS = ('all',)
    LAYOUT = 'shards.json and shard-*.tar, as `hand-recon synthesize --format shards` writes them'

    def __init__(self, root: str | Path, split: str = 'all'):
        super().__init__(root, split)
        path = self.root / INDEX
        self.index, where = read_json(path, 'index'), f'index {path}'
        self._depth_unit_m = float(field(self.index, 'depth_unit_m', where))
        self.shards, first = [], 0
        self._listings: dict[Path, list] = {}       # all of them: 1.5 kB a sample, and any sample may be next
        for place, stored in enumerate(field(self.index, 'shards', where)):
            at = f'{where} shard {place}'
            name, count, size, digest = (field(stored, key, at) for key in ('name', 'samples', 'bytes', 'sha256'))
            self.shards.append(Shard(self.root / name, first, int(count), int(size), digest))
            first += int(count)
        if first != field(self.index, 'samples', where):
            raise ValueError(f'{where}: {first} samples in its shards, expected {self.index["samples"]}')
        self._firsts = np.array([shard.first for shard in self.shards])

    def __len__(self) -> int:
        return int(self.index['samples'])

    def sample(self, index: int) -> Sample:
        shard = self.shards[int(np.searchsorted(self._firsts, index, 'right')) - 1]
        if shard.path not in self._listings:
            with open(require(shard.path, 'shard'), 'rb') as file:
                self._listings[shard.path] = _members(shard.path, file)
        key, members = self._listings[shard.path][index - shard.first]
        with open(require(shard.path, 'shard'), 'rb') as file:
            def read(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)
            return self._sample(shard, key, {name: read(*place) for name, place in members.items()})

    def stream(self, seed: int | None = None, epoch: int = 0, rank: int = 0, world_size: int = 1, worker: int = 0,
               worker_count: int = 1, buffer: int = 1000) -> Iterator[Sample]:
        """Samples shard after shard, each file read once and checked; ValueError naming a damaged one.

        seed: None for the set's own order; else shards and samples are shuffled, anew every epoch, through a buffer of
        so many samples. rank of world_size processes and worker of worker_count in each share the shards out: every
        sample comes to exactly one of them. ValueError when there are fewer shards than these.
        """
        consumer, consumers = rank * worker_count + worker, world_size * worker_count
        if not (0 <= rank < world_size and 0 <= worker < worker_count):
            raise ValueError(f'rank, worker: {rank} of {world_size}, {worker} of {worker_count}, expected less')
        if buffer < 1:
            raise ValueError(f'buffer: {buffer}, expected at least 1 sample')
        if consumers > len(self.shards):
            raise ValueError(f'{self.root}: {len(self.shards)} shards for {consumers} readers, expected as many')
        order = np.arange(len(self.shards))
        if seed is None:
            for number in order[consumer::consumers]:
                yield from self._read(self.shards[number])
            return
        np.random.default_rng([seed, epoch]).shuffle(order)      # the same for all, who take turns
        rng, held = np.random.default_rng([seed, epoch, consumer]), []
        for number in order[consumer::consumers]:
            for sample in self._read(self.shards[number]):
                held.append(sample)
                if len(held) > buffer:
                    yield _drawn(held, rng)
        while held:
            yield _drawn(held, rng)

    def check(self, pixels: bool = False) -> Iterator[str]:
        """One line for every missing or damaged shard; pixels: also open every image, mask and depth."""
        for shard in self.shards:
            try:
                for sample in self._read(shard):
                    for view in sample.views if pixels else ():
                        for kind in _KINDS:
                            getattr(view, kind)()
            except ValueError as error:
                yield str(error)

    def _read(self, shard: Shard) -> Iterator[Sample]:
        """All samples of a shard, which is read and checked whole before the first is given."""
        data = require(shard.path, 'shard').read_bytes()
        if len(data) != shard.size:
            raise ValueError(f'shard {shard.path}: {len(data)} bytes, expected {shard.size}')
        if hashlib.sha256(data).hexdigest() != shard.sha256:
            raise ValueError(f'shard {shard.path}: damaged, its checksum is not that of {INDEX}')
        members = _members(shard.path, io.BytesIO(data))
        if len(members) != shard.samples:
            raise ValueError(f'shard {shard.path}: {len(members)} samples, expected {shard.samples}')
        for key, places in members:
            yield self._sample(shard, key, {name: data[start:start + size] for name, (start, size) in places.items()})

    def _sample(self, shard: Shard, key: str, files: dict[str, bytes]) -> Sample:
        where = f'shard {shard.path} sample {key}'
        try:
            labels = json.loads(field(files, 'json', where))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f'{where}: its json is damaged ({error})') from None
        views = tuple(self._view(f'{where} {stored["name"]}'.strip(), stored, files)
                      for stored in field(labels, 'views', where))
        get = lambda name, shape: numbers(f'{where} {name}', field(labels, name, where), shape)
        return Sample(key, self.NAME, field(labels, 'handedness', where), views, 'open_hand', get('joints_m', (21, 3)),
                      model=field(labels, 'model', where), pose=get('pose', (48,)), shape=get('shape', (None,)),
                      translation=get('translation', (3,)), flat_hand_mean=True, subject=f'skin_{labels["skin"]:03d}')

    def _view(self, where: str, stored: dict, files: dict[str, bytes]) -> View:
        width, height, name = (field(stored, key, where) for key in ('width', 'height', 'name'))
        readers = {}
        for kind, (suffix, *_) in _KINDS.items():
            member = f'{name}.{suffix}' if name else suffix
            readers[f'{kind}_reader'] = PackedPixels(f'{where} {member}', field(files, member, where), kind,
                                                     self._depth_unit_m)
        get = lambda label, shape: numbers(f'{where} {label}', field(stored, label, where), shape)
        return View(width, height, camera=Camera(width, height, get('K', (9,)).reshape(3, 3)), name=name,
                    T_view_first=get('T_view_first', (16,)).reshape(4, 4), joints_px=get('joints_px', (21, 2)),
                    **readers)


def _drawn(held: list[Sample], rng) -> Sample:
    """One of the held samples, taken out."""
    place = int(rng.integers(len(held)))
    held[place], held[-1] = held[-1], held[place]
    return held.pop()


def _members(path: Path, file) -> list[tuple[str, dict[str, tuple[int, int]]]]:
    """[(key, {suffix: (offset, size)})] of a tar file, as WebDataset names members: key, dot, suffix."""
    samples: dict[str, dict] = {}
    try:
        with tarfile.open(fileobj=file, mode='r:') as tar:
            for member in tar:
                key, _, suffix = member.name.partition('.')
                samples.setdefault(key, {})[suffix] = (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise ValueError(f'shard {path}: damaged ({error})') from None
    return list(samples.items())
