"""Asking a running graph's identity_node to measure a person's hand: one goal, its feedback, its result."""
from __future__ import annotations

import time
from collections.abc import Callable

import rclpy
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from hand_recon_ros.action import CalibrateIdentity
from hand_recon_ros.nodes.environment import prepare_this_process

ACTION = 'hands/calibrate_identity'


class CalibrationGoal:
    """Sent as soon as a server is there; somebody must spin the node. on_feedback(message) for every sight offered."""

    def __init__(self, node: Node, goal: CalibrateIdentity.Goal, on_feedback: Callable = lambda _: None):
        self._client = ActionClient(node, CalibrateIdentity, ACTION)
        self._goal, self._on_feedback = goal, on_feedback
        self._handle = self._result = None
        self._accepting = None

    @property
    def offered(self) -> bool:
        """Whether somebody offers the action."""
        return self._client.server_is_ready()

    def send(self) -> None:
        """Ask for it."""
        self._accepting = self._client.send_goal_async(
            self._goal, feedback_callback=lambda message: self._on_feedback(message.feedback))
        self._accepting.add_done_callback(self._accepted)

    def _accepted(self, future) -> None:
        self._handle = future.result()
        self._result = self._handle.get_result_async()

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._result is not None and self._result.done()

    def cancel(self) -> None:
        """Give it up; done once the node has."""
        if self._handle is not None and not self.done:
            self._handle.cancel_goal_async()

    def result(self) -> CalibrateIdentity.Result:
        """What came of it, once done; ValueError with the node's own words when nothing did."""
        answer = self._result.result()
        if answer.status != GoalStatus.STATUS_SUCCEEDED or not answer.result.success:
            raise ValueError(f'identity {self._goal.name!r}: {answer.result.message or "not calibrated"}')
        return answer.result

    def close(self) -> None:
        """Ends the client."""
        self._client.destroy()


def calibrate_live(goal: CalibrateIdentity.Goal, timeout_s: float, on_feedback: Callable = lambda _: None
                   ) -> CalibrateIdentity.Result:
    """Send a goal to the graph that runs in this ROS domain and wait for its result.

    ValueError when nobody offers the action within 10 s, the node refuses, or it takes longer than timeout_s; the goal
    is cancelled then, as when interrupted.
    """
    prepare_this_process()
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node('hand_recon_calibrate', context=context, use_global_arguments=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    asked = CalibrationGoal(node, goal, on_feedback)

    def spun_until(condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
        return condition()
    try:
        if not spun_until(lambda: asked.offered, 10.0):
            raise ValueError(f'{node.resolve_service_name(ACTION)}: nobody offers this action, expected a running '
                             'identity_node (hand-recon up stereo)')
        asked.send()
        if not spun_until(lambda: asked.done, timeout_s):
            raise ValueError(f'identity {goal.name!r}: not done after {timeout_s:g} s, expected one person\'s hands '
                             'before both cameras, in many postures')
        return asked.result()
    finally:
        if not asked.done:
            asked.cancel()
            spun_until(lambda: asked.done, 2.0)
        asked.close()
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.try_shutdown(context=context)
