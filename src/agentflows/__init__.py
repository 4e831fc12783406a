"""agentflows: agents that learn from their own past work, on your own Prefect, with proof."""

__version__ = "0.1.0"
