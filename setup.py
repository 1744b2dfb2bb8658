"""pip's way into CMakeLists.txt, for machines without a ROS 2 installation.

CMake installs the package into a staging folder exactly as into a colcon workspace. The Python packages go into the
wheel proper; everything else (shared libraries, share/, lib/hand_recon_ros/) goes into the wheel's data scheme, so that
the virtual environment becomes the ament prefix. colcon builds from CMakeLists.txt alone and never runs this file.
"""
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ROOT = pathlib.Path(__file__).resolve().parent
FIXUP = ROOT / 'cmake' / 'pip_ros_fixup.cmake'
MARKER = '.built_with_hand_recon_ros'


def ros_prefixes():
    """Prefixes that hold ROS 2 packages from wheels (share/ beside lib/pythonX.Y/site-packages)."""
    prefixes = []
    for name in ('rosidl_cmake', 'ament_cmake', 'std_msgs', 'rclpy'):
        spec = importlib.util.find_spec(name)
        for location in spec.submodule_search_locations if spec else ():
            prefix = str(pathlib.Path(location).parents[3])
            if prefix not in prefixes:
                prefixes.append(prefix)
    if not prefixes:
        raise SystemExit('setup.py: no ROS 2 found among the Python packages; run `make setup`, or use colcon')
    return prefixes


def brings_own_tf2_msgs():
    """True where /tf's message is missing, or is the stand-in of an earlier installation of this package."""
    spec = importlib.util.find_spec('tf2_msgs')
    return spec is None or any((pathlib.Path(p) / MARKER).exists() for p in spec.submodule_search_locations or ())


def build_and_stage(source, build, stage):
    prefixes = ros_prefixes()
    environment = dict(os.environ, AMENT_PREFIX_PATH=os.pathsep.join(prefixes))
    environment.pop('CMAKE_PREFIX_PATH', None)
    generator = ['-G', 'Ninja'] if shutil.which('ninja') else []
    for command in (
        ['cmake', *generator, '-S', source, '-B', build, f'-DCMAKE_INSTALL_PREFIX={stage}',
         '-DCMAKE_BUILD_TYPE=Release', '-DCMAKE_PREFIX_PATH=' + ';'.join(prefixes),
         f'-DPython3_EXECUTABLE={sys.executable}', '-DBUILD_TESTING=OFF', f'-DCMAKE_PROJECT_INCLUDE={FIXUP}'],
        ['cmake', '--build', build, '--parallel', os.cpu_count() or 1],
        ['cmake', '--install', build],
    ):
        subprocess.run([str(part) for part in command], check=True, env=environment)


class BuildWithCMake(build_py):
    def run(self):
        # Of an earlier build: modules that are gone from the sources would be packed again.
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        work = pathlib.Path(self.get_finalized_command('build').build_temp).resolve()
        # The cache of an earlier build may name a Python environment that is gone.
        shutil.rmtree(work, ignore_errors=True)
        # CMake refuses to export a path below the source folder, and that is where .venv and its NumPy usually are:
        # build from a copy of what CMakeLists.txt uses.
        copy = work / 'source'
        for name in ('CMakeLists.txt', 'package.xml', 'cmake', 'msg', 'srv', 'action', 'hand_recon_ros', 'launch',
                     'config', 'bench/sets'):
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                copy.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        projects = {'hand_recon_ros': copy}
        if brings_own_tf2_msgs():
            projects['tf2_msgs'] = copy / 'cmake' / 'tf2_msgs'
        stage = work / 'stage'
        for name, source in projects.items():
            build_and_stage(source, work / name, stage)
        self.collect(stage, projects)

    def collect(self, stage, projects):
        """Sort the staged files into the wheel's packages and its data scheme."""
        data = {}
        for path in sorted(p for p in stage.rglob('*') if p.is_file()):
            parts = path.relative_to(stage).parts
            if parts[0] == 'include' or '__pycache__' in parts or path.suffix == '.c':
                continue
            if 'site-packages' in parts:
                inside = parts[parts.index('site-packages') + 1:]
                if inside[0] in projects:
                    target = pathlib.Path(self.build_lib, *inside)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, target)
                continue
            data.setdefault(os.path.join(*parts[:-1]), []).append(str(path))
        if 'tf2_msgs' in projects:
            pathlib.Path(self.build_lib, 'tf2_msgs', MARKER).touch()
        self.distribution.data_files = sorted(data.items())


class BinaryDistribution(Distribution):
    def has_ext_modules(self):
        return True


setup(packages=['hand_recon_ros'], cmdclass={'build_py': BuildWithCMake}, distclass=BinaryDistribution)
