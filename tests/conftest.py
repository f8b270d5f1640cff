"""One thread per test process, since two workers with a thread pool each would fight over the cores; and one seed.

What takes seconds and is the same for many tests is done once: compositions of a configuration in each test process,
and what other processes compute in one of the test processes for all.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # also for the commands that tests start

import pytest
import torch
from filelock import FileLock
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.utils import JobRuntime

from mtlrun.paths import CONF

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """A test that draws numbers draws the same ones each time, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this session have in common."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = tmp_path_factory.getbasetemp().parent / f"together-{session}" if session else None
    if folder is None:
        return tmp_path_factory.mktemp("together")
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def once(together: Path) -> Callable[[str, Callable[[], Any]], Any]:
    """once(name, make) -> what `make()` returns, called in the first test process that asks."""

    def result(name: str, make: Callable[[], Any]) -> Any:
        path = together / f"{name}.pt"
        with FileLock(together / f"{name}.lock"):
            if not path.exists():
                unfinished = path.with_suffix(".unfinished")
                torch.save(make(), unfinished)
                unfinished.rename(path)
        return torch.load(path, weights_only=False)

    return result


@pytest.fixture(scope="session", autouse=True)
def _kept_compositions() -> Iterator[None]:
    """Hydra takes half as long as a short training to compose a configuration: the same words are composed once.

    Our own files are read once.

    With a folder of the user's own, whose files a test may change, they are composed each time.
    """
    known: dict[tuple[object, ...], bytes] = {}
    compose = ConfigLoaderImpl.load_configuration

    def load(loader: ConfigLoaderImpl, *arguments: Any, **options: Any) -> Any:
        folders = [source.path for source in loader.get_sources() if source.scheme() == "file"]
        if any(folder != str(CONF) for folder in folders):
            return compose(loader, *arguments, **options)
        key = (JobRuntime().get("name"), repr(arguments), repr(sorted(options.items())))
        if key not in known:
            known[key] = pickle.dumps(compose(loader, *arguments, **options))  # five times as fast as a deep copy
        config = pickle.loads(known[key])
        config.hydra.runtime.cwd = os.getcwd()
        return config

    files: dict[str, bytes] = {}
    read = FileConfigSource.load_config

    def load_file(source: FileConfigSource, config_path: str) -> Any:
        if source.path != str(CONF):
            return read(source, config_path)
        if config_path not in files:
            files[config_path] = pickle.dumps(read(source, config_path))
        return pickle.loads(files[config_path])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfigLoaderImpl, "load_configuration", load)
        patch.setattr(FileConfigSource, "load_config", load_file)
        yield
