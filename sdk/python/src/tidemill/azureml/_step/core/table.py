"""Tables: files that are read with pandas, as the dataset says. pandas is what the step's environment has."""

from pathlib import Path
from typing import Any, List, Mapping

__all__ = ["read_table"]


def read_table(place: str, how: Mapping[str, Any]) -> Any:
    """The files at a place as one data frame, in the order of their names."""
    import pandas

    files = _files(Path(place))
    if not files:
        raise FileNotFoundError("there is no file in " + place)
    kind = how.get("format", "delimited")
    frames = [_read(pandas, str(file), kind, how) for file in files]
    return frames[0] if len(frames) == 1 else pandas.concat(frames, ignore_index=True)


def _read(pandas: Any, file: str, kind: str, how: Mapping[str, Any]) -> Any:
    if kind == "parquet":
        return pandas.read_parquet(file)
    encoding = {"utf8": "utf-8"}.get(how.get("encoding", "utf8"), how.get("encoding", "utf-8"))
    if kind == "jsonl":
        return pandas.read_json(file, lines=True, encoding=encoding)
    return pandas.read_csv(
        file,
        sep=how.get("separator", ","),
        header="infer" if how.get("header", True) else None,
        encoding=encoding,
        dtype=None if how.get("types", True) else str,
    )


def _files(place: Path) -> List[Path]:
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.is_file() and not path.name.startswith((".", "_")))
