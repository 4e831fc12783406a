"""Prompts: one Markdown file each, with `$field`s that are filled strictly.

They are files so that a change to what a model reads is reviewed as text, and hashed so that every
result says which text made it.
"""

import hashlib
from importlib.resources import files
from string import Template

from agentflows.errors import PromptError


def render(name: str, /, **fields: str) -> str:
    """Fill every `$field` of `prompts/<name>.md`, and nothing else; `$$` in the file is a dollar sign.

    What is filled in is not looked at again, so a transcript full of `$name` stays as it is.

    Raises:
        PromptError: there is no such prompt, or it takes other fields than these.
    """
    template = Template(_source(name))
    if not template.is_valid():
        msg = f"The prompt {name!r} has a `$` that starts no field. Write `$$` for a dollar sign."
        raise PromptError(msg)
    expected = sorted(template.get_identifiers())
    if expected != sorted(fields):
        msg = f"The prompt {name!r} takes the fields {expected}, found {sorted(fields)}. Pass exactly these."
        raise PromptError(msg)
    return template.substitute(fields)


def prompt_sha256(*names: str) -> str:
    """Identity of the prompts' text: changes when any of the files does. Order does not matter.

    Raises:
        PromptError: there is no such prompt.
    """
    digest = hashlib.sha256()
    for name in sorted(set(names)):
        digest.update(f"{name}\x1f{_source(name)}\x1e".encode())
    return digest.hexdigest()


def _source(name: str) -> str:
    folder = files("agentflows.prompts")
    known = sorted(item.name.removesuffix(".md") for item in folder.iterdir() if item.name.endswith(".md"))
    if name not in known:
        msg = f"Expected a prompt that exists, found {name!r}. The prompts are: {', '.join(known)}."
        raise PromptError(msg)
    return folder.joinpath(f"{name}.md").read_text(encoding="utf-8")
