"""Tiny folders in the published layouts of hand data sets, written from a posed hand: every label in them is known.

Each image has one grey square per joint, its level telling which joint it is, painted where the test itself projects
it. Orders are written by name here, so that a loader's table is not checked against itself.
"""
import functools
import json
import pickle

import cv2
import numpy as np
import scipy.io

from hand_recon_ros.hand_model.assets import load_hand_model, load_named_poses
from hand_recon_ros.hand_model.mirroring import mirror_pose, posed_hand
from hand_recon_ros.hand_model.skeleton import KEYPOINT_NAMES
from hand_recon_ros.hand_model.skinning_jax import JaxHand

FINGERS = ('thumb', 'index', 'middle', 'ring', 'pinky')
RHD_NAMES = ['wrist'] + [f'{f}{k}' for f in FINGERS for k in (4, 3, 2, 1)]
STB_NAMES = ['wrist'] + [f'{f}{k}' for f in reversed(FINGERS) for k in (1, 2, 3, 4)]
INTERHAND_NAMES = [f'{f}{k}' for f in FINGERS for k in (4, 3, 2, 1)] + ['wrist']
MANO_NAMES = (['wrist'] + [f'{f}{k}' for f in ('index', 'middle', 'pinky', 'ring', 'thumb') for k in (1, 2, 3)]
              + [f'{f}4' for f in FINGERS])
BACKGROUND = 10


@functools.cache
def hand_joints(side='right', x=0.02, y=0.05, z=0.5):
    """Joints (21, 3) float64 of an open hand, fingers up, in a camera's optical frame."""
    pose = load_named_poses()['spread'].copy()
    pose[:3] = (1.45, 1.13, 1.56)
    pose = mirror_pose(pose) if side == 'left' else pose
    return np.asarray(posed_hand(_model(), pose, np.zeros(10), (x, y, z), side)[1], np.float64)


@functools.cache
def _model():
    return JaxHand(load_hand_model())


def in_order(joints, names):
    """Rows of package-ordered points in the order of `names`."""
    return joints[[KEYPOINT_NAMES.index(name) for name in names]]


def pixels(K, points):
    homogeneous = points @ np.asarray(K, np.float64).T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def level(joint):
    return 40 + 10 * joint


def painted(size, px, background=BACKGROUND):
    """Image of (width, height) with the joints at px (21, 2)."""
    image = np.full((size[1], size[0], 3), background, np.uint8)
    for joint, (u, v) in enumerate(np.round(px).astype(int)):
        image[max(0, v - 3):v + 4, max(0, u - 3):u + 4] = level(joint)
    return image


def hull(size, px, value=255):
    mask = np.zeros((size[1], size[0]), np.uint8)
    return cv2.fillConvexPoly(mask, cv2.convexHull(np.round(px).astype(np.int32)), int(value))


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    if image.ndim == 3:
        image = image[..., ::-1]
    assert cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111])


def turned(axis, angle, position):
    """T_world_camera of a camera turned about an axis, at a position."""
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(angle * np.asarray(axis, float))[0]
    T[:3, 3] = position
    return T


def moved(T, points):
    return points @ T[:3, :3].T + T[:3, 3]


def write_freihand(root, poses=3):
    """Joints of each training pose; evaluation of one pose with K only."""
    K = [[480.0, 0, 112], [0, 480.0, 112], [0, 0, 1]]
    joints = [hand_joints(x=-0.02, y=0.07 + 0.004 * k, z=0.62) for k in range(poses)]
    labels = {'K': [K] * poses, 'xyz': [j.tolist() for j in joints],
              'mano': [[(np.arange(61) / 100 + k).tolist()] for k in range(poses)],
              'verts': [(np.arange(778 * 3).reshape(778, 3) / 1e4 + k).tolist() for k in range(poses)]}
    root.mkdir(parents=True, exist_ok=True)
    for name, rows in labels.items():
        (root / f'training_{name}.json').write_text(json.dumps(rows))
    (root / 'evaluation_K.json').write_text(json.dumps([K]))
    (root / 'evaluation_scale.json').write_text('[0.03]')
    for version in range(4):
        for k, points in enumerate(joints):
            save(root / 'training' / 'rgb' / f'{version * poses + k:08d}.jpg',
                 painted((224, 224), pixels(K, points), BACKGROUND + 5 * version))
    for k, points in enumerate(joints):
        save(root / 'training' / 'mask' / f'{k:08d}.jpg', hull((224, 224), pixels(K, points)))
    save(root / 'evaluation' / 'rgb' / '00000000.jpg', painted((224, 224), pixels(K, joints[0])))
    return joints


def write_rhd(root, split='training'):
    """Image 0 shows a right hand, image 1 both; {(image, side): joints}."""
    K = np.array([[300.0, 0, 160], [0, 300.0, 160], [0, 0, 1]])
    left, right = hand_joints('left', x=0.1, y=0.06, z=0.45), hand_joints('right', x=-0.1, y=0.06, z=0.45)
    stored, truth = {}, {}
    for number, sides in enumerate((('right',), ('left', 'right'))):
        xyz = np.concatenate([in_order(points, RHD_NAMES) for points in (left, right)])
        visible = np.repeat([float('left' in sides), float('right' in sides)], 21)
        visible[22] = 0 if number == 0 else 1                 # the right thumb's tip is hidden in image 0
        stored[number] = {'xyz': xyz, 'uv_vis': np.column_stack([pixels(K, xyz), visible]), 'K': K}
        image, parts = np.full((320, 320, 3), BACKGROUND, np.uint8), np.zeros((320, 320), np.uint8)
        parts[200:] = 1                                       # the person
        for side, points, part in (('left', left, 17), ('right', right, 18)):
            if side in sides:
                truth[number, side] = points
                image = np.maximum(image, painted((320, 320), pixels(K, points)))
                parts[hull((320, 320), pixels(K, points)) > 0] = part
        millimetre_codes = np.full((320, 320), round(0.45 / 5 * 65535), np.uint16)
        depth = np.stack([millimetre_codes >> 8, millimetre_codes & 255, 0 * millimetre_codes], -1).astype(np.uint8)
        for name, pixels_ in (('color', image), ('mask', parts), ('depth', depth)):
            save(root / split / name / f'{number:05d}.png', pixels_)
    (root / split / f'anno_{split}.pickle').write_bytes(pickle.dumps(stored, protocol=2))
    return truth


STB_STEREO = np.array([[822.79041, 0, 318.47345], [0, 822.79041, 250.31296], [0, 0, 1]])
STB_COLOUR = np.array([[607.92271, 0, 314.78337], [0, 607.88192, 236.42484], [0, 0, 1]])


def write_stb(root):
    """Two frames of both evaluation sequences; (stereo joints in the left frame, joints in the colour camera's)."""
    stereo = [hand_joints('left', x=0.05, y=0.09, z=0.6 + 0.01 * k) for k in range(2)]
    colour = [hand_joints('left', x=0.02, y=0.07, z=0.45 + 0.01 * k) for k in range(2)]
    depth_of = [1000 * points @ cv2.Rodrigues(np.array([0.00531, -0.01196, 0.00301]))[0].T
                + (-24.0381, -0.4563, -1.2326) for points in colour]
    (root / 'labels').mkdir(parents=True)
    for name in ('B1Counting', 'B1Random'):
        for suffix, frames in (('BB', [1000 * points for points in stereo]), ('SK', depth_of)):
            rows = np.stack([in_order(points, STB_NAMES).T for points in frames], axis=-1)
            scipy.io.savemat(root / 'labels' / f'{name}_{suffix}.mat', {'handPara': rows})
        for k, (points, seen) in enumerate(zip(stereo, colour)):
            folder = root / 'images' / name
            save(folder / f'BB_left_{k}.png', painted((640, 480), pixels(STB_STEREO, points)))
            save(folder / f'BB_right_{k}.png', painted((640, 480), pixels(STB_STEREO, points - (0.120054, 0, 0))))
            save(folder / f'SK_color_{k}.png', painted((640, 480), pixels(STB_COLOUR, seen)))
            depth = np.zeros((480, 640, 3), np.uint8)
            depth[..., :2] = 451 & 255, 451 >> 8
            save(folder / f'SK_depth_{k}.png', depth)
    return stereo, colour


DEXYCB_SERIALS = ('836212060125', '839512060362', '840412060917', '841412060263',
                  '932122060857', '932122060861', '932122061900', '932122062010')


def write_dexycb(root, subjects=('20200709-subject-01', '20200813-subject-02'), sequences=100, filled=4):
    """Calibration, metas of all sequences, and one frame of the sequence `filled` of the first subject: a left hand.

    The third camera has no label. Gives the joints in each camera's frame.
    """
    world = hand_joints('left', x=0.05, y=0.07, z=0.7)        # the master camera's frame
    poses = [turned((0, 1, 0), 0.04 * k, (-0.03 * k, 0.01 * k, 0)) for k in range(8)]
    calibration = root / 'calibration'
    for name in ('intrinsics', 'extrinsics_20200702_151821', 'mano_20200709-subject-01_left'):
        (calibration / name).mkdir(parents=True)
    for k, serial in enumerate(DEXYCB_SERIALS):
        (calibration / 'intrinsics' / f'{serial}_640x480.yml').write_text(
            f'color:\n  fx: {600 + k}.5\n  fy: {600 + k}.25\n  ppx: {320 + k}\n  ppy: {240 + k}\ndepth:\n  fx: 1\n')
    rows = ['extrinsics:']
    for serial, T in zip((*DEXYCB_SERIALS, 'apriltag'), (*poses, np.eye(4))):
        rows += [f"  '{serial}': !!python/tuple" if serial != 'apriltag' else '  apriltag: !!python/tuple']
        rows += [f'  - {float(value)!r}' for value in T[:3].ravel()]
    rows += ["master: '840412060917'"]
    (calibration / 'extrinsics_20200702_151821' / 'extrinsics.yml').write_text('\n'.join(rows))
    (calibration / 'mano_20200709-subject-01_left' / 'mano.yml').write_text(f'betas: {[0.1 * k for k in range(10)]}\n')
    meta = ('serials:\n' + ''.join(f"- '{serial}'\n" for serial in DEXYCB_SERIALS)
            + 'num_frames: 1\nextrinsics: \'20200702_151821\'\nmano_sides:\n- left\nmano_calib:\n'
              "- 20200709-subject-01_left\nycb_ids:\n- 2\nycb_grasp_ind: 0\n")
    folders = [root / subject / f'2020{n // 100 + 1:02d}09_{n:06d}' for subject in subjects for n in range(sequences)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / 'meta.yml').write_text(meta)
    truth = []
    for k, (serial, T) in enumerate(zip(DEXYCB_SERIALS, poses)):
        points = moved(np.linalg.inv(T), world)
        truth.append(points)
        px = pixels([[600.5 + k, 0, 320 + k], [0, 600.25 + k, 240 + k], [0, 0, 1]], points)
        folder, labelled = folders[filled] / serial, k != 2
        save(folder / 'color_000000.jpg', painted((640, 480), px))
        save(folder / 'aligned_depth_to_color_000000.png', np.full((480, 640), 700 + k, np.uint16))
        np.savez(folder / 'labels_000000.npz', seg=hull((640, 480), px),
                 pose_y=np.zeros((1, 3, 4), np.float32),
                 pose_m=(np.arange(51, dtype=np.float32)[None] + k) * labelled,
                 joint_3d=points[None].astype(np.float32) if labelled else np.full((1, 21, 3), -1, np.float32),
                 joint_2d=px[None].astype(np.float32) if labelled else np.full((1, 21, 2), -1, np.float32))
    return truth


def write_ho3d(root, version, evaluation_labels=False):
    """Two training frames, the second without labels, and one of evaluation; the joints of the labelled ones."""
    K = np.array([[610.0, 0, 320], [0, 610.0, 240], [0, 0, 1]])
    joints, flip, suffix = hand_joints(z=0.55), np.array([1.0, -1, -1]), '.png' if version == 2 else '.jpg'
    stored = in_order(joints, MANO_NAMES) * flip
    box = np.array([200.0, 100, 400, 300])
    frames = {'train/ABF10/0000': {'camMat': K, 'handJoints3D': stored, 'handPose': np.arange(48) / 50,
                                   'handTrans': np.array([0.1, 0.2, -0.5]), 'handBeta': np.arange(10) / 10,
                                   'objName': '021_bleach_cleanser', 'objRot': np.zeros((3, 1)), 'objLabel': 12},
              'train/ABF10/0001': {'camMat': K, 'handJoints3D': None, 'handPose': None, 'handTrans': None,
                                   'handBeta': None, 'objName': None, 'objRot': None},
              'evaluation/SM1/0007': {'camMat': K, 'handJoints3D': stored[0], 'handBoundingBox': box.tolist()}}
    for name, meta in frames.items():
        folder, frame = (root / name).parent, (root / name).name
        (folder / 'meta').mkdir(parents=True, exist_ok=True)
        (folder / 'meta' / f'{frame}.pkl').write_bytes(pickle.dumps(meta, protocol=2))
        save(folder / 'rgb' / f'{frame}{suffix}', painted((640, 480), pixels(K, joints)))
        code = round(0.55 / 0.00012498664727900177)
        depth = np.zeros((480, 640, 3), np.uint8)
        depth[..., :2] = code & 255, code >> 8
        save(folder / 'depth' / f'{frame}.png', depth)
        if version == 3 and name.startswith('train'):
            seg = np.zeros((240, 320, 3), np.uint8)
            seg[..., 2] = cv2.resize(hull((640, 480), pixels(K, joints)), (320, 240), interpolation=cv2.INTER_NEAREST)
            seg[:20, :, 1] = 255                              # an object
            save(folder / 'seg' / f'{frame}.png', seg)
    (root / 'train.txt').write_text('ABF10/0000\nABF10/0001\n')
    (root / 'evaluation.txt').write_text('SM1/0007\n')
    if evaluation_labels:
        (root / 'evaluation_xyz.json').write_text(json.dumps([stored.tolist()]))
        (root / 'evaluation_verts.json').write_text(json.dumps([(np.ones((778, 3)) * flip * 0.5).tolist()]))
    return joints


def write_humbi(root):
    """One frame of subject 3: a right hand in two cameras' crops, a left one in one; {side: world joints}, cameras."""
    K = np.array([[1800.0, 0, 960], [0, 1810.0, 540], [0, 0, 1]])
    cameras = {4: turned((1, 0, 0), 0.1, (0, 0.05, 0)), 11: turned((0, 1, 0), 0.3, (0.3, 0, 0.05))}
    world = {'right': hand_joints('right', x=0.02, y=0.04, z=1.1), 'left': hand_joints('left', x=-0.1, y=0.04, z=1.1)}
    folder = root / 'subject_3' / 'hand'
    frame = folder / '00000041'
    (frame / 'reconstruction').mkdir(parents=True)
    header = 'NumCams: 107\nNumFrames: 2\nNumP: 2\n'
    lines = {'intrinsic': [header], 'extrinsic': [header]}
    for number, T in cameras.items():
        lines['intrinsic'].append(f'0 {number}\n' + ''.join(' '.join(map(repr, map(float, row))) + '\n' for row in K))
        rows = [T[:3, 3], *T[:3, :3].T]
        lines['extrinsic'].append(f'0 {number}\n' + ''.join(' '.join(map(repr, map(float, r))) + '\n' for r in rows))
    for name, text in lines.items():
        (folder / f'{name}.txt').write_text(''.join(text))
    for side, seen in (('right', (4, 11)), ('left', (11,))):
        crops = []
        for number in seen:
            px = pixels(K, moved(np.linalg.inv(cameras[number]), world[side]))
            x, y = np.floor(px.min(0) - 40)
            width = np.ceil((px.max(0) - px.min(0)).max() + 80)
            crops.append(f'{number} {x:g} {x + width - 1:g} {y:g} {y + width - 1:g}')
            save(frame / 'image_cropped' / side / f'image{number:07d}.png',
                 painted((250, 250), (px - (x, y)) * 250 / width))
        (frame / 'image_cropped' / side / 'list.txt').write_text('\n'.join(crops) + '\n')
        tables = {'keypoints': world[side], 'vertices': np.arange(778 * 3).reshape(778, 3) / 1e4,
                  'mano_params': np.arange(36.0)[:, None]}
        for name, table in tables.items():
            np.savetxt(frame / 'reconstruction' / f'{name}_{side[0]}.txt', table, '%.9f')
    return world, {number: np.linalg.inv(T) for number, T in cameras.items()}


def write_interhand(root, split='train'):
    """Capture 0: frame 17 of two hands in two cameras, frame 20 of a right hand in one; joints and cameras in the world."""
    cameras = {'400262': turned((0, 1, 0), 0.05, (-0.04, 0, 0)), '400263': turned((1, 0, 0), -0.1, (0, -0.1, 0.02))}
    world = {'right': hand_joints('right', x=-0.12, y=0.06, z=0.9), 'left': hand_joints('left', x=0.12, y=0.06, z=0.9)}
    focal, centre = [700.0, 690.0], [170.0, 260.0]
    K = [[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]]
    calibration = {'0': {'campos': {n: (1000 * T[:3, 3]).tolist() for n, T in cameras.items()},
                         'camrot': {n: T[:3, :3].T.tolist() for n, T in cameras.items()},
                         'focal': dict.fromkeys(cameras, focal), 'princpt': dict.fromkeys(cameras, centre)}}
    both = 1000 * np.concatenate([in_order(world[side], INTERHAND_NAMES) for side in ('right', 'left')])
    valid = np.ones((42, 1), int)
    valid[21 + INTERHAND_NAMES.index('ring4')] = 0
    only_right = valid * (np.arange(42) < 21)[:, None]
    joints = {'0': {'17': {'world_coord': both.tolist(), 'joint_valid': valid.tolist(), 'hand_type': 'interacting',
                           'hand_type_valid': True},
                    '20': {'world_coord': both.tolist(), 'joint_valid': only_right.tolist(), 'hand_type': 'right',
                           'hand_type_valid': True}}}
    images, annotations = [], []
    for frame, camera, kind, flags in ((17, '400262', 'interacting', valid), (17, '400263', 'interacting', valid),
                                       (20, '400262', 'right', only_right)):
        name = f'Capture0/ROM01_No_Interaction/cam{camera}/image{frame}.jpg'
        images.append({'id': len(images), 'file_name': name, 'width': 334, 'height': 512, 'capture': 0, 'subject': 5,
                       'seq_name': 'ROM01_No_Interaction', 'camera': camera, 'frame_idx': frame})
        annotations.append({'id': 100 + len(annotations), 'image_id': images[-1]['id'],
                            'bbox': [60.0, 80.0, 200.0, 300.0], 'joint_valid': flags.ravel().tolist(), 'hand_type': kind, 'hand_type_valid': 1})
        image = np.full((512, 334, 3), BACKGROUND, np.uint8)
        for side in ('right', 'left') if kind == 'interacting' else ('right',):
            px = pixels(K, moved(np.linalg.inv(cameras[camera]), world[side]))
            image = np.maximum(image, painted((334, 512), px))
        save(root / 'images' / split / name, image)
    fit = {'pose': [0.01 * k for k in range(48)], 'shape': [0.1] * 10, 'trans': [0.1, 0.2, 0.9]}
    folder = root / 'annotations' / split
    folder.mkdir(parents=True)
    for name, content in (('data', {'images': images, 'annotations': annotations}), ('camera', calibration),
                          ('joint_3d', joints), ('MANO_NeuralAnnot', {'0': {'17': {'right': fit, 'left': None}}})):
        (folder / f'InterHand2.6M_{split}_{name}.json').write_text(json.dumps(content))
    return world, {n: np.linalg.inv(T) for n, T in cameras.items()}
