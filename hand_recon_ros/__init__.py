"""Live 3D hand meshes from one camera or a stereo rig. The generated msg and srv modules join this package once built."""
from pkgutil import extend_path

# Started from the source tree, this folder would hide the installed package that holds the generated messages.
__path__ = extend_path(__path__, __name__)
