"""The loggers of a configuration: `logger=[tensorboard,mlflow]` puts each option into a node of its own."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig

from mtlrun.config.explain import suggest
from mtlrun.errors import ConfigError


def logger_nodes(config: DictConfig) -> dict[str, Any]:
    """Dotted key -> node with `_target_`, one for each logger; {} for none.

    An option of the user's that does not name its place with `# @package logger.NAME` is the only one, and fills the
    whole node; so did ours in earlier versions.

    Raises:
        ConfigError: for a setting of no logger, or such an option beside others.
    """
    node = config.logger
    inner = {str(name): entry for name, entry in node.items() if _is_logger(entry)}
    if not _is_logger(node):
        stray = next((str(name) for name in node if str(name) not in inner), None)
        if stray is not None:
            raise ConfigError(_stray(stray, inner))
        return {f"logger.{name}": entry for name, entry in inner.items()}
    if inner:
        name = str(node._target_).rpartition(".")[2].lower()
        raise ConfigError(
            f"logger: {node._target_} stands alone; to use it beside {', '.join(inner)}, begin its YAML with the line "
            f"# @package logger.{name}"
        )
    return {"logger": node}


def _is_logger(node: Any) -> bool:
    return isinstance(node, DictConfig) and node.get("_target_") is not None


def _stray(name: str, loggers: dict[str, Any]) -> str:
    owner = next((key for key, node in loggers.items() if name in [*node]), None)
    if owner is not None:
        return f"no setting '{name}' in logger; it belongs to one of them: logger.{owner}.{name}"
    return f"no setting '{name}' in logger{suggest(name, loggers)}"
