"""OpenAI's chat completions with a tool, over a window. Needs the package `openai` and OPENAI_API_KEY.

OPENAI_BASE_URL names another API of the same form.
"""

import json
import sys

import openai

import fastpaca

MODEL = "gpt-5"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]


def weather(city: str) -> str:
    return f"Rain in {city}."


def answer(client: openai.OpenAI, chat: fastpaca.Context, question: str) -> str:
    chat.append({"role": "user", "content": question})
    while True:
        window = chat.window()
        completion = client.chat.completions.create(model=MODEL, tools=TOOLS, **window.to("openai"))
        message = completion.choices[0].message
        # What the API counted makes up for the tools, which the log doesn't know.
        usage = {"input_tokens": completion.usage.prompt_tokens, "window_version": window.version}
        said = {**message.model_dump(exclude_none=True), "usage": usage}
        chat.append(said, idempotency_key=completion.id)
        if not message.tool_calls:
            return message.content
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
            for call in message.tool_calls
        ]
        chat.append(results, idempotency_key=f"results of {completion.id}")


def main() -> None:
    with fastpaca.open("data") as store:
        chat = store.context("chat-1", budget=100_000, model=MODEL)
        for question in sys.argv[1:] or ["Do I need an umbrella in Lima or in Oslo?", "Thanks!"]:
            print(answer(openai.OpenAI(), chat, question))


if __name__ == "__main__":
    main()
