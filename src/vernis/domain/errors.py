"""The one tree of errors that Vernis raises.

Every message is one line: what is wrong, with which file or name, and what to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class VernisError(Exception):
    """Base of every error that Vernis raises on purpose; it can be pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        # An error is its message and its attributes, whatever its constructor takes.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[VernisError], args: tuple[Any, ...]) -> VernisError:
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class UsageError(VernisError):
    """The caller asked for something that cannot be: a wrong name, option or value."""


class Declined(VernisError):
    """A person was asked and said no; nothing was changed."""


class InvalidValue(UsageError, ValueError):
    """A value object was given bad data; the message holds what was expected and what came."""


class InvalidCall(UsageError, TypeError):
    """A method was given a parameter that it does not have, or a value of the wrong type."""


class FilterError(UsageError):
    """A filter cannot be read, or names what the collection does not have.

    Parameters
    ----------
    reason : str
        What is wrong.
    text : str
        The whole filter.
    position : int
        Where, in characters from its start; the message shows a caret below.
    """

    def __init__(self, reason: str, text: str, position: int) -> None:
        shown = "".join(" " if letter.isspace() else letter for letter in text)
        super().__init__(f"filter: {reason}\n  {shown}\n  {' ' * position}^")
        self.reason = reason
        self.position = position


class InvalidLabels(UsageError):
    """A label file cannot be used; the message names the file, the row and the remedy."""


class NotFound(UsageError, KeyError):
    """A taxonomy, image, model or batch of that name is not in the collection."""

    def __str__(self) -> str:
        """Return the plain message (``KeyError`` would quote it)."""
        return str(self.args[0]) if self.args else ""


class UnreadableImage(VernisError):
    """A file cannot be decoded as a picture.

    Parameters
    ----------
    path : Path or str
        The file.
    reason : str
        Why, in a few words, without the path.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class CatalogError(VernisError):
    """The collection's folder cannot be opened, read or written."""


class NewerCatalog(CatalogError):
    """The collection was written by a newer version of Vernis."""


class CatalogBusy(CatalogError):
    """Another process is writing to the collection and did not finish in time."""


class StorageError(CatalogError):
    """The disk is full, read-only or refuses a write."""


class AccessRefused(StorageError):
    """A store refuses what is asked of it, with the credentials that the environment holds."""


class WorkerLost(VernisError):
    """A process that worked on an item ended in the middle, twice."""


class NothingToLearn(VernisError):
    """A taxonomy holds too few labels to train a head."""


class ModelError(VernisError):
    """A saved model or a backbone's file is missing, damaged or of a newer format."""


class ServiceError(VernisError):
    """An outside service cannot be used; what it answered before is kept.

    Parameters
    ----------
    message : str
    lost : int
        Tries whose answer was lost; they may have been charged.
    """

    def __init__(self, message: str, lost: int = 0) -> None:
        super().__init__(message)
        self.lost = lost


class RequestRefused(ServiceError):
    """An outside service refuses a request as a whole; a smaller one may be answered."""


class MissingExtra(VernisError):
    """An optional dependency is needed.

    Parameters
    ----------
    extra : str
        The name of the extra, as in ``pip install "vernis[extra]"``.
    purpose : str
        What needs it.
    """

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f'{purpose} needs an extra: pip install "vernis[{extra}]"')
        self.extra = extra
