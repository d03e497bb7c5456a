"""An agent of the OpenAI Agents SDK that remembers: pip install 'fastpaca[openai-agents]'.

The model is the SDK's own for tests, so nothing is sent anywhere: put `model="gpt-5"` in its place. Against a server,
`fastpaca.connect_async(url)` takes the place of `fastpaca.open_async`.
"""

import asyncio

from agents import Agent, RunConfig, Runner, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call

import fastpaca
from fastpaca.integrations.openai_agents import FastpacaSession


@function_tool
def weather(city: str) -> str:
    """What the weather is like."""
    return f"Rain in {city}."


async def main() -> None:
    model = ScriptedModel(
        [
            [function_call("weather", {"city": "Lima"}, call_id="call_1")],
            [assistant_message("Take an umbrella.")],
            [assistant_message("You are welcome.")],
        ]
    )
    agent = Agent(name="assistant", instructions="Be brief.", model=model, tools=[weather])
    async with fastpaca.open_async("data") as store:
        chat = await store.context("chat-1", budget=100_000, reserve=8_000)
        session = FastpacaSession(chat)
        for text in ("Do I need an umbrella in Lima?", "Thanks!"):
            result = await Runner.run(agent, text, session=session, run_config=RunConfig(tracing_disabled=True))
            print(result.final_output)
        window = await chat.window()
        print(f"{len(window.messages)} messages, {window.used_tokens} tokens")


if __name__ == "__main__":
    asyncio.run(main())
