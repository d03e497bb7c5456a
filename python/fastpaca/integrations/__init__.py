"""Fastpaca inside the libraries that applications are written with. Each module needs the extra of its name.

fastpaca.integrations.openai_agents     a session of the OpenAI Agents SDK: pip install 'fastpaca[openai-agents]'
fastpaca.integrations.langchain         a middleware for LangChain's agents: pip install 'fastpaca[langchain]'
"""
