"""An agent that does as its memory says: what it has not learned, it does in the obvious way, which is wrong here."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path


def work(task: str, feedback: str, workspace: str, memory: dict[str, str]) -> str:
    """Do one of two tasks. `memory` is the text of every memory file by its path."""
    folder = Path(workspace)
    known = " ".join(memory.values()).lower()
    with (folder / "orders.csv").open(newline="", encoding="utf-8") as file:
        orders = list(csv.DictReader(file))
    if "invoice" in task:
        cents = sum(round(float(order["price"]) * 100) for order in orders)
        total = cents if "integer cents" in known else cents / 100
        (folder / "invoice.json").write_text(json.dumps({"total": total}) + "\n", "utf-8")
        return f"The total is {total}."
    at = datetime.fromisoformat(orders[0]["handover"])
    said = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if "utc" in known else at.isoformat()
    (folder / "handover.txt").write_text(f"{said}\n", "utf-8")
    return f"The hand-over is at {said}."
