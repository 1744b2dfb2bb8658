"""Benchmark sets: which synthetic recordings they are made of, and where those are kept once generated."""
from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from hand_recon_ros.installation import cache_folder, share_folder
from hand_recon_ros.synthesis.scene import SceneConfig

# What decides about the pixels and labels of a recording: a set made by other code is another set.
_GENERATOR = ('synthesis', 'rendering', 'hand_model', 'geometry')
_FIELDS = {field.name for field in dataclasses.fields(SceneConfig)}
# Those that accuracy is reported on; the others show one thing each.
ACCURACY_SETS = ('egocentric', 'mono_wild', 'stereo_desk', 'stereo_wide')
_KEYS = ('description', 'offsets', 'common', 'recordings')


@dataclass(frozen=True)
class SetRecording:
    """One recording of a set. frames: how many of its first ones are wanted, at most config.frames."""
    set_name: str
    index: int
    config: SceneConfig
    frames: int

    @property
    def path(self) -> Path:
        """Where it lies once it is generated, below the user's cache folder; its name tells config and generator."""
        text = json.dumps(dataclasses.asdict(self.config), sort_keys=True, default=str) + generator_version()
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return cache_folder() / 'sets' / self.set_name / f'{self.index:02d}-{digest}'


@dataclass(frozen=True)
class BenchmarkSet:
    """name: of the file. offsets: the landmark table its pictures need. recordings: in order, all their frames."""
    name: str
    description: str
    offsets: str
    recordings: tuple[SetRecording, ...]

    @property
    def frames(self) -> int:
        """Frames of all recordings."""
        return sum(recording.frames for recording in self.recordings)

    def first(self, frames: int | None) -> list[SetRecording]:
        """The recordings that hold the first `frames` frames, the last one cut short; all for None."""
        if frames is None:
            return list(self.recordings)
        if frames < 1:
            raise ValueError(f'frames: {frames}, expected at least 1')
        wanted, left = [], frames
        for recording in self.recordings:
            if left > 0:
                wanted.append(dataclasses.replace(recording, frames=min(left, recording.frames)))
                left -= recording.frames
        return wanted


def known_sets() -> list[str]:
    """Names of the sets that come with the package."""
    return sorted(path.stem for path in (share_folder() / 'bench' / 'sets').glob('*.yaml'))


def load_set(name: str) -> BenchmarkSet:
    """Set by name, or from one's own YAML file; ValueError names the file, the field and what was expected."""
    path = Path(name).expanduser() if name.endswith(('.yaml', '.yml')) else \
        share_folder() / 'bench' / 'sets' / f'{name}.yaml'
    if not path.is_file():
        raise ValueError(f'set: {name!r}, expected one of {", ".join(known_sets())}, or the path of a .yaml file')
    try:
        stored = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f'{path}: not a readable YAML file ({str(error).splitlines()[0]})') from error
    if not isinstance(stored, dict):
        raise ValueError(f'{path}: {type(stored).__name__}, expected a mapping with {", ".join(_KEYS)}')
    odd = sorted(set(stored) ^ set(_KEYS))
    if odd:
        raise ValueError(f'{path}: {odd[0]} {"unknown" if odd[0] in stored else "missing"}, '
                         f'expected {", ".join(_KEYS)}')
    if not isinstance(stored['recordings'], list) or not stored['recordings']:
        raise ValueError(f'{path}: recordings: {stored["recordings"]!r}, expected a list of at least one')
    recordings = tuple(_recording(path, index, stored['common'], entry)
                       for index, entry in enumerate(stored['recordings']))
    for field in ('description', 'offsets'):
        if not isinstance(stored[field], str) or not stored[field]:
            raise ValueError(f'{path}: {field}: {stored[field]!r}, expected text')
    return BenchmarkSet(path.stem, stored['description'].strip(), stored['offsets'], recordings)


def generate(recording: SetRecording, workers: int = 1, progress: bool = False) -> Path:
    """The recording's folder, generated where it is not there yet; it appears only when it is whole.

    workers: processes that render. What an earlier run left unfinished is gone on with.
    """
    from hand_recon_ros.synthesis.recording import RecordingOptions, synthesize_recording
    path = recording.path
    if not path.exists():
        # Without the meshes of the truth: they follow from its parameters.
        synthesize_recording(recording.config, path, RecordingOptions(vertices=False, masks=True), workers,
                             progress=progress)
        if _digest() != generator_version():
            # Processes started on the way have loaded other code than the name tells.
            shutil.rmtree(path)
            raise ValueError(f'{path.name}: the generator was changed while it worked, expected one code for a set')
    return path


@functools.cache
def generator_version() -> str:
    """Digest of the code and data that generate pictures and labels, as they were when this process first asked."""
    return _digest()


def _digest() -> str:
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for room in _GENERATOR:
        for path in sorted((package / room).rglob('*')):
            if path.is_file() and '__pycache__' not in path.parts:
                digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()


def _recording(path: Path, index: int, common, entry) -> SetRecording:
    at = f'{path}: recordings[{index}]'
    for name, part in ((f'{path}: common', common), (at, entry)):
        if not isinstance(part, dict):
            raise ValueError(f'{name}: {type(part).__name__}, expected a mapping of scene settings')
        unknown = sorted(set(part) - _FIELDS)
        if unknown:
            raise ValueError(f'{name}: {unknown[0]}: unknown, expected {", ".join(sorted(_FIELDS))}')
    if 'seed' not in entry:
        raise ValueError(f'{at}: seed missing, expected one for every recording')
    try:
        config = SceneConfig(**{**common, **entry})
    except (ValueError, TypeError) as error:
        raise ValueError(f'{at}: {error}') from error
    return SetRecording(path.stem, index, config, config.frames)
