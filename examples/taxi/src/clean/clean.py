"""Brings the files of both companies to one form and drops rides that cannot have happened."""

import argparse
from pathlib import Path

import pandas as pd

KM_PER_MILE = 1.609344

# What each company calls what we keep.
COLUMNS = {
    "green": {"lpepPickupDatetime": "start", "lpepDropoffDatetime": "end"},
    "yellow": {"tpepPickupDateTime": "start", "tpepDropoffDateTime": "end"},
}
SHARED = {"passengerCount": "passengers", "tripDistance": "miles", "fareAmount": "fare"}


def read(company: str, folder: Path) -> pd.DataFrame:
    """All files of one company, in name order."""
    names = COLUMNS[company] | SHARED
    files = [pd.read_csv(path, usecols=list(names)) for path in sorted(folder.glob("*.csv"))]
    if not files:
        raise SystemExit(f"no CSV file in the folder of the {company} company")
    return pd.concat(files).rename(columns=names).assign(company=company)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--green", type=Path, required=True)
    parser.add_argument("--yellow", type=Path, required=True)
    parser.add_argument("--longest-ride-km", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    rides = pd.concat([read("green", args.green), read("yellow", args.yellow)])
    before = len(rides)
    rides["km"] = (rides.pop("miles") * KM_PER_MILE).round(3)
    rides = rides[rides["km"].between(0.1, args.longest_ride_km) & rides["fare"].between(2, 250)]
    rides = rides.sort_values(["start", "end", "km", "fare"], kind="stable")
    rides.to_csv(args.out, index=False)
    print(f"kept {len(rides)} of {before} rides")


if __name__ == "__main__":
    main()
