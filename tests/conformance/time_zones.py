"""Compares our table of Windows' time zones with CLDR's, as tzlocal has it.

    time_zones.py TABLE

CLDR keeps the names of zones that it began with; ours may be newer ones, if they are links to the same zone.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from tzlocal.windows_tz import win_tz


def rules(zone: str) -> bytes:
    """What the zone's clocks do."""
    return files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()


def main(table: str) -> None:
    """Lists what differs."""
    lines = Path(table).read_text().splitlines()
    ours = dict(line.split("|") for line in lines if not line.startswith("#"))
    wrong = [f"{name}: ours is {ours.get(name)}, CLDR's {zone}" for name, zone in win_tz.items() if not same(ours.get(name), zone)]
    wrong += [f"{name}: CLDR has no such name" for name in ours if name not in win_tz]
    print("\n".join(wrong) or f"{len(ours)} names mean the same")
    sys.exit(1 if wrong else 0)


def same(ours: str | None, theirs: str) -> bool:
    """Whether both names mean one zone."""
    return ours is not None and (ours == theirs or rules(ours) == rules(theirs))


if __name__ == "__main__":
    main(*sys.argv[1:])
