"""What is asked of buckets and web servers, through fsspec: patiently, and with plain errors.

Credentials come from the environment, as fsspec's adapters read them; none are kept or shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from vernis.domain.errors import AccessRefused, MissingExtra, NotFound, StorageError, VernisError

T = TypeVar("T")

_TRIES = 5
_FIRST_WAIT = 0.5  # seconds; doubled after each try
_EXTRAS = {"gs": "gcs", "gcs": "gcs"}  # kind of address → extra that reads it, else remote
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError")


def open_system(address: str) -> tuple[Any, str]:
    """Return the file system of an address such as ``s3://BUCKET/FOLDER``, and the path in it.

    Raises
    ------
    MissingExtra
        The address needs fsspec, or its adapter of that kind of store.
    StorageError
        There is no such kind of address, or it cannot be opened with what the environment holds.
    """
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(address)
    except ImportError as error:
        kind = address.partition("://")[0]
        raise MissingExtra(_EXTRAS.get(kind, "remote"), f"the store {address}") from error
    except ValueError as error:
        raise StorageError(f"{address}: no such kind of store ({error})") from error
    except Exception as error:
        # Adapters look for credentials as soon as they are opened, and raise what they please.
        raise _translated(address, error) from error
    return system, str(path)


def patiently(name: str, work: Callable[[], T]) -> T:
    """Do something with an object, again after a wait where its store is busy or out of reach.

    Parameters
    ----------
    name : str
        What the object is called in errors.
    work : callable

    Raises
    ------
    NotFound
        It is not there.
    StorageError
        The store refuses, or does not answer.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            return work()
        except FileNotFoundError as error:
            raise NotFound(f"{name}: not there") from error
        except VernisError:
            raise
        except Exception as error:
            # The adapters' exceptions have no common base but Exception.
            if attempt == _TRIES or _is_final(error):
                raise _translated(name, error) from error
            time.sleep(_FIRST_WAIT * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def _is_final(error: Exception) -> bool:
    """Tell an answer that another try would not change: refused, or nobody to ask as."""
    status = getattr(error, "status", 0)  # of aiohttp
    return (
        isinstance(error, PermissionError)
        or type(error).__name__ in _NO_CREDENTIALS
        or (isinstance(status, int) and 400 <= status < 500 and status not in (408, 429))
    )


def _translated(name: str, error: Exception) -> StorageError:
    if type(error).__name__ in _NO_CREDENTIALS:
        return AccessRefused(
            f"{name}: the environment holds no credentials ({_line(error)}); set them as the "
            "store's own tools read them, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if _is_final(error):
        return AccessRefused(f"{name}: refused ({_line(error)}); look at the credentials")
    return StorageError(
        f"{name}: the store does not answer ({_line(error)}); run the command again later"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
