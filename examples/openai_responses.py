"""OpenAI's responses with a tool and encrypted reasoning, over a window. Needs `openai` and OPENAI_API_KEY.

Nothing is stored at OpenAI: the context is the conversation.
"""

import json
import sys

import openai

import fastpaca

MODEL = "gpt-5"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "name": "weather", "parameters": CITY, "strict": False}]


def weather(city: str) -> str:
    return f"Rain in {city}."


def answer(client: openai.OpenAI, chat: fastpaca.Context, question: str) -> str:
    chat.append({"role": "user", "content": question})
    while True:
        request = chat.window().to("openai-responses")
        response = client.responses.create(
            model=MODEL, tools=TOOLS, store=False, include=["reasoning.encrypted_content"], **request
        )
        chat.append([item.model_dump(exclude_none=True) for item in response.output], idempotency_key=response.id)
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return response.output_text
        results = [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": weather(**json.loads(call.arguments)),
            }
            for call in calls
        ]
        chat.append(results, idempotency_key=f"results of {response.id}")


def main() -> None:
    with fastpaca.open("data") as store:
        chat = store.context("chat-1", budget=100_000, reserve=8_000, model=MODEL)
        for question in sys.argv[1:] or ["Do I need an umbrella in Lima or in Oslo?", "Thanks!"]:
            print(answer(openai.OpenAI(), chat, question))


if __name__ == "__main__":
    main()
