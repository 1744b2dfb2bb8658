"""A node's /diagnostics entry, and one log line whenever something goes wrong or is well again."""
from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Diagnostics:
    """Publishes the state of `node` at `rate_hz` on /diagnostics, by a clock that runs while simulated time stands.

    problems(): [(kind, text, level)] of all that is wrong now. values(): {key: text}. idle(): what a healthy node says.
    """

    def __init__(self, node, rate_hz: float, problems, values, idle):
        self._node, self._problems, self._values, self._idle = node, problems, values, idle
        self._logged: dict[str, str] = {}
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._timer = node.create_timer(1.0 / rate_hz, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """Look, log what changed, publish."""
        problems = sorted(self._problems(), key=lambda problem: problem[2], reverse=True)
        self._log(problems)
        status = DiagnosticStatus(
            name=self._node.get_fully_qualified_name(), level=problems[0][2] if problems else OK,
            # The same reason may come up in two places.
            message='; '.join(dict.fromkeys(text for _, text, _ in problems)) or self._idle(),
            values=[KeyValue(key=key, value=value) for key, value in self._values().items()])
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _log(self, problems) -> None:
        now = {kind: text for kind, text, _ in problems}
        log = self._node.get_logger()
        for kind, text, level in problems:
            if kind not in self._logged and text not in self._logged.values():
                # Two calls, because rclpy forbids a change of severity at one place in the code.
                if level == ERROR:
                    log.error(text)
                else:
                    log.warning(text)
        for kind in self._logged:
            if kind not in now:
                log.info(f'no longer: {self._logged[kind]}')
        self._logged = now
