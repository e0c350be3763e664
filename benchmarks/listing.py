"""List a bucket of a million keys that is not there: time and memory of the listing.

Run: python benchmarks/listing.py [KEYS]
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any

from vernis.adapters import objects


class Pages:
    """A store of many objects in one folder, that hands out a thousand at a time, as S3 does."""

    def __init__(self, keys: int) -> None:
        self.keys = keys

    def call_s3(self, method: str, *, ContinuationToken: str = "0", **asked: Any) -> Any:
        """Return a page."""
        start = int(ContinuationToken)
        stop = min(self.keys, start + asked["MaxKeys"])
        changed = datetime(2024, 5, 1, tzinfo=UTC)
        return {
            "Contents": [
                {
                    "Key": f"photos/2024/picture-{i:09d}.jpg",
                    "Size": 300_000,
                    "ETag": f'"{i:032x}"',
                    "LastModified": changed,
                }
                for i in range(start, stop)
            ],
            "IsTruncated": stop < self.keys,
            "NextContinuationToken": str(stop),
        }


def main() -> None:
    """Print what one pass, and the table of all keys, cost."""
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    objects.open_system = lambda address: (Pages(keys), "bucket/photos")  # type: ignore[assignment]
    before = _peak()
    for what, work in (
        ("pages alone", lambda: sum(1 for _ in objects.list_objects("s3://bucket/photos"))),
        ("the table", lambda: len(objects.tabled(objects.list_objects("s3://bucket/photos"))[0])),
    ):
        started = time.process_time()
        count = work()
        spent = time.process_time() - started
        print(f"{what}: {count:,} keys, {spent:.1f} s, {_peak() - before:,.0f} MB more", flush=True)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
