"""Names of folders that are parts of a set, and no classes; and of classes that only look like parts."""

import pytest

from experiments.data.core.arrangement import Arrangement, arrange


def arranged(
    *folders: str, classes: tuple[str, ...] = ("cat", "dog"), files: tuple[str, ...] = ()
) -> Arrangement:
    names = sorted(f"{folder}/{name}/1.png" for folder in folders for name in classes)
    return arrange(names, {*names, *files}, "set")


def tops(names: object) -> set[str]:
    assert isinstance(names, list)
    return {name.partition("/")[0] for name in names}


@pytest.mark.parametrize(
    ("training", "evaluated", "others"),
    [
        ("train", "val", "unlabeled"),
        ("train", "test", "val extra unlabelled"),
        ("Train", "Test", "Unlabeled dev"),
        ("train", "evaluate", ""),
        ("train", "holdout", ""),
        ("train", "hold_out", ""),
        ("seg_train", "seg_test", "seg_pred"),
        ("dataset_train", "dataset_test", ""),
        ("train_small", "test_small", ""),
        ("train-clean", "dev-clean", ""),
        ("tr", "te", ""),
        ("train.X1", "val.X", ""),
        ("train", "publictest privatetest", ""),
        ("Training", "PublicTest PrivateTest", ""),
        ("bounding_box_train", "bounding_box_test query gallery", ""),
        ("DIV2K_train_HR", "DIV2K_valid_HR", ""),
        ("imagesTr", "imagesTs", ""),
        ("train", "test_stg1 test_stg2", ""),
        ("train", "test", "val train_extra"),
        ("stage1_train", "stage1_test stage2_test_final", ""),
    ],
)
def test_parts_under_any_of_their_names(training: str, evaluated: str, others: str) -> None:
    found = arranged(training, *evaluated.split(), *others.split())
    assert tops(found.names) == {training}
    assert tops(found.held_out) == set(evaluated.split())
    assert found.classes == ("cat", "dog")
    (remark,) = found.remarks
    assert remark.startswith(f"trains on {training}/ (2 images); held out from training: ")
    assert all(f"{folder}/" in remark for folder in f"{evaluated} {others}".split())


@pytest.mark.parametrize(
    "classes",
    [
        "bus car train",
        "train_station test_tube",
        "bullet_train crash_test",
        "blood_test urine_test",
        "query gallery",
        "extra plain",
        "en te tr",
        "tea train",
        "trainer test",
    ],
)
def test_classes_that_look_like_parts_stay_classes(classes: str) -> None:
    found = arranged(*classes.split())
    assert found.classes == tuple(sorted(classes.split()))
    assert (len(found.names), found.remarks) == (2 * len(found.classes), ())


def test_parts_only_for_further_use_are_not_evaluated_on() -> None:
    found = arranged("train", "extra")
    assert (tops(found.names), found.held_out) == ({"train"}, [])


def test_every_class_may_have_parts_of_its_own_by_name() -> None:
    found = arranged("cat_train", "cat_test", "dog_train", "dog_test", classes=("x",))
    assert tops(found.names) == {"cat_train", "dog_train"}
    assert tops(found.held_out) == {"cat_test", "dog_test"}
    assert found.classes == ("cat_train", "dog_train")


@pytest.mark.parametrize("folders", [("train", "test", "bus"), ("my_train", "my_test", "bus")])
def test_parts_beside_other_folders_are_taken_and_said_with_a_remedy(folders: tuple[str, ...]) -> None:
    found = arranged(*folders)
    assert found.classes == tuple(sorted(folders))
    (remark,) = found.remarks
    assert f"the folders {folders[1]}, {folders[0]} look like parts of a set" in remark
    assert "all are taken as classes" in remark and "move the others elsewhere" in remark
    assert tops(arranged(*folders[:2]).names) == {folders[0]}, "the remedy works"


def test_parts_beside_other_folders_in_every_class_are_said() -> None:
    found = arranged("cat", "dog", classes=("train", "test", "best"))
    assert (found.classes, len(found.names)) == (("cat", "dog"), 6)
    assert "test, train look like parts of a set" in found.remarks[0]


def test_a_list_of_labels_does_not_train_on_the_part_for_tests() -> None:
    found = arranged("train", "test", files=("dataset.json",))
    assert (tops(found.names), tops(found.held_out), found.folder) == ({"train"}, {"test"}, "")


def test_a_list_of_labels_within_single_folders_is_theirs() -> None:
    assert arranged("a/b/0", "a/b/1", files=("a/b/dataset.json",)).folder == "a/b/"
    assert arranged("a/b", files=("a/dataset.json",)).folder == "a/"
    found = arranged("a/b", files=())
    assert (found.folder, found.outer_folders) == ("a/b/", ("", "a/", "a/b/"))
