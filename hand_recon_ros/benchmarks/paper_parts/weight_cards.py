"""How every shipped weight file came to be, from its own card."""
from __future__ import annotations

from hand_recon_ros.weights.files import FOLDER, SUFFIX, read_card


def card_rows() -> list[dict]:
    """A row a file: command, data, hardware, hours, size and the figures of its validation."""
    rows = []
    for path in sorted(FOLDER.glob(f'*{SUFFIX}')):
        card = read_card(path)
        rows.append({'case': f'weights, {path.stem}', 'section': 'weights', 'size_mb': path.stat().st_size / 1e6,
                     'hours': card.hours, 'hardware': card.hardware, 'data': card.data, 'command': card.command,
                     'licence': card.licence, **card.figures})
    return rows
