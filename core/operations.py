"""The one table of what a person can ask for: by button, reaction, command or form.

Menus, commands, manifests, help and the checks of who may do what are derived from it. Values reach
button ids, workspace settings and the database, so a value never changes once it was released.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """A verb a person can use. The ten Wanx functions are verbs too."""

    DRAW = "draw"
    EDIT = "edit"
    STYLE = "wanx.style"
    RESTYLE = "wanx.restyle"
    WANX_EDIT = "wanx.edit"
    INPAINT = "wanx.inpaint"
    UNWATERMARK = "wanx.unwatermark"
    EXPAND = "wanx.expand"
    UPSCALE = "wanx.upscale"
    COLORIZE = "wanx.colorize"
    SKETCH = "wanx.sketch"
    CARTOON = "wanx.cartoon"
    AGAIN = "again"
    RERUN = "rerun"
    UNDO = "undo"
    REDO = "redo"
    PICK = "pick"
    CANCEL = "cancel"
    DROP = "drop"
    SHOW_ANYWAY = "show_anyway"
    DELETE = "delete"
    COMPARE = "compare"
    HISTORY = "history"
    SHOW = "show"
    INFO = "info"
    SEND_ME = "send_me"
    USAGE = "usage"
    BUDGET = "budget"
    PAUSE = "pause"
    RESUME = "resume"
    AUDIT = "audit"
    SETTINGS = "settings"
    EXPORT = "export"
    FORGET_ME = "forget_me"
    FORGET = "forget"
    HELP = "help"
    MORE = "more"
    MASK = "mask"
    REGION = "region"
    VOTE = "vote"
    UNVOTE = "unvote"
    CHOOSE = "choose"
    FAVOURITE = "favourite"
    UNFAVOURITE = "unfavourite"
    REMOVE = "remove"
    AS_DRAWING = "as_drawing"
    AS_EDIT = "as_edit"

    @property
    def is_wanx(self) -> bool:
        """Is it one of the ten Wanx functions?"""
        return self.value.startswith("wanx.")

    @property
    def makes_pictures(self) -> bool:
        """Does the image service have to work for it?"""
        return (
            self in OPERATIONS and OPERATIONS[self].answered is Answered.BY_JOB
        )

    @property
    def is_typed(self) -> bool:
        """Can it be typed? The rest are asked for by buttons and reactions only."""
        return self in OPERATIONS and OPERATIONS[self].command is not None


class ButtonKind(StrEnum):
    """The buttons; the value stands in the button's id for ever."""

    EDIT = "edit"
    UNDO = "undo"
    REDO = "redo"
    AGAIN = "again"
    MORE = "more"
    DELETE = "delete"
    PICK = "pick"
    CANCEL = "cancel"
    RERUN = "rerun"
    RETRY = "retry"
    DROP = "drop"
    SHOW_ANYWAY = "showanyway"
    MASK = "mask"
    REGION = "region"
    EXPAND = "expand"
    UPSCALE = "upscale"
    COLORIZE = "colorize"
    STYLE = "style"
    SKETCH = "sketch"
    COMPARE = "compare"
    HISTORY = "history"
    INFO = "info"
    SEND_ME = "sendme"
    LINK = "link"
    AS_DRAWING = "asdrawing"
    AS_EDIT = "asedit"
    FORGET = "forget"


class Answered(StrEnum):
    """How an operation is answered."""

    AT_ONCE = "at once"
    BY_FORM = "by a form"
    BY_JOB = "by a job"
    BY_DRAFT = "by the job that waited for it"


class Audience(StrEnum):
    """Who may use an operation. An administrator may use every one."""

    EVERYONE = "everyone"
    OWNER = "the person who made the step"
    ADMIN = "administrators of the place"


class Takes(StrEnum):
    """The words that follow a command."""

    PROMPT = "prompt"
    INSTRUCTION = "instruction"
    ID = "id"
    NUMBER = "number"
    PAGE = "page"
    NOTHING = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonSpec:
    """A button of an operation.

    ``asks_first``: a press opens a form, because the words are needed or should be looked at.
    ``more``: its place in the More menu, 0 if it is not there.
    """

    kind: ButtonKind
    asks_first: bool = False
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionSpec:
    """The reactions that ask for an operation.

    ``word`` names it in a workspace's own map. ``emoji``: each with its aliases behind it, such as
    Slack's names and emoji that people take for the same thing. ``counts``: it matters which emoji
    it was, by its index here. ``taken_back``: what removing the reaction asks for.
    """

    word: str
    emoji: tuple[str, ...]
    counts: bool = False
    taken_back: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """``/name word``: ``word`` is "" for a command that stands alone.

    ``pictures``: how many it takes at most. ``terminal``: the argument in the terminal, "STEP" or
    if optional "[step]", None if the terminal lacks the command.
    """

    name: str
    word: str = ""
    takes: Takes = Takes.NOTHING
    pictures: int = 0
    takes_mask: bool = False
    terminal: str | None = ""

    @property
    def needs_argument(self) -> bool:
        """Does it mean little without what follows?"""
        return bool(self.terminal and self.terminal.isupper())

    @property
    def written(self) -> str:
        """As it is typed, without the slash."""
        return f"{self.name} {self.word}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing a person can ask for.

    ``needs_words``: it cannot be done without a prompt or instruction. ``reads_only``: it changes
    nothing. ``by_right``: nobody is refused it. ``audited``: that it was done stands in the audit
    log.
    """

    action: Action
    answered: Answered = Answered.AT_ONCE
    audience: Audience = Audience.EVERYONE
    command: Command | None = None
    buttons: tuple[ButtonSpec, ...] = ()
    reaction: ReactionSpec | None = None
    needs_words: bool = False
    reads_only: bool = False
    by_right: bool = False
    audited: bool = False


def _wanx(
    action: Action,
    *,
    needs_words: bool = True,
    takes_mask: bool = False,
    buttons: tuple[ButtonSpec, ...] = (),
    reaction: ReactionSpec | None = None,
) -> Operation:
    word = action.value.removeprefix("wanx.")
    return Operation(
        action=action,
        answered=Answered.BY_JOB,
        command=Command(
            name="wanx",
            word=word,
            takes=Takes.PROMPT,
            pictures=1,
            takes_mask=takes_mask,
        ),
        buttons=buttons,
        reaction=reaction,
        needs_words=needs_words,
    )


def _easel(
    word: str,
    takes: Takes = Takes.NOTHING,
    *,
    terminal: str | None = "",
) -> Command:
    return Command(name="easel", word=word, takes=takes, terminal=terminal)


# The order of rows is that of menus and help. The More menu has a separate order, whose
# numbers leave gaps for new buttons.
_TABLE = (
    Operation(
        action=Action.DRAW,
        answered=Answered.BY_JOB,
        command=Command(
            name="draw",
            takes=Takes.PROMPT,
        ),
        needs_words=True,
    ),
    Operation(
        action=Action.EDIT,
        answered=Answered.BY_JOB,
        command=Command(
            name="edit",
            takes=Takes.INSTRUCTION,
            pictures=3,
            takes_mask=True,
        ),
        buttons=(ButtonSpec(kind=ButtonKind.EDIT, asks_first=True),),
        needs_words=True,
    ),
    _wanx(
        Action.STYLE,
        buttons=(ButtonSpec(kind=ButtonKind.STYLE, asks_first=True, more=50),),
    ),
    _wanx(Action.RESTYLE),
    _wanx(Action.WANX_EDIT),
    _wanx(Action.INPAINT, needs_words=False, takes_mask=True),
    _wanx(Action.UNWATERMARK, needs_words=False),
    _wanx(
        Action.EXPAND,
        buttons=(
            ButtonSpec(kind=ButtonKind.EXPAND, asks_first=True, more=20),
        ),
    ),
    _wanx(
        Action.UPSCALE,
        needs_words=False,
        buttons=(ButtonSpec(kind=ButtonKind.UPSCALE, more=30),),
        reaction=ReactionSpec(
            word="upscale",
            emoji=("⬆️ arrow_up arrow_up_small 🔼",),
        ),
    ),
    _wanx(
        Action.COLORIZE,
        needs_words=False,
        # The service needs no words to colour, but most people know which colours they want.
        buttons=(
            ButtonSpec(kind=ButtonKind.COLORIZE, asks_first=True, more=40),
        ),
    ),
    _wanx(
        Action.SKETCH,
        buttons=(
            ButtonSpec(kind=ButtonKind.SKETCH, asks_first=True, more=60),
        ),
    ),
    _wanx(Action.CARTOON),
    Operation(
        action=Action.HELP,
        command=_easel("help", terminal=None),
        reads_only=True,
        by_right=True,
    ),
    Operation(
        action=Action.HISTORY,
        command=_easel("history"),
        buttons=(ButtonSpec(kind=ButtonKind.HISTORY, more=80),),
        reads_only=True,
    ),
    Operation(
        action=Action.UNDO,
        command=_easel("undo"),
        buttons=(ButtonSpec(kind=ButtonKind.UNDO),),
        reaction=ReactionSpec(
            word="undo",
            emoji=("↩️ leftwards_arrow_with_hook",),
        ),
    ),
    Operation(
        action=Action.REDO,
        command=_easel("redo"),
        buttons=(ButtonSpec(kind=ButtonKind.REDO),),
    ),
    Operation(
        action=Action.PICK,
        command=_easel("pick", Takes.NUMBER, terminal="NUMBER"),
        buttons=(ButtonSpec(kind=ButtonKind.PICK),),
    ),
    Operation(
        action=Action.AGAIN,
        answered=Answered.BY_JOB,
        command=_easel("again", terminal="[step]"),
        buttons=(
            ButtonSpec(kind=ButtonKind.AGAIN),
            ButtonSpec(kind=ButtonKind.RETRY),
        ),
        reaction=ReactionSpec(
            word="again",
            emoji=("🔁 repeat", "🔄 arrows_counterclockwise"),
        ),
    ),
    Operation(
        action=Action.RERUN,
        answered=Answered.BY_JOB,
        command=_easel("rerun", Takes.INSTRUCTION, terminal="[step]"),
        # Its words are made of the whole chain's: the person may want to change them.
        buttons=(
            ButtonSpec(kind=ButtonKind.RERUN, asks_first=True, more=110),
        ),
    ),
    Operation(
        action=Action.COMPARE,
        command=_easel("compare"),
        buttons=(ButtonSpec(kind=ButtonKind.COMPARE, more=70),),
        reads_only=True,
    ),
    Operation(
        action=Action.SHOW,
        command=_easel("show", Takes.ID, terminal="STEP"),
        reads_only=True,
    ),
    Operation(
        action=Action.INFO,
        command=_easel("info", terminal="[step]"),
        buttons=(ButtonSpec(kind=ButtonKind.INFO, more=90),),
        # That letter looks like an i but is the emoji's own code point.
        reaction=ReactionSpec(word="info", emoji=("ℹ️ information_source",)),
        reads_only=True,
    ),
    Operation(
        action=Action.SEND_ME,
        command=_easel("send-me", terminal=None),
        buttons=(ButtonSpec(kind=ButtonKind.SEND_ME, more=100),),
        reaction=ReactionSpec(
            word="send_me",
            emoji=("✉️ envelope email e-mail incoming_envelope 📧 📨",),
        ),
    ),
    Operation(
        action=Action.CANCEL,
        audience=Audience.OWNER,
        command=_easel("cancel", Takes.ID, terminal="[step]"),
        buttons=(ButtonSpec(kind=ButtonKind.CANCEL),),
    ),
    Operation(
        action=Action.DROP,
        audience=Audience.OWNER,
        command=_easel("drop", Takes.ID, terminal="STEP"),
        buttons=(ButtonSpec(kind=ButtonKind.DROP),),
    ),
    Operation(
        action=Action.SHOW_ANYWAY,
        audience=Audience.OWNER,
        buttons=(ButtonSpec(kind=ButtonKind.SHOW_ANYWAY),),
    ),
    Operation(
        action=Action.DELETE,
        audience=Audience.OWNER,
        command=_easel("delete", Takes.ID, terminal=None),
        buttons=(ButtonSpec(kind=ButtonKind.DELETE),),
        audited=True,
    ),
    Operation(action=Action.USAGE, command=_easel("usage"), reads_only=True),
    # Everyone may see the budgets; only administrators may set them (core.answers.queries). It is
    # not ``reads_only``, as the terminal sets them by the same command.
    Operation(action=Action.BUDGET, command=_easel("budget")),
    Operation(
        action=Action.SETTINGS,
        answered=Answered.BY_FORM,
        audience=Audience.ADMIN,
        command=_easel("settings", terminal=None),
    ),
    Operation(
        action=Action.PAUSE,
        audience=Audience.ADMIN,
        command=_easel("pause", terminal=None),
        audited=True,
    ),
    Operation(
        action=Action.RESUME,
        audience=Audience.ADMIN,
        command=_easel("resume", terminal=None),
        audited=True,
    ),
    Operation(
        action=Action.AUDIT,
        audience=Audience.ADMIN,
        command=_easel("audit", Takes.PAGE, terminal="[page]"),
        reads_only=True,
    ),
    Operation(
        action=Action.EXPORT,
        command=_easel("export", terminal=None),
        reads_only=True,
        by_right=True,
        audited=True,
    ),
    Operation(
        action=Action.FORGET_ME,
        command=_easel("forget-me", terminal=None),
        by_right=True,
    ),
    Operation(
        action=Action.FORGET,
        by_right=True,
        audited=True,
        buttons=(ButtonSpec(kind=ButtonKind.FORGET),),
    ),
    Operation(
        action=Action.MORE,
        buttons=(ButtonSpec(kind=ButtonKind.MORE),),
        reads_only=True,
    ),
    Operation(
        action=Action.MASK,
        buttons=(ButtonSpec(kind=ButtonKind.MASK, more=10),),
    ),
    Operation(
        action=Action.REGION,
        answered=Answered.BY_DRAFT,
        buttons=(ButtonSpec(kind=ButtonKind.REGION),),
    ),
    Operation(
        action=Action.AS_DRAWING,
        answered=Answered.BY_DRAFT,
        buttons=(ButtonSpec(kind=ButtonKind.AS_DRAWING),),
    ),
    Operation(
        action=Action.AS_EDIT,
        answered=Answered.BY_DRAFT,
        buttons=(ButtonSpec(kind=ButtonKind.AS_EDIT),),
    ),
    Operation(
        action=Action.VOTE,
        reaction=ReactionSpec(
            word="vote",
            emoji=("1️⃣ one", "2️⃣ two", "3️⃣ three", "4️⃣ four", "5️⃣ five", "6️⃣ six"),
            counts=True,
            taken_back=Action.UNVOTE,
        ),
    ),
    Operation(action=Action.UNVOTE),
    Operation(
        action=Action.CHOOSE,
        audience=Audience.OWNER,
        reaction=ReactionSpec(
            word="choose",
            emoji=(
                "✅ white_check_mark heavy_check_mark ballot_box_with_check ✔ ☑",
            ),
        ),
    ),
    Operation(
        action=Action.FAVOURITE,
        reaction=ReactionSpec(
            word="favourite",
            emoji=("⭐ star star2 🌟", "❤️ heart hearts ♥"),
            counts=True,
            taken_back=Action.UNFAVOURITE,
        ),
    ),
    Operation(action=Action.UNFAVOURITE),
    Operation(
        action=Action.REMOVE,
        audience=Audience.OWNER,
        reaction=ReactionSpec(
            word="remove",
            emoji=("❌ x heavy_multiplication_x ✖", "🗑️ wastebasket"),
        ),
        audited=True,
    ),
)
OPERATIONS: Mapping[Action, Operation] = {row.action: row for row in _TABLE}
"""Every operation by its action."""
COMMANDS: Mapping[Action, Command] = {
    row.action: row.command for row in _TABLE if row.command is not None
}
"""The command of every action that has one, in the order a menu shows them."""
_BUTTONS = [button for row in _TABLE for button in row.buttons]
BUTTONS: Mapping[ButtonKind, Action] = {
    button.kind: row.action for row in _TABLE for button in row.buttons
}
"""The action of each button. A LINK has none."""
ASKS_FIRST = frozenset(button.kind for button in _BUTTONS if button.asks_first)
"""Buttons that need words, or a look at the words, before anything is done."""
NEEDS_WORDS = frozenset(row.action for row in _TABLE if row.needs_words)
"""Actions that need a prompt or an instruction."""


STANDALONE: Mapping[str, Action] = {
    command.name: action
    for action, command in COMMANDS.items()
    if not command.word
}
"""The commands that have no further word, such as /draw."""


def more_menu() -> list[ButtonKind]:
    """The buttons of the More menu, in order."""
    buttons = [button for button in _BUTTONS if button.more]
    return [
        button.kind
        for button in sorted(buttons, key=lambda button: button.more)
    ]


def command_names() -> list[str]:
    """The commands themselves: draw, edit and the like."""
    return list(dict.fromkeys(command.name for command in COMMANDS.values()))


def command_words(name: str) -> dict[str, Action]:
    """What may follow a command such as /wanx or /easel; empty for one that stands alone."""
    return {
        row.command.word: row.action
        for row in _TABLE
        if row.command is not None
        and row.command.name == name
        and row.command.word
    }


def command_text_key(action: Action) -> str:
    """The message that says in a line what a command does."""
    return f"command.{action.value}.text"
