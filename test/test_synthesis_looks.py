"""Skin tones, light, clothes, the camera's own doings, shadows on tables."""
import numpy as np
import pytest

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.rendering.mesh_renderer import Light, Lighting
from hand_recon_ros.rendering.patterns import lab_to_srgb
from hand_recon_ros.synthesis.appearance import LIGHTS, sample_appearance, sample_lighting, turned
from hand_recon_ros.synthesis.capture import Capture, captured, sample_capture, smeared
from hand_recon_ros.synthesis.desks import table
from hand_recon_ros.synthesis.furniture import living_room, person
from hand_recon_ros.synthesis.materials import bare_skin, fabric, jumble, tiles
from hand_recon_ros.synthesis.skin_tones import GROUPS, TONES
from hand_recon_ros.synthesis.sleeve import arm_mesh, sleeve_mesh
from hand_recon_ros.synthesis.solids import box, ellipsoid, split
from hand_recon_ros.synthesis.table_shadow import shaded


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand_long')


def test_tones_are_many_published_and_inside_the_gamut():
    assert len(set(TONES)) == len(TONES) >= 40
    assert {group.source for group in GROUPS} == {'Xiao 2017', 'Yun 2010', 'de Rigal 2010', 'Monk 2019'}
    lab = np.array(TONES)
    assert lab[:, 0].min() < 32 and lab[:, 0].max() > 68
    rgb = lab_to_srgb(*lab.T)
    assert rgb.min() > 0.05 and rgb.max() < 0.95                                  # nothing clipped
    assert (np.diff(rgb, axis=1) < 0).all()                                       # skin: red over green over blue
    # Individual typology angle (Chardon 1991): from very light (> 55 degrees) or light to dark (< -30).
    ita = np.degrees(np.arctan2(lab[:, 0] - 50, lab[:, 2]))
    assert ita.min() < -30 and ita.max() > 41
    # sRGB of the published scale's tone 7.
    assert 255 * lab_to_srgb(*GROUPS[14].mean) == pytest.approx([130, 92, 67], abs=1.0)


def test_people_differ_and_light_and_dark_come_equally_often():
    people = [sample_appearance(np.random.default_rng(k), 10) for k in range(300)]
    lightness = np.array([p.tone.lightness for p in people])
    counts = np.histogram(lightness, bins=[25, 38, 50, 60, 75])[0]
    assert counts.min() > 40
    assert np.abs([p.shape for p in people]).max() <= 2.0 and np.std([p.shape for p in people]) > 0.8
    bare = np.mean([p.cuff is None for p in people])
    assert 0.25 < bare < 0.45 and all(p.cuff is None or 0.1 <= p.cuff <= 0.8 for p in people)
    one, other = (sample_appearance(np.random.default_rng(3), 10) for _ in range(2))
    assert one.tone == other.tone and one.lighting == other.lighting and one.skin_seed == other.skin_seed


def test_lights_are_what_they_are_called():
    def mean(kind, value):
        return np.mean([value(sample_lighting(np.random.default_rng(k), kind)) for k in range(60)], axis=0)
    def warmth(lighting):
        return lighting.lights[0].colour[0] / lighting.lights[0].colour[2]
    def strength(lighting):
        return np.mean(lighting.lights[0].colour) + np.mean(lighting.sky)
    assert mean('lamp', warmth) > 1.25 > 1.02 > mean('window', warmth)
    assert mean('dim', strength) < 0.6 * mean('window', strength)
    assert mean('backlit', lambda l: l.lights[0].direction)[2] > 0.3              # from behind the hands
    assert mean('ceiling', lambda l: l.lights[0].direction)[1] < -0.85            # from above
    assert mean('two_lamps', lambda l: sum(light.casts_shadow for light in l.lights)) == 2
    for kind in LIGHTS:
        assert mean(kind, lambda l: np.linalg.norm(l.lights[0].direction)) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="kind: 'neon'"):
        sample_lighting(np.random.default_rng(0), 'neon')


def test_light_turns_with_its_frame():
    lighting = Lighting((Light((0.0, -1.0, 0.0), (1.0, 1.0, 1.0)),))
    quarter = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    half = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert turned(lighting, quarter).lights[0].direction == pytest.approx((0, -1, 0))
    assert turned(lighting, half).lights[0].direction == turned(lighting, half).up == pytest.approx((0, 0, -1))


@pytest.mark.parametrize('cuff', [0.1, 0.6, 0.8, None])
def test_sleeves_and_arms_cover_the_end_of_the_forearm_for_every_shape(model, cuff):
    rng = np.random.default_rng(4)
    for _ in range(4):
        shape = np.clip(rng.normal(size=10), -2, 2)
        vertices, faces, uvs = arm_mesh(model, shape) if cuff is None else sleeve_mesh(model, shape, rng, cuff)
        template = model.template_m + model.shape_dirs @ shape
        behind = template[:, 0] / template[:, 0].max()
        end = template[behind > 0.85]
        axis = vertices[-37:].mean(0) - end.mean(0)
        assert np.linalg.norm(axis) > 0.2                                         # it leaves the picture
        axis /= np.linalg.norm(axis)
        assert axis[0] > 0.9                                                      # away from the hand
        rings = vertices.reshape(-1, 37, 3)[2:]                                   # the first two are a cuff's lining
        middles = rings.mean(1)
        for point in end[::5]:
            ring = np.abs((middles - point) @ axis).argmin()
            radius = np.linalg.norm(rings[ring] - middles[ring], axis=1).max()
            assert np.linalg.norm(point - middles[ring]) < radius + 0.002
        start = vertices[:, 0].min() / template[:, 0].max()
        assert start == pytest.approx(0.55 if cuff is None else cuff, abs=0.08)
        a, b, c = (vertices[faces[400:500, k]] for k in range(3))
        outward = ((a + b + c) / 3 - middles[15]) @ (np.eye(3) - np.outer(axis, axis))
        assert ((np.cross(b - a, c - a) * outward).sum(1) > 0).mean() > 0.95
        assert faces.max() == len(vertices) - 1 and uvs.shape == (len(vertices), 2)
    with pytest.raises(ValueError, match='cuff: 0.9'):
        sleeve_mesh(model, np.zeros(10), rng, 0.9)


def test_the_camera_blurs_brightens_and_adds_noise():
    flat = np.full((60, 80, 3), 100.0, np.float32)
    plain = captured(flat, Capture(blur_px=0, falloff=0, read_noise=0, shot_noise=0), np.random.default_rng(0))
    np.testing.assert_array_equal(plain, 100)
    lens = Capture(blur_px=0, gain=(1.2, 1.0, 0.8), falloff=0, read_noise=3.0, shot_noise=0)
    noisy = captured(flat, lens, np.random.default_rng(0))
    assert noisy.reshape(-1, 3).mean(0) == pytest.approx([120, 100, 80], abs=0.5) and 1.5 < noisy[..., 1].std() < 4.5
    assert (captured(flat, lens, np.random.default_rng(1)) != noisy).mean() > 0.5
    large = captured(np.full((30, 1100, 3), 100.0), lens, np.random.default_rng(0))     # wider than the noise is
    assert large.shape == (30, 1100, 3) and 1.5 < large[..., 1].std() < 4.5
    curve = Capture(blur_px=0, falloff=0, read_noise=0, shot_noise=0, contrast=1.5)
    assert captured(flat, curve, None)[0, 0, 0] == 90 and captured(flat + 40, curve, None)[0, 0, 0] == 150
    shot = Capture(blur_px=0, falloff=0, read_noise=0, shot_noise=0.5)
    dark, bright = (captured(np.full((60, 80, 3), v), shot, np.random.default_rng(0))[..., 1].std() for v in (25, 225))
    assert bright == pytest.approx(3 * dark, rel=0.1)                             # grows with the root of the light
    corners = captured(flat, Capture(falloff=0.2, read_noise=0, shot_noise=0), np.random.default_rng(0))
    assert corners[0, 0, 0] == pytest.approx(80, abs=1) and corners[30, 40, 0] == pytest.approx(100, abs=1)
    picture = np.random.default_rng(2).uniform(0, 255, (64, 64, 3))
    clean = Capture(blur_px=0, falloff=0, read_noise=0, shot_noise=0)
    coded = captured(picture, Capture(blur_px=0, falloff=0, read_noise=0, shot_noise=0, jpeg_quality=30), None)
    assert 5 < np.abs(coded.astype(float) - captured(picture, clean, None)).mean() < 60


def test_exposure_follows_the_light_and_spares_the_skin():
    def gains(**given):
        return [sample_capture(np.random.default_rng(k), 640, **given) for k in range(60)]
    bright, dim = gains(brightness=200), gains(brightness=60)
    assert np.mean([c.gain[1] for c in bright]) < 0.8 < 1.4 < np.mean([c.gain[1] for c in dim])
    assert np.mean([c.read_noise for c in dim]) > 1.8 * np.mean([c.read_noise for c in bright])
    assert max(c.gain[1] * 220 for c in gains(brightness=60, brightest=220)) < 229
    wild = gains(brightness=130, wild=True)
    assert all(35 <= c.jpeg_quality < 90 for c in wild) and all(c.jpeg_quality is None for c in bright)
    for field, value in (('blur_px', -1), ('jpeg_quality', 0), ('contrast', 0.1), ('shutter_s', 1000)):
        with pytest.raises(ValueError, match=f'{field}: {value}'):
            Capture(**{field: value})


def test_motion_smears_along_its_way_and_only_inside_its_box():
    layer = np.zeros((40, 60, 4), np.uint8)
    layer[20, 30] = layer[5, 5] = 240
    smeared(layer, np.array([10.0, 0.0]), (15, 10, 45, 30))
    row = layer[20, :, 3].astype(float)
    assert row.sum() == pytest.approx(240, abs=12) and (row > 0).sum() >= 10 and layer[19:22, 30, 3].sum() == row[30]
    assert (row * np.arange(60)).sum() / row.sum() == pytest.approx(30, abs=0.1)
    assert layer[5, 5, 3] == 240
    still = layer.copy()
    smeared(layer, np.array([0.3, 0.0]), (0, 0, 60, 40))
    np.testing.assert_array_equal(layer, still)


def test_a_hand_s_shadow_falls_where_the_light_throws_it():
    """A disc 0.1 m over a table 1 m below a camera that looks straight down; the light comes from the left."""
    camera = Camera(320, 240, np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]))
    turn = np.linspace(0, 2 * np.pi, 60)
    disc = np.concatenate([r * np.stack([np.cos(turn), np.sin(turn), 0 * turn], 1) for r in np.linspace(0, 0.06, 12)])
    disc = disc + [0, 0, 0.9]
    table_point, up = np.array([0, 0, 1.0]), np.array([0, 0, -1.0])
    floor = np.full((240, 320, 3), 200, np.uint8)
    toward = np.array([-1.0, 0, -1.0]) / np.sqrt(2)
    light = Lighting((Light(tuple(toward), (1.0, 1.0, 1.0)),), sky=(0.4,) * 3)
    shadow = 200.0 - shaded(floor, camera, [disc], light, table_point, up)[..., 0]
    y, x = np.mgrid[0:240, 0:320]
    centre = (shadow * x).sum() / shadow.sum(), (shadow * y).sum() / shadow.sum()
    assert centre == pytest.approx((159.5 + 300 * 0.1, 119.5), abs=4)
    part = np.sqrt(0.5)                          # of the light's strength, at 45 degrees
    assert shadow.max() == pytest.approx(200 * (1 - (0.4 / (0.4 + part)) ** (1 / 2.2)), abs=25)
    flat = Lighting((Light((-1.0, 0.0, -0.01), (1.0, 1.0, 1.0)),))
    assert shaded(floor, camera, [disc], flat, table_point, up) is floor


def test_places_are_furnished_differently_and_textures_are_sound():
    for maker in (living_room, table):
        counts = {len(maker(np.random.default_rng(k))) for k in range(8)}
        assert len(counts) >= 4 and min(counts) >= 5
    owner = person(np.random.default_rng(0), 0.6, (0.7, 0.5, 0.4), fabric(np.random.default_rng(0)))
    assert min(solid.vertices_m[:, 2].min() for solid in owner) > 0.7             # behind the hands
    assert tiles(np.random.default_rng(1)).albedo[..., :3].std() > 1
    arm = bare_skin(np.random.default_rng(1), (0.6, 0.4, 0.3), (0.8, 0.6, 0.5)).albedo[..., 0] / 255
    assert arm[:, 32].mean() == pytest.approx(0.6, abs=0.03) and arm[:, 96].mean() == pytest.approx(0.8, abs=0.03)
    one, other = (jumble(np.random.default_rng(k), 120, 90) for k in (0, 1))
    assert one.shape == (90, 120, 3) and 0 <= one.min() and one.max() <= 1 and np.abs(one - other).mean() > 0.05


def test_solids_are_closed_and_wound_outwards():
    textures = fabric(np.random.default_rng(0))
    for solid, volume in ((box((0.2, 0.3, 0.4), (1, 2, 3), textures), 0.024),
                          (split(box((0.2, 0.3, 0.4), (1, 2, 3), textures), 2), 0.024),
                          (ellipsoid((0.1, 0.2, 0.3), (1, 2, 3), textures, 40, 60), 4 / 3 * np.pi * 0.006)):
        a, b, c = (solid.vertices_m[solid.faces[:, k]].astype(float) - [1, 2, 3] for k in range(3))
        assert np.einsum('ij,ij->', a, np.cross(b, c)) / 6 == pytest.approx(volume, rel=0.02)
        assert solid.uvs.shape[0] > solid.uv_faces.max() and solid.faces.shape == solid.uv_faces.shape
