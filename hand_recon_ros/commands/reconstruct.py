"""Reconstruct hands from images, folders and videos, without ROS."""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.media.hands_file import HandsFile, hand_record
from hand_recon_ros.media.images import contact_sheet, write_image
from hand_recon_ros.media.sources import Source
from hand_recon_ros.media.videos import VideoWriter

HELP = 'hands from an image, a folder of images or a video: hands.json, meshes and overlays'
# Cells of the contact sheet, and how much wider than the hand's box each shows the picture.
SHEET_CELLS, CLOSE_UP = 60, 1.6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command."""
    parser.add_argument('--image', required=True, help='image file, folder of images (sorted by name) or video')
    parser.add_argument('--out', required=True, help='folder for hands.json, meshes/ and overlays/')
    parser.add_argument('--camera', help='camera calibration: ROS camera_info YAML, or rig.yaml (its left camera); '
                                         'without it the projection is weak perspective and depth is a placeholder')
    parser.add_argument('--model', default='open_hand', help='open_hand, or the path of your MANO_RIGHT .pkl/.npz')
    parser.add_argument('--estimator', default='closed_form_ik', help='initial estimate (default %(default)s)')
    parser.add_argument('--tailor', default='gauss_newton', choices=('gauss_newton', 'adam', 'none'),
                        help='refinement (default %(default)s)')
    parser.add_argument('--offsets', default='real', help="detector's landmark table: real, synthetic or a file "
                                                          '(default %(default)s)')
    parser.add_argument('--max-hands', type=int, default=4, help='most hands in one image (default %(default)s)')
    parser.add_argument('--no-meshes', action='store_true', help='do not write .ply files')
    parser.add_argument('--no-overlays', action='store_true', help='do not draw overlays')
    parser.add_argument('--json', metavar='FILE', help='write the summary for machines')


def run(args: argparse.Namespace) -> int:
    """0 when every image could be read, 1 when some could not; ValueError when nothing is usable."""
    from hand_recon_ros.geometry.calibration_files import load_camera
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    from hand_recon_ros.pipeline import MonoPipeline, MonoSettings
    if args.max_hands < 1:
        raise ValueError(f'--max-hands: {args.max_hands}, expected at least 1')
    source = Source.open(args.image)
    camera = load_camera(args.camera) if args.camera else None
    prepare_jax()
    pipeline = MonoPipeline(MonoSettings(mode='video' if source.is_video else 'image', model=args.model,
                                         offsets=args.offsets, estimator=args.estimator, tailor=args.tailor,
                                         max_hands=args.max_hands))
    writer = _Writer(Path(args.out), pipeline, source, camera, meshes=not args.no_meshes, overlays=not args.no_overlays)
    try:
        with writer:
            for index, item in enumerate(tqdm(source, total=source.count, unit='image', disable=not sys.stderr.isatty())):
                writer.add(index, item)
    finally:
        pipeline.close()
    return _report(writer, args.json)


class _Writer:
    """Runs the pipeline on one image after the other and writes what it finds below one folder."""

    def __init__(self, out: Path, pipeline, source: Source, camera, meshes: bool, overlays: bool):
        from hand_recon_ros.rendering.overlay import OverlayRenderer
        self.out, self._pipeline, self._camera, self._meshes = out, pipeline, camera, meshes
        self.file, self.errors_px, self.errors_share, self.failures = HandsFile(pipeline.model.name), [], [], []
        self._sheet = []
        for folder in (out, *([out / 'meshes'] if meshes else []), *([out / 'overlays'] if overlays else [])):
            folder.mkdir(parents=True, exist_ok=True)
        self._overlay = OverlayRenderer(pipeline.model) if overlays else None
        self._video = VideoWriter(out / 'overlays' / f'{source.path.stem}.mp4', source.frames_per_s) \
            if overlays and source.is_video else None

    def __enter__(self):
        if self._video:
            self._video.__enter__()
        return self

    def __exit__(self, kind, value, trace):
        # What was found so far is kept, also when a later image ended the run.
        if self._video:
            self._video.__exit__(kind, value, trace)
        self.file.write(self.out / 'hands.json')
        if self._sheet and self._video is None and len(self._sheet) > 1:
            write_image(self.out / 'overlays' / 'contact_sheet.jpg', contact_sheet(self._sheet))

    def add(self, index: int, item) -> None:
        from hand_recon_ros.rendering.ply import write_ply
        from hand_recon_ros.hand_model.mirroring import handed_faces
        from hand_recon_ros.types import Frame
        if item.image is None:
            self.failures.append(item.error)
            self.file.add(index, item.stamp_ns, item.name, [], item.error)
            return
        frame = Frame.from_image(item.image, self._camera, item.stamp_ns, index=index)
        result = self._pipeline.process(frame)
        hands = []
        for number, (keypoints, estimate) in enumerate(zip(result.keypoints, result.estimates)):
            mesh = None
            if self._meshes:
                mesh = f'meshes/{Path(item.name).stem}_{number}_{estimate.handedness}.ply'
                write_ply(self.out / mesh, estimate.vertices_m, handed_faces(self._pipeline.model.faces, estimate.handedness))
            hands.append(hand_record(estimate, keypoints, projected_joints(frame, estimate), mesh))
            if np.isfinite(estimate.reprojection_px):
                self.errors_px.append(estimate.reprojection_px)
                self.errors_share.append(estimate.reprojection_px / max(keypoints.box_size_px, 1.0))
        self.file.add(index, item.stamp_ns, item.name, hands)
        if self._overlay is not None:
            picture = self._overlay.draw(frame, result.estimates, result.keypoints)
            if self._video:
                self._video.write(picture)
            else:
                write_image(self.out / 'overlays' / f'{Path(item.name).stem}.jpg', picture)
                self._sheet += [close_up(picture, k.box_px) for k in result.keypoints][:SHEET_CELLS - len(self._sheet)]


def close_up(picture: np.ndarray, box_px: np.ndarray) -> np.ndarray:
    """The square of a picture around a hand's box (4,), cut off at the picture's edges."""
    centre, half = (box_px[:2] + box_px[2:]) / 2, CLOSE_UP * max(box_px[2:] - box_px[:2]) / 2
    x_min, y_min = np.maximum(centre - half, 0).astype(int)
    x_max, y_max = np.minimum(np.ceil(centre + half), picture.shape[1::-1]).astype(int)
    return picture[y_min:max(y_max, y_min + 1), x_min:max(x_max, x_min + 1)]


def projected_joints(frame, estimate) -> np.ndarray:
    """Fitted joints (21, 2) in pixels, by the projection the estimate was made with."""
    from hand_recon_ros.types import WEAK_PERSPECTIVE
    if estimate.projection == WEAK_PERSPECTIVE:
        scale, tx, ty = estimate.weak_camera
        return scale * (estimate.joints_m - estimate.joints_m[0])[:, :2] + (tx, ty)
    return frame.camera.project(estimate.joints_m)


def _report(writer: _Writer, json_path: str | None) -> int:
    frames = writer.file.frames
    hands = [hand for frame in frames for hand in frame['hands']]
    summary = {'images': len(frames), 'images_with_hands': sum(bool(f['hands']) for f in frames), 'hands': len(hands),
               'reprojection_px_median': _median(writer.errors_px),
               'reprojection_box_percent_median': _median([100 * e for e in writer.errors_share]),
               'reprojection_box_percent_p95': _percentile([100 * e for e in writer.errors_share], 95),
               'unreadable': writer.failures}
    print(f"{summary['hands']} hands in {summary['images_with_hands']} of {summary['images']} images; "
          f'files in {writer.out}')
    if hands and writer.errors_px:
        print(f"reprojection of the fitted keypoints: median {summary['reprojection_px_median']:.2f} px, "
              f"{summary['reprojection_box_percent_median']:.2f} % of the hand's box "
              f"(p95 {summary['reprojection_box_percent_p95']:.2f} %)")
    for failure in writer.failures:
        print(f'hand-recon reconstruct: {failure}', file=sys.stderr)
    if json_path:
        Path(json_path).write_text(json.dumps(summary, indent=1))
    return 1 if writer.failures else 0


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def _percentile(values: list[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
