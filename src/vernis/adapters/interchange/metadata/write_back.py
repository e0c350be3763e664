"""Write words and regions into image files and sidecars so that nothing can be lost.

A write is two steps, so that the caller can keep the receipt between them: ``prepare_write`` reads
the file, makes the new bytes in memory and proves that all others are equal; ``commit_write`` sets
them in place. Between the steps the file is untouched; a run that is killed leaves the old file or
the new one, never a part, and at most a temporary file that ``sweep`` finds.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from vernis.adapters.interchange.metadata.carriers import (
    Slot,
    Splice,
    Unfit,
    apply_splices,
    carrier_of,
    find_slot,
    inverse_splices,
    rest_of,
    set_packet,
)
from vernis.adapters.interchange.metadata.file_metadata import read_file_metadata
from vernis.adapters.interchange.metadata.iptc import read_iptc_of_jpeg
from vernis.adapters.interchange.metadata.sidecars import existing_sidecar, sidecar_of
from vernis.adapters.interchange.metadata.xmp_document import UnusablePacket, fit
from vernis.adapters.interchange.metadata.xmp_merge import Merged, merge, retract
from vernis.domain.errors import UnreadableImage
from vernis.domain.metadata import (
    Carrier,
    Receipt,
    RefusalKind,
    SidecarStyle,
    UndoneKind,
    Wanted,
    WriteRefused,
)

Outcome = Literal["before", "after", "other", "gone"]
"""Which state a file is in: as it was, as it was written, changed by somebody else, or missing."""

_PART = re.compile(r"\.vernis-[0-9a-f]{16}\.part")
_LARGEST = 1 << 31
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})


@dataclass(frozen=True, slots=True)
class PreparedWrite:
    """A write that is proved and not yet done.

    Attributes
    ----------
    receipt : Receipt
        To be kept before ``commit_write``.
    data : bytes or None
        The new content of the whole file; None takes a sidecar away that an earlier write made.
    status : os.stat_result or None
        Of the file as it was read; None for a new sidecar.
    """

    receipt: Receipt
    data: bytes | None
    status: os.stat_result | None


@dataclass(frozen=True, slots=True)
class Undone:
    """What an undo does, or did: see ``UndoneKind``; ``write`` is None where no file changes."""

    kind: UndoneKind
    write: PreparedWrite | None = None


# --------------------------------------------------------------------------- writing


def prepare_write(
    image: Path,
    wanted: Wanted,
    *,
    expected: Collection[str] = (),
    where: Carrier = "auto",
    style: SidecarStyle = "full",
    orientation: int = 1,
) -> PreparedWrite:
    """Make the new content of an image file or its sidecar, and prove it.

    Parameters
    ----------
    image : Path
        A link is followed; the file behind it is written.
    wanted : Wanted
        All that the file shall say for Vernis.
    expected : collection of str
        SHA-256 in hexadecimal that the image may have: as it was indexed, and as it was written
        since; none to take it as it is.
    where : str
        ``auto`` embeds in JPEG, PNG and WebP and writes a sidecar beside all others.
    style : str
        The name of a new sidecar.
    orientation : int
        EXIF orientation of the image, for regions.

    Raises
    ------
    WriteRefused
        The file cannot be written safely; it is untouched.
    """
    path, data, status = _open(image, expected)
    if where == "sidecar" or (where == "auto" and carrier_of(data) is None):
        return _prepare_sidecar(path, data, wanted, style, orientation)
    _require_writable(path, status)
    try:
        slot = find_slot(data)
        merged = merge(
            slot.packet, wanted, beneath=_iptc_words(data, wanted), orientation=orientation
        )
        prepared = _prove(path, data, status, slot, merged)
    except (Unfit, UnusablePacket) as error:
        raise _refusal(path, error) from error
    if prepared.receipt.changes and existing_sidecar(path) is not None:
        notes = (*prepared.receipt.notes, "a sidecar beside it, which some programs read first")
        return replace(prepared, receipt=replace(prepared.receipt, notes=notes))
    return prepared


def open_for_writing(
    image: Path, expected: Collection[str] = ()
) -> tuple[Path, bytes, os.stat_result]:
    """Return the real path, content and status of an image that may be written.

    Raises
    ------
    WriteRefused
        It is read-only, has several names, belongs to somebody else, or is not as expected.
    """
    path, data, status = _open(image, expected)
    _require_writable(path, status)
    return path, data, status


def _open(image: Path, expected: Collection[str]) -> tuple[Path, bytes, os.stat_result]:
    path = _real(image)
    data, status = _read(path)
    if expected and hashlib.sha256(data).hexdigest() not in expected:
        raise WriteRefused(str(path), "changed", "changed since it was indexed")
    return path, data, status


def commit_write(prepared: PreparedWrite) -> None:
    """Set a prepared write in place: temporary file, mode and times, fsync, rename.

    A sidecar that is to go is removed.

    ``sync_folders`` makes the new name last, once after all files of a run.

    Raises
    ------
    WriteRefused
        The file changed since it was read, another program holds it, or the disk refuses.
    """
    receipt = prepared.receipt
    if not receipt.changes:
        return
    path = Path(receipt.path)
    try:
        with _held(path, prepared.status):
            if prepared.data is None:
                path.unlink()
            else:
                _replace(path, prepared.data, prepared.status)
    except OSError as error:
        raise _os_refusal(path, error) from error


def sync_folders(folders: Iterable[Path]) -> None:
    """Flush the names in folders to the disk, once after many writes.

    Without it a power failure may bring back the old file, whole; never a part of one.
    """
    for folder in folders:
        with contextlib.suppress(OSError):  # Windows opens no folders.
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def state_of(receipt: Receipt) -> Outcome:
    """Tell from the file whether a write happened, after a run that was killed for instance."""
    try:
        digest = _digest(Path(receipt.path))
    except FileNotFoundError:
        if not receipt.after:
            return "after"
        return "gone" if receipt.before else "before"
    except OSError:
        return "gone"
    if digest == receipt.after:
        return "after"
    return "before" if digest == receipt.before else "other"


def sweep(folders: Iterable[Path]) -> list[Path]:
    """Remove the temporary files that killed runs left in folders; returns what was removed.

    A file that a running process still holds is left alone.
    """
    removed = []
    for folder in folders:
        try:
            paths = [path for path in folder.iterdir() if _PART.fullmatch(path.name)]
        except OSError:
            continue
        for path in paths:
            with contextlib.suppress(OSError), open(path, "rb+") as stream:
                if _lock(stream.fileno()):
                    path.unlink()
                    removed.append(path)
    return removed


# --------------------------------------------------------------------------- undo


def prepare_undo(receipt: Receipt) -> Undone:
    """Make the content that takes a write back, and prove it; ``commit_write`` sets it in place.

    Where the file still is as it was written, all bytes come back as they were, and a sidecar that
    the write made goes. Where somebody else has written since, only the words and regions of Vernis
    are taken out. The undo is a write with a receipt of its own, so that it can be undone.

    Raises
    ------
    WriteRefused
        The file cannot be written, or its packet is no longer usable.
    """
    path = Path(receipt.path)
    state = state_of(receipt)
    if state == "before" or not receipt.changes:
        return Undone("nothing")
    if state == "gone":
        return Undone("gone")
    if state == "after":
        return _back(path, receipt)
    data, status = _read(path)
    _require_writable(path, status)
    if not any(receipt.added.values()):  # It had taken words out, as an undo does.
        reason = "somebody else has written since; what was taken out cannot be put back alone"
        raise WriteRefused(str(path), "changed", reason)
    try:
        prepared = _without_words(path, data, status, receipt)
    except (Unfit, UnusablePacket) as error:
        raise _refusal(path, error) from error
    return Undone("words", prepared) if prepared.receipt.changes else Undone("nothing")


def undo_write(receipt: Receipt) -> Undone:
    """Take a write back at once; see ``prepare_undo``."""
    undone = prepare_undo(receipt)
    if undone.write is not None:
        commit_write(undone.write)
    return undone


def _back(path: Path, receipt: Receipt) -> Undone:
    """Return the write that brings the old bytes back, of a file that is as it was written."""
    if receipt.after:
        data, status = _read(path)
        _require_writable(path, status)
    else:  # The write took a sidecar away.
        data, status = b"", None
        _require_folder(path)
    splices = _unpack(receipt.undo)
    old = apply_splices(data, splices)
    inverse = Receipt(
        path=str(path),
        carrier=receipt.carrier,
        before=receipt.after,
        after=receipt.before,
        undo=_pack(inverse_splices(data, splices)),
        size=len(old),
    )
    if not receipt.before:
        return Undone("removed", PreparedWrite(inverse, None, status))
    if hashlib.sha256(old).hexdigest() != receipt.before:
        raise WriteRefused(str(path), "damaged", "what was kept for the undo does not fit")
    return Undone("restored", PreparedWrite(inverse, old, status))


def _without_words(
    path: Path, data: bytes, status: os.stat_result, receipt: Receipt
) -> PreparedWrite:
    if receipt.carrier == "exiftool":
        reason = "somebody else has written since, and exiftool undoes only the last write"
        raise WriteRefused(str(path), "changed", reason)
    if receipt.carrier == "sidecar":
        return _prove_sidecar(path, data, status, retract(data, receipt.added))
    slot = find_slot(data)
    if slot.packet is None:
        return PreparedWrite(receipt_of(path, slot.carrier, data, data), data, status)
    return _prove(path, data, status, slot, retract(slot.packet, receipt.added))


# --------------------------------------------------------------------------- proofs


def _prove(
    path: Path, data: bytes, status: os.stat_result, slot: Slot, merged: Merged
) -> PreparedWrite:
    """Make the new file and require that each byte outside the packet is the old one."""
    if merged.packet == slot.packet:
        return PreparedWrite(receipt_of(path, slot.carrier, data, data), data, status)
    packet = merged.packet
    if slot.length_must_stay and packet is not None and slot.packet is not None:
        packet = fit(packet, len(slot.packet)) or packet
    splices = set_packet(data, slot, packet)
    new = apply_splices(data, splices)
    again = find_slot(new)
    if again.packet != packet:
        raise Unfit("damaged", "the packet does not come back as it was written")
    if not _equal(rest_of(data, slot), rest_of(new, again)):
        raise Unfit("damaged", "other bytes of the file would have changed")
    receipt = receipt_of(path, slot.carrier, data, new, splices, merged)
    return PreparedWrite(receipt, new, status)


def _equal(one: list[Any], other: list[Any]) -> bool:
    """Compare pieces as if they were joined, without joining where they have equal lengths."""
    if [len(piece) for piece in one] == [len(piece) for piece in other]:
        return all(a == b for a, b in zip(one, other, strict=True))
    return b"".join(one) == b"".join(other)


def _prepare_sidecar(
    image: Path, data: bytes, wanted: Wanted, style: SidecarStyle, orientation: int
) -> PreparedWrite:
    path = sidecar_of(image, style)
    beneath = embedded_words(image) if wanted.words else ()
    old: bytes | None = None
    status = None
    if path.exists() or path.is_symlink():
        path = _real(path)
        old, status = _read(path)
        _require_writable(path, status)
    else:
        _require_folder(path)
    try:
        merged = merge(old, wanted, beneath=beneath, orientation=orientation)
        return _prove_sidecar(path, old, status, merged)
    except (Unfit, UnusablePacket) as error:
        raise _refusal(path, error) from error


def _prove_sidecar(
    path: Path, old: bytes | None, status: os.stat_result | None, merged: Merged
) -> PreparedWrite:
    # A sidecar that has become empty stays: taking files away is for undo alone.
    new = merged.packet if merged.packet is not None else old
    if new is None or new == old:
        content = old or b""
        return PreparedWrite(receipt_of(path, "sidecar", content, content), content, status)
    before = b"" if old is None else old
    splices = [Splice(0, len(before), new)]
    receipt = receipt_of(path, "sidecar", before, new, splices, merged)
    return PreparedWrite(replace(receipt, before="") if old is None else receipt, new, status)


def receipt_of(
    path: Path,
    carrier: str,
    old: bytes,
    new: bytes,
    splices: list[Splice] | None = None,
    merged: Merged | None = None,
) -> Receipt:
    """Return the receipt of a change from one content to another.

    Parameters
    ----------
    path : Path
    carrier : str
    old, new : bytes
        The same object where nothing changes.
    splices : list of Splice, optional
        That lead from old to new.
    merged : Merged, optional
        What was added, and the notes.
    """
    before = hashlib.sha256(old).hexdigest()
    return Receipt(
        path=str(path),
        carrier=carrier,
        before=before,
        after=before if new is old else hashlib.sha256(new).hexdigest(),
        undo=_pack(inverse_splices(old, splices)) if splices else b"",
        added=dict(merged.added) if merged is not None else {},
        removed=merged.removed if merged is not None else (),
        size=len(new),
        notes=merged.notes if merged is not None else (),
    )


def _pack(splices: list[Splice]) -> bytes:
    parts = [
        struct.pack("<QQQ", s.start, s.end, len(s.replacement)) + s.replacement for s in splices
    ]
    return zlib.compress(b"".join(parts), 9)


def _unpack(undo: bytes) -> list[Splice]:
    data = zlib.decompress(undo)
    splices = []
    at = 0
    while at < len(data):
        start, end, length = struct.unpack_from("<QQQ", data, at)
        at += 24
        splices.append(Splice(start, end, data[at : at + length]))
        at += length
    return splices


# --------------------------------------------------------------------------- words of others


def _iptc_words(data: bytes, wanted: Wanted) -> tuple[tuple[str, ...], ...]:
    """Return the IPTC keywords, which programs stop to read where XMP has keywords."""
    if not wanted.words:
        return ()
    return tuple((word,) for word in read_iptc_of_jpeg(data).values.get("keywords", []))


def embedded_words(image: Path) -> tuple[tuple[str, ...], ...]:
    """Return the words of others in a file, in whichever place."""
    try:
        found = read_file_metadata(image, with_sidecar=False)
    except UnreadableImage:
        return ()
    return tuple(word.path for word in found.words if not word.own)


# --------------------------------------------------------------------------- the file system


def _real(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise WriteRefused(str(path), "not a file", "there is no such file") from error


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise WriteRefused(str(path), "not a file", "is no regular file")
            if status.st_size > _LARGEST:
                raise WriteRefused(str(path), "format", "larger than 2 GiB")
            data = stream.read()
    except OSError as error:
        raise _os_refusal(path, error) from error
    return data, status


def _require_writable(path: Path, status: os.stat_result) -> None:
    """Refuse a file that is read-only, has a second name, or would change its owner."""
    if status.st_nlink > 1:
        reason = f"has {status.st_nlink} names (hard links); the others would keep the old content"
        raise WriteRefused(str(path), "hard link", reason)
    # The superuser may write everything, so the mode is asked, not the system.
    if not status.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise WriteRefused(str(path), "read-only", "is read-only")
    _require_folder(path)
    if hasattr(os, "geteuid") and os.geteuid() not in (0, status.st_uid):
        raise WriteRefused(str(path), "foreign owner", "belongs to another user")


def _require_folder(path: Path) -> None:
    mode = path.parent.stat().st_mode
    if not mode & 0o222 or not os.access(path.parent, os.W_OK | os.X_OK):
        raise WriteRefused(str(path), "read-only", "lies in a read-only folder")


@contextlib.contextmanager
def _held(path: Path, status: os.stat_result | None) -> Iterator[None]:
    """Hold a file for the time of its replacement; refuses it when it is no longer what was read.

    The lock keeps two runs of Vernis apart. Other programs do not ask for it: a change by them is
    seen in the times and the size up to the rename.
    """
    if status is None:
        if path.exists():
            raise WriteRefused(str(path), "changed", "appeared meanwhile")
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if not _lock(descriptor):
            raise WriteRefused(str(path), "busy", "is being written by another run")
        if _stamp(os.fstat(descriptor)) != _stamp(status):
            raise WriteRefused(str(path), "changed", "changed while it was being written")
        if os.name == "nt":  # Windows renames onto no open file.
            os.close(descriptor)
            descriptor = -1
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _lock(descriptor: int) -> bool:
    """Take the advisory lock of an open file; False where another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows refuses to remove or replace an open file by itself.
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # A network drive without locks.
        return True
    return True


def _replace(path: Path, data: bytes, status: os.stat_result | None) -> None:
    part = path.with_name(f".vernis-{secrets.token_hex(8)}.part")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(part, flags, 0o600)
    try:
        try:
            _lock(descriptor)
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if status is not None:
                _take_over(path, part, descriptor, status, len(data))
            os.fsync(descriptor)
            if os.name != "nt":  # Elsewhere the lock holds up to the rename.
                _set_in_place(part, path, status)
        finally:
            os.close(descriptor)
        if os.name == "nt":
            _set_in_place(part, path, status)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _take_over(
    path: Path, part: Path, descriptor: int, status: os.stat_result, length: int
) -> None:
    """Give the new file the owner, mode, times and extended attributes of the old one."""
    if os.name != "nt":
        try:
            os.fchown(descriptor, status.st_uid, status.st_gid)
        except PermissionError as error:
            reason = "belongs to a group that you are not in"
            raise WriteRefused(str(path), "foreign owner", reason) from error
    shutil.copystat(path, part)
    if length == status.st_size:
        # Programs that look for changes compare size and time; one of the two must tell.
        os.utime(part)


def _set_in_place(part: Path, path: Path, status: os.stat_result | None) -> None:
    """Rename the new file; one that is wholly new takes no name that is taken meanwhile."""
    if status is not None:
        if _stamp(path.stat()) != _stamp(status):
            raise WriteRefused(str(path), "changed", "changed while it was being written")
        part.replace(path)
        return
    part.chmod(0o666 & ~_umask())
    try:
        os.link(part, path)
    except FileExistsError as error:
        raise WriteRefused(str(path), "changed", "appeared meanwhile") from error
    except OSError:  # A file system without hard links.
        part.rename(path)
        return
    part.unlink()


def _umask() -> int:
    """Return the mask of new files without changing it for other threads, where the system says."""
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as stream:
        for line in stream:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022


def _digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _refusal(path: Path, error: Exception) -> WriteRefused:
    if isinstance(error, Unfit):
        return WriteRefused(str(path), cast(RefusalKind, error.kind), error.reason)
    return WriteRefused(str(path), "unusable XMP", str(error))


def _os_refusal(path: Path, error: OSError) -> WriteRefused:
    kind: RefusalKind = "disk" if error.errno in _FULL else "read-only"
    if isinstance(error, FileNotFoundError):
        kind = "changed"
    return WriteRefused(str(path), kind, f"cannot be written ({error.strerror or error})")
