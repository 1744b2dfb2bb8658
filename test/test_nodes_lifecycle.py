"""The lifecycle from outside, as `ros2 lifecycle` and `ros2 param` use it."""
import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from node_harness import Graph
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import DescribeParameters, SetParameters

NAMES = ('keypoint_node', 'tailor_node', 'overlay_node')


@pytest.fixture(scope='module')
def graph():
    with Graph(NAMES, {}, overlay=True) as graph:
        yield graph


def ask(graph, kind, service, **fields):
    client = graph.node.create_client(kind, service)
    graph.wait_until(client.service_is_ready, 10.0, service)
    future = client.call_async(kind.Request(**fields))
    graph.wait_until(future.done, 60.0, f'{service} to answer')
    graph.node.destroy_client(client)
    return future.result()


@pytest.mark.parametrize('name', NAMES)
def test_down_to_unconfigured_and_up_again_twice(graph, name):
    pid = next(node.process.pid for node in graph.supervisor.nodes if node.spec.name == name)
    steps = ((Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE),
             (Transition.TRANSITION_CLEANUP, State.PRIMARY_STATE_UNCONFIGURED),
             (Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE),
             (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE))
    for transition, state in steps * 2:
        assert ask(graph, ChangeState, f'{name}/change_state', transition=Transition(id=transition)).success
        assert ask(graph, GetState, f'{name}/get_state').current_state.id == state
    assert next(node.process.pid for node in graph.supervisor.nodes if node.spec.name == name) == pid


def test_parameters_are_described(graph):
    answer = ask(graph, DescribeParameters, 'keypoint_node/describe_parameters', names=['track_gap_s', 'mode'])
    described = answer.descriptors
    assert described[0].description.endswith('[s]') and described[0].floating_point_range[0].to_value == 10.0
    assert described[1].additional_constraints == 'one of: video, image'


def test_a_parameter_cannot_change_under_a_configured_node(graph):
    value = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=1)
    change = Parameter(name='max_hands', value=value)
    result = ask(graph, SetParameters, 'keypoint_node/set_parameters', parameters=[change])
    assert not result.results[0].successful
    assert result.results[0].reason == ('parameter max_hands: takes effect on configure; '
                                        'deactivate and clean up the node first')
