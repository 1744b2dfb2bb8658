"""Estimators by name and what each needs and gives, without loading any of them."""
from __future__ import annotations

FROM_POINTS = ('closed_form_ik', 'iknet')
FROM_IMAGE = ('minimal_hand', 'handnet')
NAMES = FROM_POINTS + FROM_IMAGE
WITH_MASKS = WITH_FEATURES = ('handnet',)
