"""What a policy would have done to recorded conversations: rejected requests, cache hits, cost, what was dropped.

    from fastpaca import simulate

    results = simulate.run(["sessions.jsonl"], policies=["last_n:limit=100"], budgets=[100_000])
    for total in results.totals:
        print(total.strategy, total.rejected, total.prefix_share, total.cost_per_1000_calls)

Offline: no model is called. An engine in memory takes each conversation as it was recorded; before each of the model's
answers the window is fetched as the provider's request, checked by the provider's rules and compared with the one
before. Beside the policies run two peers: a plain sliding window, and LangChain's `trim_messages` where installed.
"""

from fastpaca.simulate.results import Call, Example, Results, Run, Total
from fastpaca.simulate.running import run
from fastpaca.simulate.settings import Policy, Price, SettingError

__all__ = ["Call", "Example", "Policy", "Price", "Results", "Run", "SettingError", "Total", "run"]
