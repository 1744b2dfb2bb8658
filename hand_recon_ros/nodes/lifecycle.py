"""The base of every node: lifecycle, parameters, inputs open only while somebody listens, worker, diagnostics."""
from __future__ import annotations

import time
import traceback
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import QoSProfile, qos_policy_name_from_kind, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions

from hand_recon_ros.nodes.diagnostics import ERROR, WARN, Diagnostics
from hand_recon_ros.nodes.monitoring import Faults, InputMonitor, Throughput
from hand_recon_ros.nodes.parameters import ParameterSpec, declare, refusing_callback, unknown_parameters
from hand_recon_ros.nodes.worker import Worker

COMMON = (
    ParameterSpec('autostart', True, 'Configure and activate on start. False where a lifecycle manager does it.'),
    ParameterSpec('always_on', False, 'Work even while nobody subscribes to an output.'),
    ParameterSpec('stale_after_s', 1.0, 'An input that is silent for longer is reported.', 's', 0.1, 60.0),
    ParameterSpec('diagnostics_rate_hz', 2.0, 'Rate of /diagnostics.', 'Hz', 0.2, 20.0),
)


@dataclass
class Input:
    """A subscription that comes and goes."""
    message_type: type
    topic: str
    callback: object
    qos: QoSProfile | int
    monitor: InputMonitor
    subscription: object = field(default=None)


class HandNode(LifecycleNode, ABC):
    """What all nodes of the package share. A node says what it declares, builds and does with an item:

    specs: its parameters. depth: items its worker keeps waiting. endpoints(): add_output and add_input. build(): load
    models, compile; in the worker's thread. process(item): one item; in the worker's thread; ValueError is reported and
    the item given up. release(): let go of what build() made.
    """
    specs: tuple[ParameterSpec, ...] = ()
    depth = 8

    def __init__(self, name: str):
        super().__init__(name)
        self._all_specs = COMMON + self.specs
        self._parameter_faults = declare(self, self._all_specs)
        self.configured = self.active = self.stop_asked = False
        self.inputs: list[Input] = []
        self.outputs: list = []
        self.throughput, self.faults = Throughput(), Faults()
        self.worker = Worker(name, self._process_safely, self.depth)
        self.add_on_set_parameters_callback(refusing_callback(self._all_specs, lambda: self.configured))
        rate = self.get_parameter('diagnostics_rate_hz').value if not self._parameter_faults else 2.0
        # Wakes the executor that spins this node; whoever makes one sets it.
        self.wake = lambda: None
        self._diagnostics = Diagnostics(self, rate, self._problems, self._values, self._idle)

    # What a node says about itself

    @abstractmethod
    def endpoints(self) -> None:
        """Declare outputs and inputs; ValueError when parameters do not allow it."""

    @abstractmethod
    def build(self) -> None:
        """Load and compile; in the worker's thread."""

    @abstractmethod
    def process(self, item) -> None:
        """One item; in the worker's thread; ValueError gives it up."""

    @abstractmethod
    def release(self) -> None:
        """Let go of what build() made."""

    # What it uses

    def setting(self, name: str):
        """Value of a declared parameter."""
        return self.get_parameter(name).value

    def add_output(self, message_type, topic: str, qos: QoSProfile | int = 10, demand: bool = True):
        """Lifecycle publisher, reliable with depth 10 unless overridden. demand: its subscribers make the node work."""
        events = PublisherEventCallbacks(matched=lambda _: self.follow_demand()) if demand else None
        publisher = self.create_lifecycle_publisher(
            message_type, topic, qos, event_callbacks=events,
            qos_overriding_options=QoSOverridingOptions.with_default_policies())
        self.outputs.append((publisher, demand))
        return publisher

    def add_input(self, message_type, topic: str, callback, qos=qos_profile_sensor_data, required: bool = True,
                  streams: bool = True) -> InputMonitor:
        """Input that is subscribed to while the node is active and somebody listens. See InputMonitor for the flags."""
        full_name = self.resolve_topic_name(topic)
        monitor = InputMonitor(full_name, required, self.setting('stale_after_s'), streams)
        self.inputs.append(Input(message_type, full_name, callback, qos, monitor))
        return monitor

    def published(self, started_s: float, stamp_ns: int) -> None:
        """Count one output: time.monotonic() when its input was taken up, and the image's stamp."""
        age_s = (self.get_clock().now().nanoseconds - stamp_ns) / 1e9
        self.throughput.add(time.monotonic() - started_s, age_s)

    # Lifecycle

    def on_configure(self, state) -> TransitionCallbackReturn:
        """Checks the parameters, declares the endpoints, loads and compiles. FAILURE after one clear error line."""
        try:
            if self._parameter_faults:
                raise ValueError('; '.join(self._parameter_faults))
            self.endpoints()
            topics = [entry.topic for entry in self.inputs]
            topics += [publisher.topic_name for publisher, _ in self.outputs]
            strangers = unknown_parameters(self, self._all_specs, topics)
            if strangers:
                raise ValueError('; '.join(strangers))
            self.worker.call(self.build, give_up=lambda: self.stop_asked)
        except InterruptedError:
            return TransitionCallbackReturn.FAILURE
        except (ValueError, OSError, ModuleNotFoundError) as error:
            self._refuse(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            # A defect, which rclpy would swallow.
            self.get_logger().error(traceback.format_exc())
            self._refuse(f'{type(error).__name__}: {error}')
            return TransitionCallbackReturn.FAILURE
        self.faults.clear('configure')
        self.configured = True
        return super().on_configure(state)

    def _refuse(self, reason: str) -> None:
        self._take_down()
        self.faults.put('configure', f'not configured: {reason}')
        self._diagnostics.publish()

    def on_activate(self, state) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        self.active = True
        self.worker.open()
        self.follow_demand()
        self.get_logger().info('active')
        return result

    def on_deactivate(self, state) -> TransitionCallbackReturn:
        self._pause()
        return super().on_deactivate(state)

    def on_cleanup(self, state) -> TransitionCallbackReturn:
        result = super().on_cleanup(state)
        self.worker.call(self.release, give_up=lambda: self.stop_asked)
        self._take_down()
        self.configured = False
        return result

    def on_shutdown(self, state) -> TransitionCallbackReturn:
        self._pause()
        if self.configured:
            self.worker.call(self.release)
            self.configured = False
        self._take_down()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state) -> TransitionCallbackReturn:
        self._pause()
        self._take_down()
        self.configured = False
        return TransitionCallbackReturn.SUCCESS

    def _pause(self) -> None:
        self.active = False
        self.worker.close()
        self.follow_demand()

    def _take_down(self) -> None:
        for entry in self.inputs:
            self._unsubscribe(entry)
        for publisher, _ in self.outputs:
            self.destroy_lifecycle_publisher(publisher)
        self.inputs, self.outputs = [], []

    # Demand

    def wanted(self) -> bool:
        """True while the node is active and somebody listens, or it is told to work always."""
        listeners = any(publisher.get_subscription_count() for publisher, demand in self.outputs if demand)
        return self.active and (listeners or self.setting('always_on'))

    def follow_demand(self) -> None:
        """Open or close the inputs as wanted() says."""
        wanted = self.wanted()
        for entry in self.inputs:
            if wanted and entry.subscription is None:
                self._subscribe(entry)
            elif not wanted and entry.subscription is not None:
                self._unsubscribe(entry)

    def _subscribe(self, entry: Input) -> None:
        monitor = entry.monitor

        def on_message(message):
            monitor.arrived()
            entry.callback(message)

        def on_incompatible_qos(event):
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            monitor.mismatched(f'a publisher offers an incompatible quality of service ({policy}); '
                               f'override it with qos_overrides.{entry.topic}.subscription.{policy.lower()}')

        events = SubscriptionEventCallbacks(
            incompatible_qos=on_incompatible_qos,
            incompatible_type=lambda _: monitor.mismatched('a publisher sends another message type'))
        monitor.opened()
        entry.subscription = self.create_subscription(
            entry.message_type, entry.topic, on_message, entry.qos, event_callbacks=events,
            qos_overriding_options=QoSOverridingOptions.with_default_policies())

    def _unsubscribe(self, entry: Input) -> None:
        if entry.subscription is not None:
            self.destroy_subscription(entry.subscription)
            entry.subscription = None
            entry.monitor.closed()

    # Work and health

    def _process_safely(self, item) -> None:
        try:
            self.process(item)
            self.faults.clear('input')
        except ValueError as error:
            self.faults.put('input', str(error))
        except Exception as error:
            # A defect must not end the stream of all following images.
            self.faults.put('input', f'{type(error).__name__}: {error}')

    def extra_values(self) -> dict[str, str]:
        """More entries for diagnostics."""
        return {}

    def _problems(self):
        found = [(kind, text, WARN if warning else ERROR) for kind, text, warning in self.faults.current()]
        for entry in self.inputs:
            problem = entry.monitor.problem(self.count_publishers(entry.topic))
            if problem:
                found.append((f'{problem[0]} {entry.topic}', problem[1], ERROR if problem[0] != 'stale' else WARN))
        return found

    def _values(self) -> dict[str, str]:
        if self.active:
            # Matched events come at once; this catches what a middleware without them misses.
            self.follow_demand()
        values = {**self.throughput.summary(), 'dropped': str(self.worker.dropped)}
        values.update({f'refused_{kind}': str(count) for kind, count in self.faults.counts.items()})
        values.update({entry.topic: entry.monitor.summary() for entry in self.inputs})
        return {**values, **self.extra_values()}

    def _idle(self) -> str:
        if not self.active:
            return 'inactive' if self.configured else 'unconfigured'
        return 'working' if self.wanted() else 'waiting for subscribers'
