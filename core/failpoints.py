"""Named places where a test can stop the process.

``FAILPOINTS=submit.after_send=kill,keep.before_commit=sleep:50``. Actions: ``kill`` (as ``kill
-9``), ``raise`` (a RuntimeError), ``sleep:MS``. With ``@3`` after it, an action waits for the third
time the place is reached.
"""

import os
import signal
import time

NAMES = (
    "hear.before_commit",
    "hear.after_commit",
    "hear.after_enqueue",
    "take.before_commit",
    "take.after_commit",
    "collect.before",
    "collect.after_blob",
    "begin.before_commit",
    "begin.after_commit",
    "announce.before_post",
    "announce.after_post",
    "answer.before_post",
    "answer.after_post",
    "share.after_upload",
    "share.after_complete",
    "settle.before",
    "settle.after",
    "say.after_post",
    "submit.before_intent",
    "submit.after_intent",
    "submit.after_send",
    "submit.after_record",
    "wait.before",
    "wait.after",
    "keep.before_download",
    "keep.after_download",
    "keep.after_blob",
    "keep.before_commit",
    "keep.after_commit",
    "deliver.before_post",
    "deliver.after_post",
    "deliver.after_commit",
)

_hits: dict[str, int] = {}


_armed: dict[str, tuple[str, int]] = {}
"""Name → action, and at which hit."""


def arm(text: str) -> None:
    """Set the failpoints. Only tests do: the program itself refuses to start with the variable.

    Raises ValueError for an unknown name.
    """
    armed: dict[str, tuple[str, int]] = {}
    for entry in filter(None, text.split(",")):
        name, _, rest = entry.partition("=")
        action, _, hit = rest.partition("@")
        if name not in NAMES:
            raise ValueError(f"FAILPOINTS: no failpoint named {name}")
        armed[name] = (action, int(hit or 1))
    _armed.clear()
    _hits.clear()
    _armed.update(armed)


def failpoint(name: str) -> None:
    """Do what the variable asks for at this place, once."""
    # In production nothing is armed: this is all a failpoint costs.
    if name not in _armed:
        return
    action, hit = _armed[name]
    _hits[name] = _hits.get(name, 0) + 1
    if _hits[name] == hit:
        _run(action)


def _run(action: str) -> None:
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.startswith("sleep:"):
        time.sleep(int(action.removeprefix("sleep:")) / 1000)
    elif action == "raise":
        raise RuntimeError("failpoint")
    else:
        raise ValueError(f"FAILPOINTS: no action named {action}")
