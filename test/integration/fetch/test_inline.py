"""Sources from a ConfigMap, laid out as the kubelet does it."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from .conftest import RUNTIME, Fetch


def configmap(folder: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    data = folder / "..2026_01_02_03_04_05.123"
    data.mkdir(parents=True)
    (folder / "..data").symlink_to(data.name)
    for name, text in files.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(text)
        top = name.split("/")[0]
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    return folder


def test_files_and_folders(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    source = configmap(tmp_path / "source", {"agent.py": "a = 1\n", "model/net.py": "b = 2\n"})
    done = fetch("inline", "--from", str(source))
    done.assert_done()
    assert done.files() == {"agent.py": b"a = 1\n", "model/net.py": b"b = 2\n"}
    assert (done.context / "agent.py").stat().st_mode & 0o7777 == 0o644
    assert (done.context / "model").stat().st_mode & 0o7777 == 0o755
    assert not list(done.workspace.glob(".*"))


def test_dockerfile_is_made(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    done = fetch("inline", "--from", str(configmap(tmp_path / "source", {"agent.py": ""})))
    done.assert_done()
    lines = done.dockerfile.splitlines()[1:]
    assert lines == [f"ARG RUNTIME_IMAGE={RUNTIME}", "FROM ${RUNTIME_IMAGE}", "COPY . /agent/"]


def test_dockerfile_with_requirements(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    source = configmap(tmp_path / "source", {"agent.py": "", "requirements.txt": "joblib\n"})
    done = fetch("inline", "--from", str(source))
    done.assert_done()
    text = done.dockerfile
    for word in ("ARG PIP_INDEX_URL", "ARG PIP_TRUSTED_HOST", "ARG PIP_CERT", "python3 -m pip install", "USER 10001"):
        assert word in text
    # The packages come before the code: they stay in the cache when the code alone changes.
    assert text.index("COPY requirements.txt") < text.index("pip install") < text.index("COPY . /agent/")


def test_own_authorities_are_left_for_the_build(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    """Beside the public ones: packages may come from either."""
    own = tmp_path / "ca.crt"
    own.write_text("-----BEGIN CERTIFICATE-----\nsample\n-----END CERTIFICATE-----\n")
    source = configmap(tmp_path / "source", {"agent.py": ""})
    done = fetch("inline", "--from", str(source), env={"SSL_CERT_FILE": str(own)})
    done.assert_done()
    left = done.workspace / "authorities.crt"
    assert left.stat().st_mode & 0o777 == 0o644, "pip may run as another user"
    assert own.read_text() in left.read_text()
    public = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
    if public.exists():
        assert public.read_text() in left.read_text()
    assert {path.name for path in done.workspace.iterdir()} == {"context", "Dockerfile", "authorities.crt"}

    done = fetch("inline", "--from", str(source))
    done.assert_done()
    assert {path.name for path in done.workspace.iterdir()} == {"context", "Dockerfile"}
    gone = {"SSL_CERT_FILE": str(tmp_path / "missing.crt")}
    done = fetch("inline", "--from", str(source), env=gone)
    assert (done.code, done.reason) == (11, "AuthoritiesMissing")


def test_own_dockerfile(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    done = fetch("inline", "--from", str(configmap(tmp_path / "source", {"Dockerfile": "FROM scratch\n"})))
    done.assert_done()
    assert done.dockerfile == "FROM scratch\n"


def test_neither(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    done = fetch("inline", "--from", str(configmap(tmp_path / "source", {"main.py": ""})))
    done.assert_refused("NoAgent")
    assert "agent.py" in done.message


def test_a_link_is_not_followed(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    source = configmap(tmp_path / "source", {"agent.py": ""})
    (source / "..data" / "shadow").symlink_to("/etc/shadow")
    fetch("inline", "--from", str(source)).assert_refused("UnsafeFile")


def test_a_pipe_does_not_block(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    source = configmap(tmp_path / "source", {"agent.py": ""})
    os.mkfifo(source / "..data" / "pipe")
    fetch("inline", "--from", str(source)).assert_refused("UnsafeFile")


def test_data_elsewhere(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "..data").symlink_to("/etc")
    fetch("inline", "--from", str(source)).assert_refused("UnsafePath")


def test_not_mounted(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    fetch("inline", "--from", str(tmp_path / "nothing")).assert_refused("SourceMissing", code=11)


@pytest.mark.parametrize(
    ("option", "value", "reason"), [("--max-bytes", "10", "TooBig"), ("--max-files", "2", "TooManyFiles")]
)
def test_limits(fetch: Fetch, tmp_path: pathlib.Path, option: str, value: str, reason: str) -> None:
    source = configmap(tmp_path / "source", {"agent.py": "12345", "b.py": "123456", "c.py": ""})
    fetch("inline", "--from", str(source), option, value).assert_refused(reason)


def test_again_after_an_interruption(fetch: Fetch, tmp_path: pathlib.Path) -> None:
    """A node's restart runs the init container again over what the first run left."""
    source = configmap(tmp_path / "source", {"agent.py": "new"})
    workspace = tmp_path / f"workspace-{fetch.runs + 1}"
    (workspace / ".fetch" / "tree" / "x").mkdir(parents=True)
    (workspace / "context").mkdir()
    (workspace / "context" / "old.py").write_text("old")
    (workspace / "Dockerfile").symlink_to("/etc/passwd")
    (workspace / "authorities.crt").write_text("old")
    fetch.runs += 1
    done = subprocess.run(
        [fetch.program, "inline", "--from", str(source), "--to", str(workspace), "--runtime-image", RUNTIME],
        env={},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in workspace.iterdir()) == ["Dockerfile", "context"]
    assert [path.name for path in (workspace / "context").iterdir()] == ["agent.py"]
    assert not (workspace / "Dockerfile").is_symlink()


@pytest.mark.parametrize(
    "arguments",
    [
        ["inline"],
        ["wrong"],
        ["archive", "--url", "http://x/", "--sha256", "12", "--format", "zip"],
        ["archive", "--url", "http://x/", "--sha256", "0" * 64, "--format", "rar"],
        ["git", "--url", "http://x/", "--max-files", "many", "--ref", "main"],
        ["inline", "--from", "/x", "--allow-cidr", "10.0.0.0/40"],
        ["inline", "--from", "/x", "--runtime-image", "a\nRUN b"],
    ],
)
def test_command_line(fetch: Fetch, arguments: list[str]) -> None:
    done = fetch(*arguments, allow=None)
    assert done.code == 2
    assert "fetch" in done.stderr
