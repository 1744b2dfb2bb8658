"""Reconstruct hands from images, folders and videos of one camera or of two, without ROS."""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.commands.estimator_arguments import add_estimator_arguments
from hand_recon_ros.commands.figures_file import write_figures
from hand_recon_ros.media.found_hands import OneView, TwoViews
from hand_recon_ros.media.hands_file import HandsFile, hand_record
from hand_recon_ros.media.images import close_up, contact_sheet, write_image
from hand_recon_ros.media.sources import Source
from hand_recon_ros.media.videos import VideoWriter

HELP = 'hands from images, folders or videos of one camera or two: hands.json, meshes and overlays'
# Cells of the contact sheet.
SHEET_CELLS = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command."""
    parser.add_argument('--image', help='image file, folder of images (sorted by name) or video of one camera')
    parser.add_argument('--left', help='in place of --image, with --right and --rig: the same of the left camera')
    parser.add_argument('--right', help='of the right camera; images of a pair have the same place in both')
    parser.add_argument('--rig', help='rig.yaml: where both cameras stand and how they see')
    parser.add_argument('--fusion', default='joint', choices=('joint', 'triangulation', 'weights'),
                        help='how two views are fused (default %(default)s)')
    parser.add_argument('--detector', default='mediapipe', choices=('mediapipe', 'openvino'),
                        help='who runs the landmark networks (default %(default)s)')
    parser.add_argument('--out', required=True, help='folder for hands.json, meshes/ and overlays/')
    parser.add_argument('--camera', help='camera calibration: ROS camera_info YAML, or rig.yaml (its left camera); '
                                         'without it the projection is weak perspective and depth is a placeholder')
    add_estimator_arguments(parser)
    parser.add_argument('--offsets', default='real', help="detector's landmark table: real, synthetic or a file "
                                                          '(default %(default)s)')
    parser.add_argument('--max-hands', type=int, default=4, help='most hands in one image (default %(default)s)')
    parser.add_argument('--no-meshes', action='store_true', help='do not write .ply files')
    parser.add_argument('--no-overlays', action='store_true', help='do not draw overlays')
    parser.add_argument('--json', metavar='FILE', help='write the summary for machines')


def run(args: argparse.Namespace) -> int:
    """0 when every image could be read, 1 when some could not; ValueError when nothing is usable."""
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    if args.max_hands < 1:
        raise ValueError(f'--max-hands: {args.max_hands}, expected at least 1')
    pair = [args.left, args.right, args.rig]
    if bool(args.image) == any(pair) or any(pair) and not all(pair):
        raise ValueError('give either --image, or all of --left, --right and --rig')
    if args.camera and not args.image:
        raise ValueError('--camera: only with --image; the cameras of two views are in --rig')
    prepare_jax()
    sources, finder = _mono(args) if args.image else _stereo(args)
    writer = _Writer(Path(args.out), finder, sources[0], meshes=not args.no_meshes, overlays=not args.no_overlays)
    try:
        with writer:
            for index, items in enumerate(tqdm(zip(*sources), total=sources[0].count, unit='image',
                                               disable=not sys.stderr.isatty())):
                writer.add(index, items)
    finally:
        finder.pipeline.close()
    return _report(writer, args.json)


def _mono(args: argparse.Namespace):
    from hand_recon_ros.detection.registry import build_detector
    from hand_recon_ros.geometry.calibration_files import load_camera
    from hand_recon_ros.pipeline import MonoPipeline, MonoSettings
    source = Source.open(args.image)
    camera = load_camera(args.camera) if args.camera else None
    settings = MonoSettings(mode='video' if source.is_video else 'image', model=args.model, offsets=args.offsets,
                            estimator=args.estimator, tailor=args.tailor or 'gauss_newton', max_hands=args.max_hands,
                            weights_dir=args.weights_dir)
    detector = None if args.detector == 'mediapipe' else build_detector(args.detector, settings.mode, args.max_hands)
    return [source], OneView(MonoPipeline(settings, detector), camera)


def _stereo(args: argparse.Namespace):
    from hand_recon_ros.geometry.rigs import load_rig
    from hand_recon_ros.pipeline import StereoPipeline, StereoSettings
    sources = [Source.open(path) for path in (args.left, args.right)]
    left, right = sources
    if left.is_video != right.is_video:
        raise ValueError(f'--right: {right.path}, expected {"a video" if left.is_video else "images"} as --left is')
    if left.count != right.count:
        raise ValueError(f'--right: {right.count} images, expected {left.count} as in --left: paired by position')
    settings = StereoSettings(mode='video' if left.is_video else 'image', fusion=args.fusion, detector=args.detector,
                              model=args.model, offsets=args.offsets, estimator=args.estimator,
                              tailor=args.tailor or 'none', max_hands=args.max_hands, weights_dir=args.weights_dir)
    return sources, TwoViews(StereoPipeline(load_rig(args.rig), settings))


class _Writer:
    """Runs a pipeline on one image, or pair of images, after the other and writes what it finds below one folder."""

    def __init__(self, out: Path, finder: OneView | TwoViews, source: Source, meshes: bool, overlays: bool):
        from hand_recon_ros.rendering.overlay import OverlayRenderer
        pipeline = finder.pipeline
        self.out, self._finder, self._pipeline, self._meshes = out, finder, pipeline, meshes
        self.epipolar_px = []
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

    def add(self, index: int, items) -> None:
        """One image, or the images of one instant."""
        from hand_recon_ros.hand_model.mirroring import handed_faces
        from hand_recon_ros.rendering.ply import write_ply
        first = items[0]
        error = '; '.join(item.error for item in items if item.image is None)
        if error:
            self.failures.append(error)
            self.file.add(index, first.stamp_ns, first.name, [], error)
            return
        instant = self._finder.find(index, items)
        hands = []
        for number, hand in enumerate(instant.hands):
            estimate, mesh = hand.estimate, None
            if self._meshes:
                mesh = f'meshes/{Path(first.name).stem}_{number}_{estimate.handedness}.ply'
                faces = handed_faces(self._pipeline.model.faces, estimate.handedness)
                write_ply(self.out / mesh, estimate.vertices_m, faces)
            hands.append(hand_record(estimate, hand.keypoints, hand.joints_px, mesh))
            if np.isfinite(estimate.reprojection_px):
                size = max(keypoints.box_size_px for keypoints in hand.keypoints.values())
                self.errors_px.append(estimate.reprojection_px)
                self.errors_share.append(estimate.reprojection_px / max(size, 1.0))
            if np.isfinite(hand.epipolar_px):
                self.epipolar_px.append(hand.epipolar_px)
        self.file.add(index, first.stamp_ns, first.name, hands)
        if self._overlay is None:
            return
        pictures = [self._overlay.draw(*drawing) for drawing in instant.drawings]
        whole = beside(pictures)
        if self._video:
            self._video.write(whole)
        else:
            write_image(self.out / 'overlays' / f'{Path(first.name).stem}.jpg', whole)
            closer = [close_up(picture, k.box_px) for picture, (_, _, keypoints) in zip(pictures, instant.drawings)
                      for k in keypoints]
            self._sheet += closer[:SHEET_CELLS - len(self._sheet)]


def beside(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures of any size side by side, the top edges in line."""
    height = max(picture.shape[0] for picture in pictures)
    return np.concatenate([np.pad(picture, ((0, height - picture.shape[0]), (0, 0), (0, 0)))
                           for picture in pictures], axis=1)


def _report(writer: _Writer, json_path: str | None) -> int:
    frames = writer.file.frames
    hands = [hand for frame in frames for hand in frame['hands']]
    summary = {'images': len(frames), 'images_with_hands': sum(bool(f['hands']) for f in frames), 'hands': len(hands),
               'reprojection_px_median': _median(writer.errors_px),
               'reprojection_box_percent_median': _median([100 * e for e in writer.errors_share]),
               'reprojection_box_percent_p95': _percentile([100 * e for e in writer.errors_share], 95),
               'epipolar_px_median': _median(writer.epipolar_px), 'unreadable': writer.failures}
    print(f"{summary['hands']} hands in {summary['images_with_hands']} of {summary['images']} images; "
          f'files in {writer.out}')
    if hands and writer.errors_px:
        print(f"reprojection of the fitted keypoints: median {summary['reprojection_px_median']:.2f} px, "
              f"{summary['reprojection_box_percent_median']:.2f} % of the hand's box "
              f"(p95 {summary['reprojection_box_percent_p95']:.2f} %)")
    if writer.epipolar_px:
        print(f"{len(writer.epipolar_px)} hands seen by both cameras, detections "
              f"{summary['epipolar_px_median']:.2f} px off the epipolar lines (median)")
    for failure in writer.failures:
        print(f'hand-recon reconstruct: {failure}', file=sys.stderr)
    if json_path:
        write_figures(json_path, summary)
    return 1 if writer.failures else 0


def _median(values: list[float]) -> float | None:
    return float(np.median(values)) if values else None


def _percentile(values: list[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
