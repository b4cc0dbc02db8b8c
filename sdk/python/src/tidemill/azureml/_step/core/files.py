"""The files that a run keeps: what its process puts below `./outputs` and `./logs`."""

import os
import shutil
from pathlib import Path
from typing import Any, List, Optional, Sequence

from .refusals import refuse

__all__ = ["RunFiles"]


class RunFiles:
    """What a run keeps beside numbers and texts."""

    # Where files that are logged are put; the step's ./outputs are kept with it.
    _folder: Optional[Path] = None

    def upload_file(self, name: str, path_or_stream: Any, datastore_name: Optional[str] = None) -> None:
        """Keeps a file with the step, below `outputs`."""
        place = self._place(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if hasattr(path_or_stream, "read"):
            data = path_or_stream.read()
            place.write_bytes(data.encode() if isinstance(data, str) else data)
        elif Path(path_or_stream).resolve() != place.resolve():
            shutil.copyfile(path_or_stream, place)

    def upload_files(
        self,
        names: Sequence[str],
        paths: Sequence[str],
        return_artifacts: bool = False,
        timeout_seconds: Optional[int] = None,
        datastore_name: Optional[str] = None,
    ) -> None:
        """Keeps files with the step, below `outputs`."""
        for name, path in zip(names, paths):  # noqa: B905 - of Python 3.8 too
            self.upload_file(name, path)

    def upload_folder(self, name: str, path: str, datastore_name: Optional[str] = None) -> None:
        """Keeps a folder with the step, below `outputs`."""
        for found in sorted(Path(path).rglob("*")):
            if found.is_file():
                self.upload_file(name + "/" + found.relative_to(path).as_posix(), str(found))

    def get_file_names(self) -> List[str]:
        """The files that it keeps so far."""
        root = self._root
        found = [path for name in ("outputs", "logs") for path in sorted((root / name).rglob("*")) if path.is_file()]
        return [path.relative_to(root).as_posix() for path in found]

    def download_file(self, name: str, output_file_path: Optional[str] = None) -> None:
        """Copies a file that it keeps so far."""
        known = self.get_file_names()
        found = next((path for path in (name, "outputs/" + name) if path in known), None)
        if found is None:
            raise FileNotFoundError("the run keeps no file %r; it keeps %s" % (name, ", ".join(known) or "none"))
        place = Path(output_file_path or Path(name).name)
        if place.is_dir():
            place = place / Path(name).name
        place.parent.mkdir(parents=True, exist_ok=True)
        source = self._root / found
        if place.resolve() != source.resolve():
            shutil.copyfile(str(source), str(place))

    def download_files(
        self,
        prefix: Optional[str] = None,
        output_directory: Optional[str] = None,
        output_paths: Any = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: Optional[int] = None,
    ) -> None:
        """Copies the files that it keeps so far below a path."""
        refuse("download_files", "files keep their paths", "download_file(name, path)", output_paths=output_paths)
        for name in self.get_file_names():
            if name.startswith(prefix or ""):
                inner = name if append_prefix else name[len(prefix or "") :].lstrip("/")
                self.download_file(name, str(Path(output_directory or ".") / inner))

    @property
    def _root(self) -> Path:
        return self._folder if self._folder is not None else Path.cwd()

    def _place(self, name: str) -> Path:
        parts = [part for part in name.replace(os.sep, "/").split("/") if part not in ("", ".")]
        if ".." in parts:
            raise ValueError("%r leads out of the run's files" % name)
        inside = "/".join(parts)
        return self._root / inside if inside.startswith(("outputs/", "logs/")) else self._root / "outputs" / inside
