"""Draw the named poses of an asset, back and palm, on one sheet (moderngl on EGL, no display needed).

    python tools/hand_model/preview.py hand_recon_ros/hand_model/assets sheet.png [--size 420] [--palette 64]
"""
import argparse
import sys
from pathlib import Path

import moderngl
import numpy as np
from PIL import Image

from mesh_geometry import vertex_normals
from posing import PosableHand, rotations

VERTEX_SHADER = """
#version 330
uniform mat4 to_clip; uniform mat3 view;
in vec3 position; in vec3 normal; in float nail;
out vec3 seen; out float on_nail;
void main() { gl_Position = to_clip * vec4(position, 1.0); seen = view * normal; on_nail = nail; }
"""
FRAGMENT_SHADER = """
#version 330
in vec3 seen; in float on_nail; out vec3 colour;
void main() {
    vec3 n = normalize(seen);
    float key = max(dot(n, normalize(vec3(-0.5, 0.7, 0.6))), 0.0);
    float fill = max(dot(n, normalize(vec3(0.8, -0.1, 0.5))), 0.0);
    vec3 skin = mix(vec3(0.82, 0.62, 0.52), vec3(0.93, 0.75, 0.70), on_nail);
    colour = skin * (0.22 + 0.75 * key + 0.28 * fill);
    if (!gl_FrontFacing) colour = vec3(0.2, 0.3, 0.8);
}
"""
HALF_WIDTH, CENTRE_X = .112, -.088         # metres: what a tile shows, and where the hand's middle lies
BACKGROUND = (.96, .96, .97)
# name -> degrees about x (fingers' axis) and about z, before the view from +y onto the hand
VIEWS = {"back": (0, 0), "palm": (180, 0), "thumb side": (-75, 0)}


class Painter:
    """Renders one hand into square tiles; use one per process."""

    def __init__(self, hand: PosableHand, size: int):
        self.hand, self.size = hand, size
        self.context = moderngl.create_standalone_context(backend="egl")
        self.program = self.context.program(vertex_shader=VERTEX_SHADER, fragment_shader=FRAGMENT_SHADER)
        self.target = self.context.simple_framebuffer((2 * size, 2 * size))

    def tile(self, pose: np.ndarray, turn_deg: tuple[float, float]) -> np.ndarray:
        """A (size, size, 3) picture of a pose (48,), fingers up, seen after turning the hand by `turn_deg`."""
        vertices = self.hand(pose)[0]
        normals = vertex_normals(vertices, self.hand.faces)
        upright = np.array([[0, 0, -1.], [-1, 0, 0], [0, 1, 0]])        # x proximal -> down, y dorsal -> to the viewer
        about_fingers, about_side = np.radians(turn_deg)
        view = rotations([[about_side, 0, 0]])[0] @ rotations([[0, about_fingers, 0]])[0] @ upright
        centre = view @ [CENTRE_X, 0, 0]
        to_clip = np.eye(4)
        to_clip[:3, :3] = view / HALF_WIDTH * [[1], [1], [-1]]
        to_clip[:3, 3] = -centre / HALF_WIDTH * [1, 1, -1]
        self.program["to_clip"].write(to_clip.T.astype("f4").tobytes())
        self.program["view"].write(view.T.astype("f4").tobytes())
        buffer = np.concatenate([vertices, normals, self.hand.nails[:, None]], 1).astype("f4")
        array = self.context.vertex_array(
            self.program, [(self.context.buffer(buffer.tobytes()), "3f 3f 1f", "position", "normal", "nail")],
            self.context.buffer(self.hand.faces.astype("i4").tobytes()))
        self.target.use()
        self.context.enable(moderngl.DEPTH_TEST)
        self.context.clear(*BACKGROUND)
        array.render()
        pixels = np.frombuffer(self.target.read(components=3), np.uint8)
        picture = pixels.reshape(2 * self.size, 2 * self.size, 3)[::-1]
        return picture.reshape(self.size, 2, self.size, 2, 3).mean((1, 3)).astype(np.uint8)     # 2 x 2 supersampling


def sheet(directory: Path, size: int, views: list[str], names: list[str]) -> Image.Image:
    """One column a pose, one row a view."""
    painter = Painter(PosableHand(directory / "open_hand_right.npz"), size)
    with np.load(directory / "poses.npz", allow_pickle=False) as poses:
        columns = [np.concatenate([painter.tile(poses[name], VIEWS[view]) for view in views])
                   for name in names or poses.files]
    return Image.fromarray(np.concatenate(columns, 1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path, help="directory with the asset files")
    parser.add_argument("picture", type=Path, help="PNG to write")
    parser.add_argument("--size", type=int, default=420, help="pixels of a tile")
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=["back", "palm"])
    parser.add_argument("--poses", nargs="+", default=[], help="names; all when left out")
    parser.add_argument("--palette", type=int, default=0, help="number of colours, for a small file")
    arguments = parser.parse_args()
    picture = sheet(arguments.directory, arguments.size, arguments.views, arguments.poses)
    if arguments.palette:
        picture = picture.quantize(arguments.palette)
    picture.save(arguments.picture, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
