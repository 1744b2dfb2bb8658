"""What a run keeps on disk as it goes: whole, checked units and the settings they were made with, beside the output."""
from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

PACKAGE = 'hand_recon_ros'
SOURCES = ('hand_model', 'geometry', 'detection', 'rendering', 'synthesis', 'messages', 'bags')


class Workspace:
    """The folder `<out>.partial/` of an unfinished run: `with Workspace(out, settings) as work`.

    Units lie in it under their final names, each with a record of its size and checksum written after it: whatever ends
    a run, what has a record that fits is whole, and everything else is made again. ValueError when the folder was begun
    with other settings (any JSON value) or by other code, when another run is at work in it, or when `out` exists
    (unless overwrite).
    """

    def __init__(self, out: Path, settings: dict, overwrite: bool = False):
        self.out, self.overwrite = Path(out), overwrite
        self.folder = self.out.with_name(self.out.name + '.partial')
        made_by = {'package': PACKAGE, 'version': version(PACKAGE), 'source': source_digest()}
        self.manifest = json.loads(json.dumps({**made_by, **settings}))
        self._lock = None

    def __enter__(self) -> Workspace:
        if self.out.exists() and not self.overwrite and not self.finished:
            raise ValueError(f'{self.out}: exists already')
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / 'lock', os.O_CREAT | os.O_RDWR, 0o644)
        try:
            self._take()
        except BaseException:
            self._unlock()
            raise
        return self

    def __exit__(self, *_) -> None:
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f'{self.folder}: another run is writing it, expected none') from None
        path = self.folder / 'manifest.json'
        if not path.exists():
            strangers = [entry.name for entry in self.folder.iterdir() if entry.name != 'lock']
            if strangers:
                raise ValueError(f'{self.folder}: holds {sorted(strangers)[0]} but no manifest.json, expected an '
                                 'unfinished run of this command or nothing')
            write_whole(path, json.dumps(self.manifest, indent=1).encode())
            return
        try:
            begun = json.loads(path.read_text(encoding='utf-8'))
        except ValueError as error:
            raise ValueError(f'{path}: no JSON ({error}), expected the settings of an unfinished run') from error
        differing = differences(begun, self.manifest)
        if differing:
            raise ValueError(f'{self.folder}: begun with other settings ({"; ".join(differing[:4])}); repeat them to '
                             'go on, or delete the folder to start anew')
        for left_over in self.folder.rglob('.*.tmp'):
            left_over.unlink()

    @property
    def finished(self) -> bool:
        """Whether a run ended between putting its output in place and tidying up."""
        done = self.folder / 'done'
        return done.exists() and not (self.folder / done.read_text(encoding='utf-8')).exists() and self.out.exists()

    def is_whole(self, name: str) -> bool:
        """Whether the unit `name` (a path below the folder) is there as it was written."""
        record = self.record(name)
        path = self.folder / name
        return record is not None and path.is_file() and path.stat().st_size == record['bytes'] \
            and sha256_of(path) == record['sha256']

    def record(self, name: str) -> dict | None:
        """{'bytes', 'sha256'} of a unit as it was written, or None."""
        try:
            return json.loads(_record_path(self.folder, name).read_text(encoding='utf-8'))
        except (FileNotFoundError, ValueError):
            return None

    def publish(self, folder: str) -> None:
        """Make the sub-folder the output, in one rename, and clear the rest away."""
        write_whole(self.folder / 'done', folder.encode())
        if self.out.exists() and self.overwrite:
            # Renamed, not deleted first: at no moment is there less than one whole output.
            self.out.replace(self.folder / 'replaced')
        (self.folder / folder).replace(self.out)
        self.clear()

    def clear(self) -> None:
        """Remove the folder and all that is in it; the lock's file last, by which others know of this run."""
        for entry in sorted(self.folder.iterdir(), key=lambda entry: entry.name in ('manifest.json', 'done', 'lock')):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.folder.rmdir()


@functools.cache
def source_digest() -> str:
    """Of the code and data that units follow from: in a source tree, the version alone does not say which they are."""
    root, digest = Path(__file__).resolve().parents[1], hashlib.sha256()
    for room in SOURCES:
        for path in sorted(path for path in (root / room).rglob('*') if path.suffix in ('.py', '.npz')):
            digest.update(f'{path.relative_to(root)}\0'.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def store_unit(folder: Path, name: str, data: bytes) -> None:
    """Put a unit into a workspace's folder: the data whole, then the record that vouches for it."""
    path, record = Path(folder) / name, _record_path(folder, name)
    for parent in (path.parent, record.parent):
        parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    write_whole(record, json.dumps({'bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()}).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, to the disk, then rename: after a crash it is there whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix='.tmp')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sha256_of(path: Path) -> str:
    """Checksum of a file, hexadecimal."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def differences(begun, now, at: str = '') -> list[str]:
    """What differs between two JSON values, one text a leaf: 'scene.frames: 10, now 20'."""
    if isinstance(begun, dict) and isinstance(now, dict):
        return [text for key in dict.fromkeys((*begun, *now))
                for text in differences(begun.get(key), now.get(key), f'{at}.{key}' if at else key)]
    return [] if begun == now else [f'{at}: {begun!r}, now {now!r}']


def _record_path(folder: Path, name: str) -> Path:
    return Path(folder) / 'records' / f'{name}.json'
