"""What the bash functions promise: services by pid and start time, hashes without paths, lists."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal

import pytest
from conftest import ROOT, Shell


def ended(pid: int) -> bool:
    """Gone, or waiting for a parent that never asks."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def sleeper(shell: Shell):
    """A service that runs until the test is over."""
    done = shell("service_start sleeper - sleep 600; wait_for 10 'it runs' service_pid sleeper; service_pid sleeper")
    assert done.returncode == 0, done.stderr
    pid = int(done.stdout)
    yield pid
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_a_service_that_runs_is_left_alone(shell: Shell, sleeper: int) -> None:
    done = shell("service_start sleeper - sleep 600; service_pid sleeper")
    assert done.stdout == str(sleeper)


def test_a_service_whose_command_changed_is_started_again(shell: Shell, sleeper: int) -> None:
    done = shell("service_start sleeper - sleep 601; wait_for 10 'it runs' service_pid sleeper; service_pid sleeper")
    fresh = int(done.stdout)
    os.kill(fresh, signal.SIGKILL)
    assert fresh != sleeper
    assert ended(sleeper)


def test_a_service_whose_configuration_changed_is_started_again(shell: Shell, tmp_path: pathlib.Path) -> None:
    config = tmp_path / "config"
    start = f"service_start one {config} sleep 600; wait_for 10 'it runs' service_pid one; service_pid one"
    pids = []
    for text in ("a", "a", "b"):
        config.write_text(text)
        pids.append(int(shell(start).stdout))
    os.kill(pids[2], signal.SIGKILL)
    assert pids[0] == pids[1] != pids[2]


def test_a_pid_that_another_process_got_is_not_believed(shell: Shell, sleeper: int, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "state" / "run" / "sleeper.pid"
    file.write_text(f"{sleeper}\n1\nhash\n")
    assert shell("service_pid sleeper").returncode != 0
    assert shell("service_stop sleeper").returncode == 0
    os.kill(sleeper, 0)


@pytest.mark.parametrize("text", ["", "12", "none\nof\nthis\n", "999999999\n1\nx\n"])
def test_a_broken_pid_file_means_that_nothing_runs(shell: Shell, tmp_path: pathlib.Path, text: str) -> None:
    run = tmp_path / "state" / "run"
    run.mkdir(parents=True)
    (run / "x.pid").write_text(text)
    assert shell("service_pid x").returncode != 0
    assert shell("service_stop x").returncode == 0


def test_a_dead_service_is_named_with_its_last_words(shell: Shell) -> None:
    done = shell("service_start brief - sh -c 'echo no such luck'; sleep 0.5; service_check brief")
    assert done.returncode == 1
    assert "no such luck" in done.stderr
    assert "brief does not run" in done.stderr


def test_stopping_ends_a_service(shell: Shell, sleeper: int) -> None:
    assert shell("service_stop sleeper").returncode == 0
    assert ended(sleeper)


def test_hashes_do_not_depend_on_where_the_tree_lies(shell: Shell, tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "test" / "cluster", copy / "test" / "cluster")
    keys = "gobin_key trivy; gobin_key kubernetes"
    here = shell(keys)
    there = shell(f"ARENA_ROOT={copy}; {keys}")
    assert here.returncode == there.returncode == 0, here.stderr + there.stderr
    assert here.stdout == there.stdout
    (copy / "test" / "cluster" / "go" / "trivy" / "go.sum").write_text("another\n")
    assert shell(f"ARENA_ROOT={copy}; {keys}").stdout != here.stdout


def test_package_groups_are_read_from_the_list(shell: Shell) -> None:
    names = shell("packages_list cluster").stdout.split()
    assert "containerd" in names and "meson" not in names
    both = shell("packages_list cluster build").stdout.split()
    assert set(names) < set(both) and both == sorted(set(both), key=both.index)


@pytest.mark.parametrize(
    ("have", "want", "enough"), [("1.26.3", "1.26.3", True), ("1.27.0", "1.26.3", True), ("1.9.9", "1.26.3", False)]
)
def test_versions_are_compared_as_versions(shell: Shell, have: str, want: str, enough: bool) -> None:
    assert (shell(f"version_at_least {have} {want}").returncode == 0) is enough


def test_waiting_ends_and_says_for_what(shell: Shell) -> None:
    done = shell("wait_for 1 'the moon is full' false")
    assert done.returncode == 1
    assert "the moon is full" in done.stderr


def test_a_failed_command_shows_its_end_only(shell: Shell) -> None:
    done = shell("run_logged thing sh -c 'seq 100; exit 3'")
    assert done.returncode != 0
    assert "100" in done.stderr and "\n50\n" not in done.stderr
    assert shell("run_logged thing seq 100").stderr == ""


def test_every_module_is_built_from_a_pinned_sum() -> None:
    for module in (ROOT / "test" / "cluster" / "go").iterdir():
        assert (module / "go.sum").read_text().strip(), module
        assert "\ntoolchain" not in (module / "go.mod").read_text(), module


@pytest.mark.parametrize("command", ["", "help", "--help"])
def test_help_names_every_command(shell: Shell, command: str) -> None:
    done = shell(f'"$ARENA_ROOT/arena" {command}')
    assert done.returncode == 0
    for name in ("demo", "up", "down", "kubectl", "logs", "status", "replay", "test", "images"):
        assert f"\n  {name} " in done.stdout


def test_an_unknown_command_or_suite_is_refused(shell: Shell) -> None:
    assert "unknown command: demo2" in shell('"$ARENA_ROOT/arena" demo2').stderr
    assert "no such suite: everything" in shell('"$ARENA_ROOT/arena" test everything').stderr


def test_without_a_cluster_the_way_to_start_one_is_told(shell: Shell) -> None:
    done = shell('"$ARENA_ROOT/arena" kubectl get nodes')
    assert done.returncode == 1
    assert "./arena up" in done.stderr
    assert "./arena up" in shell('"$ARENA_ROOT/arena" status').stdout
