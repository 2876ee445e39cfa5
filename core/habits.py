"""What people know from other bots, and what Easel has in its place. Pure data.

An option that Easel gets one day is found before it is looked for here.
"""

from collections.abc import Mapping

OPTIONS: Mapping[str, str] = {
    "v": "--model",
    "version": "--model",
    "niji": "--model",
    "q": "--size",
    "quality": "--size",
    "hd": "--size",
    "s": "--strength",
    "stylize": "--strength",
    "style": "--raw",
    "iw": "--strength",
    "c": "--n",
    "chaos": "--n",
    "w": "",
    "weird": "",
    "r": "--n",
    "repeat": "--n",
    "cref": "/edit",
    "sref": "/edit",
    "oref": "/edit",
    "cw": "--strength",
    "sw": "--strength",
    "ow": "--strength",
    "tile": "",
    "stop": "",
    "fast": "",
    "relax": "",
    "turbo": "",
    "draft": "",
    "video": "",
    "p": "",
    "profile": "",
}
"""Options by name; "" where there is nothing like it."""
COMMANDS: Mapping[str, str] = {
    "imagine": "/draw",
    "img": "/draw",
    "generate": "/draw",
    "create": "/draw",
    "dream": "/draw",
    "blend": "/edit",
    "describe": "/easel info",
}
