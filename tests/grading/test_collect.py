"""Submissions are found under every name that students and learning systems give them."""

import doctest
import io
import os
import tracemalloc
import zipfile
from datetime import datetime

import pytest
from submissions import put

from course_tools.errors import CourseError
from course_tools.grading import archive, code, names, released
from course_tools.grading.collect import collect

LESSONS = ["00_start_here", "01_convolution", "03_lenet5"]


def found(folder) -> dict[tuple[str, str], str]:
    return {(one.student, one.lesson): one.origin for one in collect(folder, LESSONS)}


def packed(files: dict[str, bytes | str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize("module", [code, names, released])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(("path", "student", "lesson"), [
    ("anna/03_lenet5/03_lenet5.ipynb", "anna", "03_lenet5"),
    ("anna/03_lenet5/homework.ipynb", "anna", "03_lenet5"),
    ("anna/03_lenet5.ipynb", "anna", "03_lenet5"),
    ("anna/03_lenet5 (1).ipynb", "anna", "03_lenet5"),
    ("anna/Copy of 03_lenet5.ipynb", "anna", "03_lenet5"),
    ("anna/03-LeNet5.ipynb", "anna", "03_lenet5"),
    ("anna/03_lenet5-Copy2.ipynb", "anna", "03_lenet5"),
    ("anna/week 2/01_convolution.ipynb", "week 2", "01_convolution"),
    ("anna_maria_03_lenet5.ipynb", "anna_maria", "03_lenet5"),
    ("03_lenet5.ipynb", "handed in", "03_lenet5"),
    ("03_lenet5/anna_03_lenet5.ipynb", "anna", "03_lenet5"),
    ("Anna Müller_4711_assignsubmission_file_/03_lenet5.ipynb", "Anna Müller", "03_lenet5"),
    ("Anna Müller_4711_assignsubmission_file_03_lenet5.ipynb", "Anna Müller", "03_lenet5"),
    ("muelleranna_4711_99812_03_lenet5-1.ipynb", "muelleranna", "03_lenet5"),
    ("muelleranna_LATE_4711_99812_03_lenet5.ipynb", "muelleranna", "03_lenet5"),
    ("anna/project.ipynb", "anna", ""),
    ("anna/notebooks/03_lenet5.ipynb", "anna", "03_lenet5"),
    ("anna/convnet-course-1.0/notebooks/03_lenet5.ipynb", "anna", "03_lenet5"),
    ("hw_2026_11_20/anna/03_lenet5.ipynb", "anna", "03_lenet5"),
    ("anna_4711_03_lenet5.ipynb", "anna_4711", "03_lenet5"),
    ("Ben_2_assignsubmission_file_/Anna Lee_1_assignsubmission_file_03_lenet5.ipynb", "Ben", "03_lenet5"),
    ("ben_4711_99812_work/muelleranna_1_99813_03_lenet5.ipynb", "ben", "03_lenet5"),
])  # fmt: skip
def test_student_and_lesson_from_the_path(tmp_path, path, student, lesson):
    put(tmp_path / "handed in" / path, b"{}")
    assert found(tmp_path / "handed in") == {(student, lesson): path}


def test_zips_of_all_of_these(tmp_path):
    inner = packed({"work/03_lenet5.ipynb": b"{}", "__MACOSX/work/._03_lenet5.ipynb": b"", "notes.txt": b""})
    outer = packed({
        "Anna Müller_1_assignsubmission_file_/03_lenet5.ipynb": b"{}",
        "Ben_2_assignsubmission_file_/ben.zip": inner,
        "chris_03_lenet5.ipynb": b"{}",
    })  # fmt: skip
    path = put(tmp_path / "moodle.zip", outer)
    students = {("Anna Müller", "03_lenet5"), ("Ben", "03_lenet5"), ("chris", "03_lenet5")}
    assert set(found(path)) == students
    put(tmp_path / "folder" / "moodle.zip", outer)
    assert set(found(tmp_path / "folder")) == students


def test_two_students_of_one_name_are_told_apart(tmp_path):
    for number in (1, 2):
        put(tmp_path / f"Anna Lee_{number}_assignsubmission_file_" / "03_lenet5.ipynb", b"{}")
    assert set(found(tmp_path)) == {("Anna Lee 1", "03_lenet5"), ("Anna Lee 2", "03_lenet5")}


def test_of_several_files_the_newest_counts_and_the_others_are_named(tmp_path):
    for name, time in (("03_lenet5.ipynb", 2000), ("03_lenet5 (1).ipynb", 1000)):
        os.utime(put(tmp_path / "anna" / name, b"{}"), (time, time))
    [one] = collect(tmp_path, LESSONS)
    assert one.origin == "anna/03_lenet5.ipynb"
    assert one.notes == ("anna/03_lenet5 (1).ipynb was handed in, too; the newest file counts.",)
    assert one.time == datetime.fromtimestamp(2000).astimezone()


def test_a_file_in_another_students_folder_is_told(tmp_path):
    for path, time in (("anna/03_lenet5.ipynb", 1000), ("mallory/anna_03_lenet5.ipynb", 2000)):
        os.utime(put(tmp_path / path, b"{}"), (time, time))
    [one] = collect(tmp_path, LESSONS)
    assert (one.student, one.origin) == ("anna", "mallory/anna_03_lenet5.ipynb")
    places = "anna/03_lenet5.ipynb, mallory/anna_03_lenet5.ipynb"
    assert one.doubts == (f"files of this student lie in several folders ({places})",)
    os.remove(tmp_path / "mallory" / "anna_03_lenet5.ipynb")
    assert collect(tmp_path, LESSONS)[0].doubts == ()


def test_a_student_without_a_notebook_has_a_row(tmp_path):
    files = ["Anna_1_assignsubmission_file_/03_lenet5.ipynb", "Ben_2_assignsubmission_file_/03_lenet5.html"]
    files += [
        "Anna_1_assignsubmission_file_/notes.txt",
        "Chris_3_assignsubmission_file_/work.rar",
        "list.csv",
    ]
    for path in files:
        put(tmp_path / "in" / path, b"{}")
    put(tmp_path / "class.zip", packed(dict.fromkeys(files, b"{}")))
    for place in ("in", "class.zip"):
        problems = {(one.student, one.lesson): one.problem for one in collect(tmp_path / place, LESSONS)}
        assert problems == {("Anna", "03_lenet5"): ""} | dict.fromkeys(
            [("Ben", "03_lenet5"), ("Chris", "")], "neither a notebook (.ipynb) nor a zip file was handed in"
        )


def without(content: bytes, flag: str) -> bytes:
    """A zip file without its dates, or without the mark that its names are UTF-8."""
    content = bytearray(content)
    for sign, flags, date in ((b"PK\3\4", 6, 10), (b"PK\1\2", 8, 12)):
        place = content.find(sign)
        if flag == "date":
            content[place + date : place + date + 4] = bytes(4)
        else:
            content[place + flags + 1] &= ~8
    return bytes(content)


@pytest.mark.parametrize(("name", "lacks"), [
    ("Lesson 3: LeNet/Jörg_03_lenet5.ipynb", ""),
    ("Jörg_03_lenet5.ipynb", "date"),
    ("Jörg_03_lenet5.ipynb", "UTF-8"),
])  # fmt: skip
def test_zips_of_other_programs(tmp_path, name, lacks):
    content = packed({name: b"{}"})
    path = put(tmp_path / "class.zip", without(content, lacks) if lacks else content)
    [one] = collect(path, LESSONS)
    assert (one.student, one.lesson, one.problem) == ("Jörg", "03_lenet5", "")


@pytest.mark.parametrize("letter", ["a", "é", "名", "𠀀"])
def test_a_long_name_fits_into_a_files_name(letter):
    safe = names.safe(letter * 300)
    assert set(safe) == {letter} and 150 < len(safe.encode()) <= 160


def test_links_are_not_followed(tmp_path):
    secret = put(tmp_path / "secret" / "03_lenet5.ipynb", b"{}")
    folder = tmp_path / "in"
    put(folder / "anna" / "01_convolution.ipynb", b"{}")
    (folder / "anna" / "03_lenet5.ipynb").symlink_to(secret)
    (folder / "ben").symlink_to(secret.parent)
    problems = {(one.student, one.lesson): one.problem for one in collect(folder, LESSONS)}
    assert "symbolic link" in problems["anna", "03_lenet5"] and not problems["anna", "01_convolution"]
    assert "symbolic link" in problems["in", ""]


@pytest.mark.parametrize(("files", "problem"), [
    ({"../03_lenet5.ipynb": b"{}"}, "leads out of it"),
    ({"/etc/03_lenet5.ipynb": b"{}"}, "leads out of it"),
    ({"03_lenet5.ipynb": b"0" * 20_000_000}, "zip bomb"),
    ({"readme.txt": b""}, "no notebook"),
])  # fmt: skip
def test_what_a_zip_may_not_hold(tmp_path, files, problem):
    put(tmp_path / "anna_03_lenet5.zip", packed(files))
    [one] = collect(tmp_path, LESSONS)
    assert (one.student, one.lesson) == ("anna", "03_lenet5") and problem in one.problem


def test_many_bombs_below_the_limit_take_no_memory(tmp_path):
    put(tmp_path / "anna.zip", packed({f"{n}/03_lenet5.ipynb": b"0" * 4_900_000 for n in range(40)}))
    tracemalloc.start()
    collect(tmp_path, LESSONS)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 30_000_000  # unpacked they have 196 MB


def beside(folder) -> dict[str, dict[str, bytes]]:
    return {one.origin: one.beside().files for one in collect(folder, LESSONS)}


def test_files_beside_a_notebook(tmp_path):
    folder = tmp_path / "in"
    for path in ("anna/03_lenet5.ipynb", "anna/data.csv", "anna/more/x.txt", "anna/.hidden", "anna/random.py",
                 "anna/numpy/x.py", "anna/mine.py", "anna/01_convolution/01_convolution.ipynb",
                 "anna/01_convolution/y.csv", "data.csv", "ben_03_lenet5.ipynb",
                 "03_lenet5/chris_03_lenet5.ipynb", "03_lenet5/dora_03_lenet5.ipynb",
                 "anna/zq7.pyc", "anna/fast.cpython-311-x86_64-linux-gnu.so", "anna/more/zq8.PYC",
                 "anna/__pycache__/mine.cpython-311.pyc", "anna/__pycache__/other.py",
                 "03_lenet5/data.csv"):  # fmt: skip
        put(folder / path, path)
    (folder / "anna" / "linked.csv").symlink_to(folder / "data.csv")
    found = beside(folder)
    assert set(found["anna/03_lenet5.ipynb"]) == {"data.csv", "more/x.txt", "mine.py"}
    assert found["anna/03_lenet5.ipynb"]["more/x.txt"] == b"anna/more/x.txt"
    assert set(found["anna/01_convolution/01_convolution.ipynb"]) == {"y.csv"}
    assert not found["ben_03_lenet5.ipynb"] and not found["03_lenet5/chris_03_lenet5.ipynb"]
    left = next(one for one in collect(folder, LESSONS) if one.origin == "anna/03_lenet5.ipynb").beside().left
    assert left == {
        "linked.csv": "it is a link or damaged",
        "random.py": "it has the name of a library",
        "numpy/x.py": "it has the name of a library",
        "zq7.pyc": "it is compiled code",
        "fast.cpython-311-x86_64-linux-gnu.so": "it is compiled code",
        "more/zq8.PYC": "it is compiled code",
    }


def test_files_beside_a_notebook_in_a_zip_and_their_limits(tmp_path):
    files = {"work/03_lenet5.ipynb": b"{}", "work/data.csv": b"1", "work/big.bin": b"0" * 11_000_000}
    files |= {f"work/{number:03}.txt": b"" for number in range(60)} | {"up.csv": b""}
    inner = packed(files)
    put(
        tmp_path / "in" / "class.zip", packed({"anna.zip": inner, "ben_03_lenet5.ipynb": b"{}", "x.csv": b""})
    )
    found = beside(tmp_path / "in" / "class.zip")
    assert not found["ben_03_lenet5.ipynb"]
    assert len(found["anna/work/03_lenet5.ipynb"]) == 50
    assert not {"big.bin", "up.csv"} & set(found["anna/work/03_lenet5.ipynb"])


def test_in_a_class_zip_only_the_students_own_files_are_unpacked(tmp_path, monkeypatch):
    files = {f"{name}_{number}_assignsubmission_file_/{file}": file.encode() * 100
             for number, name in enumerate(("anna", "ben", "chris"))
             for file in ("03_lenet5.ipynb", "data.csv", "more/x.txt")}  # fmt: skip
    made = collect(put(tmp_path / "class.zip", packed(files)), LESSONS)
    unpacked, look = [], archive._look
    monkeypatch.setattr(
        archive, "_look", lambda zipped, entry: (unpacked.append(entry.filename), look(zipped, entry))
    )
    monkeypatch.setattr(archive, "MOST_TOTAL", 4000)  # one student's have 3,300 bytes
    for one in made:
        unpacked.clear()
        near = one.beside()
        assert set(near.files) == {"data.csv", "more/x.txt"} and not near.left
        assert len(unpacked) == 3 and all(name.startswith(f"{one.student}_") for name in unpacked)


def test_broken_zips_and_zips_in_zips_without_end(tmp_path):
    put(tmp_path / "anna_03_lenet5.zip", b"PK\x03\x04 broken")
    nested = packed({"03_lenet5.ipynb": b"{}"})
    for _ in range(archive.DEPTH + 2):
        nested = packed({"more.zip": nested})
    put(tmp_path / "ben_03_lenet5.zip", nested)
    problems = {one.student: one.problem for one in collect(tmp_path, LESSONS)}
    assert "cannot be read" in problems["anna"] and "no notebook" in problems["ben"]


def test_declared_sizes_are_not_trusted(tmp_path):
    lying = bytearray(packed({"03_lenet5.ipynb": b"0" * 50_000}))
    place = lying.rfind(b"PK\x01\x02") + 24  # the size in the directory, and in the file's own header
    for start in (place, lying.find(b"PK\x03\x04") + 22):
        lying[start : start + 4] = (10).to_bytes(4, "little")
    put(tmp_path / "anna_03_lenet5.zip", bytes(lying))
    [one] = collect(tmp_path, LESSONS)
    assert one.problem


def test_nothing_to_grade_is_said(tmp_path):
    with pytest.raises(CourseError, match="does not exist"):
        collect(tmp_path / "none", LESSONS)
    with pytest.raises(CourseError, match="no notebook"):
        collect(tmp_path, LESSONS)
