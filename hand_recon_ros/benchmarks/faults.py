"""Faults injected into the live stereo graph: the diagnostics line that names each, how soon, and what comes after."""
from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from hand_recon_ros.benchmarks.fault_cases import DESK, LIMIT_S, WIDE, FaultCase, chosen
from hand_recon_ros.nodes.fault_feed import FaultFeed, Footage
from hand_recon_ros.evaluation.sets import SetRecording, generate
from hand_recon_ros.synthesis.scene import SceneConfig

HELP = 'faults injected into the live stereo graph: the line that names each, how soon, and the recovery'
# Rendered pairs at 25 images a second: neighbours are the 40 ms apart of a skew. The headset's calibration is wrong by
# what a careful one is wrong by.
EGOCENTRIC = 'egocentric'
SCENES = {DESK: SceneConfig(view='desk', rig='rectified', baseline_m=0.12, seed=5001, frames=100, fps=25.0),
          WIDE: SceneConfig(view='facing', rig='wide', seed=5002, frames=75, fps=25.0),
          EGOCENTRIC: SceneConfig(view='egocentric', rig='headset', seed=5003, frames=75, fps=25.0,
                                  calibration_error=0.7)}
SETTLE_S, SETTLED_AT_MOST_S = 4.0, 30.0
RECOVERY_AT_MOST_S = 15.0
LISTENER_S = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('--cases', default='', metavar='PART,PART', help='only faults with this in their name')
    parser.add_argument('--rate', type=float, default=12.5, help='pairs a second (default %(default)s)')
    parser.add_argument('--healthy-seconds', type=float, default=30.0, metavar='S',
                        help='of each healthy recording; 0: none (default %(default)s)')
    parser.add_argument('--healthy', action='append', default=[], type=Path, metavar='BAG',
                        help='another recording that is to raise no line, as of a real pair (offsets: real)')


def run(args: argparse.Namespace) -> dict:
    """Rows: one a fault, one a healthy recording. exit_status: 1 when a fault was not named in time, did not end, a
    node died, or a healthy recording raised a line."""
    if not 2 <= args.rate <= 25 or not 0 <= args.healthy_seconds <= 3600:
        raise ValueError(f'--rate {args.rate}, --healthy-seconds {args.healthy_seconds}: expected 2 to 25 and 0 to '
                         '3600')
    cases = chosen(args.cases)
    # Domain and profile must be set before anything of ROS is loaded.
    from hand_recon_ros.nodes.session import choose_private_domain
    choose_private_domain()
    footage = {name: _footage(index, name) for index, name in enumerate(SCENES)
               if args.healthy_seconds or any(case.footage == name for case in cases)}
    rows = []
    total = len(cases) + (len(footage) + len(args.healthy)) * (args.healthy_seconds > 0)
    with tqdm(total=total, unit='case', disable=not sys.stderr.isatty()) as bar:
        for name, pair in footage.items():
            with LiveGraph(pair, args.rate, 'synthetic') as graph:
                for case in sorted((case for case in cases if case.footage == name), key=lambda case: not case.fresh):
                    rows.append(graph.injected(case))
                    bar.update()
                    tqdm.write(f'{case.name}: {rows[-1]["diagnostic"]}', file=sys.stderr)
                if args.healthy_seconds:
                    rows.append(graph.healthy(name, args.healthy_seconds))
                    bar.update()
        for path in args.healthy:
            with LiveGraph(Footage.read(path), args.rate, 'real') as graph:
                rows.append(graph.healthy(path.name, args.healthy_seconds or 30.0))
                bar.update()
    return {'name': 'faults', 'rows': rows, 'rate_hz': args.rate,
            'exit_status': int(any(not row['ok'] for row in rows))}


def _footage(index: int, name: str) -> Footage:
    config = SCENES[name]
    return Footage.read(generate(SetRecording('faults', index, config, config.frames),
                                 progress=sys.stderr.isatty()))


class LiveGraph:
    """All nodes of a stereo rig, fed with one pair's footage. `with LiveGraph(...) as graph:`"""

    def __init__(self, footage: Footage, rate: float, offsets: str):
        from hand_recon_ros.nodes.environment import config_file
        from hand_recon_ros.nodes.session import Session
        from hand_recon_ros.nodes.supervisor import stereo_nodes
        self._footage, self._rate = footage, rate
        self._open = ExitStack()
        self._folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix='hand_recon_'))
        left, right = footage.cameras
        rectified, table = {'rectified': str(left.rectified).lower()}, {'offsets': offsets}
        # A subscriber that insists on reliable images, as one would for a recording: a camera need not offer that.
        qos = {f'qos_overrides.{right.image}.subscription.reliability': 'reliable'}
        parameters = {'stereo_keypoint_node': {'image_transport': 'compressed', **rectified, **qos},
                      'left_mesh_node': {**rectified, **table}, 'right_mesh_node': {**rectified, **table},
                      'stereo_fusion_node': {**rectified, **table}, 'tailor_node': table,
                      'identity_node': {**rectified, **table, 'folder': self._folder}}
        nodes = stereo_nodes(left.base, right.base, left.info, right.info, parameters=parameters)
        self._session = Session(nodes, config_file('stereo.yaml'), report=self._line, name='faults')
        self._statuses: list[tuple[float, object]] = []
        self._meshes: list[tuple[int, int]] = []

    def __enter__(self) -> LiveGraph:
        from diagnostic_msgs.msg import DiagnosticArray

        from hand_recon_ros.messages.stamps import to_ns
        from hand_recon_ros.msg import HandMeshArray
        with ExitStack() as opening:
            session = opening.enter_context(self._session)
            session.wait_until_active()
            self._open.push(opening.pop_all())
        session.node.create_subscription(
            DiagnosticArray, '/diagnostics',
            lambda message: self._statuses.extend((time.monotonic(), status) for status in message.status), 50)
        session.node.create_subscription(
            HandMeshArray, 'hands/mesh',
            lambda message: self._meshes.append((to_ns(message.header.stamp), len(message.hands))), 10)
        self._feed = FaultFeed(session.node, self._footage, self._rate)
        return self

    def __exit__(self, *_) -> None:
        self._open.close()

    def injected(self, case: FaultCase) -> dict:
        """The row of one fault: played until its line came or is too late, then without it until all is well again."""
        died = self._deaths()
        if case.identity:
            self._use_identity(True)
        clean = True
        if case.fresh:
            self._feed.offer_all()
        else:
            clean = self._settle()
        case.begin(self._feed)
        began_s, came = time.monotonic(), len(self._meshes)
        if case.fresh:
            # Patience of the inputs runs from their being there, which is before the first image.
            self._feed.play(0.2, case.change, between=self._poll)
        patience_s = LIMIT_S + 2.0 if case.visible and case.line else LIMIT_S
        played_s = self._feed.play(
            patience_s, case.change, until=lambda: self._named(case.line, began_s) is not None, between=self._poll,
            right_delay_s=case.right_delay_s)
        found = self._named(case.line, began_s)
        others = self._complaints(began_s) if found is None else []
        meshes = len(self._meshes) - came
        case.end(self._feed)
        cleared_s = self._recovered(case)
        if case.identity:
            self._use_identity(False)
        deaths = self._deaths() - died
        seconds = found[0] - began_s if found else None
        wanted = bool(case.line) and case.visible
        named_rightly = (found is not None and seconds <= case.limit_s) if wanted else found is None and not others
        row = {'case': case.name, 'named': found is not None, 'seconds': seconds,
               'limit_s': case.limit_s if wanted else None, 'cleared_s': cleared_s, 'deaths': deaths,
               'meshes_hz': meshes / played_s, 'ok': bool(named_rightly and cleared_s is not None and not deaths)}
        line = found[1] if found else None
        return row | {'node': line.name if line else '', 'level': _level(line) if line else 0,
                      'diagnostic': line.message if line else '; '.join(others) or 'none', 'clean_before': clean}

    def healthy(self, name: str, seconds: float) -> dict:
        """The row of a recording without a fault: lines it raised once all nodes had settled."""
        died = self._deaths()
        self._settle()
        began_s, came = time.monotonic(), len(self._meshes)
        self._feed.play(seconds, between=self._poll)
        lines, deaths = self._complaints(began_s), self._deaths() - died
        hands = [count for _, count in self._meshes[came:]]
        return {'case': f'healthy: {name}', 'named': bool(lines), 'seconds': seconds, 'deaths': deaths,
                'meshes_hz': len(hands) / seconds, 'ok': not lines and not deaths and any(hands), 'node': '',
                'level': 0, 'diagnostic': '; '.join(lines) or f'none ({self._health()})'}

    def _settle(self) -> bool:
        """Play without a fault until nobody complains and hands come; whether that was reached."""
        if not self._feed.offered:
            self._feed.offer_all()
        self._feed.play(SETTLE_S, between=self._poll)
        began_s = time.monotonic() - 1.5
        self._feed.play(SETTLED_AT_MOST_S, until=lambda: self._well(max(began_s, time.monotonic() - 1.5)),
                        between=self._poll)
        return self._well(time.monotonic() - 1.5)

    def _well(self, since_s: float) -> bool:
        """Every node has said since then that all is well, and the last meshes show hands."""
        latest = {}
        for at_s, status in self._statuses[-200:]:
            if at_s >= since_s:
                latest[status.name] = _level(status)
        return len(latest) >= len(self._session.supervisor.nodes) and not any(latest.values()) \
            and any(count for _, count in self._meshes[-10:])

    def _recovered(self, case: FaultCase) -> float | None:
        """Seconds until no node says the line any more and hands of images sent since come; None when too many."""
        began_s, stamp_ns = time.monotonic(), self._feed.stamp_ns

        def over() -> bool:
            latest = {status.name: status for at_s, status in self._statuses[-200:] if at_s >= began_s}
            told = len(latest) >= len(self._session.supervisor.nodes)
            lines = any(_level(status) and re.search(case.line or '.', status.message) for status in latest.values())
            return told and not lines and any(stamp >= stamp_ns and count for stamp, count in self._meshes[-50:])
        self._feed.play(RECOVERY_AT_MOST_S, until=over, between=self._poll)
        return time.monotonic() - began_s if over() else None

    def _named(self, line: str, since_s: float) -> tuple[float, object] | None:
        """The first status since then whose message has `line`."""
        if not line:
            return None
        return next(((at_s, status) for at_s, status in list(self._statuses)
                     if at_s >= since_s and _level(status) and re.search(line, status.message)), None)

    def _complaints(self, since_s: float) -> list[str]:
        """What was said to be wrong since then, each once."""
        return list(dict.fromkeys(f'{status.name}: {status.message}' for at_s, status in list(self._statuses)
                                  if at_s >= since_s and _level(status)))

    def _health(self) -> str:
        """The rig's figures, as the node last told them."""
        for _, status in reversed(self._statuses):
            values = {value.key: value.value for value in status.values if value.key.startswith('rig_')}
            if values:
                return ', '.join(f'{key} {value}' for key, value in values.items())
        return 'no figures'

    def _use_identity(self, use: bool) -> None:
        """The footage's own person, as one who was calibrated; or nobody again."""
        from hand_recon_ros.srv import LoadIdentity
        if use:
            self._store_identity()
        client = self._session.node.create_client(LoadIdentity, 'hands/load_identity')
        self._session.wait_until(client.service_is_ready, LISTENER_S, 'hands/load_identity')
        future = client.call_async(LoadIdentity.Request(name='somebody' if use else '', alone=True))
        self._session.wait_until(future.done, LISTENER_S, 'the identity to be loaded')
        if not future.result().success:
            raise ValueError(f'hands/load_identity: {future.result().message}')
        self._session.node.destroy_client(client)

    def _store_identity(self) -> None:
        from hand_recon_ros.bags.labelled_recording import LabelledRecording
        from hand_recon_ros.hand_model.assets import load_hand_model
        from hand_recon_ros.identity.measures import HandMeasures
        from hand_recon_ros.identity.store import IdentityStore, StoredIdentity
        from hand_recon_ros.types import HandIdentity
        truths = LabelledRecording.read(self._footage.path, labelled=True).truths
        shape = next(hands[0].shape for hands in truths.values() if hands)
        identity = HandIdentity('somebody', 'open_hand', shape, 0.2 + 0 * shape, metric=True)
        size = HandMeasures(load_hand_model('open_hand')).size(shape)
        IdentityStore(self._folder).save(StoredIdentity(identity, size, 20, '2026-01-01', 'measured by the truth'))

    def _deaths(self) -> int:
        return sum(node.restarts for node in self._session.supervisor.nodes)

    def _poll(self) -> None:
        self._session.supervisor.poll()

    def _line(self, line: str) -> None:
        if line.startswith('[up]') or 'Traceback' in line:
            tqdm.write(line)


def _level(status) -> int:
    return status.level[0] if isinstance(status.level, bytes) else int(status.level)
