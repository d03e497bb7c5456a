"""An agent of LangChain that remembers: pip install 'fastpaca[langchain]'.

The model is the library's own for tests, so nothing is sent anywhere: put `"openai:gpt-5"` in its place. Against a
server, `fastpaca.connect(url)` takes the place of `fastpaca.open`.
"""

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langgraph.checkpoint.memory import InMemorySaver

import fastpaca
from fastpaca.integrations.langchain import FastpacaMiddleware


def main() -> None:
    model = FakeListChatModel(responses=["Take an umbrella.", "You are welcome."])
    with fastpaca.open("data") as store:
        middleware = FastpacaMiddleware(store, budget=100_000, reserve=8_000)
        agent = create_agent(model, system_prompt="Be brief.", middleware=[middleware], checkpointer=InMemorySaver())
        config = {"configurable": {"thread_id": "chat-1"}}
        for text in ("Do I need an umbrella in Lima?", "Thanks!"):
            state = agent.invoke({"messages": [("user", text)]}, config)
            print(state["messages"][-1].text)
        window = store.context("chat-1").window()
        print(f"{len(window.messages)} messages, {window.used_tokens} tokens")


if __name__ == "__main__":
    main()
