"""Anthropic's messages with a tool and cache breakpoints, over a window. Needs `anthropic` and ANTHROPIC_API_KEY."""

import sys

import anthropic

import fastpaca

MODEL = "claude-opus-4-8"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"name": "weather", "input_schema": CITY}]


def weather(city: str) -> str:
    return f"Rain in {city}."


def answer(client: anthropic.Anthropic, chat: fastpaca.Context, question: str) -> str:
    chat.append({"role": "user", "content": question})
    while True:
        request = chat.window().to("anthropic", cache="auto")
        message = client.messages.create(model=MODEL, max_tokens=4096, tools=TOOLS, **request)
        said = message.model_dump(include={"role", "content"}, exclude_none=True)
        chat.append(said, idempotency_key=message.id)
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            return "".join(block.text for block in message.content if block.type == "text")
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": weather(**call.input)} for call in calls]
        chat.append({"role": "user", "content": results}, idempotency_key=f"results of {message.id}")


def main() -> None:
    with fastpaca.open("data") as store:
        chat = store.context("chat-1", budget=100_000, reserve=8_000, model=MODEL)
        for question in sys.argv[1:] or ["Do I need an umbrella in Lima or in Oslo?", "Thanks!"]:
            print(answer(anthropic.Anthropic(), chat, question))


if __name__ == "__main__":
    main()
