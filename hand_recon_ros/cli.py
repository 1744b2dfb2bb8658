"""`hand-recon`: one sub-command per job. Exit status 0 done, 1 failed, 2 wrong usage or bad input."""
from __future__ import annotations

import argparse
import importlib
import os
import sys
from types import ModuleType

from hand_recon_ros.blas_threads import limit_blas_threads
from hand_recon_ros.commands.figures_file import prepare_figures_file

PACKAGE = 'hand_recon_ros'
COMMANDS = ('demo', 'up', 'reconstruct', 'bag', 'synthesize', 'dataset', 'evaluate', 'consistency', 'calibrate',
            'calibrate-detector', 'train', 'bench')


def build_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Parser of the whole command line; only the chosen command's module is imported for its arguments."""
    parser = argparse.ArgumentParser(prog='hand-recon', description='Live 3D hand meshes from one camera or a stereo rig.')
    commands = parser.add_subparsers(dest='command', required=True, metavar='COMMAND')
    for name in COMMANDS:
        module = _module(name)
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        if chosen in (None, name):
            module.add_arguments(command)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the console script."""
    limit_blas_threads()
    arguments = sys.argv[1:] if arguments is None else arguments
    chosen = next((a for a in arguments if not a.startswith('-')), None)
    parsed = build_parser(chosen).parse_args(arguments)
    try:
        if getattr(parsed, 'json', None):
            prepare_figures_file(parsed.json)
        return _module(parsed.command).run(parsed)
    except ValueError as error:
        print(f'hand-recon {parsed.command}: {error}', file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (error.name or PACKAGE).startswith(PACKAGE):
            raise
        print(f'hand-recon {parsed.command}: needs the Python package {error.name!r}, which is not installed', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output is gone (`| head`): nothing left to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _module(command: str) -> ModuleType:
    return importlib.import_module('hand_recon_ros.commands.' + command.replace('-', '_'))


if __name__ == '__main__':
    sys.exit(main())
