"""autolog: estimators of scikit-learn that log themselves when they are fitted."""

import functools
import threading
from typing import Any, Callable, Dict, Iterator, Optional

from . import _models, _run
from ._log import warn

_state_lock = threading.Lock()
_fits = 0
_options: Dict[str, Any] = {}
_enabled = False
_MARK = "_linaje_fit"
_PARAM_CHARACTERS = 500


def autolog(log_models: bool = True, log_input_examples: bool = True,
            registered_model_name: Optional[str] = None, disable: bool = False) -> None:
    """From now on each `fit` of a scikit-learn estimator logs its params, scores on the training
    data and the model: to the active run, or to one of its own.

    A fit inside another (pipelines, searches, forests) belongs to the outer one and is not logged
    by itself; while one thread fits, fits of other threads count as inside. Logging never raises
    into `fit`. ImportError without scikit-learn.
    """
    global _enabled
    from sklearn.base import BaseEstimator

    _options.update(log_models=log_models, log_input_examples=log_input_examples,
                    registered_model_name=registered_model_name)
    _enabled = not disable
    if disable or getattr(BaseEstimator, "_linaje_hooked", False):
        return
    for kind in list(_subclasses(BaseEstimator)):
        _patch(kind)
    inherited = BaseEstimator.__init_subclass__.__func__

    def hooked(cls: Any, **kwargs: Any) -> None:
        inherited(cls, **kwargs)
        _patch(cls)

    BaseEstimator.__init_subclass__ = classmethod(hooked)  # type: ignore[arg-type]
    BaseEstimator._linaje_hooked = True


def _subclasses(kind: Any) -> Iterator[Any]:
    seen = set()
    waiting = [kind]
    while waiting:
        for child in waiting.pop().__subclasses__():
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                yield child


def _patch(kind: Any) -> None:
    """Wraps the `fit` that a class itself defines."""
    fit = kind.__dict__.get("fit")
    if not callable(fit) or hasattr(fit, _MARK):
        return
    wrapped = _wrap(fit)
    setattr(wrapped, _MARK, True)
    try:
        kind.fit = wrapped
    except (AttributeError, TypeError):
        return


def _wrap(fit: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fit)
    def logged(self: Any, *args: Any, **kwargs: Any) -> Any:
        global _fits
        if not _enabled:
            return fit(self, *args, **kwargs)
        with _state_lock:
            outermost = _fits == 0
            _fits += 1
        try:
            if not outermost:
                return fit(self, *args, **kwargs)
            before = _quietly(_Fit, self, args, kwargs)
            try:
                result = fit(self, *args, **kwargs)
            except BaseException as error:
                _quietly(getattr(before, "failed", None), error)
                raise
            _quietly(getattr(before, "succeeded", None), self)
            return result
        finally:
            with _state_lock:
                _fits -= 1

    return logged


def _quietly(body: Optional[Callable[..., Any]], *args: Any) -> Any:
    """Logging must not end a training."""
    if body is None:
        return None
    try:
        return body(*args)
    except Exception as error:  # noqa: BLE001
        warn("autolog", f"autolog met {error!r}")
        return None


class _Fit:
    """One fit under way and the run it is logged to."""

    def __init__(self, estimator: Any, args: Any, kwargs: Any) -> None:
        self.data = args[0] if args else kwargs.get("X")
        self.target = args[1] if len(args) > 1 else kwargs.get("y")
        active = _run.active_run()
        self.own = active is None
        name = type(estimator).__name__
        self.run = active or _run.start_run(name=name)
        count = getattr(self.run, "_autologged", 0) + 1
        self.run._autologged = count  # type: ignore[attr-defined]
        # A param is written once: a second fit in the same run needs names of its own.
        self.prefix = "" if count == 1 else f"{name}-{count}."
        self.model_name = "model" if count == 1 else f"model-{count}"
        params = {}
        for key, value in estimator.get_params(deep=True).items():
            if not isinstance(value, (bool, int, float)):
                value = str(value)[:_PARAM_CHARACTERS]
            params[(self.prefix + key)[:250]] = value
        self.run.log_params(params)
        if count == 1:
            self.run.set_tags({"estimator_name": name, "estimator_class":
                               f"{type(estimator).__module__}.{name}"})

    def failed(self, error: BaseException) -> None:
        if self.own:
            killed = isinstance(error, KeyboardInterrupt)
            _run.end_run("KILLED" if killed else "FAILED", self.run)

    def succeeded(self, estimator: Any) -> None:
        try:
            _quietly(self._log_scores, estimator)
            if _options["log_models"]:
                _quietly(self._log_model, estimator)
        finally:
            if self.own:
                _run.end_run("FINISHED", self.run)

    def _log_scores(self, estimator: Any) -> None:
        scores = {}
        for name, value in _scores(estimator, self.data, self.target):
            scores[self.prefix + name] = value
        for key in ("best_score_",):
            if isinstance(getattr(estimator, key, None), float):
                scores[self.prefix + "best_cv_score"] = getattr(estimator, key)
        self.run.log_metrics(scores)
        if isinstance(getattr(estimator, "best_params_", None), dict):
            self.run.log_params({f"{self.prefix}best_{key}"[:250]: value if isinstance(
                value, (bool, int, float)) else str(value)[:_PARAM_CHARACTERS]
                for key, value in estimator.best_params_.items()})

    def _log_model(self, estimator: Any) -> None:
        example = None
        if _options["log_input_examples"] and self.data is not None:
            try:
                example = self.data[:5]
            except (TypeError, KeyError, IndexError):
                example = None
            if hasattr(example, "toarray"):
                example = None
        # Nobody asked for a test, and a fit must not wait for one.
        _models.log_model(estimator, self.model_name, input_example=example, run=self.run,
                          self_test=False, registered_model_name=_options["registered_model_name"])


def _scores(estimator: Any, data: Any, target: Any) -> Iterator[Any]:
    """(name, value) of scores on the training data; what cannot be computed is left out."""
    if data is None or not hasattr(estimator, "predict"):
        return
    from sklearn import metrics
    from sklearn.base import is_classifier, is_regressor

    score = _quietly(getattr(estimator, "score", None), data, *(
        [] if target is None else [target]))
    if isinstance(score, (int, float)):
        yield "training_score", float(score)
    if target is None:
        return

    def compute(name: str, function: Any, guess: Any, **options: Any) -> Iterator[Any]:
        try:
            yield f"training_{name}", float(function(target, guess, **options))
        except Exception:  # noqa: BLE001 - not every score fits every target
            return

    predicted = estimator.predict(data)
    if is_classifier(estimator):
        yield from compute("accuracy_score", metrics.accuracy_score, predicted)
        for name in ("precision_score", "recall_score", "f1_score"):
            yield from compute(name, getattr(metrics, name), predicted, average="weighted",
                               zero_division=0)
        if hasattr(estimator, "predict_proba"):
            chances = estimator.predict_proba(data)
            yield from compute("log_loss", metrics.log_loss, chances)
            if getattr(chances, "shape", (0, 0))[1] == 2:
                yield from compute("roc_auc", metrics.roc_auc_score, chances[:, 1])
            else:
                yield from compute("roc_auc", metrics.roc_auc_score, chances, multi_class="ovr",
                                   average="weighted")
    elif is_regressor(estimator):
        yield from compute("r2_score", metrics.r2_score, predicted)
        yield from compute("mean_absolute_error", metrics.mean_absolute_error, predicted)
        yield from compute("mean_squared_error", metrics.mean_squared_error, predicted)
