"""The lecture's claims and the published results: complete, sane, and honest about what is not verified."""

import csv
import re
from collections import Counter

import pytest

from course_lib import claims
from course_lib.paths import data_path

COLUMNS = [
    "id",
    "also",
    "document",
    "topic",
    "quantity",
    "lecture_value",
    "true_value",
    "unit",
    "verdict",
    "source",
    "provenance",
    "note",
]
DOCUMENTS = {"slides_cnn", "lecture5_architectures", "lecture6_notes", "cs231n_l9"}


def all_rows():
    return [row for topic in claims.topics() for row in claims.rows(topic)]


# --- the claims ---


def test_columns_and_ids():
    with data_path("lecture_claims.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.reader(file))
    assert read[0] == COLUMNS and {len(row) for row in read} == {len(COLUMNS)}
    ids = [row["id"] for row in all_rows()]
    assert len(ids) == len(set(ids)) == len(read) - 1
    assert all(re.fullmatch(r"(sc|l5|l6|c9)-\d{3}", name) for name in ids)


# How many figures were found in each document: every one has its row, or shares one.
FIGURES = {"sc": 21, "l5": 382, "l6": 99, "c9": 79}


def test_each_of_the_581_figures_has_a_row():
    places = Counter(name for row in all_rows() for name in claims.ids(row))
    expected = {f"{document}-{i:03d}" for document, count in FIGURES.items() for i in range(1, count + 1)}
    assert set(places) == expected and len(expected) == 581
    own = {row["id"] for row in all_rows()}
    for row in all_rows():
        assert own.isdisjoint(claims.ids(row)[1:]), row
        assert len(claims.ids(row)) == len(set(claims.ids(row))), row
    # One figure may stand for several quantities: the second VGG table has one line for equal layers.
    shared = {name for name, count in places.items() if count > 1}
    assert shared == {"l5-065", "l5-113", "l5-115", "l5-117", "l5-119", "l5-120", "l5-127", "l5-129"}


def test_the_documents_are_those_of_the_places():
    names = {"sc": "slides_cnn", "l5": "lecture5_architectures", "l6": "lecture6_notes", "c9": "cs231n_l9"}
    for row in all_rows():
        assert set(row["document"].split(";")) == {names[name[:2]] for name in claims.ids(row)}, row


def test_every_topic_is_in_the_list_of_topics():
    text = data_path("README.md").read_text(encoding="utf-8")
    assert [topic for topic in claims.topics() if f"`{topic}`" not in text] == []


def test_one_row_a_quantity():
    keys = [(row["topic"], row["quantity"]) for row in all_rows()]
    assert len(keys) == len(set(keys))


def test_all_21_claims_of_the_slides_are_there():
    assert sum("slides_cnn" in row["document"].split(";") for row in all_rows()) == 21


@pytest.mark.parametrize(
    "topic", ["padding", "input size", "FC->CONV", "AlexNet conv1", "LeNet-5", "LeNet-5 table", "MNIST"]
)
def test_topics_of_the_first_lessons(topic):
    assert claims.rows(topic)


def test_fields_hold_what_they_may():
    for row in all_rows():
        assert set(row["document"].split(";")) <= DOCUMENTS, row
        assert row["provenance"] in ("computed", "re-read", "from memory"), row
        assert row["verdict"] in (*claims.VERDICTS, ""), row
        for key in ("quantity", "lecture_value", "true_value", "source"):
            assert row[key].strip() == row[key] != "", row


def test_only_what_was_not_verified_lacks_a_verdict():
    for row in all_rows():
        assert (row["verdict"] == "") == (row["provenance"] == "from memory"), row


def test_wrong_and_ambiguous_say_why():
    assert all(row["note"] for row in all_rows() if row["verdict"] in ("wrong", "ambiguous"))


def test_exact_and_wrong_are_so_where_both_values_are_numbers():
    compared = 0
    for row in all_rows():
        said, true = claims._number(row["lecture_value"]), claims._number(row["true_value"])
        if None not in (said, true) and row["verdict"]:
            compared += 1
            assert (row["verdict"] == "exact") == (said == true), row
    assert compared > 10


def test_figures_that_can_be_counted():
    true = {row["id"]: row["true_value"] for row in all_rows()}
    assert true["sc-001"] == f"{32 * 32 * 3:,}"
    assert true["l5-023"] == f"{(11 * 11 * 3 + 1) * 96:,}"
    assert true["l5-021"] == str((227 - 11) // 4 + 1)
    full = [(25 * 1 + 1) * 6, (25 * 6 + 1) * 16, (25 * 16 + 1) * 120, (120 + 1) * 84, (84 + 1) * 10]
    assert true["l5-005"] == f"{sum(full):,}"
    partial = 25 * (6 * 3 + 6 * 4 + 3 * 4 + 1 * 6) + 16  # C3's table: 60 kernels and 16 biases
    assert true["l5-004"] == f"{full[0] + 12 + partial + 32 + full[2] + full[3]:,}" == "60,000"


def test_no_sentence_of_the_lectures():
    """Quotes were LaTeX or Markdown and long; the kit's own notes are plain and short."""
    for row in all_rows():
        assert not re.search(r"[$\\`\[]|\*\*", "".join(row.values())), row
        assert len(row["note"]) <= 140, row


# --- the table ---


def test_table_without_computed_values():
    table = claims.table("LeNet-5")
    assert list(table.columns.values()) == ["what", "lecture says", "published / true", "verdict", "why"]
    wrong = [row for row in table if row["verdict"] == "✘ wrong"]
    assert [(row["lecture"], row["true"]) for row in wrong] == [("60,000", "61,706 params")]


def test_computed_values_stand_beside_the_lecture():
    table = claims.table("LeNet-5 table", {"l5-008": (28, 28, 6), "l5-013": 84, "l5-017": "RBF units"})
    assert "computed here" in table.columns.values()
    computed = {row["what"]: row["computed"] for row in table}
    assert computed["Conv 1 output"] == "28x28x6"
    assert computed["fully connected 1, units"] == "84"
    assert computed["Conv 2 output"] is None
    assert "✘" not in "".join(filter(None, computed.values()))


def test_a_computed_value_that_is_not_the_true_one_is_marked():
    for value in (60_000, 61_705, 61_707.0, "60,000", (61706, 1)):
        (row,) = [r for r in claims.table("LeNet-5", {"l5-005": value}) if r["computed"]]
        assert row["computed"].endswith("✘ NOT THE TRUE VALUE"), value
    text = repr(claims.table("LeNet-5", {"l5-005": 60_000}))
    assert "60,000 ✘ NOT THE TRUE VALUE" in text
    assert "NOT THE TRUE VALUE" not in repr(claims.table("LeNet-5", {"l5-005": 61_706}))


@pytest.mark.parametrize(
    ("value", "true", "same"),
    [
        (61706, "61,706", True),
        (61705, "61,706", False),
        (6.671, "6.67%", True),
        (6.68, "6.67%", False),
        (75.0, "75%", True),
        (0.75, "75%", False),
        ("75 %", "75%", True),
        ((28, 28, 6), "28x28x6", True),
        ((28, 6, 28), "28x28x6", False),
        ("75 + 1", "75 + 1", True),
        ("(w - f + 2p) / s + 1", "(W-F+2P)/S+1", True),
        (float("nan"), "5", False),
        (None, "5", False),
    ],
)
def test_agreement(value, true, same):
    assert claims.agrees(value, true) == same


def test_not_verified_is_said_and_has_no_verdict():
    verdicts = {row["what"]: row["verdict"] for row in claims.table("ImageNet", {"l6-002": 1000})}
    assert set(verdicts.values()) == {"not verified"}


def test_several_topics_in_one_table():
    both = claims.table(["padding", "input size"])
    assert len(both) == len(claims.rows("padding")) + len(claims.rows("input size"))


def test_all_topics_that_begin_alike():
    table = claims.table("VGG*")
    assert (
        len(table) == sum(len(claims.rows(name)) for name in claims.topics() if name.startswith("VGG")) > 70
    )
    with pytest.raises(ValueError, match="Unknown topic: 'VVG"):
        claims.table("VVG*")


def test_a_value_is_found_by_any_place_of_its_row():
    for name in ("l5-111", "l6-088", "c9-045"):
        (row,) = [row for row in claims.table("VGG-16 totals", {name: 138_357_544}) if row["computed"]]
        assert (row["what"], row["computed"]) == ("parameters", "138,357,544")
    both = [row["what"] for row in claims.table("VGG-16 table", {"l5-127": 589_824}) if row["computed"]]
    assert both == ["CONV3_2: weights", "CONV3_3: weights"]


def test_the_vgg_table_stands_once():
    rows = claims.rows("VGG-16 table")
    assert len(rows) == 2 * 22 and all(len(claims.ids(row)) in (2, 3) for row in rows)


def test_misspelt_topic_and_id():
    with pytest.raises(ValueError, match="Unknown topic: 'LeNet5'. Did you mean 'LeNet-5'"):
        claims.table("LeNet5")
    with pytest.raises(ValueError, match="Unknown claim: 'l5-08'. Did you mean 'l5-0"):
        claims.table("LeNet-5 table", {"l5-08": 1})


def test_rows_can_be_changed_without_harm():
    claims.rows("padding")[0]["quantity"] = "changed"
    assert claims.rows("padding")[0]["quantity"] != "changed"


# --- the published results ---

PARAMS = {  # exact counts of the published networks, from their papers' layers or the authors' files
    "LeNet5": 61_706,
    "LeNet5Original": 60_000,
    "AlexNet": 60_965_224,
    "AlexNet(groups=1)": 62_378_344,
    "VGG16": 138_357_544,
    "VGG19": 143_667_240,
    "GoogLeNet": 6_998_552,
    "ResNet18": 11_689_512,
    "ResNet50": 25_557_032,
    "ResNet50(stride_on='3x3')": 25_557_032,
    "ResNet152": 60_192_808,
    "ResNet20": 269_722,
    "WRN28_10": 36_479_194,
    "DenseNet121": 7_978_856,
    "SqueezeNet": 1_248_424,
    "MobileNetV2": 3_504_872,
    "EfficientNetB0": 5_288_548,
    "EfficientNetB7": 66_347_960,
}


@pytest.fixture(scope="module")
def published():
    return {row["name"]: row for row in claims.published()}


def test_names_are_unique_and_complete(published):
    assert len(published) == len(claims.published()) >= 88
    builders = [(row["builder"], str(row["arguments"])) for row in published.values() if row["builder"]]
    assert len(builders) == len(set(builders))
    for row in published.values():
        assert row["name"] == row["builder"] or row["arguments"] or not row["builder"], row["name"]


@pytest.mark.parametrize("name", PARAMS)
def test_parameters(published, name):
    assert published[name]["params"] == PARAMS[name]


def test_vgg16_counted_by_hand(published):
    widths = [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"]
    size, depth, params, macs = 224, 3, 0, 0
    for width in widths:
        if width == "M":
            size //= 2
            continue
        params += (9 * depth + 1) * width
        macs += 9 * depth * width * size**2
        depth = width
    for inputs, outputs in [(size**2 * depth, 4096), (4096, 4096), (4096, 1000)]:
        params, macs = params + (inputs + 1) * outputs, macs + inputs * outputs
    assert (published["VGG16"]["params"], published["VGG16"]["macs"]) == (params, macs)


def test_numbers_are_sane(published):
    for name, row in published.items():
        assert 1998 <= row["year"] <= 2019, name
        assert row["dataset"] in ("ImageNet", "CIFAR-10", "MNIST"), name
        assert row["verified"] in (True, False, None), name
        if row["params"] is not None:  # each weight is used at least once; biases are no MACs
            assert row["macs"] > 0.9 * row["params"] > 0, name
        errors = {key: row[key] for key in row if key.endswith("_error") and row[key] is not None}
        assert all(0 < error < 60 for error in errors.values()), name
        assert bool(errors) == (row["verified"] is not None), name
        if row["imagenet_top1_error"] and row["imagenet_top5_error"]:
            assert row["imagenet_top5_error"] < row["imagenet_top1_error"], name
        for key, dataset in [("imagenet_top1_error", "ImageNet"), ("cifar10_error", "CIFAR-10")]:
            assert row[key] is None or row["dataset"] == dataset, name
        if row["input_size"]:
            height, width, channels = row["input_size"]
            assert height == width and channels == (1 if row["family"] == "LeNet" else 3), name


def test_every_result_has_a_source_and_every_builder_a_paper(published):
    for name, row in published.items():
        assert row["verified"] is None or row["source"], name
        assert not row["builder"] or re.search(r"\d{4}, ", row["paper"]), name


def test_error_rates_from_the_papers(published):
    assert published["AlexNet"]["imagenet_top5_error"] == 18.2  # one net, Table 2
    assert published["ResNet50"]["imagenet_top1_error"] == 22.85  # ten crops, Table 3
    assert published["EfficientNetB7"]["imagenet_top1_error"] == pytest.approx(100 - 84.3)
    assert published["ResNet110"]["cifar10_error"] == 6.43
    assert published["LeNet5Original"]["mnist_error"] == 0.95
    assert published["LeNet5"]["mnist_error"] is None  # the slide's network was never published


def test_one_winner_a_year_and_each_better_than_the_last(published):
    winners = {row["ilsvrc"][:4]: row for row in published.values() if row["ilsvrc"].endswith("1st")}
    names = {year: winners[year]["name"] for year in sorted(winners)}
    assert list(names) == [str(year) for year in range(2010, 2018)]
    assert sum(row["ilsvrc"].endswith("1st") for row in published.values()) == 8
    assert (names["2012"], names["2013"], names["2014"]) == ("AlexNet", "Clarifai", "GoogLeNet")
    errors = [winners[year]["ilsvrc_top5_error"] for year in names]
    assert errors == sorted(errors, reverse=True)
    assert [year for year in names if winners[year]["verified"] is False] == ["2010", "2011", "2016"]
    assert published["VGG16"]["ilsvrc"] == "2014 2nd"


def test_arguments_are_parsed(published):
    assert published["AlexNet(groups=1)"]["arguments"] == {"groups": 1}
    assert published["AlexNet"]["arguments"] == {}


# --- the counted networks ---


def test_counted_networks_are_parsed():
    rows = {row["name"]: row for row in claims.atlas()}
    assert rows["ResNet50"]["input_size"] == (224, 224, 3)
    assert rows["ResNet50"]["receptive_field"] == 483 and rows["SEResNet50"]["receptive_field"] == "image"
    assert rows["WRN28_10"]["cifar10_error"] == 4.0 and rows["WRN28_10"]["imagenet_top1_error"] is None
    for row in rows.values():
        assert all(isinstance(row[key], int) for key in ("year", "params", "macs", "activations"))
        assert row["params"] >= row["trainable_params"] > 0 and row["training_memory"] > 8 * row["params"]
