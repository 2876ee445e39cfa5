"""Who may ask for what in a workspace and its channels. Pure.

No list of people stops an administrator: otherwise all who can change it could be locked out.
"""

from collections.abc import Mapping

from core.channel_settings import FUNCTIONS, Preferences, read_functions
from core.errors import Rejected
from core.forms import split_list
from core.i18n import translate
from core.operations import OPERATIONS, Action
from core.refused_words import holds_refused_word
from core.sessions import pseudonym
from core.types import Request


def require_person(preferences: Preferences, request: Request) -> None:
    """Raise Rejected for a person the workspace refuses.

    Operations that everyone has a right to (``by_right``) are never refused.
    """
    if request.is_admin or OPERATIONS[request.action].by_right:
        return
    person = request.person.id
    # Being forgotten lifts no refusal.
    names = {person, pseudonym(request.place.tenant, person)}
    if names & set(split_list(preferences.refused_people)):
        raise Rejected("refuse.refused_person")


def require_work(
    preferences: Preferences,
    request: Request,
    action: Action,
    prompt: str,
) -> None:
    """Raise Rejected for a person, function or prompt that makes no pictures here.

    ``action`` and ``prompt`` are what the service would get, which the request may only point to.
    """
    people = split_list(preferences.people)
    if people and request.person.id not in people and not request.is_admin:
        raise Rejected("refuse.not_these_people")
    _require_function(preferences, action, request.locale)
    if holds_refused_word(prompt, preferences.refused_words):
        raise Rejected("refuse.refused_word")


def _require_function(
    preferences: Preferences, action: Action, locale: str
) -> None:
    functions = allowed_functions(preferences)
    if action in functions:
        return
    names = [_name(function, locale) for function in functions]
    if not names:
        raise Rejected("refuse.no_function")
    raise Rejected(
        "refuse.not_this_function",
        action=_name(action, locale),
        allowed=names,
    )


def _name(action: Action, locale: str) -> str:
    return translate(f"action.{action.value}", locale)


def require_not_oneself(request: Request, texts: Mapping[str, str]) -> None:
    """Raise Rejected for an administrator who is about to refuse themselves."""
    if request.person.id in split_list(texts.get("refused_people", "")):
        raise Rejected("refuse.not_yourself")


def allowed_functions(preferences: Preferences) -> list[Action]:
    """The functions that may be used, in the order of menus."""
    chosen = read_functions(preferences.functions)
    switched_off = read_functions(preferences.functions_off)
    return [
        action
        for action in FUNCTIONS
        if action not in switched_off and (not chosen or action in chosen)
    ]
