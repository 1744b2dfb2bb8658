"""Depth, labels, items and texture coordinates against analytic geometry; surfaces shared, released, drawn again."""
import argparse
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from hand_recon_ros.benchmarks import renderer as benchmark
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.rendering.mesh_renderer import Light, Lighting, MeshRenderer
from hand_recon_ros.rendering.skin import SkinBaker, SkinTone, bake_skin
from hand_recon_ros.rendering.surface import Material, Textures, is_closed

LIGHTING = Lighting((Light((-0.4, -0.6, -0.7), (0.9, 0.9, 0.9)),))
WHITE = Textures(np.full((2, 2, 4), 255, np.uint8), np.zeros((2, 2), np.float32))
QUAD_FACES = np.array([[0, 2, 1], [1, 2, 3]])     # corners: top left, top right, bottom left, bottom right


def camera_of(width=160, height=120):
    return Camera(width, height, np.array([[140.0, 0, 0.5 * width - 3], [0, 150.0, 0.5 * height + 2], [0, 0, 1]]))


def slanted_quad(far=0.8):
    return np.array([[-0.2, -0.15, 0.5], [0.2, -0.15, far], [-0.2, 0.15, 0.5], [0.2, 0.15, far]], np.float32)


def rays(camera):
    rows, columns = np.mgrid[0:camera.height, 0:camera.width]
    return np.stack([(columns - camera.K[0, 2]) / camera.K[0, 0], (rows - camera.K[1, 2]) / camera.K[1, 1],
                     np.ones(rows.shape)], -1)


def quad_surface(renderer, labels=None, faces=QUAD_FACES, textures=WHITE):
    uvs = np.array([[0, 1], [1, 1], [0, 0], [1, 0]])
    return renderer.surface(faces, uvs, faces, 4, textures, Material(), False, labels)


def test_depth_uv_and_label_of_a_slanted_quad_are_those_of_the_rays_that_meet_it():
    camera, vertices = camera_of(), slanted_quad()
    renderer = MeshRenderer(camera.width, camera.height)
    surface = quad_surface(renderer, labels=[0, 1, 0, 1])
    drawn = renderer.render(camera, [(surface, vertices)], LIGHTING, geometry=True)
    normal = np.cross(vertices[1] - vertices[0], vertices[2] - vertices[0]).astype(float)
    depth = (normal @ vertices[0]) / (rays(camera) @ normal)
    points = rays(camera) * depth[..., None]
    u, v = (points[..., 0] + 0.2) / 0.4, 0.5 - points[..., 1] / 0.3
    inside = (u > 0) & (u < 1) & (v > 0) & (v < 1)
    rim = (np.abs(np.abs(u - 0.5) - 0.5) < 1e-4) | (np.abs(np.abs(v - 0.5) - 0.5) < 1e-4)
    np.testing.assert_array_equal(drawn.item[~rim], inside[~rim])
    inside &= ~rim
    assert inside.sum() > 4000
    assert drawn.depth_m[inside] == pytest.approx(depth[inside], abs=2e-6)
    assert drawn.uv[inside] == pytest.approx(np.stack([u, v], -1)[inside], abs=1e-5)
    outside = ~inside & ~rim
    assert (drawn.depth_m[outside] == 0).all() and (drawn.uv[outside] == 0).all()
    clear = (np.abs(u - 0.5) > 1e-4) & ~rim      # the label is u itself
    np.testing.assert_array_equal(drawn.mask[clear], (inside & (u >= 0.5))[clear])


def test_labels_are_checked_and_count_everything_unless_given():
    renderer = MeshRenderer(160, 120)
    drawn = renderer.render(camera_of(), [(quad_surface(renderer), slanted_quad())], LIGHTING, geometry=True)
    np.testing.assert_array_equal(drawn.mask, drawn.item)
    with pytest.raises(ValueError, match='vertex_labels: shape'):
        quad_surface(renderer, labels=[1, 0, 1])
    with pytest.raises(ValueError, match='vertex_labels: 0.0..2.0, expected 0..1'):
        quad_surface(renderer, labels=[1, 0, 2, 1])


def test_the_mask_of_a_partly_labelled_item_still_hides_what_lies_behind():
    camera = camera_of()
    renderer = MeshRenderer(camera.width, camera.height)
    near, far = quad_surface(renderer, labels=[0, 1, 0, 1]), quad_surface(renderer)
    items = [(far, slanted_quad(0.5) * np.array([2.6, 2.6, 2.0])), (near, slanted_quad(0.5))]
    drawn = renderer.render(camera, items, LIGHTING, geometry=True)
    v, u = np.nonzero(drawn.item == 2)
    assert set(np.unique(drawn.mask[v, u])) == {0, 2}
    assert (drawn.mask[v, u] == 2).mean() == pytest.approx(0.5, abs=0.02)
    assert (drawn.mask[drawn.item == 1] == 1).all() and drawn.depth_m[drawn.item == 1].min() == pytest.approx(1.0)


@pytest.mark.parametrize('samples', [1, 4])
def test_coverage_and_colour_do_not_depend_on_what_else_is_in_sight(samples):
    camera = camera_of()
    renderer = MeshRenderer(camera.width, camera.height, samples)
    flat = Lighting((), sky=(0.5, 0.5, 0.5), ground=(0.5, 0.5, 0.5))
    left, right = slanted_quad(0.5) * [0.3, 1, 1] - [0.12, 0, 0], slanted_quad(0.5) * [0.3, 1, 1] + [0.12, 0, 0]
    surface, other = quad_surface(renderer), quad_surface(renderer)
    both = renderer.render(camera, [(surface, left), (other, right)], flat).premultiplied
    alone = [renderer.render(camera, [(surface, place)], flat).premultiplied.astype(int) for place in (left, right)]
    np.testing.assert_array_equal(both, alone[0] + alone[1])
    assert both[..., 3].max() == 255 and len(np.unique(both[..., 3])) <= samples + 1


def test_an_open_surface_is_seen_from_inside_and_a_closed_one_is_not_drawn_twice():
    axes = np.concatenate([np.eye(3), -np.eye(3)]) * 0.05
    faces = np.array([(0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2), (1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5)])
    assert is_closed(faces) and not is_closed(faces[1:]) and not is_closed(faces[:, ::-1][:4])
    assert not is_closed(np.concatenate([faces[1:], faces[:1, ::-1]]))       # one face turned inside out
    camera, vertices = camera_of(), (axes + [0, 0, 0.5]).astype(np.float32)
    renderer = MeshRenderer(camera.width, camera.height)
    depths = []
    for shown in (faces, faces[:4]):       # the second lacks the near half, whose apex is vertex 5
        surface = renderer.surface(shown, np.zeros((6, 2)), shown, 6, WHITE, Material(), smooth=False)
        drawn = renderer.render(camera, [(surface, vertices)], LIGHTING, geometry=True)
        u, v = np.round(camera.project(np.array([0.0, 0.0, 0.5]))).astype(int)
        depths.append(drawn.depth_m[v, u])
    assert depths[0] == pytest.approx(0.45, abs=0.002) and depths[1] == pytest.approx(0.55, abs=0.002)


def test_renderers_of_two_sizes_share_a_surface_and_outlive_its_release():
    small, large = MeshRenderer(80, 60), MeshRenderer(160, 120)
    surface, vertices = quad_surface(small), slanted_quad()
    first = large.render(camera_of(), [(surface, vertices)], LIGHTING, geometry=True)
    half = small.render(camera_of(80, 60), [(surface, vertices)], LIGHTING, geometry=True)
    again = large.render(camera_of(), [(surface, vertices)], LIGHTING, geometry=True)
    for name in ('premultiplied', 'depth_m', 'mask', 'item', 'uv'):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert half.premultiplied.shape == (60, 80, 4) and half.mask.sum() > 1000
    surface.release()
    another = quad_surface(large)
    renewed = large.render(camera_of(), [(another, vertices)], LIGHTING)
    np.testing.assert_array_equal(renewed.premultiplied, first.premultiplied)
    small.release()
    renewed = large.render(camera_of(), [(another, vertices)], LIGHTING)
    np.testing.assert_array_equal(renewed.premultiplied, first.premultiplied)


def test_another_skin_is_put_on_and_taken_off():
    renderer = MeshRenderer(160, 120)
    surface, vertices = quad_surface(renderer), slanted_quad()
    white = renderer.render(camera_of(), [(surface, vertices)], LIGHTING).premultiplied
    surface.set_textures(Textures(np.full((4, 4, 4), (200, 20, 20, 255), np.uint8), np.zeros((4, 4), np.float32)))
    red = renderer.render(camera_of(), [(surface, vertices)], LIGHTING).premultiplied
    surface.set_textures(WHITE)
    np.testing.assert_array_equal(renderer.render(camera_of(), [(surface, vertices)], LIGHTING).premultiplied, white)
    middle = red[60, 80].astype(int)
    assert middle[0] > middle[1] + 80 and middle[3] == 255


def test_nothing_in_sight_is_an_empty_image():
    renderer = MeshRenderer(160, 120)
    behind, aside = slanted_quad() * [1, 1, -1], slanted_quad() + [9.0, 0, 0]
    items = [(quad_surface(renderer), vertices.astype(np.float32)) for vertices in (behind, aside)]
    for shown in (items, []):
        drawn = renderer.render(camera_of(), shown, LIGHTING, geometry=True)
        assert not drawn.premultiplied.any() and not drawn.item.any() and not drawn.depth_m.any()
    with pytest.raises(ValueError, match='samples: 3, expected one of 1, 4'):
        MeshRenderer(64, 48, samples=3)
    with pytest.raises(ValueError, match='softness: 0.9'):
        Lighting((), softness=0.9)


DRAW = '''
import hashlib, numpy as np
from test_rendering_geometry import drawn_hand
print(hashlib.sha256(drawn_hand()).hexdigest())
'''


def drawn_hand() -> bytes:
    """Every byte of one rendering of a textured hand."""
    model = load_hand_model('open_hand_long')
    renderer = MeshRenderer(96, 96)
    surface = renderer.surface(model.faces, model.uvs, model.uv_faces, model.vertex_count,
                               bake_skin(model, SkinTone(60.0, 11.0, 17.0), 5, 64), Material())
    camera = Camera(96, 96, np.array([[200.0, 0, 47.5], [0, 200.0, 47.5], [0, 0, 1]]))
    vertices = ((model.template_m - model.template_m.mean(0))[:, [0, 2, 1]] + [0, 0, 0.5]).astype(np.float32)
    drawn = renderer.render(camera, [(surface, vertices)], LIGHTING, geometry=True)
    assert drawn.item.sum() > 500
    return b''.join(array.tobytes() for array in (drawn.premultiplied, drawn.depth_m, drawn.mask, drawn.uv))


@pytest.mark.parametrize('threads', ['0', '1', '2'])
def test_pixels_do_not_depend_on_the_process_or_on_how_many_threads_draw(threads):
    here = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, 'LP_NUM_THREADS': threads, 'PYTHONPATH': os.pathsep.join([here, *sys.path])}
    result = subprocess.run([sys.executable, '-c', DRAW], env=environment, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == hashlib.sha256(drawn_hand()).hexdigest(), result.stderr


def test_a_baker_paints_what_bake_skin_paints_time_after_time():
    model = load_hand_model('open_hand_long')
    baker, tone = SkinBaker(model, 128), SkinTone(40.0, 11.0, 16.0)
    other = baker.bake(SkinTone(70.0, 9.0, 14.0), 8)
    skin, expected = baker.bake(tone, 7), bake_skin(model, tone, 7, 128)
    np.testing.assert_array_equal(skin.albedo, expected.albedo)
    np.testing.assert_array_equal(skin.height_m, expected.height_m)
    assert other.albedo[..., :3].mean() > skin.albedo[..., :3].mean() + 25
    with pytest.raises(ValueError, match='size: 32, expected 64..4096'):
        SkinBaker(model, 32)


def test_the_benchmark_names_missing_peers_and_still_measures_ours(monkeypatch, capsys):
    class Missing:
        @staticmethod
        def check():
            raise ModuleNotFoundError("No module named 'absent'")
    monkeypatch.setattr(benchmark, 'PEERS', {'absent': Missing})
    result = benchmark.run(argparse.Namespace(frames=1, seed=0))
    assert 'without absent' in capsys.readouterr().err
    assert [(row['case'].split(',')[0], row['shadows']) for row in result['rows']] == [
        (case, shadows) for case in ('crop 128 x 128', 'crop 256 x 256', 'stereo pair 640 x 480')
        for shadows in ('soft', 'none')]
    assert all(row['ours_ms'] > 0 and row['peer'] is None and row['ratio'] is None for row in result['rows'])
    with pytest.raises(ValueError, match='--frames: 0'):
        benchmark.run(argparse.Namespace(frames=0, seed=0))
