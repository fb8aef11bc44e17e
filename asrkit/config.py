"""The schema as Hydra knows it."""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from asrkit.pipeline.components import COMPONENTS
from asrkit.pipeline.config import Config
from asrkit.pipeline.stage import StageConfig


def register() -> None:
    """Tell Hydra the schema: class FooConfig is `base_foo` in its group."""
    OmegaConf.register_new_resolver("share", _share, replace=True)
    store = ConfigStore.instance()
    store.store(name="base_config", node=Config)
    for group, classes in COMPONENTS.items():
        for cls in classes:
            node = OmegaConf.structured(cls)
            if issubclass(cls, StageConfig):  # `set` takes keys that it has not yet
                OmegaConf.set_struct(node["set"], False)
            store.store(group=group, name=schema_name(cls), node=node)


def _share(length: float | None, share: float) -> float | None:
    """Return a part of a length, ${share:LENGTH,SHARE}; updates stay whole numbers."""
    if length is None:
        return None
    return max(1, round(length * share)) if isinstance(length, int) else length * share


def schema_name(cls: type) -> str:
    """Return the name of a config class in YAML, e.g. base_one_cycle."""
    stem = cls.__name__.removesuffix("Config")
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in stem)
    return f"base{words}"
