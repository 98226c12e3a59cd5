# SPDX-License-Identifier: Apache-2.0
"""Numbers about whole layers and heads: tables, and reports as folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from vggt_attn import _core
from vggt_attn.errors import OptionError
from vggt_attn.progress import Progress, ProgressLine
from vggt_attn.words import AnyPath, integer, path_of, text

if TYPE_CHECKING:
    import pandas

    from vggt_attn.exports import Export


class Column(NamedTuple):
    """What a column of a table is."""

    name: str
    unit: str
    text: str


class Table(dict[str, NDArray[Any]]):
    """Columns by their names, all of one length; ``pandas.DataFrame(table)`` takes it as it is.

    Attributes:
        name: of its files in reports: ``heads`` is ``data/heads.csv``.
        title: one line.
        definition: what its numbers are, and where the formula was published.
        sample: which rows of attention they were taken of.
        columns: name, unit and text of each column.
        arrays: float32 arrays beside the columns, by name.
        axes: of each array: ``"[layers, heads, pictures, pictures + 1]"``.
    """

    def __init__(self, made: _core.ReportTable) -> None:
        """Takes over what the library made."""
        super().__init__(
            {c.name: np.asarray(made.column(i)) for i, c in enumerate(made.columns)},
        )
        self.name = made.name
        self.title = made.title
        self.definition = made.definition
        self.sample = made.sample
        self.columns = [Column(c.name, c.unit, c.text) for c in made.columns]
        self.arrays: dict[str, NDArray[np.float32]] = {a.name: a.values() for a in made.arrays}
        self.axes = {a.name: a.axes for a in made.arrays}
        self._csv = made.csv()

    def to_pandas(self) -> pandas.DataFrame:
        """The columns as a DataFrame."""
        import pandas  # noqa: PLC0415 (not everybody has it)

        return pandas.DataFrame(self)

    def csv(self) -> str:
        """The columns as the text of a CSV file, as ``vggt-attn report`` writes it."""
        return self._csv

    def __repr__(self) -> str:
        """What it is, not its numbers."""
        rows = len(next(iter(self.values()), ()))
        parts = [f"{rows} rows", ", ".join(self)] if self else []
        parts += [f"{name} {list(array.shape)}" for name, array in self.arrays.items()]
        return f"<Table {self.name} ({self.title}): {'; '.join(parts)}>"

    def _repr_html_(self) -> str | None:
        try:
            html: str = self.to_pandas()._repr_html_()
        except ImportError:
            return None
        return html


class Report(Mapping[str, Table]):
    """The tables of an export, computed when they are first asked for: ``report.heads``.

    ``report["heads"]`` is the same; ``list(report)`` names all. What is computed of layers is kept
    beside the queries and keys, so that the next time it is there at once. Some tables do not exist
    for every export; asking for one then says why.

    Attributes:
        sample: which rows of attention heads and layers are measured on.
    """

    def __init__(
        self, export: Export, rows: SupportsIndex | str | None, progress: Progress
    ) -> None:
        """Computes nothing yet."""
        self._export = export
        self._rows = rows
        self._progress = progress
        self._maker = _core.TableMaker(export.opened, rows_of(rows))
        self._tables: dict[str, Table] = {}
        self._lock = Lock()
        self.sample = self._maker.sample

    def __getitem__(self, name: str) -> Table:
        """Computes the table and those that come with it, unless it is there."""
        if name not in _core.table_names():
            raise KeyError(name)
        with self._lock:
            if name not in self._tables:
                with ProgressLine(self._progress) as line:
                    for made in self._maker.make(name, line.update):
                        self._tables[made.name] = Table(made)
            if name not in self._tables:
                raise KeyError(name)
            return self._tables[name]

    def __getattr__(self, name: str) -> Table:
        """``report.heads``."""
        if name in _core.table_names():
            return self[name]
        raise AttributeError(f"a report has no table {name!r}; it has {', '.join(self)}")

    def __dir__(self) -> list[str]:
        """The tables, too."""
        return [*super().__dir__(), *self]

    def __iter__(self) -> Iterator[str]:
        """The names of the tables; those of matches only where the export has geometry."""
        return iter(self._maker.names)

    def __len__(self) -> int:
        """How many tables there are."""
        return len(self._maker.names)

    def save(
        self,
        out: AnyPath,
        *,
        only: str | Iterable[str] = (),
        preset: str = "",
        seed: SupportsIndex = 1,
        matches: AnyPath | None = None,
        geometry: AnyPath | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> Path:
        """Writes the whole report, as ``vggt-attn report`` does; see :func:`write_report`."""
        return write_report(
            [self._export],
            out,
            only=only,
            preset=preset,
            rows=self._rows,
            seed=seed,
            matches=matches,
            geometry=geometry,
            overwrite=overwrite,
            progress=self._progress if progress is None else progress,
        )

    def __repr__(self) -> str:
        """Names the tables."""
        return f"<Report of {self._export.path.name}: {', '.join(self)}>"


def rows_of(rows: SupportsIndex | str | None) -> int | None:
    """How many patch queries of each picture: None for the usual ones, 0 for all."""
    if rows is None:
        return None
    if rows == "all":
        return 0
    if isinstance(rows, str):
        raise TypeError(f"rows must be a whole number or 'all', not {rows!r}")
    number = integer("rows", rows)
    if number < 1:
        raise OptionError("is 0", "`rows`", "Give at least 1, or 'all'.")
    return number


def write_report(
    exports: AnyPath | Iterable[AnyPath],
    out: AnyPath,
    *,
    only: str | Iterable[str] = (),
    preset: str = "",
    rows: SupportsIndex | str | None = None,
    seed: SupportsIndex = 1,
    matches: AnyPath | None = None,
    geometry: AnyPath | None = None,
    overwrite: bool = False,
    progress: Progress = False,
) -> Path:
    """Writes a report of one export or several: a page, figures and tables.

    Args:
        exports: one export or path, or several, of which there is one table over all, too.
        out: the folder to write; ``out/index.html`` is the page.
        only: names of sections, such as ``"layers"``; none: the usual ones.
        preset: a published definition, such as ``"seed"``; ``vggt-attn report --help`` lists them.
        rows: patches of each picture that numbers are taken of, or ``"all"``; None: the usual ones.
        seed: of whatever is drawn at random.
        matches: a file of known point pairs, .npz or .csv.
        geometry: known cameras and depth: a ``cameras.json``, its folder, a COLMAP model or a scan.
        overwrite: replace the report that is there.
        progress: True: one line; a function: called with (stage, share, detail).

    Returns:
        The folder.
    """
    paths = [exports] if isinstance(exports, str | bytes | os.PathLike) else list(exports)
    folder = path_of("out", out)
    with ProgressLine(progress) as line:
        facts = _core.save_report(
            [path_of("exports", path) for path in paths],
            folder,
            overwrite=bool(overwrite),
            only=[only] if isinstance(only, str) else list(only),
            preset=text("preset", preset),
            rows=rows_of(rows),
            seed=integer("seed", seed),
            matches=path_of("matches", matches) if matches is not None else None,
            geometry=path_of("geometry", geometry) if geometry is not None else None,
            update=line.update,
        )
        for note in facts["notes"]:  # type: ignore[attr-defined]
            line.note(note)
        line.done(f"wrote {folder}: {facts['figures']} figures and {facts['tables']} tables")
    return folder
