"""Parameters as tables: declared with description, unit and range; unknown, mistyped and out-of-range ones refused."""
from __future__ import annotations

from dataclasses import dataclass

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

# Names that rclpy itself declares on every node.
_BUILT_IN = ('use_sim_time', 'start_type_description_service')


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter. The type is the default's. minimum and maximum are inclusive; choices are for strings."""
    name: str
    default: bool | int | float | str
    description: str
    unit: str = ''
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def descriptor(self) -> ParameterDescriptor:
        """What `ros2 param describe` shows."""
        text = self.description + (f' [{self.unit}]' if self.unit else '')
        descriptor = ParameterDescriptor(description=text)
        if self.choices:
            descriptor.additional_constraints = 'one of: ' + ', '.join(self.choices)
        if self.minimum is not None:
            if isinstance(self.default, int):
                descriptor.integer_range = [IntegerRange(from_value=int(self.minimum), to_value=int(self.maximum))]
            else:
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=float(self.minimum), to_value=float(self.maximum))]
        return descriptor

    def refusal(self, value) -> str:
        """What is wrong with `value`, or an empty string."""
        if self.choices and value not in self.choices:
            return f'parameter {self.name}: {value!r}, expected one of {", ".join(self.choices)}'
        if self.minimum is not None and not self.minimum <= value <= self.maximum:
            return f'parameter {self.name}: {value}, expected {self.minimum} to {self.maximum} {self.unit}'.rstrip()
        return ''


def declare(node: Node, specs: tuple[ParameterSpec, ...]) -> list[str]:
    """Declare all parameters on a node and return what is wrong with the values it was started with."""
    faults = []
    for spec in specs:
        try:
            value = node.declare_parameter(spec.name, spec.default, spec.descriptor).value
        except InvalidParameterTypeException:
            value = node._parameter_overrides[spec.name].value
            faults.append(f'parameter {spec.name}: {value!r} is a {type(value).__name__}, '
                          f'expected a {type(spec.default).__name__}')
        except InvalidParameterValueException:
            faults.append(spec.refusal(node._parameter_overrides[spec.name].value))
        else:
            if spec.refusal(value):
                faults.append(spec.refusal(value))
    return faults


def unknown_parameters(node: Node, specs: tuple[ParameterSpec, ...], topics: list[str]) -> list[str]:
    """Complaints about parameters given to the node that nobody declares. topics: full names of those it uses."""
    known = {spec.name for spec in specs} | set(_BUILT_IN)
    qos = tuple(f'qos_overrides.{topic}.' for topic in (*topics, '/parameter_events', '/clock'))
    strangers = [name for name in node._parameter_overrides if name not in known and not name.startswith(qos)]
    return [f'parameter {name}: unknown, expected one of {", ".join(sorted(spec.name for spec in specs))}'
            for name in sorted(strangers)]


def refusing_callback(specs: tuple[ParameterSpec, ...], configured):
    """Callback for add_on_set_parameters_callback. configured(): True while changes could not take effect."""
    by_name = {spec.name: spec for spec in specs}

    def check(parameters) -> SetParametersResult:
        for parameter in parameters:
            spec = by_name.get(parameter.name)
            if spec is None:
                continue
            reason = spec.refusal(parameter.value)
            if not reason and configured():
                reason = f'parameter {parameter.name}: takes effect on configure; '\
                         'deactivate and clean up the node first'
            if reason:
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)
    return check
