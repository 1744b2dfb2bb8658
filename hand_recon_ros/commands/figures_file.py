"""`--json FILE` of the commands: their figures for machines."""
from __future__ import annotations

import json
import os
from pathlib import Path


def prepare_figures_file(file: str | Path) -> None:
    """Make the file's folder before the work begins; ValueError where the file could not be written."""
    file = Path(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f'--json: {file}: {error.strerror}, expected a file in a folder that can be made') from error
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise ValueError(f'--json: {file} cannot be written, expected the path of a file')


def write_figures(file: str | Path, figures: dict) -> None:
    """Write the file; what was there stays until it is whole."""
    part = Path(f'{file}.part')
    part.write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')
    os.replace(part, file)
