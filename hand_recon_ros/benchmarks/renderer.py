"""Our renderer against pyrender and pyvista (VTK) on the same hands: milliseconds an image, or a stereo pair."""
from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.benchmarks.drawing_peers import PEERS, INSTALL, DrawnMesh
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import handed_faces, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.rendering.context import gl_context
from hand_recon_ros.rendering.mesh_renderer import Light, Lighting, MeshRenderer, Rendering
from hand_recon_ros.rendering.normals import NormalField
from hand_recon_ros.rendering.patterns import lab_to_srgb, layered_noise, smooth_noise
from hand_recon_ros.rendering.subdivision import SmoothSplit, split_faces
from hand_recon_ros.rendering.surface import SKIN, Textures

HELP = "our renderer against pyrender and pyvista on the same hands (need the pip extra 'bench-peers')"
MODEL, SKIN_SIZE, BASELINE_M = 'open_hand_long', 1024, 0.12
SOFT = Lighting((Light((-0.5, -0.7, -0.8), (0.9, 0.9, 0.9)), Light((0.8, -0.1, -0.5), (0.3, 0.3, 0.3))), softness=0.03)
PLAIN = Lighting(tuple(Light(light.direction, light.colour, casts_shadow=False) for light in SOFT.lights))
_WARM_UP = 3


@dataclass(frozen=True)
class Case:
    """name; camera; sides of the hands in sight; shifts: (3,) positions of the cameras, one an image."""
    name: str
    camera: Camera
    sides: tuple[str, ...]
    shifts: tuple[np.ndarray, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('--frames', type=int, default=20, help='timed frames, every pose new (default %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='seed of poses and skin (default %(default)s)')


def run(args: argparse.Namespace) -> dict:
    """Rows: colour, coverage and depth (ours: mask and uv too) of hands that move every frame, median of interleaved
    frames; against each peer once with our soft shadows and once without, since the peers draw none."""
    if args.frames < 1:
        raise ValueError(f'--frames: {args.frames}, expected at least 1')
    peers = {}
    for name, make in PEERS.items():
        try:
            peers[name] = make
            make.check()
        except ModuleNotFoundError as error:
            del peers[name]
            print(f'bench renderer: without {name} ({error}); to compare with it: {INSTALL}', file=sys.stderr)
    model = load_hand_model(MODEL)
    skin = _skin(args.seed)
    meshes = {side: DrawnMeshMaker(model, side) for side in ('right', 'left')}
    # All of a peer's windows stand and have drawn before the next one's and before our first frame, and fall after the
    # last: VTK shuts the EGL display that all share, and every other context with it, when it opens or closes a window.
    drawers: dict[str, dict] = {case.name: {} for case in cases()}
    for name, make in peers.items():
        for case in cases():
            drawers[case.name][name] = make(case.camera, [meshes[side].static for side in case.sides],
                                            skin.albedo[..., :3], PLAIN)
        for case in cases():
            drawers[case.name][name].draw([meshes[side].points_and_normals(model.template_m + [0, 0, 0.5])
                                           for side in case.sides])
    rows = []
    for case in cases():
        rows += _rows(case, [meshes[side] for side in case.sides], drawers[case.name], skin, args)
    for name in reversed(peers):
        for case in cases():
            drawers[case.name][name].close()
    return {'name': 'renderer', 'rows': rows, 'opengl': gl_context().info['GL_RENDERER'], 'frames': args.frames,
            'llvmpipe_threads': os.environ.get('LP_NUM_THREADS', 'one a core'),
            'all': 'same mesh, texture, size, camera, 4 samples a pixel, 2 distant lights; vertices new every frame',
            'peers_draw': 'colour and depth; no shadows, no bump map, no mask; their vertex normals are given'}


def cases() -> tuple[Case, ...]:
    """The two training crops and the stereo pair of the issue."""
    def camera(width, height, focal):
        K = np.array([[focal, 0, 0.5 * (width - 1)], [0, focal, 0.5 * (height - 1)], [0, 0, 1.0]])
        return Camera(width, height, K)
    alone = (np.zeros(3, np.float32),)
    pair = (np.array([0.0, 0, 0], np.float32), np.array([BASELINE_M, 0, 0], np.float32))
    return (Case('crop 128 x 128, one hand', camera(128, 128, 300.0), ('right',), alone),
            Case('crop 256 x 256, one hand', camera(256, 256, 600.0), ('right',), alone),
            Case('stereo pair 640 x 480, two hands', camera(640, 480, 600.0), ('right', 'left'), pair))


def _rows(case: Case, meshes: list, drawers: dict, skin, args) -> list[dict]:
    rng = np.random.default_rng(args.seed)
    hand = JaxHand(load_hand_model(MODEL))
    model, camera = hand.model, case.camera
    renderer, surfaces = _made(model, case, skin)
    spent: dict[str, list[float]] = {name: [] for name in ('ours', 'ours, no shadows', *drawers)}
    for frame in range(_WARM_UP + args.frames):
        vertices = [_posed(hand, side, rng, len(case.sides)) for side in case.sides]
        calls = {name: lambda shift, light=light: _ours(renderer, camera, surfaces, vertices, shift, light)
                 for name, light in (('ours', SOFT), ('ours, no shadows', PLAIN))}
        for name, drawer in drawers.items():
            calls[name] = lambda shift, drawer=drawer: drawer.draw(
                [mesh.points_and_normals(v - shift) for mesh, v in zip(meshes, vertices)])
        for name, call in calls.items():
            taken = 0.0
            for shift in case.shifts:
                seconds, image, depth = call(shift)
                taken += seconds
            if image.shape[:2] != (camera.height, camera.width) or depth.shape != image.shape[:2]:
                raise SystemExit(f'bench renderer: {name} gave {image.shape}, '
                                 f'expected {camera.height} x {camera.width}')
            if frame >= _WARM_UP:
                spent[name].append(taken)
            if name == 'ours':
                own_depth, covered = depth, depth > 0
            elif name in drawers:
                overlap = (covered & (depth > 0)).sum() / (covered | (depth > 0)).sum()
                apart = np.abs(own_depth - depth)[covered & (depth > 0)]
                if overlap < 0.97 or np.median(apart) > 5e-4:
                    raise SystemExit(f'bench renderer: {name} draws another scene (IoU {overlap:.3f}, median '
                                     f'depth {1e3 * np.median(apart):.2f} mm apart), expected the same')
    gl_context()
    for surface in surfaces:
        surface.release()
    renderer.release()
    milliseconds = {name: 1e3 * float(np.median(times)) for name, times in spent.items()}
    rows = []
    for ours in ('ours', 'ours, no shadows'):
        for peer in drawers or (None,):
            reference = milliseconds[peer] if peer else None
            rows.append({'case': case.name, 'shadows': 'soft' if ours == 'ours' else 'none', 'peer': peer,
                         'ours_ms': milliseconds[ours], 'reference_ms': reference,
                         'ratio': reference / milliseconds[ours] if peer else None,
                         'frames_per_second': 1e3 / milliseconds[ours],
                         'peer_frames_per_second': 1e3 / reference if peer else None})
    return rows


def _skin(seed: int) -> Textures:
    """Blotched skin with relief, painted without OpenGL, since the peers' windows must come first."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*[np.linspace(0, 1, SKIN_SIZE)] * 2), -1)
    lightness, redness = 62.0 + layered_noise(at, 0.2, rng), 11.0 + layered_noise(at, 0.1, rng)
    tone = lab_to_srgb(lightness, redness, np.full(at.shape[:2], 17.0))
    albedo = np.concatenate([np.round(255 * tone), np.full((*at.shape[:2], 1), 255)], -1).astype(np.uint8)
    return Textures(albedo, 0.0001 * smooth_noise(at, 0.03, rng))


def _made(model, case: Case, skin):
    renderer = MeshRenderer(case.camera.width, case.camera.height)
    return renderer, [renderer.surface(handed_faces(model.faces, side), model.uvs, handed_faces(model.uv_faces, side),
                                       model.vertex_count, skin, SKIN) for side in case.sides]


def _posed(hand: JaxHand, side: str, rng, count: int) -> np.ndarray:
    """A hand upright before the camera, fingers a little bent, never twice the same."""
    pose = rng.normal(0, 0.12, 48).astype(np.float32)
    # The rest pose lies flat, fingers along -x: turned up, palm to the camera, then wobbled by the sampled root.
    upright = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
    pose[:3] *= 0.3
    vertices, keypoints = posed_hand(hand, pose, np.zeros(hand.model.shape_size, np.float32), np.zeros(3), 'right')
    vertices = (vertices - keypoints[9]) @ upright.T
    if vertices[:, 1][hand.model.tip_vertices].mean() > 0:
        vertices = vertices * np.array([-1, -1, 1], np.float32)
    if side == 'left':
        vertices = vertices * np.array([-1, 1, 1], np.float32)
    place = [0.0, 0.0, 0.5] if count == 1 else [(-0.12 if side == 'right' else 0.12) + 0.5 * BASELINE_M, 0.0, 0.6]
    return (vertices + np.array(place)).astype(np.float32)


def _ours(renderer, camera, surfaces, vertices, shift, lighting) -> tuple[float, np.ndarray, np.ndarray]:
    start = time.perf_counter()
    gl_context()        # the peers made their own contexts current
    rendering: Rendering = renderer.render(camera, [(s, v - shift) for s, v in zip(surfaces, vertices)], lighting,
                                           geometry=True)
    return time.perf_counter() - start, rendering.premultiplied, rendering.depth_m


class DrawnMeshMaker:
    """The very mesh our surfaces draw, its split included, as vertices with one uv each."""

    def __init__(self, model, side: str):
        faces, uv_faces = handed_faces(model.faces, side), handed_faces(model.uv_faces, side)
        self._normals, self._split = NormalField(faces, model.vertex_count), SmoothSplit(faces, model.vertex_count)
        edges, uv_faces = split_faces(uv_faces, len(model.uvs))
        uvs = np.concatenate([model.uvs, 0.5 * (model.uvs[edges[:, 0]] + model.uvs[edges[:, 1]])])
        pairs, corners = np.unique(np.stack([self._split.faces.ravel(), uv_faces.ravel()], 1), axis=0,
                                   return_inverse=True)
        self._vertex = pairs[:, 0]
        self.static = DrawnMesh(corners.reshape(-1, 3).astype(np.int32), uvs[pairs[:, 1]].astype(np.float32))

    def points_and_normals(self, vertices_m) -> tuple[np.ndarray, np.ndarray]:
        """(C, 3), (C, 3) of this frame."""
        normals = self._normals(vertices_m)
        points, normals = self._split.positions(vertices_m, normals), self._split.linear(normals)
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        return points[self._vertex], np.ascontiguousarray(normals[self._vertex], np.float32)
