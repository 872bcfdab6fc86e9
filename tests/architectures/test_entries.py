"""Every builder has an entry, or a reason why not; and the entries can be searched."""

import pytest

from course_lib.architectures import ARCHITECTURES, GENERAL, build, entry, list_architectures
from course_lib.architectures.entries import entries

# Published, with a builder's name that stands for a network that the kit does not build yet.
LATER = {"ResNet1202", "PreActResNet1001", "FractalNet21", "Highway19"}


def test_every_builder_has_an_entry_or_a_reason():
    for name in ARCHITECTURES:
        found = entry(name)
        assert found.builder == name
        assert 1998 <= found.year <= 2019 and found.paper and found.family and found.dataset
        if name in GENERAL:
            assert found.params is None and found.errors == {} and found.note == GENERAL[name][1]
        else:
            assert found.params and found.macs and found.input_size


def test_every_entry_has_a_builder_or_comes_later():
    assert {found.builder for found in entries()} - set(ARCHITECTURES) == LATER


def test_entries_fit_their_builders():
    for found in entries():
        if found.builder in ARCHITECTURES:
            assert entry(found.builder, **found.arguments) == found
    unnamed = {found.builder for found in entries() if not found.lecture}
    assert unnamed == {"SimpleNet"}  # SimpNet's forerunner


@pytest.mark.parametrize("name", ["LeNet5Original", "SqueezeNet", "NINCifar"])
def test_the_input_is_the_builders(name):
    assert build(name).input_shape[1:] == entry(name).input_size


def test_what_is_published():
    assert entry("ResNet50").errors == {"imagenet_top1_error": 22.85, "imagenet_top5_error": 6.71}
    assert entry("DenseNet100", growth_rate=24).errors == {"cifar10_error": 3.74}
    assert entry("SimpNet").name == "SimpNet(variant='5m')"
    assert entry("MobileNet").params == entry("MobileNet", alpha=1).params == 4_231_976
    assert entry("WideResNet").paper == entry("WRN28_10").paper


def test_search():
    assert list_architectures(family="VGG") == ["VGG11", "VGG11LRN", "VGG13", "VGG16C", "VGG16", "VGG19"]
    assert list_architectures("*110", family="ResNet") == ["ResNet110"]
    assert list_architectures(dataset="MNIST") == ["LeNet5", "LeNet5Original"]
    assert list_architectures(year=2012) == ["AlexNet"]
    assert list_architectures(year=(1998, 2013))[-2:] == ["NIN", "NINCifar"]
    assert "CifarResNet" in list_architectures(family="ResNet")
    assert "CifarResNet" not in list_architectures(family="ResNet", max_params=10**9)
    assert list_architectures(max_params=100_000) == ["LeNet5", "LeNet5Original"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "Resnet"}, "Unknown family: 'Resnet'. Did you mean 'ResNet'"),
        ({"dataset": "CIFAR10"}, "Unknown dataset: 'CIFAR10'. Did you mean 'CIFAR-10'"),
        ({"max_params": "1M"}, "max_params must be a whole number"),
        ({"max_params": 1e6}, "max_params must be a whole number"),
        ({"year": "2015"}, "year must be a whole number"),
        ({"year": (2015, 2016, 2017)}, "year must be"),
    ],
)
def test_bad_searches(arguments, message):
    with pytest.raises(ValueError, match=message):
        list_architectures(**arguments)


def test_bad_entries():
    with pytest.raises(ValueError, match="Unknown architecture: 'VGG-16'. Did you mean 'VGG16'"):
        entry("VGG-16")
    with pytest.raises(
        ValueError, match="Unknown argument of ResNet18: 'shortcuts'. Did you mean 'shortcut'"
    ):
        entry("ResNet18", shortcuts="A")
    with pytest.raises(ValueError, match="Nothing is published here of ResNet18 with .*Known: ResNet18"):
        entry("ResNet18", se_ratio=0.5)
