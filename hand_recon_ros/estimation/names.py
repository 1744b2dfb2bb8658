"""Estimators by name and what each needs and gives, without loading any of them."""
from __future__ import annotations

# iknet where there are weights of it for the hand model, else closed_form_ik.
AUTO = 'auto'
FROM_POINTS = ('closed_form_ik', 'iknet')
FROM_IMAGE = ('minimal_hand', 'handnet')
NAMES = FROM_POINTS + FROM_IMAGE
CHOICES = (AUTO, *NAMES)
LEARNED = ('iknet', 'minimal_hand', 'handnet')
WITH_MASKS = WITH_FEATURES = ('handnet',)
