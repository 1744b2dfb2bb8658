"""Rendered pixels land where the camera projects them; files and normals hold what was put in."""
import cv2
import numpy as np
import pytest
from scipy.spatial import ConvexHull

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import handed_faces, mirror_points
from hand_recon_ros.rendering.mesh_renderer import Light, Lighting, MeshRenderer, clip_coordinates
from hand_recon_ros.rendering.normals import NormalField
from hand_recon_ros.rendering.patterns import distance_to_polyline, lab_to_srgb
from hand_recon_ros.rendering.ply import read_ply, write_ply
from hand_recon_ros.rendering.skin import SkinTone, bake_skin
from hand_recon_ros.rendering.subdivision import SmoothSplit
from hand_recon_ros.rendering.surface import Material, Textures
from hand_recon_ros.rendering.turntable import BACKDROP, Turntable

LIGHTING = Lighting((Light((-0.4, -0.6, -0.7), (0.9, 0.9, 0.9)),))
WHITE = Textures(np.full((2, 2, 4), 255, np.uint8), np.zeros((2, 2), np.float32))
LENSES = [('none', ()), ('plumb_bob', (-0.28, 0.09, 0.001, -0.002, 0.0)), ('equidistant', (-0.01, 0.02, -0.01, 0.002))]


def camera_of(lens=LENSES[0], width=320, height=240):
    return Camera(width, height, np.array([[260.0, 0, 151.3], [0, 255.0, 118.9], [0, 0, 1]]), *lens)


def octahedron(centre, radius):
    axes = np.concatenate([np.eye(3), -np.eye(3)]) * radius
    faces = [(0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2), (1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5)]
    return (axes + centre).astype(np.float32), np.array(faces)


def bare_surface(renderer, faces, count, smooth=False):
    return renderer.surface(faces, np.zeros((count, 2)), faces, count, WHITE, Material(), smooth)


@pytest.mark.parametrize('lens', LENSES, ids=[name for name, _ in LENSES])
def test_a_body_lands_where_the_camera_projects_it(lens):
    camera = camera_of(lens)
    renderer = MeshRenderer(camera.width, camera.height)
    for centre in ([0.0, 0.0, 0.6], [0.21, -0.14, 0.5], [-0.25, 0.2, 0.7]):
        vertices, faces = octahedron(np.array(centre), 0.025)
        rendering = renderer.render(camera, [(bare_surface(renderer, faces, 6), vertices)], LIGHTING, geometry=True)
        coverage = rendering.premultiplied[..., 3].astype(float)
        rows, columns = np.mgrid[0:camera.height, 0:camera.width]
        middle = np.array([(coverage * columns).sum(), (coverage * rows).sum()]) / coverage.sum()
        moments = cv2.moments(cv2.convexHull(camera.project(vertices).astype(np.float32)))
        expected = np.array([moments['m10'], moments['m01']]) / moments['m00']
        assert middle == pytest.approx(expected, abs=0.12)     # four samples a pixel
        assert coverage.sum() / 255 == pytest.approx(moments['m00'], rel=0.04)
        seen = rendering.depth_m[rendering.mask == 1]
        assert seen.min() > centre[2] - 0.0251 and seen.max() < centre[2] + 0.008


def test_the_mask_of_a_box_has_the_area_of_its_projected_hull():
    camera = camera_of()
    renderer = MeshRenderer(camera.width, camera.height)
    vertices, faces = octahedron(np.array([0.03, -0.02, 0.5]), 0.15)
    rendering = renderer.render(camera, [(bare_surface(renderer, faces, 6), vertices)], LIGHTING, geometry=True)
    area = ConvexHull(camera.project(vertices)).volume      # of a 2D hull, `volume` is the area
    assert (rendering.mask == 1).sum() == pytest.approx(area, rel=0.01)
    assert rendering.premultiplied[..., 3].sum() / 255 == pytest.approx(area, rel=0.01)
    assert (rendering.depth_m[rendering.mask == 0] == 0).all()


def test_the_nearer_of_two_bodies_hides_the_other_and_shades_it():
    camera = camera_of()
    renderer = MeshRenderer(camera.width, camera.height)
    near, faces = octahedron(np.array([0.0, 0.0, 0.4]), 0.04)
    far, _ = octahedron(np.array([0.0, 0.0, 0.8]), 0.2)
    items = [(bare_surface(renderer, faces, 6), far), (bare_surface(renderer, faces, 6), near)]
    rendering = renderer.render(camera, items, LIGHTING, geometry=True)
    u, v = np.round(camera.project(np.array([0.0, 0.0, 0.4]))).astype(int)
    assert rendering.mask[v, u] == 2 and rendering.depth_m[v, u] == pytest.approx(0.36, abs=0.003)
    head_on = Lighting((Light((0.3, 0.0, -1.0), (0.9, 0.9, 0.9)),), softness=0.0)
    alone = renderer.render(camera, items[:1], head_on).premultiplied.astype(int)
    shaded = renderer.render(camera, items, head_on, geometry=True)
    darker = (alone[..., 0] - shaded.premultiplied[..., 0].astype(int) > 20) & (shaded.mask == 1)
    assert darker.sum() > 100       # the near body's shadow falls on the visible part of the far one


def test_a_left_hand_is_drawn_as_the_mirror_image_of_the_right_one():
    model = load_hand_model()
    camera = Camera(200, 160, np.array([[300.0, 0, 99.5], [0, 300.0, 79.5], [0, 0, 1]]))
    renderer = MeshRenderer(200, 160)
    symmetric = Lighting((Light((0.0, -0.5, -0.9), (0.8, 0.8, 0.8), casts_shadow=False),))
    vertices = (model.template_m - model.template_m.mean(0))[:, [1, 0, 2]] * [1, -1, 1] + [0.02, 0.0, 0.5]
    images = []
    for side, points in (('right', vertices), ('left', mirror_points(vertices))):
        faces = handed_faces(model.faces, side)
        surface = bare_surface(renderer, faces, model.vertex_count, smooth=True)
        images.append(renderer.render(camera, [(surface, points)], symmetric).premultiplied.astype(int))
    difference = np.abs(images[0][:, ::-1] - images[1])
    assert images[0][..., 3].max() == 255 and difference.mean() < 0.3 and np.percentile(difference, 99.5) <= 8


def test_clip_coordinates_follow_the_pixel_centre_convention():
    camera = camera_of()
    ray = np.array([[-0.5 - 151.3, -0.5 - 118.9]]) / [260.0, 255.0]       # the image's outer corner: pixel (-0.5, -0.5)
    clip = clip_coordinates(camera, np.array([[ray[0, 0] * 2, ray[0, 1] * 2, 2.0]]))
    assert clip[0, :2] / clip[0, 3] == pytest.approx([-1.0, -1.0], abs=1e-5)


def test_wrong_sizes_and_lights_are_refused_by_name():
    renderer = MeshRenderer(64, 48)
    with pytest.raises(ValueError, match='camera: 320 x 240, expected 64 x 48'):
        renderer.render(camera_of(), [], LIGHTING)
    with pytest.raises(ValueError, match='shadow casters first'):
        Lighting((Light((0, 0, -1), (1, 1, 1), casts_shadow=False), Light((0, 0, -1), (1, 1, 1))))
    with pytest.raises(ValueError, match='vertices_m: shape'):
        vertices, faces = octahedron(np.zeros(3), 1.0)
        camera = Camera(64, 48, np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]]))
        renderer.render(camera, [(bare_surface(renderer, faces, 6), vertices[:5])], LIGHTING)
    with pytest.raises(ValueError, match='albedo'):
        Textures(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2)))


def test_normals_of_an_octahedron_point_outwards():
    vertices, faces = octahedron(np.array([1.0, 2.0, 3.0]), 2.0)
    assert NormalField(faces, 6)(vertices) == pytest.approx((vertices - [1, 2, 3]) / 2, abs=1e-6)


def test_the_smooth_split_keeps_vertices_and_rounds_a_sphere():
    vertices, faces = octahedron(np.zeros(3), 1.0)
    split = SmoothSplit(faces, 6)
    points = split.positions(vertices, vertices)
    assert split.faces.shape == (32, 3) and points.shape == (6 + 12, 3)
    np.testing.assert_array_equal(points[:6], vertices)
    radii = np.linalg.norm(points[6:], axis=1)
    assert (radii > np.sqrt(0.5) + 0.15).all() and (radii < 1.0 + 0.1).all()     # chord middles lie at 0.71
    a, b, c = (points[split.faces[:, k]] for k in range(3))
    assert (np.einsum('ij,ij->i', np.cross(b - a, c - a), a + b + c) > 0).all()


def test_ply_round_trip_and_refusal(tmp_path):
    vertices, faces = octahedron(np.array([0.1, 0.2, 0.3]), 0.05)
    path = tmp_path / 'mesh.ply'
    write_ply(path, vertices, faces)
    read_vertices, normals, read_faces = read_ply(path)
    np.testing.assert_array_equal(read_vertices, vertices)
    np.testing.assert_array_equal(read_faces, faces)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(np.ones(6), abs=1e-6)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match='bytes after the header, expected'):
        read_ply(path)
    path.write_bytes(b'ply\nformat ascii 1.0\nend_header\n')
    with pytest.raises(ValueError, match='not a binary PLY'):
        read_ply(path)
    with pytest.raises(ValueError, match='faces: indices 0..6, expected 0..5'):
        write_ply(path, vertices, [[0, 1, 6]])
    assert [p.name for p in tmp_path.iterdir()] == ['mesh.ply']


def test_skin_has_its_tone_pale_palms_and_glossy_nails_and_follows_its_seed():
    model = load_hand_model('open_hand_long')
    skin = bake_skin(model, SkinTone(45.0, 11.0, 17.0), seed=3, size=256)
    again = bake_skin(model, SkinTone(45.0, 11.0, 17.0), seed=3, size=256)
    np.testing.assert_array_equal(skin.albedo, again.albedo)
    np.testing.assert_array_equal(skin.height_m, again.height_m)
    assert not np.array_equal(skin.albedo, bake_skin(model, SkinTone(45.0, 11.0, 17.0), seed=4, size=256).albedo)

    def colours(vertices):
        uv = np.array([model.uvs[model.uv_faces[model.faces == v][0]] for v in vertices])
        at = np.clip((np.stack([1 - uv[:, 1], uv[:, 0]], 1) * 256).astype(int), 0, 255)
        return skin.albedo[at[:, 0], at[:, 1]].astype(float)
    normals = NormalField(model.faces, model.vertex_count)(model.template_m)
    wristward = model.weights[:, 0] > 0.95
    back, palm = (colours(np.flatnonzero(wristward & side)) for side in (normals[:, 1] > 0.8, normals[:, 1] < -0.8))
    expected = 255 * lab_to_srgb(45.0, 11.0, 17.0)
    assert np.abs(np.median(back, 0)[:3] - expected).max() < 14
    assert (np.median(palm, 0)[:3] - np.median(back, 0)[:3] > 8).all()
    nails = colours(np.flatnonzero(model.nail_mask > 0.9))
    assert np.median(nails[:, 3]) < 80 and np.median(back[:, 3]) == 255
    assert np.abs(skin.height_m).max() < 0.002
    with pytest.raises(ValueError, match='lightness: 120.0, expected 15..90'):
        SkinTone(120.0, 10.0, 10.0)


def test_distance_to_a_polyline_is_to_its_segments():
    points = np.array([[0.5, 1.0], [2.0, 0.0], [-1.0, 0.0]])
    distance, along = distance_to_polyline(points, np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert distance == pytest.approx([1.0, 1.0, 1.0]) and along == pytest.approx([0.5, 1.0, 0.0])


def test_lab_white_and_black():
    assert lab_to_srgb(100.0, 0.0, 0.0) == pytest.approx([1, 1, 1], abs=0.005)
    assert lab_to_srgb(0.0, 0.0, 0.0) == pytest.approx([0, 0, 0], abs=0.005)


def test_the_turntable_shows_the_whole_mesh_from_every_side():
    model = load_hand_model()
    sheet = Turntable(model, 96).sheet(model.template_m, count=5, columns=3)
    assert sheet.shape == (2 * 96, 3 * 96, 3) and (sheet[96:, 192:] == BACKDROP).all()
    for k in range(5):
        view = sheet[96 * (k // 3):][:96, 96 * (k % 3):][:, :96]
        drawn = (view != BACKDROP).any(-1)
        assert 0.04 < drawn.mean() < 0.7
        border = np.concatenate([drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]])
        assert not border.any()
