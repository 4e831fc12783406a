"""`agentflows review`: read held changes and decide on them, one by one."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from agentflows import review as reviews
from agentflows.change import Dream
from agentflows.cli.output import FullOption, HomeOption, JsonOption, console, print_json, print_table
from agentflows.cli.show import show_dream, show_review
from agentflows.cli.shown import decided_on, named_dream, note_shown
from agentflows.dream.resolving import ANSWERS, Answer
from agentflows.errors import UsageError
from agentflows.home import open_home

app = typer.Typer(help="Read held changes and decide on them, one by one.", no_args_is_help=True)

DreamArgument = Annotated[str, typer.Argument(metavar="DREAM", help="drm_…, or `last`")]
OnlyOption = Annotated[
    str | None,
    typer.Option("--only", metavar="<str>", help="Only these changes: numbers, ranges or ids, 1,4,7-9"),
]
ByOption = Annotated[
    str, typer.Option("--by", help="Who decides (default: AGENTFLOWS_REVIEWER or your login)")
]


@app.command("list")
def list_(
    store: Annotated[str, typer.Option("--store", help="Only of this store")] = "",
    home: HomeOption = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Also dreams with nothing waiting")] = False,
    json: JsonOption = False,
) -> None:
    """List the dreams whose changes wait for review.

    JSON: {dreams: [{dream_id, store, engine, created_at, status, sessions, changes, held}]}
    """
    with open_home(home) as doors:
        rows: list[dict[str, object]] = []
        outputs = doors.state.outputs()
        for dream in doors.state.dreams(store=store or None):
            changes = doors.state.changes(dream_id=dream.dream_id)
            # approved and not committed: an approval that was killed; approving again finishes it
            held = sum(change.status in {"held", "approved"} for change in changes)
            if held or all_:
                rows.append(
                    {
                        "dream_id": dream.dream_id,
                        "store": _store_of(dream, outputs),
                        "engine": dream.engine,
                        "created_at": f"{dream.created_at:%Y-%m-%d %H:%M}",
                        "status": dream.status,
                        "sessions": len(dream.session_ids),
                        "changes": len(changes),
                        "held": held,
                    }
                )
    if json:
        print_json({"dreams": rows})
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        console.print("Nothing waits for review.")


@app.command()
def show(
    dream: DreamArgument = "last",
    home: HomeOption = None,
    *,
    full: FullOption = False,
    json: JsonOption = False,
) -> None:
    """Show a dream: each change with its diff, its reason and the quotes that prove it.

    JSON: the same object as `agentflows dream`
    """
    with open_home(home) as doors:
        report = doors.state.dream(named_dream(doors.state, dream))
        note_shown(doors, report.dream.dream_id)
    if json:
        print_json(report)
    else:
        show_dream(report, home, full=full)


@app.command()
def approve(
    dream: DreamArgument,
    only: OnlyOption = None,
    edit: Annotated[
        list[str] | None,
        typer.Option("--edit", help="Change N in your editor before it is approved; repeat for more"),
    ] = None,
    edit_file: Annotated[
        list[str] | None,
        typer.Option("--edit-file", help="N=FILE: approve change N with the text of FILE instead"),
    ] = None,
    resolve: Annotated[
        list[str] | None,
        typer.Option(
            "--resolve",
            help=f"N=ANSWER: answer flag N with {', '.join(ANSWERS)}; edit opens your editor; repeat for more",
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept on record")] = "",
    by: ByOption = "",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Approve held changes and commit them to the store in one transaction.

    Without --only everything but the flags: a flag asks a question. --resolve answers it, and the answer is committed;
    naming a flag with --only says that you have looked, and writes nothing.

    JSON: {dream_id, store_name, store_version, committed, noted, rejected, refused, still_held, flags}
    """
    with open_home(home) as doors:
        dream_id = decided_on(doors, dream)
        answers = dict(map(_answer, resolve or []))
        by_hand = [*(edit or []), *(name for name, answer in answers.items() if answer == "edit")]
        edits = dict(_from_file(item) for item in edit_file or [])
        for name in dict.fromkeys(by_hand):
            change = reviews.editable(doors.state, dream_id, name)
            if name not in edits:
                edits[name] = _edited(change.after or change.before or "", name)
        chosen = _numbers(only)
        named = list(dict.fromkeys([*edits, *answers]))
        if chosen is not None or named:
            chosen = [*(chosen or []), *(name for name in named if name not in (chosen or []))]
        result = reviews.approve(
            doors.state,
            dream_id,
            reviewer=doors.actor(by).name,
            only=chosen,
            edits=edits,
            resolve=answers,
            reason=reason,
            scan=doors.secret_in,
        )
    if json:
        print_json(result)
    else:
        show_review(result, home)


@app.command()
def reject(
    dream: DreamArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why: later dreams are shown it")],
    only: OnlyOption = None,
    by: ByOption = "",
    home: HomeOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Reject held changes; later dreams do not propose them again.

    JSON: {dream_id, store_name, store_version, committed, noted, rejected, refused, still_held, flags}
    """
    with open_home(home) as doors:
        dream_id = decided_on(doors, dream)
        result = reviews.reject(
            doors.state, dream_id, reviewer=doors.actor(by).name, reason=reason, only=_numbers(only)
        )
    if json:
        print_json(result)
    else:
        show_review(result, home)


def _store_of(dream: Dream, outputs: Mapping[str, str]) -> str:
    """The store its changes are for, when the dream made a copy for them."""
    target = outputs.get(dream.dream_id, dream.store_name)
    return dream.store_name if target == dream.store_name else f"{dream.store_name} → {target}"


def _answer(item: str) -> tuple[str, Answer]:
    name, _, answer = item.partition("=")
    if not name or answer not in ANSWERS:
        message = f"--resolve takes N=ANSWER, with one of {', '.join(ANSWERS)}; found {item!r}."
        raise UsageError(message)
    return name, answer


def _numbers(text: str | None) -> list[str] | None:
    """What `--only` names; None without it. One that names nothing is refused: it must not come to mean all."""
    if text is None:
        return None
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        message = f"--only names no change; found {text!r}. Give numbers or ids such as 1,4,7-9; without --only all are meant."
        raise UsageError(message)
    return found


def _edited(before: str, name: str) -> str:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"change-{name}.md"
        path.write_text(before + "\n", "utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(path)], check=True)  # noqa: S603 - the reviewer's own editor
        except (OSError, subprocess.CalledProcessError) as error:
            message = f"The editor {editor!r} failed ({error}); nothing was approved. Set EDITOR, or use --edit-file {name}=FILE."
            raise UsageError(message) from error
        return path.read_text("utf-8").rstrip("\n")


def _from_file(item: str) -> tuple[str, str]:
    name, _, path = item.partition("=")
    try:
        return name, Path(path).read_text("utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        message = f"--edit-file takes N=FILE, a UTF-8 text file; {item!r} cannot be read: {error}."
        raise UsageError(message) from error
