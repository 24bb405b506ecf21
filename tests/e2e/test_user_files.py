"""Files as people name and write them: any name, and text of any system."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from pathlib import Path

import gguf
import pytest
from helpers.repository import DEMO, LORA
from helpers.running import CLI, QUESTION, answer, pack, run, serving

BOM = b"\xef\xbb\xbf"
NAMES = ["a,b", "a b", "a:b", 'a"b', "a'b", "a;b", "a#b", "a$HOME", "ä ü", "模型", "-m", "a,b:0.5"]
GRAMMAR = b'root ::= "yes"\r\n'
SCHEMA = b'{"type": "object",\r\n "properties": {"a": {"const": 1}}, "required": ["a"]}'


@pytest.fixture(scope="module")
def expected(demo_bundle: Path) -> bytes:
    return answer(demo_bundle)


@pytest.fixture(scope="module")
def bundle(engines: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("one") / "one.llamafile"
    return pack(DEMO, "--targets", "linux-x86_64", output=output)


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_packed_weights(expected: bytes, tmp_path: Path, name: str) -> None:
    weights = tmp_path / f"{name}.gguf"
    shutil.copyfile(DEMO, weights)
    made = pack(weights, "--targets", "linux-x86_64", output=tmp_path / "made.llamafile")
    weights.unlink()
    assert answer(made, cwd=tmp_path) == expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", [["-m"], ["-f", "--grammar-file", "--lora"]])
def test_any_name_of_files_that_options_take(
    bundle: Path, tmp_path: Path, options: list[str], name: str
) -> None:
    words = ["--cli", "-n", "4", *([] if "-f" in options else ["-p", QUESTION])]
    texts = {"-f": QUESTION.encode(), "--grammar-file": GRAMMAR, "--lora": LORA.read_bytes()}
    for number, option in enumerate(options):
        given = tmp_path / f"{name}{number}"
        given.write_bytes(texts.get(option) or DEMO.read_bytes())
        # Adapters are a list, in which quotes keep a comma.
        quoted = '"' + given.name.replace('"', '""') + '"'
        words += [option, quoted if option == "--lora" else given.name]
    done = run(["sh", bundle, *words], cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("name", ["a b", "ä ü", "模型", "a'b", "a#b"])
def test_any_name_of_a_packed_adapter(bundle: Path, tmp_path: Path, name: str) -> None:
    adapter = tmp_path / f"{name}.gguf"
    shutil.copyfile(LORA, adapter)
    words = ["--targets", "linux-x86_64", "--lora", adapter]
    made = pack(DEMO, *words, output=tmp_path / "made.llamafile")
    adapter.unlink()
    assert QUESTION.encode() in answer(made, cwd=tmp_path)


def _of_file(tmp_path: Path, text: bytes) -> Path:
    path = tmp_path / "text"
    path.write_bytes(BOM + text)
    return path


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("-f", QUESTION.encode() + b"\r\n"),
        ("--grammar-file", GRAMMAR),
        ("--json-schema-file", SCHEMA),
        ("--config", b"n-predict = 16\r\ntemp = 0\r\n"),
    ],
)
def test_text_written_on_windows(bundle: Path, tmp_path: Path, option: str, text: bytes) -> None:
    """The same as without its mark, and with the line ends of Unix."""
    words = CLI if option != "-f" else ["--cli", *CLI[3:]]
    plain = tmp_path / "plain"
    plain.write_bytes(text.replace(b"\r\n", b"\n"))
    marked = _of_file(tmp_path, text)
    answers = [run(["sh", bundle, *words, option, file]) for file in (plain, marked)]
    assert [done.returncode for done in answers] == [0, 0], answers[1].stderr.decode()
    assert answers[0].stdout == answers[1].stdout


def test_a_template_written_on_windows(bundle: Path, tmp_path: Path) -> None:
    template = _of_file(tmp_path, b"{{ messages[0].content }}")
    done = run(
        ["sh", bundle, *CLI, "--conversation", "--single-turn", "--chat-template-file", template]
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "\ufeff".encode() not in done.stdout + done.stderr


def test_keys_written_on_windows(bundle: Path, tmp_path: Path) -> None:
    """One a line; the second would be unknown with its CR, the first with its mark."""
    keys = _of_file(tmp_path, b"first\r\nsecond\r\n")
    with serving(bundle, "--api-key-file", str(keys)) as server:
        for key in ("first", "second"):
            request = urllib.request.Request(
                f"{server.url}/props", headers={"Authorization": f"Bearer {key}"}
            )
            with urllib.request.urlopen(request, timeout=30) as response:
                assert response.status == 200


def test_arguments_written_on_windows(bundle: Path, expected: bytes, tmp_path: Path) -> None:
    """Put into the file by another ZIP program, as users of llamafile do."""
    changed = tmp_path / "changed.llamafile"
    shutil.copyfile(bundle, changed)
    (tmp_path / ".args").write_bytes(BOM + b"-m\r\ndemo.gguf\r\n")
    subprocess.run(["zip", "-q", changed, ".args"], cwd=tmp_path, check=True)
    assert answer(changed) == expected


@pytest.mark.parametrize("words", [["--cli"], ["--cli", "-f", "-"]])
def test_the_prompt_from_a_pipe(bundle: Path, expected: bytes, words: list[str]) -> None:
    command = ["sh", str(bundle), *words, *CLI[3:]]
    done = subprocess.run(
        command, input=QUESTION.encode(), capture_output=True, check=False, timeout=120
    )
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()


@pytest.mark.parametrize("words", [CLI, ["--version"], ["--help"], ["--licenses"]])
def test_output_that_cannot_be_written_is_noticed(bundle: Path, words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            ["sh", str(bundle), *words],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=120,
        )
    assert done.returncode == 1
    assert b"ERROR standard output" in done.stderr


def test_a_broken_template_does_not_matter_where_none_is_used(
    bundle: Path, expected: bytes, tmp_path: Path
) -> None:
    model = tmp_path / "broken.gguf"
    with_template(DEMO, model, "{% if %}")
    assert answer(bundle, "-m", model) == expected


def with_template(source: Path, target: Path, template: str) -> None:
    """A copy of a GGUF whose chat template is another one."""
    reader = gguf.GGUFReader(source)
    old = bytes(reader.fields["tokenizer.chat_template"].parts[-1])
    new = template.encode().ljust(len(old))
    data = source.read_bytes()
    assert (len(new), data.count(old)) == (len(old), 1)
    target.write_bytes(data.replace(old, new))


def test_a_model_of_the_hub_named_in_the_environment(bundle: Path, expected: bytes) -> None:
    done = run(["sh", bundle, *CLI], LLAMA_ARG_HF_REPO="someone/something")
    assert (done.stdout, done.returncode) == (expected, 0)
    assert b"LLAMA_ARG_HF_REPO is ignored" in done.stderr
    assert b"rebuild" not in done.stderr


def test_a_certificate_named_in_the_environment_is_not_ignored(bundle: Path) -> None:
    """A server that was to speak HTTPS does not speak plain HTTP instead."""
    done = run(["sh", bundle, "--server", "--port", "0"], LLAMA_ARG_SSL_KEY_FILE="k.pem")
    assert done.returncode == 1
    assert b"ERROR --ssl-key-file needs --ssl-cert-file" in done.stderr
