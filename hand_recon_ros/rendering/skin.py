"""Baked skin: albedo and height of a hand's whole surface, drawn in the rest pose in millimetre-true coordinates."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import FINGERS, JOINT_NAMES, JOINT_PARENTS
from hand_recon_ros.rendering.baking import bake, spread
from hand_recon_ros.rendering.normals import NormalField
from hand_recon_ros.rendering.patterns import (distance_to_polyline, lab_to_srgb, layered_noise, smooth_noise,
                                               smooth_step)
from hand_recon_ros.rendering.surface import Textures

# Half length and half width of a nail, metres, of the mean hand, thumb to pinky.
NAIL_SIZE_M = {'thumb': (0.0070, 0.0066), 'index': (0.0056, 0.0051), 'middle': (0.0060, 0.0053),
               'ring': (0.0056, 0.0050), 'pinky': (0.0045, 0.0041)}
# The palm's three lines, as parts of the palm: 0 at the wrist to 1 at the middle knuckle along the hand; across it
# -1 at the pinky's knuckle to 1 at the index'. Read off photographs of palms.
PALM_LINES = (
    ((0.93, -0.98), (0.96, -0.55), (1.02, -0.10), (1.09, 0.28)),                  # heart
    ((0.76, 0.95), (0.80, 0.55), (0.74, 0.05), (0.62, -0.42), (0.52, -0.72)),     # head
    ((0.78, 0.98), (0.70, 0.62), (0.52, 0.28), (0.30, 0.12), (0.10, 0.10)),       # life
)
PALM_LINE_WIDTH_M = 0.0007


@dataclass(frozen=True)
class SkinTone:
    """CIE L*a*b* of the back of the hand. People range over L 30..72, a 7..16, b 10..22."""
    lightness: float
    a: float
    b: float

    def __post_init__(self):
        for name, low, high in (('lightness', 15, 90), ('a', -5, 30), ('b', -5, 40)):
            value = float(getattr(self, name))
            if not low <= value <= high:
                raise ValueError(f'{name}: {value}, expected {low}..{high}')


class _Layout:
    """Where the texels of a size lie on a model's rest pose: what all its skins have in common."""

    def __init__(self, model: HandModel, size: int):
        normals = NormalField(model.faces, model.vertex_count)(model.template_m)
        baked, self.covered = bake(model.faces, model.uvs, model.uv_faces,
                                   np.concatenate([model.template_m, normals, model.weights], 1), size)
        rows = baked[self.covered]
        self.points, self.normals, self.weights = rows[:, :3], rows[:, 3:6], rows[:, 6:22]
        # The texel row every texel shows: its own, or, between the islands, its nearest neighbour's.
        numbers = np.zeros(self.covered.shape, np.int32)
        numbers[self.covered] = np.arange(len(rows))
        self.shown = spread(numbers, self.covered)


class _Canvas:
    """What is being painted, one row a texel: Lab, height (m), gloss, over positions, normals and weights."""

    def __init__(self, model: HandModel, layout: _Layout, tone: SkinTone, rng):
        self.model, self.rng, self.layout = model, rng, layout
        self.points, self.normals, self.weights = layout.points, layout.normals, layout.weights
        self.palm = smooth_step(-self.normals[:, 1], -0.15, 0.45)
        self.back = 1.0 - self.palm
        self.dark = float(np.clip((60.0 - tone.lightness) / 30.0, 0.0, 1.0))
        self.lightness = np.full(len(self.points), tone.lightness, np.float32)
        self.a, self.b = np.full_like(self.lightness, tone.a), np.full_like(self.lightness, tone.b)
        self.height, self.gloss = np.zeros_like(self.lightness), np.zeros_like(self.lightness)
        joints, tips = model.rest_joints_m, model.template_m[model.tip_vertices]
        self.bones = {}      # name -> (joint, unit direction, length, number)
        for number, name in enumerate(JOINT_NAMES[1:], 1):
            end = tips[FINGERS.index(name[:-1])] if name.endswith('3') else joints[number + 1]
            length = float(np.linalg.norm(end - joints[number]))
            self.bones[name] = (joints[number], (end - joints[number]) / length, length, number)

    def near_joint(self, number: int) -> np.ndarray:
        """1 around a joint: where it or its parent carries the skin."""
        parent = JOINT_PARENTS[number]
        carried = self.weights[:, number] + (self.weights[:, parent] if parent else 0.0)
        return smooth_step(carried, 0.5, 0.9) if parent else smooth_step(self.weights[:, number], 0.1, 0.5)

    def crease(self, at, mask, distance, width: float, depth: float) -> None:
        """A valley at texels `at`: a soft shade around a thin line, darker and redder. distance: from it, m."""
        thin, soft = np.exp(-(distance / width) ** 2), np.exp(-(distance / (3.5 * width)) ** 2)
        self.height[at] -= mask * depth * (0.6 * thin + 0.4 * soft)
        self.lightness[at] -= mask * (3.4 * thin + 1.6 * soft)
        self.a[at] += mask * (1.7 * thin + 1.1 * soft)


class SkinBaker:
    """Paints skins of one model with UVs at one size. Keep it where many are painted: it holds what they share."""

    def __init__(self, model: HandModel, size: int = 1024):
        if model.uvs is None:
            raise ValueError(f'{model.name}: no uvs, expected a model with texture coordinates')
        if not 64 <= size <= 4096:
            raise ValueError(f'size: {size}, expected 64..4096')
        self.model, self.size = model, size
        self._layout = _Layout(model, size)

    def bake(self, tone: SkinTone, seed: int = 0) -> Textures:
        """One person's skin: tone, palm, creases, veins, nails; the same for the same seed."""
        canvas = _Canvas(self.model, self._layout, tone, np.random.default_rng(seed))
        _paint_tone(canvas)
        _paint_veins(canvas)
        for name in canvas.bones:
            _paint_joint(canvas, name)
        _paint_palm_lines(canvas)
        _paint_fine_relief(canvas)
        if self.model.nail_mask is not None:
            for finger in FINGERS:
                _paint_nail(canvas, finger, tone)
        rgb = lab_to_srgb(np.clip(canvas.lightness, 6.0, 93.0), canvas.a, canvas.b)
        albedo = np.concatenate([rgb, 1.0 - canvas.gloss[:, None]], -1)
        albedo = np.round(255 * np.clip(albedo, 0, 1)).astype(np.uint8)
        return Textures(albedo[self._layout.shown], canvas.height[self._layout.shown])


def bake_skin(model: HandModel, tone: SkinTone, seed: int = 0, size: int = 1024) -> Textures:
    """One skin of a model with UVs, from its template; ValueError without UVs. For many, keep a SkinBaker."""
    return SkinBaker(model, size).bake(tone, seed)


def _paint_tone(c: _Canvas) -> None:
    """Palms are lighter (much so on dark skin) and redder; blood shows in blotches and in the finger tips."""
    c.lightness += c.palm * (1.5 + 13.0 * c.dark)
    c.a += c.palm * (2.6 - 1.0 * c.dark)
    c.b -= c.palm * (1.0 + 2.0 * c.dark)
    coarse, middle = layered_noise(c.points, 0.024, c.rng, 3), smooth_noise(c.points, 0.0045, c.rng)
    fine = smooth_noise(c.points, 0.0014, c.rng)
    c.lightness += 0.75 * coarse + 0.55 * middle + 0.45 * fine
    c.a += 0.85 * coarse + (0.5 + 0.5 * c.palm) * middle
    c.b -= 0.35 * coarse
    for name, (joint, direction, length, _) in c.bones.items():
        if name.endswith('3'):
            tip = np.linalg.norm(c.points - (joint + direction * length), axis=-1)
            c.a += 2.2 * np.exp(-(tip / 0.013) ** 2)
            c.lightness -= 0.9 * np.exp(-(tip / 0.013) ** 2)
    thenar = np.linalg.norm(c.points - c.bones['thumb2'][0], axis=-1)
    c.a += 1.2 * c.palm * np.exp(-(thenar / 0.03) ** 2)


def _paint_veins(c: _Canvas) -> None:
    """Ridges of stretched noise on the back of the hand and the forearm: slightly blue, slightly raised."""
    warped = c.points * np.array([0.45, 1.0, 1.25])
    ridge = 1.0 - np.abs(smooth_noise(warped, 0.014, c.rng))
    where = c.back * smooth_step(c.weights[:, 0], 0.55, 0.9)
    where = where * smooth_step(smooth_noise(c.points, 0.03, c.rng), -0.6, 0.7)
    vein = where * smooth_step(ridge, 0.72, 1.0)
    c.lightness -= 1.1 * vein * (1.0 - 0.5 * c.dark)
    c.a -= 1.0 * vein
    c.b -= 1.6 * vein
    c.height += 0.00035 * vein


def _paint_joint(c: _Canvas, name: str) -> None:
    """Wrinkled, darker skin over a knuckle; flexion creases across the inside of the joint."""
    joint, direction, _, number = c.bones[name]
    segment, thumb = int(name[-1]), name.startswith('thumb')
    near = c.near_joint(number)
    at = np.flatnonzero((near > 1e-3) & (np.abs((c.points - joint) @ direction) < 0.03))
    points, palm, back, near = c.points[at], c.palm[at], c.back[at], near[at]
    along = (points - joint) @ direction
    across = np.cross(direction, [0.0, 1.0, 0.0])
    sideways = (points - joint) @ (across / np.linalg.norm(across))
    wander = 0.0009 * smooth_noise(points, 0.007, c.rng) + 0.00025 * smooth_noise(points, 0.0018, c.rng)
    worn = 0.35 + 0.65 * smooth_step(smooth_noise(points, 0.004, c.rng), -0.9, 0.7)
    if segment > 1:
        pad = back * near * np.exp(-(along / 0.0085) ** 2)
        c.lightness[at] -= pad * (2.0 + 2.4 * c.dark)
        c.a[at] += 2.2 * pad
        # Wrinkles: noise stretched across the finger, so they run crosswise, end, branch and never repeat.
        stretched = np.stack([along / 0.0012, sideways / 0.0075, points[:, 1] / 0.02], -1)
        folds = smooth_step(-np.abs(smooth_noise(stretched, 1.0, c.rng)), -0.55, 0.0)
        strength = 1.0 if segment == 2 else 0.6
        c.height[at] -= strength * pad * 0.00018 * folds
        c.lightness[at] -= strength * pad * 1.5 * folds
        lines = ((0.0004, 1.0), (0.0029, 0.55)) if segment == 2 and not thumb else ((0.0, 0.8),)
        for shift, strength in lines:
            tilt = c.rng.uniform(-0.10, 0.10)
            c.crease(at, strength * worn * palm * near, along - shift - tilt * sideways + wander, 0.00055, 0.00034)
    elif not thumb:
        # The fingers' root creases lie well beyond the knuckle, where web and finger meet.
        carried = palm * smooth_step(c.weights[at, number], 0.55, 0.95)
        c.crease(at, worn * carried, along - 0.019 + wander, 0.0006, 0.00036)
        knuckle = back * np.exp(-((along / 0.010) ** 2 + (sideways / 0.008) ** 2))
        c.lightness[at] -= knuckle * (1.6 + 1.6 * c.dark)
        c.a[at] += 2.0 * knuckle


def _paint_palm_lines(c: _Canvas) -> None:
    """Three main lines that swell and fade, and a few faint ones, on the skin the wrist and the knuckles carry."""
    joints = c.model.rest_joints_m
    number = {name: JOINT_NAMES.index(name) for name in ('wrist', 'middle1', 'index1', 'pinky1')}
    wrist, middle = joints[number['wrist']][[0, 2]], joints[number['middle1']][[0, 2]]
    ahead = middle - wrist
    radial = joints[number['index1']][[0, 2]] - joints[number['pinky1']][[0, 2]]
    radial = 0.62 * (radial - ahead * (radial @ ahead) / (ahead @ ahead))
    carried = c.weights[:, 0] + sum(c.weights[:, c.bones[f + '1'][3]] for f in FINGERS)
    on_palm = c.palm * smooth_step(carried, 0.5, 0.9)
    at = np.flatnonzero(on_palm > 1e-3)
    points, on_palm = c.points[at], on_palm[at]
    flat = points[:, [0, 2]]
    for size, scale in ((0.0009, 0.011), (0.0002, 0.002)):
        flat = flat + size * np.stack([smooth_noise(points, scale, c.rng), smooth_noise(points, scale, c.rng)], -1)
    worn = smooth_step(smooth_noise(points, 0.006, c.rng), -1.3, 0.6)
    lines = [(np.array(line), 1.0) for line in PALM_LINES]
    for _ in range(5):
        start = np.array([c.rng.uniform(0.25, 0.9), c.rng.uniform(-0.7, 0.7)])
        turn = c.rng.uniform(0.0, np.pi)
        step = 0.16 * np.array([np.cos(turn), np.sin(turn)])
        lines.append((np.array([start, start + step + c.rng.normal(0, 0.02, 2), start + 2 * step]), 0.30))
    for line, strength in lines:
        line = line + c.rng.normal(0.0, 0.012, line.shape)
        knots = np.linspace(0.0, 1.0, len(line))
        smooth = CubicSpline(knots, line)(np.linspace(0.0, 1.0, 28))
        drawn = wrist + smooth[:, :1] * ahead + smooth[:, 1:] * radial
        reach = 4 * 3.5 * PALM_LINE_WIDTH_M
        near = np.flatnonzero(((flat > drawn.min(0) - reach) & (flat < drawn.max(0) + reach)).all(1))
        distance, position = distance_to_polyline(flat[near], drawn)
        taper = smooth_step(position, 0.0, 0.15) * smooth_step(position, 1.0, 0.72)
        mask = strength * taper * (0.35 + 0.65 * worn[near]) * on_palm[near]
        c.crease(at[near], mask, distance, PALM_LINE_WIDTH_M, 0.00038)


def _paint_fine_relief(c: _Canvas) -> None:
    """Pores and the lattice of fine lines that break up highlights; too small to be seen one by one."""
    c.height += 0.000018 * smooth_noise(c.points, 0.0012, c.rng) + 0.000012 * smooth_noise(c.points, 0.0007, c.rng)
    c.height += 0.00006 * smooth_noise(c.points, 0.005, c.rng) * c.back


def _paint_nail(c: _Canvas, finger: str, tone: SkinTone) -> None:
    """A rounded plate: paler, pinker, glossy, with lunula, free edge and cuticle."""
    model, (_, direction, _, number) = c.model, c.bones[finger + '3']
    weight = model.nail_mask * (model.weights[:, number] > 0.5)
    if weight.sum() < 1e-3:
        return
    normals = NormalField(model.faces, model.vertex_count)(model.template_m)
    outward = (weight[:, None] * normals).sum(0)
    outward /= np.linalg.norm(outward)
    distal = direction - outward * (direction @ outward)
    distal /= np.linalg.norm(distal)
    centre = (weight[:, None] * model.template_m).sum(0) / weight.sum()
    scale = np.linalg.norm(model.rest_joints_m[JOINT_NAMES.index('middle1')]) / 0.092
    half_length, half_width = np.array(NAIL_SIZE_M[finger]) * scale
    at = np.flatnonzero(c.weights[:, number] > 0.4)
    offset = c.points[at] - centre
    x, y = offset @ distal / half_length, offset @ np.cross(outward, distal) / half_width
    radius = (np.abs(x) ** 3.0 + np.abs(y) ** 3.0) ** (1 / 3.0)
    facing = smooth_step(c.normals[at] @ outward, 0.05, 0.35)
    plate = facing * smooth_step(radius, 1.04, 0.94)
    edge = facing * np.exp(-((radius - 1.03) / 0.09) ** 2)
    lunula = smooth_step(np.hypot(x + 1.05, 0.8 * y), 0.62, 0.48)
    free_edge = smooth_step(x, 0.84, 0.93)
    lightness = tone.lightness + 4.5 + 6.0 * c.dark + 4.0 * lunula + 7.0 * free_edge
    a = tone.a + 3.2 - 2.5 * lunula - 5.5 * free_edge
    for name, value in (('lightness', lightness), ('a', a), ('b', tone.b - 4.5), ('height', 0.00012)):
        channel = getattr(c, name)
        channel[at] = channel[at] * (1 - plate) + plate * value
    c.lightness[at] -= 3.0 * edge
    c.a[at] += 1.6 * edge
    c.height[at] -= 0.00018 * edge
    c.gloss[at] = np.maximum(c.gloss[at], 0.85 * plate)
