# SPDX-License-Identifier: Apache-2.0
"""The exceptions of the package."""

from __future__ import annotations

import errno


class Error(Exception):
    """What went wrong, where, and what to do about it; ``str()`` is all three in one line.

    Attributes:
        what: what went wrong, without a full stop.
        where: the file, tensor or key that it is about; may be empty.
        hint: what to do, a whole sentence; may be empty.
    """

    def __init__(self, what: str, where: str = "", hint: str = "") -> None:
        """Joins the three into one line: ``where: what. hint``."""
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        """One line, whatever characters a foreign file brought along."""
        text = f"{_printable(self.where)}: {self.what}" if self.where else self.what
        if self.hint:
            text += ("" if text.endswith(".") else ".") + " " + self.hint
        return text


class MissingFile(Error, FileNotFoundError):
    """A file or folder does not exist; also a ``FileNotFoundError``."""

    def __init__(self, what: str, where: str = "", hint: str = "") -> None:
        """Also sets what every ``OSError`` has: ``errno``, ``strerror``, ``filename``."""
        super().__init__(what, where, hint)
        self.args = (what, where, hint)
        self.errno, self.strerror, self.filename = errno.ENOENT, what, where or None


class OptionError(Error, ValueError):
    """An argument has a value that cannot be; also a ``ValueError``. ``where`` names it."""


class MissingLayer(OptionError, KeyError):
    """A mapping has no layer of that number; also a ``KeyError``."""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
