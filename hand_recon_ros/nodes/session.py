"""The nodes of a rig, running privately beside this process: for the demo, the benchmarks and the tests."""
from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import rclpy
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from hand_recon_ros.nodes.environment import prepare_this_process
from hand_recon_ros.nodes.supervisor import NodeSpec, Supervisor

# Domains whose ports lie below Linux's ephemeral ones; 0 is everybody's.
_DOMAINS = range(1, 102)


def choose_private_domain() -> int:
    """Make this process and its children talk among themselves only: a domain of their own, on this machine."""
    domain = random.SystemRandom().choice(_DOMAINS)
    os.environ.update(ROS_DOMAIN_ID=str(domain), ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST')
    return domain


class Session:
    """`with Session(nodes) as session:` starts nodes under a supervisor and a node of our own, spun in a thread.

    Leaving it ends all of them. report: called with every line that the nodes write.
    """

    def __init__(self, nodes: list[NodeSpec], params_file: Path | None = None, namespace: str = '', report=print,
                 name: str = 'session'):
        prepare_this_process()
        self.supervisor = Supervisor(nodes, params_file, namespace, report)
        self._namespace, self._name = namespace, name

    def __enter__(self) -> Session:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = Node(self._name, context=self.context, namespace=self._namespace, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        self.supervisor.start()
        return self

    def __exit__(self, *_) -> None:
        self.supervisor.stop()
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass

    def wait_until(self, condition, timeout_s: float, what: str) -> None:
        """Until condition(), keeping the nodes supervised; ValueError naming `what` when it takes too long."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.supervisor.poll()
            if self.supervisor.refused:
                raise ValueError(f'{self.supervisor.refused}: refused its configuration')
            if time.monotonic() > deadline:
                raise ValueError(f'waited {timeout_s:g} s in vain for {what}')
            time.sleep(0.02)

    def wait_until_active(self, timeout_s: float = 60.0) -> None:
        """Until every node is in lifecycle state active."""
        deadline = time.monotonic() + timeout_s
        for supervised in self.supervisor.nodes:
            name = supervised.spec.name
            client = self.node.create_client(GetState, f'{name}/get_state')
            while not self._is_active(client, name, max(deadline - time.monotonic(), 0.1)):
                if time.monotonic() > deadline:
                    raise ValueError(f'waited {timeout_s:g} s in vain for {name} to become active')
                time.sleep(0.05)
            self.node.destroy_client(client)

    def _is_active(self, client, name: str, left_s: float) -> bool:
        self.wait_until(client.service_is_ready, left_s, f'{name} to start')
        future = client.call_async(GetState.Request())
        # A node that was killed is still announced for a while; a request to it is never answered.
        asked_s = time.monotonic()
        self.wait_until(lambda: future.done() or time.monotonic() - asked_s > 1.0, left_s + 1.0, f'{name} to answer')
        if not future.done():
            client.remove_pending_request(future)
            return False
        return future.result().current_state.id == State.PRIMARY_STATE_ACTIVE
