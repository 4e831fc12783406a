"""A draft of a store's next version: entries taken out, put back and reworded, each word for word or not at all."""

from collections.abc import Mapping, Sequence

from agentflows.memory import Entry, MemoryEdit, parse_entries, sha256, splice


class Draft:
    """Files under change. Every method returns whether it was possible; what is not leaves the draft as it was."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._before = dict(files)
        self.files = dict(files)

    def find(self, path: str, text: str) -> Entry | None:
        """The first entry there that says exactly this."""
        entries = parse_entries(path, self.files.get(path, ""))
        return next((entry for entry in entries if entry.text == text), None)

    def remove(self, path: str, text: str) -> bool:
        """Take an entry out, and nothing else."""
        return self._replace(path, text, None)

    def reword(self, path: str, text: str, new: str) -> bool:
        """Give an entry other words, in its place."""
        return self._replace(path, text, new)

    def put_back(self, then: str, entry: Entry) -> bool:
        """Put an entry back where it stood in `then`, an earlier content of its file: after the same neighbour.

        Its neighbour, and what stood between the two, are those of then; where that neighbour is gone there is no
        place that is surely right.
        """
        order = parse_entries(entry.path, then)
        place = next((number for number, one in enumerate(order) if one.entry_id == entry.entry_id), None)
        if place is None:
            return False
        content = self.files.get(entry.path, "")
        if place == 0:
            after = order[1].start if len(order) > 1 else len(then)
            fresh = (
                then[: entry.start] + entry.text + (then[entry.end : after] if content else "\n") + content
            )
        else:
            neighbour = order[place - 1]
            stands = self.find(entry.path, neighbour.text)
            if stands is None:
                return False
            between = then[neighbour.end : entry.start]
            fresh = content[: stands.end] + between + entry.text + content[stands.end :]
        return self._take(entry.path, fresh, gone="", come=entry.text)

    def drop_heading(self, path: str, title: str) -> bool:
        """Take out a heading under which nothing stands."""
        entries = parse_entries(path, self.files.get(path, ""))
        for number, entry in enumerate(entries):
            following = entries[number + 1] if number + 1 < len(entries) else None
            is_empty = following is None or following.kind == "heading"
            if entry.kind == "heading" and entry.text == title and is_empty:
                return self._replace(path, title, None)
        return False

    def edits(self) -> tuple[MemoryEdit, ...]:
        """What to commit. A memory with nothing left on it is deleted, if it had something before."""
        return tuple(
            MemoryEdit(
                path=path,
                content=self.files[path] if self.files[path].strip() else None,
                expected_sha256=sha256(self._before[path]) if path in self._before else None,
            )
            for path in sorted(self.files)
            if self.files[path] != self._before.get(path)
        )

    def _replace(self, path: str, text: str, new: str | None) -> bool:
        entry = self.find(path, text)
        if entry is None:
            return False
        fresh = splice(self.files[path], {(entry.start, entry.end): new})
        return self._take(path, fresh, gone=text, come=new or "")

    def _take(self, path: str, content: str, *, gone: str, come: str) -> bool:
        """Accept new content when its entries are the old ones, but for the one that goes and the one that comes."""
        expected = [entry.text for entry in parse_entries(path, self.files.get(path, ""))]
        if gone:
            expected.remove(gone)
        if come:
            expected.append(come)
        if sorted(expected) != sorted(_texts(path, content)):
            return False
        self.files[path] = content
        return True


def _texts(path: str, content: str) -> Sequence[str]:
    return [entry.text for entry in parse_entries(path, content)]
