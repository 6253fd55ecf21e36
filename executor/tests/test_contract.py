"""proto/executor.proto keeps what older clients and servers know of it: names, numbers and types."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import FieldDescriptor as Field

from rl_arena.proto import executor_pb2 as pb

TYPES = {
    Field.TYPE_STRING: "string",
    Field.TYPE_BYTES: "bytes",
    Field.TYPE_UINT32: "uint32",
    Field.TYPE_DOUBLE: "double",
    Field.TYPE_BOOL: "bool",
    Field.TYPE_ENUM: "enum",
    Field.TYPE_MESSAGE: "message",
}
# The fields of the first version, in the order of their numbers from 1.
FIRST = {
    "MatchRequest": "match_id string, environment string, agents message, timeout_sec uint32, record_replay bool",
    "AgentData": "agent_id string, code_url string, version string, metadata message, docker_image string",
    "MatchResponse": "match_id string, status enum, winner_agent_id string, agent_results message, replay_url string, "
    "error_message string, total_steps uint32, execution_time_sec double, replay_html_url string",
    "AgentResult": "agent_id string, score double, errors uint32, error_message string",
    "ValidationRequest": "agent_id string, code_zip bytes, environment string",
    "ValidationResponse": "valid bool, errors string, warnings string",
    "HealthCheckResponse": "healthy bool, version string, active_matches uint32",
}


@pytest.mark.parametrize("name", FIRST)
def test_fields_keep_their_numbers(name):
    fields = pb.DESCRIPTOR.message_types_by_name[name].fields_by_number
    expected = FIRST[name].split(", ")
    assert [f"{fields[n].name} {TYPES[fields[n].type]}" for n in range(1, len(expected) + 1)] == expected


def test_states_keep_their_numbers():
    states = {"UNKNOWN": 0, "SUCCESS": 1, "TIMEOUT": 2, "ERROR": 3, "CANCELLED": 4}
    assert dict(pb.MatchStatus.items()) == states


def test_the_service_keeps_its_name_and_calls():
    assert pb.DESCRIPTOR.package == "executor"
    methods = pb.DESCRIPTOR.services_by_name["Executor"].methods_by_name
    for call, question, answer in (
        ("RunMatch", "MatchRequest", "MatchResponse"),
        ("ValidateAgent", "ValidationRequest", "ValidationResponse"),
        ("HealthCheck", "HealthCheckRequest", "HealthCheckResponse"),
    ):
        assert (methods[call].input_type.name, methods[call].output_type.name) == (question, answer)
