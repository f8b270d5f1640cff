"""A folder that is named is the only one that is searched."""

from pathlib import Path

import pytest
import yaml
from hydra.utils import get_method

from mtlrun.data.readers.digit_files import PARTS, Collection
from mtlrun.data.sets import multimnist
from mtlrun.errors import DataError

CONF = Path(__file__).parents[3] / "conf"


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """Fashion-MNIST of a system package, and nothing in the default folder."""
    package = tmp_path / "package"
    package.mkdir()
    for part in PARTS:
        (package / f"{part}-ubyte").touch()
    system = Collection("FashionMNIST", ("FashionMNIST/raw",), (str(package),), "dataset-fashion-mnist")
    monkeypatch.setitem(multimnist.COLLECTIONS, "fashion", (system, system))
    monkeypatch.setattr(multimnist, "DEFAULT_ROOT", str(tmp_path / "cache"))
    return package


def test_the_files_of_a_system_package_serve_if_no_folder_is_named(packaged):
    assert multimnist.folders_of("fashion", None) == [packaged, packaged]


def test_the_files_of_a_system_package_are_not_taken_for_those_of_a_named_folder(packaged, tmp_path):
    with pytest.raises(DataError) as caught:
        multimnist.folders_of("fashion", str(tmp_path / "nowhere"))
    line = str(caught.value)
    assert str(packaged) not in line
    assert "`apt-get install dataset-fashion-mnist` without data.root or MTLRUN_DATA" in line


OTHERS = {
    "celeba": {},
    "office31": {"domains": {"dslr": "dslr"}},
    "nyuv2": {},
    "cityscapes": {},
    "qm9": {"cache": None},
    "medmnist": {"findings": {"pneumonia": "pneumonia"}},
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_set_says_that_a_named_folder_lacks_its_files(tmp_path, name):
    """Whatever lies in the default folder or in a package on this machine."""
    load = get_method(yaml.safe_load((CONF / "data" / f"{name}.yaml").read_text())["_target_"])
    with pytest.raises(DataError, match=str(tmp_path / "nowhere")):
        load(root=str(tmp_path / "nowhere"), **OTHERS[name])
