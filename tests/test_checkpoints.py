"""checkpoints.py, state.py: whatever befalls the files, what loads is what was saved at its step."""

import dataclasses
import json
import pickle
import random

import faults
import numpy as np
import pytest
from faults import DAMAGES, Variable, save, variables

from keras_s2s.checkpoints import CheckpointError, Checkpoints, State
from keras_s2s.state import digest


@pytest.fixture
def saved(tmp_path):
    """Checkpoints after steps 1 to 4, of which 2 and 4 were the best so far."""
    checkpoints, state = Checkpoints(tmp_path / "run" / "checkpoints"), State()
    for step in range(1, 5):
        save(checkpoints, state, step, step % 2 == 0)
    return checkpoints


def names(checkpoints, pattern="*"):
    return sorted(path.name for path in checkpoints.folder.glob(pattern))


def test_what_is_saved_is_restored_to_the_bit_with_its_state(saved):
    found = variables(0)
    state = saved.restore(found)
    assert faults.true(state, found) and (state.step, state.best, state.waited) == (4, 4.0, 0)
    assert state == saved.load_state()


def test_floats_of_a_state_come_back_to_the_bit():
    state = State(step=3, best=-0.1, sums={"loss": 1 / 3, "tokens": 1e300}, history=[{"epoch": 1, "loss": 2 ** 0.5}])
    assert State.from_json(state.to_json()) == state


def test_the_last_two_states_and_the_best_weights_they_name_are_kept_and_no_others(saved):
    assert names(saved) == ["best-00000002.npz", "best-00000004.npz", "step-00000003.json", "step-00000003.npz",
                            "step-00000004.json", "step-00000004.npz"]
    state = saved.load_state()
    for step in range(5, 9):
        save(saved, state, step, False)
    assert names(saved) == ["best-00000004.npz", *(f"step-0000000{i}.{kind}" for i in (7, 8) for kind in ("json", "npz"))]


def test_what_a_killed_process_left_half_written_goes_and_what_was_kept_aside_stays(saved):
    for name in (".step-00000005.npz.123.tmp", "step-00000001.npz.damaged", "best-00000003.npz"):
        (saved.folder / name).write_bytes(b"x")
    save(saved, saved.load_state(), 5, False)
    assert "step-00000001.npz.damaged" in names(saved)
    assert not {".step-00000005.npz.123.tmp", "best-00000003.npz"} & set(names(saved))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("name", ["step-00000004.json", "step-00000004.npz", "best-00000004.npz"])
def test_where_one_file_is_damaged_it_is_named_and_kept_aside_and_the_state_before_taken(saved, name, damage, capsys):
    damage(saved.folder / name, random.Random(5))
    found = variables(0)
    state = saved.restore(found)
    assert state.step == 3 and state.best == 2.0 and faults.true(state, found)
    if damage is not faults.remove or name != "step-00000004.json":
        assert name in capsys.readouterr().err
        assert any(file.startswith("step-00000004.") and file.endswith(".damaged") for file in names(saved))
    save(saved, state, 4, True)  # goes on as before
    assert saved.restore(variables(0)).step == 4


def test_a_run_whose_best_weights_alone_are_damaged_everywhere_goes_on_without_them(saved, capsys):
    state = saved.load_state()
    save(saved, state, 5, False)
    save(saved, state, 6, False)
    faults.flip(saved.folder / "best-00000004.npz", random.Random(1))
    found = variables(0)
    state = saved.restore(found)
    assert state.step == 6 and faults.true(state, found) and state.best is None and state.named("best") is None
    assert "best-00000004.npz.damaged" in names(saved) and "best-00000004.npz" in capsys.readouterr().err


def test_where_nothing_verifies_an_error_names_all_and_nothing_is_touched(saved):
    for path in saved.folder.glob("step-*.npz"):
        faults.cut(path, random.Random(1))
    before = names(saved)
    with pytest.raises(CheckpointError, match="step-00000004.npz is damaged.*step-00000003.npz is damaged.*train again"):
        saved.restore(variables(0))
    assert names(saved) == before


def test_without_any_save_there_is_nothing_to_restore(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.restore(variables(0)) is None and checkpoints.load_state() is None
    with pytest.raises(CheckpointError, match="holds no trained weights yet.*--resume"):
        checkpoints.restore_best(variables(0))


def test_the_best_weights_are_those_of_the_newest_state_or_with_a_warning_of_the_one_before(saved, capsys):
    found = variables(0)[:1]
    saved.restore_best(found)
    assert np.array_equal(found[0].value, variables(4)[0].value) and not capsys.readouterr().err
    faults.flip(saved.folder / "best-00000004.npz", random.Random(1))
    saved.restore_best(found)
    assert np.array_equal(found[0].value, variables(2)[0].value)
    assert "best-00000004.npz is damaged" in capsys.readouterr().err
    assert "best-00000004.npz" in names(saved)  # who only reads keeps nothing aside


def forge(checkpoints, **changes):
    """Writes a newest state whose own digest is right."""
    (checkpoints.folder / "step-00000009.json").unlink(missing_ok=True)
    state = dataclasses.replace(checkpoints.load_state(), **changes)
    (checkpoints.folder / "step-00000009.json").write_bytes(state.to_json())


def test_a_name_that_climbs_out_of_the_folder_is_refused(saved):
    for name in ("../../secret.npz", "/etc/passwd", "step-00000001.npz/../../x"):
        forge(saved, files={name: digest(b"")})
        with pytest.raises(CheckpointError, match="no version of keras_s2s writes"):
            saved.restore(variables(0))


def test_a_pickle_is_never_loaded(saved, capsys):
    class Bomb:
        def __reduce__(self):
            return print, ("boom",)

    for content in (pickle.dumps(Bomb()), b"PK\3\4 no archive", b""):
        (saved.folder / "step-00000009.npz").write_bytes(content)
        forge(saved, files={"step-00000009.npz": digest(content)})
        assert saved.restore(variables(0)).step == 4
    with open(saved.folder / "step-00000009.npz", "wb") as file:
        np.savez(file, np.array([Bomb()], object))
    forge(saved, files={"step-00000009.npz": digest((saved.folder / "step-00000009.npz").read_bytes())})
    assert saved.restore(variables(0)).step == 4
    assert "boom" not in capsys.readouterr().out


@pytest.mark.parametrize("other", [variables(1, 400), variables(1)[:1], [Variable("a", np.zeros((4000, 10), np.float64)),
                                                                         variables(1)[1]]])
def test_a_checkpoint_of_another_model_is_refused_in_words(saved, other):
    with pytest.raises(CheckpointError, match="does not fit the model that config.json describes"):
        saved.restore(other)


def test_a_state_of_another_version_is_refused_not_thrown_away(saved):
    tree = json.loads((saved.folder / "step-00000004.json").read_bytes())["state"]
    tree["new_field"] = 1
    content = json.dumps({"state": tree, "sha256": digest(json.dumps(tree, sort_keys=True).encode())})
    (saved.folder / "step-00000004.json").write_text(content)
    with pytest.raises(CheckpointError, match="another version of keras_s2s"):
        saved.restore(variables(0))
    assert not names(saved, "*.damaged")


def test_a_full_disk_is_told_and_leaves_the_saves_before(saved):
    state = saved.load_state()
    with pytest.raises(CheckpointError, match="cannot be written: File too large. What was saved before is as it was."):
        with faults.small_disk(50_000):
            save(saved, state, 5, False)
    assert saved.restore(variables(0)).step == 4 and not names(saved, ".*")


def test_damage_at_random_never_loses_a_run_and_never_changes_a_bit(capsys):
    for damage in DAMAGES.values():
        assert faults.damaged(10, damage) == (0, 0)
    assert faults.full_disks(10) == (0, 0)


def test_kills_in_the_middle_of_saving_never_lose_a_run_and_never_change_a_bit():
    assert faults.kills_while_saving(5) == (0, 0)


def test_done_is_when_all_epochs_are_or_patience_is_out():
    state = State(history=[{}, {}], waited=2)
    assert state.done(2, 0) and state.done(3, 2) and not state.done(3, 0) and not state.done(3, 3)
