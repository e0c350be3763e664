"""Decode pictures so that a codec that hangs, crashes or eats memory costs one file, not the run.

Formats whose decoders browsers expose to the whole web run in the worker itself. All others, very
large pictures and JPEGs of suspiciously many scans go to a helper process that lives as long as
the worker, under limits of memory and time. When it dies the file is reported and a new helper is
started for the next one.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from PIL import Image

from vernis.adapters.color import ColorConverter
from vernis.adapters.helper_process import end_helper, read_exactly, start_helper, take_answers
from vernis.adapters.identity import digest_picture
from vernis.adapters.pixels import MIN_SIDE, decode_opened
from vernis.adapters.probe import DEFAULT_LIMITS, MAINSTREAM_FORMATS, Limits, open_picture
from vernis.domain.damage import DAMAGE_KINDS, Damage
from vernis.domain.errors import UnreadableImage
from vernis.domain.ports import Decoded, Pixels

MAX_SCANS = 100
"""Scans of a progressive JPEG (cameras and encoders write about 10) decoded in the worker."""

_START_OF_SCAN = b"\xff\xda"
_READY = b"ready"
_PIXELS, _DIGEST = b"p", b"d"  # what a helper is asked for
_ANSWER = struct.Struct("<?IIBd")
"""Success, height and width or the length of the reason, kind and share of the damage."""


T = TypeVar("T")


class PictureDecoder:
    """Decodes pictures; same results as ``pixels.decode``. Threads may share one.

    Each thread gets a helper process of its own, started by its first risky file.

    Parameters
    ----------
    min_side : int or None
        As in ``pixels.decode``.
    limits : Limits
    """

    def __init__(self, *, min_side: int | None = MIN_SIDE, limits: Limits = DEFAULT_LIMITS) -> None:
        self._min_side = min_side
        self.limits = limits
        self._thread = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how a copy is made, in another process too: its helpers are its own."""
        return _make_decoder, (self._min_side, self.limits)

    def __call__(self, path: Path) -> Pixels:
        """Decode one picture.

        Parameters
        ----------
        path : Path

        Returns
        -------
        ndarray of uint8, shape (height, width, 3)

        Raises
        ------
        UnreadableImage
            The only error.
        """
        return self.examine(path).pixels

    def examine(self, path: Path) -> Decoded:
        """Decode one picture and say what is damaged of it; raises UnreadableImage."""
        with open_picture(path, limits=self.limits) as image:
            helper = self._find_helper() if _is_risky(image, self.limits) else None
            if helper is None:
                return decode_opened(path, image, self._min_side, self._find_converter())
        return helper.decode(path)

    def digest(self, path: Path) -> str:
        """Return a digest of all that a picture holds; see ``identity.digest_picture``.

        Raises
        ------
        UnreadableImage
            The only error.
        """
        with open_picture(path, limits=self.limits) as image:
            helper = self._find_helper() if _is_risky(image, self.limits) else None
            if helper is None:
                return digest_picture(path, image, self.limits)
        return helper.digest(path)

    def _find_converter(self) -> ColorConverter:
        if not hasattr(self._thread, "converter"):
            self._thread.converter = ColorConverter()
        found: ColorConverter = self._thread.converter
        return found

    def _find_helper(self) -> _Helper | None:
        """Return this thread's helper, None where none can run (a frozen application)."""
        helper: _Helper | None = getattr(self._thread, "helper", None)
        if helper is None or (helper.has_started and not helper.is_alive()):
            helper = self._thread.helper = _Helper(self._min_side, self.limits)
        return helper if helper.has_started else None

    def close(self) -> None:
        """End this thread's helper process; the end of the thread does it as well."""
        helper: _Helper | None = getattr(self._thread, "helper", None)
        if helper is not None:
            helper.close()
            self._thread.helper = None


def _make_decoder(min_side: int | None, limits: Limits) -> PictureDecoder:
    return PictureDecoder(min_side=min_side, limits=limits)


class _Helper:
    """A process that decodes what it is asked to."""

    def __init__(self, min_side: int | None, limits: Limits) -> None:
        self._limits = limits
        settings = json.dumps([min_side, asdict(limits)])
        self._process = start_helper(__name__, settings)
        self._finalizer = weakref.finalize(self, end_helper, self._process)
        assert self._process.stdout is not None
        self.has_started = self._process.stdout.read(len(_READY)) == _READY

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def decode(self, path: Path) -> Decoded:
        return self._within_limits(path, self._ask_pixels)

    def digest(self, path: Path) -> str:
        return self._within_limits(path, self._ask_digest)

    def _within_limits(self, path: Path, ask: Callable[[Path], T]) -> T:
        late = threading.Event()

        def stop() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(self._limits.timeout_seconds, stop)
        timer.start()
        try:
            return ask(path)
        except UnreadableImage:
            raise
        except (BrokenPipeError, EOFError) as error:
            late_or_not = f"decoding takes longer than {self._limits.timeout_seconds:g} s"
            if not late.is_set():
                late_or_not = "the decoder crashed or ran out of memory"
            self.close()
            raise UnreadableImage(path, f"{late_or_not} (a damaged or hostile file?)") from error
        except BaseException:
            self.close()  # Ctrl-C: an answer is still on its way and must not go to the next file
            raise
        finally:
            timer.cancel()
            timer.join()
            if late.is_set():
                self.close()

    def _ask(self, path: Path, wish: bytes) -> tuple[IO[bytes], int, int, int, float]:
        """Send a wish; return where its answer comes from, and what stands at its head."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(wish + os.fsencode(path.absolute()).hex().encode() + b"\n")
        self._process.stdin.flush()
        stream = self._process.stdout
        success, height, width, kind, lost = _ANSWER.unpack(read_exactly(stream, _ANSWER.size))
        if not success:
            raise UnreadableImage(path, read_exactly(stream, height).decode())
        return stream, height, width, kind, lost

    def _ask_digest(self, path: Path) -> str:
        stream, length, *_ = self._ask(path, _DIGEST)
        return read_exactly(stream, length).decode()

    def _ask_pixels(self, path: Path) -> Decoded:
        stream, height, width, kind, lost = self._ask(path, _PIXELS)
        data = read_exactly(stream, height * width * 3)
        pixels = np.frombuffer(bytearray(data), dtype=np.uint8).reshape(height, width, 3)
        return Decoded(pixels, Damage(DAMAGE_KINDS[kind], lost))

    def close(self) -> None:
        self._finalizer()


def _is_risky(image: Image.Image, limits: Limits) -> bool:
    if image.format not in MAINSTREAM_FORMATS:
        return True
    if image.width * image.height > limits.isolate_above_pixels:
        return True
    if not image.info.get("progressive"):
        return False
    stream = image.fp  # type: ignore[attr-defined]
    place = stream.tell()
    stream.seek(0)
    scans = stream.read().count(_START_OF_SCAN)
    stream.seek(place)
    return bool(scans > MAX_SCANS)


def _limit_memory(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # Windows: the time limit alone protects
        return
    try:
        with open("/proc/self/statm") as stream:
            taken = int(stream.read().split()[0]) * resource.getpagesize()
    except OSError:
        taken = 2**30
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + limits.max_memory_bytes, hard))


def _limit_time(limits: Limits) -> None:
    """Bound the time of the next picture even when the parent process is gone."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = usage.ru_utime + usage.ru_stime + limits.timeout_seconds + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), hard))


def serve() -> None:
    """Answer requests on standard input until it ends; the helper's main function."""
    min_side, fields = json.loads(sys.argv[1])
    limits = Limits(**fields)
    answers = take_answers()
    converter = ColorConverter()
    _limit_memory(limits)
    answers.write(_READY)
    answers.flush()
    for line in sys.stdin.buffer:
        _limit_time(limits)
        path = Path(os.fsdecode(bytes.fromhex(line[1:].decode())))
        try:
            with open_picture(path, limits=limits) as image:
                if line[:1] == _DIGEST:
                    digest = digest_picture(path, image, limits).encode()
                    answers.write(_ANSWER.pack(True, len(digest), 0, 0, 0.0) + digest)
                    answers.flush()
                    continue
                decoded = decode_opened(path, image, min_side, converter)
        except UnreadableImage as error:
            reason = error.reason.encode()
            answers.write(_ANSWER.pack(False, len(reason), 0, 0, 0.0) + reason)
        else:
            kind, lost = DAMAGE_KINDS.index(decoded.damage.kind), decoded.damage.lost
            answers.write(_ANSWER.pack(True, *decoded.pixels.shape[:2], kind, lost))
            answers.write(decoded.pixels.tobytes())
        answers.flush()


if __name__ == "__main__":
    serve()
