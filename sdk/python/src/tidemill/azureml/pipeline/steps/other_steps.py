"""Steps of kinds other than processes: they are written in the words that pipeline files have for them. Whether the coordinator can run a kind is its to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.azureml._sheet import Words
from tidemill.azureml.core.runconfig import target_name
from tidemill.azureml.exceptions import not_supported
from tidemill.azureml.pipeline.core.builder import PipelineStep

if TYPE_CHECKING:
    from tidemill.azureml._sheet import Sheet

__all__ = [
    "AdlaStep",
    "AutoMLStep",
    "AutoMLStepRun",
    "AzureBatchStep",
    "DatabricksStep",
    "KustoStep",
    "OtherStep",
    "SynapseSparkStep",
    "_HDInsightStep",
]


class OtherStep(PipelineStep):
    """A step of another kind."""

    _compute_target: Any = None
    _allow_reuse = True

    def _settings(self, words: Words, sheet: Sheet) -> dict[str, Any]:
        raise NotImplementedError

    def _node(self, sheet: Sheet) -> dict[str, Any]:
        words = Words(self, sheet)
        settings = self._settings(words, sheet)
        found = {**settings}
        # A parameter that a word names is an input of the step too.
        if words.bindings:
            found["inputs"] = words.bindings
        if self._outputs:
            fills = sheet.fills(self._outputs.values())
            found["outputs"] = {name: fills.get(name, {"type": output.type}) for name, output in self._outputs.items()}
        target = target_name(self._compute_target)
        if target is not None:
            found["compute"] = f"azureml:{target}"
        if not self._allow_reuse:
            found["cache"] = False
        return found


class SynapseSparkStep(OtherStep):
    """A step that runs a Python file on Spark."""

    def __init__(
        self,
        file: str,
        source_directory: str,
        compute_target: Any,
        driver_memory: str,
        driver_cores: int,
        executor_memory: str,
        executor_cores: int,
        num_executors: int,
        name: str | None = None,
        app_name: str | None = None,
        environment: Any = None,
        arguments: Sequence[Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        conf: Mapping[str, Any] | None = None,
        py_files: Sequence[str] | None = None,
        jars: Sequence[str] | None = None,
        files: Sequence[str] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
    ) -> None:
        self._file = file
        self._source_directory = source_directory
        self._compute_target = compute_target
        self._environment = environment
        self._allow_reuse = allow_reuse
        self._beside = {"py_files": py_files, "jars": jars, "files": files}
        self._conf = {
            "spark.driver.memory": driver_memory,
            "spark.driver.cores": driver_cores,
            "spark.executor.memory": executor_memory,
            "spark.executor.cores": executor_cores,
            "spark.executor.instances": num_executors,
            **({"spark.app.name": app_name} if app_name else {}),
            **(conf or {}),
        }
        super().__init__(name or file, inputs, outputs, arguments)

    def _settings(self, words: Words, sheet: Sheet) -> dict[str, Any]:
        found: dict[str, Any] = {
            "type": "spark",
            "code": sheet.code(self._source_directory, self._file, shim=True),
            "entry": {"file": self._file},
            "conf": self._conf,
        }
        if self._arguments:
            found["args"] = words.line(self._arguments)
        found.update({key: list(value) for key, value in self._beside.items() if value})
        environment = self._environment._rendered() if self._environment is not None else None
        if environment is not None:
            found["environment"] = environment
        return found


class _HDInsightStep(PipelineStep):
    """Not here: work goes to workers."""

    def __init__(
        self,
        file: str,
        compute_target: Any,
        class_name: str | None = None,
        args: Any = None,
        name: str | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        app_name: str | None = None,
        driver_memory: str | None = None,
        driver_cores: int | None = None,
        executor_memory: str | None = None,
        executor_cores: int | None = None,
        num_executors: int | None = None,
        conf: Any = None,
        jars: Any = None,
        py_files: Any = None,
        files: Any = None,
        archives: Any = None,
        source_directory: str | None = None,
        queue: str = "default",
        allow_reuse: bool = True,
        version: str | None = None,
    ) -> None:
        raise not_supported(
            "_HDInsightStep",
            "work goes to workers, and none speaks to an HDInsight cluster from outside",
            "a worker on an edge node of the cluster, and a CommandStep with `spark-submit`",
        )


class DatabricksStep(PipelineStep):
    """Not here yet: there is no word for it in pipeline files."""

    def __init__(
        self,
        name: str,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        existing_cluster_id: str | None = None,
        spark_version: str | None = None,
        node_type: str | None = None,
        instance_pool_id: str | None = None,
        num_workers: int | None = None,
        min_workers: int | None = None,
        max_workers: int | None = None,
        spark_env_variables: Any = None,
        spark_conf: Any = None,
        init_scripts: Any = None,
        cluster_log_dbfs_path: str | None = None,
        notebook_path: str | None = None,
        notebook_params: Any = None,
        python_script_path: str | None = None,
        python_script_params: Any = None,
        main_class_name: str | None = None,
        jar_params: Any = None,
        python_script_name: str | None = None,
        source_directory: str | None = None,
        hash_paths: Any = None,
        run_name: str | None = None,
        timeout_seconds: int | None = None,
        runconfig: Any = None,
        maven_libraries: Any = None,
        pypi_libraries: Any = None,
        egg_libraries: Any = None,
        jar_libraries: Any = None,
        rcran_libraries: Any = None,
        compute_target: Any = None,
        allow_reuse: bool = True,
        version: str | None = None,
        permit_cluster_restart: bool | None = None,
    ) -> None:
        raise not_supported(
            "DatabricksStep",
            "pipeline files have no kind of step for Databricks",
            "a CommandStep that starts the job (`databricks jobs run-now …`) with its token as a secret, "
            "or a worker on an edge node of the cluster",
        )


class AutoMLStep(PipelineStep):
    """Not here: a search over models and features is no part of tidemill."""

    def __init__(
        self,
        name: str,
        automl_config: Any,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        script_repl_params: Any = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Any = None,
        enable_default_model_output: bool = True,
        enable_default_metrics_output: bool = True,
        **kwargs: Any,
    ) -> None:
        raise not_supported(
            "AutoMLStep",
            "a search over models is no part of tidemill",
            "a PythonScriptStep that runs an AutoML library, or a HyperDriveStep over your own script",
        )


class AutoMLStepRun:
    """Not here: a search over models and features is no part of tidemill."""

    def __init__(self, step_run: Any) -> None:
        raise not_supported(
            "AutoMLStepRun",
            "a search over models is no part of tidemill",
            "step_run.get_metrics() and step_run.get_output_data(NAME) of a PythonScriptStep that runs an AutoML library",
        )


class AdlaStep(PipelineStep):
    """Not here: Azure Data Lake Analytics was shut down."""

    def __init__(
        self,
        script_name: str,
        name: str | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Any = None,
        degree_of_parallelism: int | None = None,
        priority: int | None = None,
        runtime_version: str | None = None,
        compute_target: Any = None,
        source_directory: str | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Any = None,
    ) -> None:
        raise not_supported("AdlaStep", "Azure Data Lake Analytics was shut down", "a Spark step")


class AzureBatchStep(PipelineStep):
    """Not here: work goes to workers."""

    def __init__(
        self,
        name: str,
        create_pool: bool = False,
        pool_id: str | None = None,
        delete_batch_job_after_finish: bool = True,
        delete_batch_pool_after_finish: bool = False,
        is_positive_exit_code_failure: bool = True,
        vm_image_urn: str = "urn:MicrosoftWindowsServer:WindowsServer:2012-R2-Datacenter",
        run_task_as_admin: bool = False,
        target_compute_nodes: int = 1,
        vm_size: str = "standard_d1_v2",
        source_directory: str | None = None,
        executable: str | None = None,
        arguments: Any = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        allow_reuse: bool = True,
        compute_target: Any = None,
        version: str | None = None,
    ) -> None:
        raise not_supported("AzureBatchStep", "work goes to workers", "a CommandStep with the executable in its folder")


class KustoStep(PipelineStep):
    """Not here: queries are made by scripts."""

    def __init__(
        self,
        name: str,
        compute_target: Any,
        database_name: str,
        query_directory: str,
        output: Any,
        parameter_dict: Any = None,
        allow_reuse: bool = False,
    ) -> None:
        raise not_supported(
            "KustoStep", "queries are made by scripts", "a PythonScriptStep with azure-kusto-data and a secret"
        )
