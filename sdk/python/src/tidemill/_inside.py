"""What `tidemill.step` knows inside of a step: all of `tidemill.current`, which is imported when it is first asked for. As a decorator it is in `_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill import current as _current

__all__ = ["Inside"]


class Inside:
    """The functions of `tidemill.current` as methods: `inputs`, `outputs`, `params`, `log_metric`, `checkpoint` and the others."""

    if TYPE_CHECKING:
        attempt = staticmethod(_current.attempt)
        checkpoint = staticmethod(_current.checkpoint)
        experiment = staticmethod(_current.experiment)
        idempotency_key = staticmethod(_current.idempotency_key)
        input = staticmethod(_current.input)
        inputs = staticmethod(_current.inputs)
        is_inside = staticmethod(_current.is_inside)
        log_metric = staticmethod(_current.log_metric)
        log_metrics = staticmethod(_current.log_metrics)
        log_params = staticmethod(_current.log_params)
        output = staticmethod(_current.output)
        outputs = staticmethod(_current.outputs)
        params = staticmethod(_current.params)
        pipeline = staticmethod(_current.pipeline)
        run_id = staticmethod(_current.run_id)
        step = staticmethod(_current.step)
        work_dir = staticmethod(_current.work_dir)
    else:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            from tidemill import current

            if name not in current.__all__:
                raise AttributeError(f"tidemill.step has no attribute {name!r}")
            return getattr(current, name)

        def __dir__(self) -> list[str]:
            from tidemill import current

            return sorted([*super().__dir__(), *current.__all__])
