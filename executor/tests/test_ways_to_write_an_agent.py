"""Every way of writing agent.py that authors are promised."""

from __future__ import annotations

import asyncio

import pytest
from harness import arena

from rl_arena.proto import executor_pb2

FIRST_FREE = 'int(observation["action_mask"].argmax())'
WAYS = {
    "function": f"def agent(observation): return {FIRST_FREE}",
    "function with configuration": f"""
def agent(observation, configuration):
    assert configuration.environment == "tic-tac-toe" and configuration["player_id"] == 0
    return {FIRST_FREE}
""",
    "last callable": f"""
import numpy as np
def helper(observation): raise RuntimeError("not me")
def choose(observation): return {FIRST_FREE}
""",
    "last callable is a lambda": f"play = lambda observation: {FIRST_FREE}",
    "function agent before helpers": f"""
def agent(observation): return helper(observation)
def helper(observation): return {FIRST_FREE}
""",
    "imported function": "from other import play as agent",
    "create_agent with player": f"""
class Mine:
    def __init__(self, seat): assert seat == 0
    def act(self, observation): return {FIRST_FREE}
def create_agent(player_id): return Mine(player_id)
""",
    "create_agent without player": f"""
class Mine:
    def get_action(self, observation): return {FIRST_FREE}
def create_agent(): return Mine()
""",
    "create_agent gives a function": f"def create_agent(): return lambda observation: {FIRST_FREE}",
    "class with player": f"""
class Agent:
    def __init__(self, player_id): assert player_id == 0
    def act(self, observation): return {FIRST_FREE}
""",
    "class with player by another name": f"""
class Agent:
    def __init__(self, seat): assert seat == 0
    def act(self, observation): return {FIRST_FREE}
""",
    "class without player": f"""
class Agent:
    def act(self, observation): return {FIRST_FREE}
""",
    "class with defaults": f"""
class Agent:
    def __init__(self, model="small"): assert model == "small"
    def act(self, observation): return {FIRST_FREE}
""",
    "class with reset": f"""
class Agent:
    ready = False
    def reset(self): self.ready = True
    def act(self, observation):
        assert self.ready
        return {FIRST_FREE}
""",
    "class with get_action": f"""
class Agent:
    def get_action(self, observation): return {FIRST_FREE}
""",
    "class with predict, as in Stable-Baselines": f"""
class Agent:
    def predict(self, observation, state=None): return {FIRST_FREE}, state
""",
    "numpy integers": 'def agent(observation): return observation["action_mask"].argmax()',
    "an array of one": """
import numpy as np
def agent(observation): return np.array([observation["action_mask"].argmax()])
""",
    "an int subclass that lies": f"""
class Liar(int):
    def __eq__(self, other): return True
    def __hash__(self): return 1
    def __index__(self): return 99
    __int__ = __index__
def agent(observation): return Liar({FIRST_FREE})
""",
    "prints and threads": f"""
import threading
def agent(observation):
    thread = threading.Thread(target=print, args=("hello",))
    thread.start()
    thread.join()
    return {FIRST_FREE}
""",
    "asyncio": f"""
import asyncio
async def think(observation): return {FIRST_FREE}
def agent(observation): return asyncio.run(think(observation))
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_way(way, specs, pair, tmp_path):
    pair[0].write(WAYS[way], other=f"def play(observation): return {FIRST_FREE}")
    pair[1].write(WAYS["function"])

    async def game():
        async with arena(specs, tmp_path) as executor:
            return await executor.play("tic-tac-toe", [runtime.endpoint for runtime in pair])

    response = asyncio.run(game())
    assert response.status == executor_pb2.SUCCESS
    assert [(result.failure, result.errors) for result in response.agent_results] == [(0, 0)] * 2, response
