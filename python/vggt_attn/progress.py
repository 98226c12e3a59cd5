# SPDX-License-Identifier: Apache-2.0
"""How long work shows what it does."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Literal

# True: one line on stderr; a function: called with (stage, share, detail); False: nothing.
Progress = bool | Callable[[str, float, str], object]


class ProgressLine:
    """One line that is written again and again, on a terminal as in a notebook."""

    def __init__(self, progress: Progress) -> None:
        """Shows what `progress` asks for."""
        if not isinstance(progress, bool) and not callable(progress):
            raise TypeError(f"progress must be True, False or a function, not {progress!r}")
        self._progress = progress
        self._width = 0

    def __enter__(self) -> ProgressLine:
        """Begins."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        """Ends the line."""
        if self._width:
            self._rewrite("")
            sys.stderr.write("\r")
            sys.stderr.flush()
        return False

    def update(self, stage: str, share: float, detail: str = "") -> None:
        """Says which share, from 0 to 1, of a stage is done."""
        if callable(self._progress):
            self._progress(stage, share, detail)
        elif self._progress:
            self._rewrite(f"{stage}: {share:4.0%}" + (f", {detail}" if detail else ""))

    def done(self, text: str) -> None:
        """A line that stays."""
        if self._progress is True:
            self._rewrite(text)
            sys.stderr.write("\n")
            sys.stderr.flush()
            self._width = 0

    def note(self, text: str, remark: bool = False) -> None:
        """A line that stays, or else a warning if it is more than a remark."""
        if self._progress is True:
            self.done(text)
        elif not remark:
            warnings.warn(text, stacklevel=3)

    def _rewrite(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)
