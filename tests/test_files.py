"""files.py: a file is there whole, as it was or as it shall be."""

import os

import faults
import pytest

from keras_s2s.files import write_whole


def test_a_file_is_written_with_its_folder_and_replaced(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_whole(path, b"one")
    write_whole(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["b.txt"]


def fail(file):
    file.write(b"half")
    raise KeyboardInterrupt


def test_what_stood_there_stays_when_the_writing_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, fail)
    with pytest.raises(OSError), faults.small_disk(1000):
        write_whole(path, b"x" * 2000)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_that_may_not_be_written_is_an_oserror_and_nothing_changes(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    tmp_path.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:  # whom no right stops
            tmp_path.parent.chmod(0o755)
            os.seteuid(65534)
        with pytest.raises(OSError):
            write_whole(path, b"new")
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o755)
    assert path.read_bytes() == b"old"
