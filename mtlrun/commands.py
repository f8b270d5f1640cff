"""Commands as one would type them: every line that a user may paste is put together here, and a setting on it taken
apart. Imports nothing of ours."""

from __future__ import annotations

import shlex


def command_line(*words: str) -> str:
    """The words with a blank between them, each quoted for the shell, on one line and printable.

    A letter that a terminal would obey, such as a line end in the name of a folder, is written as bash and zsh read it
    within $'...'.
    """
    return " ".join(map(_shell_word, words))


def setting_key(word: str) -> str:
    """The key of a setting such as '+backbone.width=8', or '~logger'."""
    return word.lstrip("+~").partition("=")[0]


def setting_group(word: str) -> str:
    """The first part of its key, the group that it belongs to."""
    return setting_key(word).partition(".")[0]


def _shell_word(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    return f"$'{''.join(map(_ansi_c, word))}'"


def _ansi_c(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    number = ord(letter)
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
