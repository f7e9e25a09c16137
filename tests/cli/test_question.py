"""What goes with a question: files become the parts that providers take, and whatever is wrong with one is told."""

import pytest
from tests.cli.command import lamellar_each, stack_file

from lamellar.chat.content import Binary, Text
from lamellar.cli.question import attachments
from lamellar.cli.report import UsageError
from lamellar.testing.simulator import ProviderSimulator

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


def write(folder, name, data):
    file = folder / name
    file.write_bytes(data)
    return str(file)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("really-a-png.jpg", PNG, "image/png"),
        ("photo", b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        ("moving.gif", b"GIF89a rest", "image/gif"),
        ("new.webp", b"RIFF\0\0\0\0WEBPrest", "image/webp"),
    ],
)
def test_an_image_is_known_by_its_first_bytes(tmp_path, name, data, kind):
    assert attachments([write(tmp_path, name, data)], []) == (Binary.from_bytes(kind, data, name),)


def test_documents_and_sound_go_as_they_are_and_text_as_text(tmp_path):
    files = [
        write(tmp_path, "paper", b"%PDF-1.7 rest"),
        write(tmp_path, "voice.mp3", b"ID3\xff\xfb"),
        write(tmp_path, "notes.md", "\ufeffGröße\n".encode()),
        write(tmp_path, "drawing.svg", b"<svg/>"),
    ]
    assert attachments([], files) == (
        Binary.from_bytes("application/pdf", b"%PDF-1.7 rest", "paper"),
        Binary.from_bytes("audio/mpeg", b"ID3\xff\xfb", "voice.mp3"),
        Text("File notes.md:\n\nGröße\n"),
        Text("File drawing.svg:\n\n<svg/>"),
    )


@pytest.mark.parametrize(
    ("option", "name", "data", "said"),
    [
        ("--image", "notes.md", b"text", "not an image that is known"),
        ("--image", "empty.png", b"", "the file is empty"),
        ("--file", "data.bin", b"\xff\x00", "neither UTF-8 text nor an image"),
    ],
)
def test_what_cannot_be_attached_is_told_with_option_and_file(tmp_path, option, name, data, said):
    file = write(tmp_path, name, data)
    with pytest.raises(UsageError, match=f"^{option}: .*{name}: {said}"):
        attachments([file] if option == "--image" else [], [file] if option == "--file" else [])


def test_a_file_that_is_missing_a_folder_or_too_large(tmp_path):
    with pytest.raises(UsageError, match=r"--file: .*none: cannot be read: No such file"):
        attachments([], [str(tmp_path / "none")])
    with pytest.raises(UsageError, match=r"--image: .*cannot be read: Is a directory"):
        attachments([str(tmp_path)], [])
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as out:
        out.truncate(50_000_001)
    with pytest.raises(UsageError, match=r"huge\.txt: larger than 50 MB"):
        attachments([], [str(huge)])


def test_one_question_takes_its_files_along(tmp_path):
    image, notes = write(tmp_path, "a.png", PNG), write(tmp_path, "notes.md", b"Hello")
    with ProviderSimulator() as simulator:
        command = ["chat", "-c", stack_file(tmp_path, simulator), "-m", "any"]
        sent, refused = lamellar_each(
            [*command, "--image", image, "--file", notes, "What?"], [*command, "--image", notes, "What?"]
        )
    assert (sent.code, sent.err) == (0, "")
    parts = simulator.last_request.messages[-1]["content"]
    assert [part["type"] for part in parts] == ["image_url", "text", "text"]
    assert parts[2]["text"] == "What?"
    assert (refused.code, refused.out, simulator.request_count) == (2, "", 1)
