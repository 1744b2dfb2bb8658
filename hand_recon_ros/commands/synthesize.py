"""`hand-recon synthesize`: a synthetic recording, or a training set in shards, with exact ground truth."""
from __future__ import annotations

import argparse
import dataclasses
import math
import os
import re
import sys
import time
from pathlib import Path

from hand_recon_ros.commands.figures_file import write_figures

HELP = 'write a synthetic recording (rosbag2) or training set (WebDataset shards) of hands with exact ground truth'
FORMATS = ('rosbag2', 'shards')
PICTURES = ('.png', '.jpg')
SHEET_WIDTH_PX, SHEET_COLUMNS = 2048, 8
STRIP_CELLS, STRIP_COLUMNS, STRIP_FRAMES_APART = 16, 8, 4
_EPILOG = 'A run that was ended, by whatever, is taken up where it was by the same command; the output is the same, ' \
          'byte for byte, for any number of workers.'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command; those of a scene or a studio are named as the fields of their configs."""
    from hand_recon_ros.bags.writer import STORAGES
    from hand_recon_ros.synthesis.backgrounds import VIEWS
    from hand_recon_ros.synthesis.motion import MOTIONS
    from hand_recon_ros.synthesis.recording import RecordingOptions
    from hand_recon_ros.synthesis.rigs import RIGS
    from hand_recon_ros.synthesis.scene import SceneConfig
    from hand_recon_ros.synthesis.shards import ShardOptions
    from hand_recon_ros.synthesis.studio import StudioConfig
    parser.epilog = _EPILOG
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='the recording or the set to write')
    parser.add_argument('--format', choices=FORMATS, default=FORMATS[0], help='(%(default)s)')
    parser.add_argument('--workers', type=int, default=os.cpu_count(), metavar='N', help='processes (%(default)s)')
    parser.add_argument('--force', action='store_true', help='replace an existing output')
    parser.add_argument('--sheet', type=Path, metavar='FILE', help='a contact sheet of frames drawn at random')
    parser.add_argument('--sheet-cells', type=int, default=64, metavar='N', help='how many (%(default)s)')
    parser.add_argument('--strip', type=Path, metavar='FILE', help="a film strip of a recording's motion")
    parser.add_argument('--draw-labels', action='store_true', help='draw joints and mask outlines into both pictures')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures for machines')
    both = parser.add_argument_group('both formats')
    _option(both, 'seed', SceneConfig, int, 'everything follows from it')
    _option(both, 'backgrounds', SceneConfig, Path, 'photographs to put behind the hands (default: generated rooms)',
            metavar='FOLDER')
    _option(both, 'jpeg_quality', RecordingOptions, int, '1 to 100', metavar='Q')
    bag = parser.add_argument_group('recordings (--format rosbag2)')
    _option(bag, 'frames', SceneConfig, int, 'number of frames')
    _option(bag, 'fps', SceneConfig, float, 'frames a second')
    _option(bag, 'view', SceneConfig, None, 'what the cameras look at', choices=tuple(VIEWS))
    _option(bag, 'rig', SceneConfig, None, 'one camera, a rectified pair, a wide one with real lenses, a headset',
            choices=tuple(RIGS))
    _option(bag, 'baseline_m', SceneConfig, float, 'of a pair, metres (default: drawn from the seed)', metavar='M')
    _option(bag, 'hands', SceneConfig, int, 'a right hand, or both', choices=(1, 2))
    _option(bag, 'motion', SceneConfig, None, 'of the hands', choices=tuple(MOTIONS))
    bag.add_argument('--size', type=image_size, default=argparse.SUPPRESS, metavar='WxH',
                     help=f'of the images, pixels ({SceneConfig.width}x{SceneConfig.height})')
    _option(bag, 'occluders', SceneConfig, float, 'probability of an object before the hands', metavar='P')
    _option(bag, 'calibration_error', SceneConfig, float, 'how wrong the reported cameras are; 1: a careful '
            "calibration's error", metavar='X')
    _option(bag, 'storage', RecordingOptions, None, '', choices=tuple(STORAGES))
    _switch(bag, 'masks', True, 'masks of the hands on /ground_truth/CAMERA/mask')
    _switch(bag, 'depth', True, 'depth images on /ground_truth/CAMERA/depth')
    _switch(bag, 'vertices', False, 'ground truth without vertices: they follow from its parameters, and are most of '
            'its size', flag='--no-vertices')
    shards = parser.add_argument_group('training sets (--format shards)')
    _option(shards, 'samples', StudioConfig, int, 'number of samples')
    _option(shards, 'crop', StudioConfig, int, 'side of the crops, pixels')
    _option(shards, 'views', StudioConfig, int, 'one crop a sample, or a stereo pair', choices=(1, 2))
    _option(shards, 'skins', StudioConfig, int, 'different skins in the set')
    _option(shards, 'rooms', StudioConfig, int, 'different backgrounds in the set')
    _option(shards, 'shard_size', ShardOptions, int, 'samples a shard')


def _option(group, field: str, config: type, kind, text: str, **more) -> None:
    """`--some-field` of a config's field: absent from the arguments unless given: the config's default holds."""
    default = getattr(config, field)
    shown = '' if default is None else f'({default})'
    group.add_argument('--' + field.replace('_', '-'), dest=field, default=argparse.SUPPRESS,
                       help=f'{text} {shown}'.strip(), **({'type': kind} if kind else {}), **more)


def _switch(group, field: str, value: bool, text: str, flag: str = '') -> None:
    group.add_argument(flag or f'--{field}', dest=field, action='store_const', const=value, default=argparse.SUPPRESS,
                       help=text)


def image_size(text: str) -> tuple[int, int]:
    """(width, height) of '640x480'."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if match is None:
        raise argparse.ArgumentTypeError(f'{text!r}, expected WIDTHxHEIGHT such as 640x480')
    return int(match[1]), int(match[2])


def run(args: argparse.Namespace) -> int:
    """0 done, 1 when a unit could not be made; ValueError for settings that do not fit."""
    from hand_recon_ros.synthesis.recording import RecordingOptions, synthesize_recording
    from hand_recon_ros.synthesis.scene import SceneConfig
    from hand_recon_ros.synthesis.shards import ShardOptions, synthesize_shards
    from hand_recon_ros.synthesis.studio import StudioConfig
    from hand_recon_ros.synthesis.workers import WorkFailed
    given = vars(args)
    if 'size' in given:
        given['width'], given['height'] = given['size']
    kinds = {'rosbag2': (SceneConfig, RecordingOptions, synthesize_recording, 'frames'),
             'shards': (StudioConfig, ShardOptions, synthesize_shards, 'samples')}
    config_type, options_type, synthesize, unit = kinds[args.format]
    _refuse_foreign(args.format, given, {name: kind[:2] for name, kind in kinds.items()})
    if args.strip and args.format != 'rosbag2':
        raise ValueError('--strip: a set of single samples has no motion, expected --format rosbag2')
    if args.sheet_cells < 1:
        raise ValueError(f'--sheet-cells: {args.sheet_cells}, expected at least 1')
    for name in ('sheet', 'strip'):
        path = given[name]
        if path and (path.suffix.lower() not in PICTURES or not path.parent.is_dir()):
            raise ValueError(f'--{name}: {path}, expected a {" or ".join(PICTURES)} file in a folder that exists')
    _check_out(args.out, args.force)
    config, options, start = _config(config_type, given), _config(options_type, given), time.monotonic()
    try:
        made = synthesize(config, args.out, options, args.workers, args.force)
    except WorkFailed as error:
        print(f'{error.trace}hand-recon synthesize: {error}; the same command goes on from there', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('hand-recon synthesize: interrupted; the same command goes on from there', file=sys.stderr)
        raise
    seconds, total = time.monotonic() - start, getattr(config, unit)
    size = sum(file.stat().st_size for file in args.out.rglob('*') if file.is_file())
    print(f'{args.out}: {total} {unit}, {size / 1e6:.1f} MB; {made} made now in {seconds:.1f} s, '
          f'{made / seconds:.1f} {unit} a second')
    _draw(args, config.seed)
    if args.json:
        write_figures(args.json, {'out': str(args.out), unit: total, 'made': made, 'seconds': seconds, 'bytes': size,
                                  'workers': args.workers})
    return 0


def _config(config: type, given: dict):
    """A config of the fields that were given."""
    return config(**{field.name: given[field.name] for field in dataclasses.fields(config) if field.name in given})


def _refuse_foreign(chosen: str, given: dict, configs: dict[str, tuple[type, ...]]) -> None:
    """ValueError for an option of the other format: it would change nothing."""
    own = {name: {field.name for config in types for field in dataclasses.fields(config)}
           for name, types in configs.items()}
    foreign = sorted(name for name in given if name in set().union(*own.values()) - own[chosen])
    if foreign:
        name = 'size' if foreign[0] in ('width', 'height') else foreign[0].replace('_', '-')
        raise ValueError(f'--{name}: not an option of --format {chosen}')


def _check_out(out: Path, force: bool) -> None:
    if out.exists() and not force and not out.with_name(out.name + '.partial').exists():
        raise ValueError(f'--out: {out} exists already (--force replaces it)')


def _draw(args: argparse.Namespace, seed: int) -> None:
    """The pictures that were asked for, of the finished output."""
    if not (args.sheet or args.strip):
        return
    from hand_recon_ros.media.contact_sheet import even_places, random_places, sheet
    from hand_recon_ros.media.images import write_image
    total, pictures = _pictures(args)
    if args.sheet:
        chosen = pictures(random_places(args.sheet_cells, total, seed))
        columns = min(SHEET_COLUMNS, math.ceil(math.sqrt(len(chosen))))
        write_image(args.sheet, sheet(chosen, columns, SHEET_WIDTH_PX // columns, args.draw_labels))
    if args.strip:
        chosen = pictures(even_places(STRIP_CELLS, total, STRIP_FRAMES_APART))
        write_image(args.strip, sheet(chosen, STRIP_COLUMNS, SHEET_WIDTH_PX // STRIP_COLUMNS, args.draw_labels))


def _pictures(args: argparse.Namespace):
    """How many pictures the output has, and a function from their places to them."""
    from hand_recon_ros.media.contact_sheet import Picture
    if args.format == 'rosbag2':
        from hand_recon_ros.bags.labelled_recording import LabelledRecording
        from hand_recon_ros.bags.recorded_pictures import recorded_pictures
        recording = LabelledRecording.read(args.out)
        return recording.image_count, lambda places: recorded_pictures(recording, places)
    from hand_recon_ros.datasets.shards import Shards
    shards = Shards(args.out)
    return len(shards), lambda places: [Picture(view.image(), view.mask(), (view.joints_px,))
                                        for place in places for view in shards[place].views]
