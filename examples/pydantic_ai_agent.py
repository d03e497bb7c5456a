"""An agent of Pydantic AI that remembers. Needs `pydantic-ai-slim[ui]`.

Its history goes both ways as messages of the Vercel AI SDK, for which Pydantic AI has an adapter. The model is the
library's own for tests, so nothing is sent anywhere: put `"openai:gpt-5"` in its place.
"""

from pydantic import TypeAdapter
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.ui.vercel_ai import VercelAIAdapter
from pydantic_ai.ui.vercel_ai.request_types import UIMessage

import fastpaca

MESSAGES = TypeAdapter(list[UIMessage])


def model(messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Asks for the weather first, then says how many messages it was given."""
    last = messages[-1].parts[-1]
    if len(messages) == 1:
        return ModelResponse([ToolCallPart("weather", {"city": "Lima"})])
    heard = f"{last.content} " if isinstance(last, ToolReturnPart) else ""
    return ModelResponse([TextPart(f"{heard}I was given {len(messages)} messages.")])


agent = Agent(FunctionModel(model), instructions="Be brief.")


@agent.tool_plain
def weather(city: str) -> str:
    """What the weather is like."""
    return f"Rain in {city}."


def answer(chat: fastpaca.Context, question: str) -> str:
    shown = MESSAGES.validate_python(chat.window().to("ai-sdk-ui")["messages"])
    result = agent.run_sync(question, message_history=VercelAIAdapter.load_messages(shown))
    new = VercelAIAdapter.dump_messages(result.new_messages())
    chat.append(MESSAGES.dump_python(new, mode="json", by_alias=True, exclude_none=True), idempotency_key=new[0].id)
    return result.output


def main() -> None:
    with fastpaca.open("data") as store:
        chat = store.context("chat-1", budget=100_000, reserve=8_000)
        for question in ("Do I need an umbrella in Lima?", "Thanks!"):
            print(answer(chat, question))


if __name__ == "__main__":
    main()
