"""The files and the logs that runs left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.azureml.exceptions import UserErrorException, refuse
from tidemill.errors import NotFoundError

if TYPE_CHECKING:
    from tidemill import Artifact, Step
    from tidemill import Run as TidemillRun
    from tidemill.azureml.core.experiment import Experiment
    from tidemill.azureml.core.model import Model

__all__ = ["RunFiles"]


class RunFiles:
    """What a run left, to bring to this machine."""

    _experiment: Experiment
    _run: TidemillRun
    _path: str | None

    @property
    def id(self) -> str:
        """Its id; that of a step is `RUN.STEP`."""
        return f"{self._run.id}.{self._path}" if self._path else self._run.id

    def get_file_names(self) -> Sequence[str]:
        """The files that it left in `./outputs` and `./logs`."""
        artifact = self._files()
        return artifact.paths() if artifact is not None else []

    def download_file(self, name: str, output_file_path: str | None = None) -> None:
        """Brings a file that it left in `./outputs` or `./logs` to this machine."""
        artifact = self._files()
        found = next((path for path in (name, f"outputs/{name}") if artifact and path in artifact.paths()), None)
        if artifact is None or found is None:
            raise UserErrorException(
                f"{self.id} has no file `{name}`", code="not_found", hint=f"it has {', '.join(self.get_file_names())}"
            )
        place = Path(output_file_path or Path(name).name)
        place.unlink(missing_ok=True)
        artifact[found].download(place)

    def download_files(
        self,
        prefix: str | None = None,
        output_directory: str | None = None,
        output_paths: Any = None,
        batch_size: int = 100,
        append_prefix: bool = True,
        timeout_seconds: int | None = None,
    ) -> None:
        """Brings the files below a path to this machine."""
        refuse("download_files", "files keep their paths", "download_file(name, path)", output_paths=output_paths)
        for name in self.get_file_names():
            if name.startswith(prefix or ""):
                inner = name if append_prefix else name[len(prefix or "") :].lstrip("/")
                place = Path(output_directory or ".") / inner
                place.parent.mkdir(parents=True, exist_ok=True)
                self.download_file(name, str(place))

    def register_model(
        self,
        model_name: str,
        model_path: str | None = None,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        description: str | None = None,
        datasets: Any = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> Model:
        """Registers what it left in `./outputs` as a version of a model."""
        from tidemill.azureml.core.model import register_artifact

        refuse(
            "register_model",
            "a model is files with tags",
            "say it in tags",
            datasets=datasets,
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
            resource_configuration=resource_configuration,
        )
        artifact = self._files()
        if artifact is None:
            raise UserErrorException(f"{self.id} left nothing in ./outputs", code="no_files")
        about = {
            **(tags or {}),
            **(properties or {}),
            **({"framework": model_framework} if model_framework else {}),
            **({"framework_version": model_framework_version} if model_framework_version else {}),
        }
        return register_artifact(
            self._experiment.workspace,
            model_name,
            _within(artifact, model_path or "outputs"),
            about,
            description,
            self.id,
        )

    def get_all_logs(self, destination: str | None = None) -> list[str]:
        """Writes what its steps wrote to their standard output and error to files, and answers with their paths."""
        folder = Path(destination or ".") / self._run.id
        found = []
        for step in self._logged_steps():
            for stream in ("stdout", "stderr"):
                place = folder / step.path / f"{stream}.txt"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(step.logs(stream=stream).read_text())
                found.append(str(place))
        return found

    def _logged_steps(self) -> list[Step]:
        """It, or its steps, as far as somebody tried them."""
        steps = [self._run[self._path]] if self._path else list(self._run)
        return [step for step in steps if step.attempts]

    def _files(self) -> Artifact | None:
        return self._run[self._path].outputs.get("artifacts") if self._path else None


def _within(artifact: Artifact, path: str) -> Any:
    """A file or a folder of what a step left, by its path."""
    inner = path.strip("/")
    for candidate in (inner, f"outputs/{inner}"):
        if candidate in artifact.paths():
            return artifact[candidate]
        below = [name for name in artifact.paths() if name.startswith(candidate + "/")]
        if below:
            return [(name[len(candidate) + 1 :], artifact[name]) for name in below]
    raise NotFoundError(f"there is no `{path}` among {', '.join(artifact.paths()[:10])}", code="not_found")
