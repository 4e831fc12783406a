"""`python -m agentflows` is the command line."""

from agentflows.cli import main

if __name__ == "__main__":
    main()
