"""Sources of settings, and errors about them without secrets."""

import os
import subprocess
from pathlib import Path

import pytest

from aiopresence import UsageError
from aiopresence.cli.logins import create_state_directory
from aiopresence.cli.settings import PRODUCTION, VARIABLES as NAMES, Settings, load_settings
from tests.support import terminal
from tests.support.cli_calls import invoke

SECRET = "TopSecretValue"
ALL = ("server_url", "client_id", "client_secret", "jwt")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [*os.environ]:
        if name.startswith(("RC_", "RINGCENTRAL_", "AIOPRESENCE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(home: Path, text: str | bytes) -> None:
    file = home / "config" / "aiopresence" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_defaults_without_settings() -> None:
    settings = load_settings(None)
    assert settings == Settings()
    assert settings.server_url == "https://platform.ringcentral.com"
    with pytest.raises(UsageError, match="RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT"):
        settings.grant()


VARIABLES = dict(zip(ALL, (each[0] for each in NAMES.values()), strict=True))


def values(*names: str, value: str) -> dict[str, str]:
    return {name: f"https://{value}" if name == "server_url" else value for name in names}


def profile(*names: str, value: str = "file") -> str:
    lines = "\n".join(f'{name} = "{each}"' for name, each in values(*names, value=value).items())
    return f"[profile.default]\n{lines}\n"


def dotenv(*names: str, value: str = "dotenv") -> str:
    chosen = values(*names, value=value)
    return "".join(f"{VARIABLES[name]}={each}\n" for name, each in chosen.items())


def test_settings_come_from_the_first_source(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(home, profile(*ALL) + "[profile.other]\njwt = 'other'\n")
    assert load_settings(None).sources == dict.fromkeys(ALL, "profile default")
    other = load_settings("other")
    assert (other.jwt, other.sources) == ("other", {"jwt": "profile other"})
    assert other.server_url == PRODUCTION
    assert "other" not in repr(other).replace("profile other", "")
    (home / ".env").write_text(
        "\ufeffRC_SERVER_URL=https://dotenv\nRC_APP_CLIENT_ID=dotenv\n"
        "export RINGCENTRAL_CLIENT_SECRET='do$en${v}'\nRC_USER_JWT=dotenv\n"
    )
    settings = load_settings(None)
    assert (settings.client_secret, settings.jwt) == ("do$en${v}", "dotenv")
    assert settings.sources == dict.fromkeys(ALL, ".env")
    for name in ALL:
        monkeypatch.setenv(VARIABLES[name], "environment")
    monkeypatch.setenv("RC_SERVER_URL", "")
    monkeypatch.setenv("RINGCENTRAL_SERVER_URL", "https://environment")
    settings = load_settings(None)
    assert {settings.client_id, settings.jwt} == {"environment"}
    assert settings.server_url == "https://environment"
    assert settings.sources == dict.fromkeys(ALL, "the environment")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("server_url", SECRET, "server must be https://host"),
        ("server_url", f"http://{SECRET}", "server must be https://host"),
        ("client_id", f"{SECRET} x", "client_id has a space or a control character in it"),
        ("client_secret", f"{SECRET} x", "client_secret has a space or a control character in it"),
        ("jwt", f"é{SECRET}", "jwt must be a non-empty ASCII string"),
    ],
)
def test_an_error_about_a_value_says_where_it_is_set(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    def error() -> str:
        with pytest.raises(UsageError) as caught:
            load_settings(None)
        assert SECRET not in str(caught.value)
        return str(caught.value)

    configure(home, f'[profile.default]\n{name} = "{value}"\n')
    assert f"config.toml, line 2: {says}" in error()
    (home / ".env").write_text(f"{VARIABLES[name]}='{value}'\n")
    assert error().startswith(f"{VARIABLES[name]} in .env: {says}")
    monkeypatch.setenv(NAMES[name][1], value)
    assert error().startswith(f"{NAMES[name][1]} in the environment: {says}")


@pytest.mark.parametrize("names", [ALL[:1], ALL[:2], ALL[1:3], ALL[:3], ALL[1:], ALL[3:]])
def test_settings_of_several_sources_are_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    configure(home, profile(*ALL, value=SECRET))
    rest = [name for name in ALL if name not in names]
    (home / ".env").write_text(dotenv(*names))
    with pytest.raises(UsageError) as caught:
        load_settings(None)
    assert str(caught.value).startswith(
        f".env sets {', '.join(VARIABLES[name] for name in names)},"
        f" and profile default sets {', '.join(rest)}: "
    )
    assert SECRET not in str(caught.value)
    for name in names:
        monkeypatch.setenv(VARIABLES[name], "environment")
    with pytest.raises(UsageError, match=r"^the environment sets .*, and profile default sets "):
        load_settings(None)
    (home / ".env").write_text(dotenv(*rest))
    with pytest.raises(UsageError, match=r"^the environment sets .*, and \.env sets "):
        load_settings(None)


BROKEN = {
    "no such profile": (b"[profile.default]\n", "has no [profile.work]"),
    "no file at all": (None, "has no [profile.work]"),
    "no TOML": (
        f"[profile.work]\njwt = {SECRET}\n".encode(),
        "config.toml, line 2, column 7: not valid TOML",
    ),
    "no UTF-8": (b'[profile.work]\njwt = "\xff"\n', "config.toml: line 2 is not UTF-8 text"),
    "unknown key": (
        f'[profile.work]\njwt = "{SECRET}"\npassword = "{SECRET}"\n'.encode(),
        "config.toml, line 3: unknown settings password; possible are server_url, client_id,"
        " client_secret, jwt",
    ),
    "no text": (
        b"[profile.default]\njwt = 5\n\n[ profile . 'work' ]  # this one\njwt = 5\n",
        "config.toml, line 5: jwt must be a string in quotes",
    ),
    "no text in an inline table": (
        b"[profile]\ndefault = {}\nwork = {jwt = 5}\n",
        "config.toml, line 3: jwt must be a string in quotes",
    ),
    "no text with a long name": (
        b"profile.work.client_id = ''\nprofile.work.jwt = 5\n",
        "config.toml, line 2: jwt must be a string in quotes",
    ),
    "not a table": (
        f'profile = "{SECRET}"\n'.encode(),
        "config.toml, line 1: unexpected profile; use [profile.NAME]",
    ),
    "profile not a table": (f'[profile]\nwork = "{SECRET}"\n'.encode(), "no [profile.work]"),
    "misspelt": (
        f'[profiles.work]\njwt = "{SECRET}"\n'.encode(),
        "config.toml, line 1: unexpected profiles; use [profile.NAME]",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_about_a_file_do_not_quote_it(home: Path, name: str) -> None:
    content, says = BROKEN[name]
    if content is not None:
        configure(home, content)
    with pytest.raises(UsageError) as caught:
        load_settings("work")
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_directory_is_not_a_configuration_file(home: Path) -> None:
    (home / "config" / "aiopresence" / "config.toml").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"^cannot read .*config\.toml: IsADirectoryError$"):
        load_settings(None)


def test_fifos_and_huge_files_are_refused(home: Path) -> None:
    os.mkfifo(home / ".env")
    with pytest.raises(UsageError, match=r"^cannot read \.env: not a regular file$"):
        load_settings(None)
    (home / ".env").unlink()
    configure(home, b"#" * (1024 * 1024 + 1))
    with pytest.raises(UsageError, match=r"config\.toml: larger than 1 MiB$"):
        load_settings(None)
    (home / "config" / "aiopresence" / "config.toml").unlink()
    os.mkfifo(home / "config" / "aiopresence" / "config.toml")
    with pytest.raises(UsageError, match=r"config\.toml: not a regular file$"):
        load_settings(None)


def test_a_byte_order_mark_is_ignored(home: Path) -> None:
    configure(home, b"\xef\xbb\xbf" + profile(*ALL).encode())
    assert load_settings(None).jwt == "file"


def test_deeply_nested_toml_is_a_one_line_error(home: Path) -> None:
    configure(home, "a = " + "[" * 100_000)
    with pytest.raises(UsageError, match=r"config\.toml: RecursionError$"):
        load_settings(None)


def test_there_are_no_files_without_a_home_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert load_settings(None) == Settings()
    with pytest.raises(UsageError, match="has no"):
        load_settings("work")
    with pytest.raises(FileNotFoundError, match="set HOME or XDG_STATE_HOME"):
        create_state_directory()
    assert [*home.iterdir()] == []


def test_an_unreadable_dotenv_is_refused(home: Path) -> None:
    (home / ".env").write_bytes(b"A=1\nRC_USER_JWT=\xff" + SECRET.encode())
    with pytest.raises(UsageError, match=r"cannot read \.env: line 2 is not UTF-8 text$"):
        load_settings(None)


@pytest.mark.parametrize("command", [("whoami",), ("doctor",)])
def test_errors_contain_no_secrets(home: Path, command: tuple[str, ...]) -> None:
    secrets = {
        "RC_APP_CLIENT_ID": "client",
        "RC_APP_CLIENT_SECRET": SECRET,
        "RC_USER_JWT": f"{SECRET} with a space",
        "RC_SERVER_URL": f"https://user:{SECRET}@example.invalid",
    }
    done = invoke(*command, env=terminal.environment(home, **secrets))
    assert done.code in (1, 2)
    assert SECRET not in done.out + done.err
    assert len(done.err.splitlines()) <= 1


def test_the_profile_option_overrides_the_environment(home: Path) -> None:
    env = terminal.environment(home, AIOPRESENCE_PROFILE="work")
    assert "has no [profile.work]" in invoke("whoami", env=env).err
    done = invoke("whoami", "--profile", "play", env=env)
    assert "has no [profile.play]" in done.err


def test_shell_completion(home: Path) -> None:
    code = "import sys; sys.argv[0] = 'aiopresence'; from aiopresence.cli import main; main()"
    command = f'"$0" -c "{code}"'
    # Another command follows, so that bash stays the parent process, which is the shell detected.
    script = (
        f"{command} --show-completion; true;"
        f' _AIOPRESENCE_COMPLETE=complete_bash COMP_WORDS="aiopresence wh" COMP_CWORD=1 {command};'
        f' _AIOPRESENCE_COMPLETE=complete_bash COMP_WORDS="aiopresence read --filter busy,on"'
        f" COMP_CWORD=3 {command}"
    )
    done = subprocess.run(  # noqa: S603 - a fixed command
        ["bash", "-c", script, terminal.COMMAND[0]],  # noqa: S607 - wherever it is
        capture_output=True, text=True, timeout=30, env=terminal.environment(home),
    )  # fmt: skip
    assert done.stderr == ""
    assert "complete -o default -F _aiopresence_completion aiopresence" in done.stdout
    assert done.stdout.splitlines()[-3:] == ["whoami", "busy,on-call", "busy,on-hold"]
