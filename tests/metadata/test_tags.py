"""What a file says of itself comes back exactly, and others read it: players, FFmpeg, ComfyUI, chat apps."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import telecine
from telecine import OptionError
from telecine.cli.commands import run
from telecine.container.boxes import boxes_in, top_level_boxes
from telecine.metadata.tags import exact_text, parse_metadata, read_tags, tags_of

from ..support.certificates import identity
from ..support.comfyui import graphs_of, graphs_of_exif
from ..support.helpers import Asked, failing_at, greys, waves
from ..support.mp4 import box, boxes

pytestmark = pytest.mark.filterwarnings("ignore:.*does not play everywhere:telecine.TelecineWarning")

VIDEOS = ["mp4", "mov", "webm", "mkv"]

IMAGES = ["gif", "webp", "apng", "avif"]

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

GRAPH = {"3": {"class_type": "KSampler", "inputs": {"text": "über 熊猫 {x}", "seed": 5, "cfg": 6.5}}}

WORKFLOW = {"nodes": [{"id": 3, "pos": [1, 2.5]}], "links": [], "extra": None}

METADATA: dict[str, Any] = {
    "prompt": "a panda\r\n\tplays; # = \\ \"the\" 'guitar' <&> ]]>",
    "negative_prompt": "",
    "seed": 2**64 + 1,
    "5": "5",
    "steps": 5,
    "guidance_scale": -0.1,
    "generated": True,
    "nothing": None,
    "nested": {"a": [1, "1", 1.5, [], {}, {"": None}]},
    "controls": "".join(map(chr, range(0xA0))),
    "unicode": "Ünï\u2028\u202e\ufeff\ufffe\uffff\U0001f43c\U0010ffff\ud800",
    "ключ 熊猫": "x",
    "": "no name",
    "Prompt": "another than prompt",
    "a=b;c#d": "e",
    "title": "A title",
    "date": "2026-11-21",
    "encoder": "mine",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

json_objects = st.dictionaries(st.text(), json_values, max_size=6)


def same(found: object, told: object) -> bool:
    """Equal, and of the same types: 1 is neither 1.0 nor True."""
    return json.dumps(found, sort_keys=True) == json.dumps(told, sort_keys=True)


def export(path: Path, metadata: Any, count: int = 3, **options: Any) -> Path:
    telecine.export_video(greys(count), path, fps=16, metadata=metadata, **options)
    return path


def copied(path: Path, to: Path) -> Path:
    """What `ffmpeg -i path -c copy to` writes: the same packets, and the tags that both formats have."""
    with av.open(path) as source, av.open(to, "w") as target:
        streams = {each: target.add_stream_from_template(each, opaque=True) for each in source.streams}
        target.metadata.update(source.metadata)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream]
                target.mux(packet)
    return to


# ---- comes back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", VIDEOS + IMAGES)
def test_every_value_comes_back_as_it_was_given(extension: str, tmp_path: Path) -> None:
    path = export(tmp_path / f"clip.{extension}", METADATA)
    assert same(telecine.probe(path).metadata, METADATA)


@pytest.mark.slow
@pytest.mark.parametrize("extension", VIDEOS)
@settings(max_examples=8, deadline=None)
@given(metadata=json_objects)
def test_any_json_comes_back(extension: str, metadata: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = export(tmp_path_factory.mktemp("any") / f"clip.{extension}", metadata)
    assert same(telecine.probe(path).metadata, metadata)


@given(metadata=json_objects)
def test_any_json_comes_back_from_tags(metadata: Any) -> None:
    tags = tags_of(parse_metadata(metadata))
    assert same(read_tags(tags), metadata)
    assert same(read_tags({name.upper(): text for name, text in tags.items()}), metadata)  # as Matroska has them
    assert not any("\0" in text for text in tags.values())


@pytest.mark.slow
@pytest.mark.parametrize("extension", VIDEOS)
def test_eight_mebibytes_come_back_with_the_index_in_front(extension: str, tmp_path: Path) -> None:
    metadata = {"workflow": {"blob": '熊猫 {"x"} ' * ((8 << 20) // 13)}, "seed": 1}
    assert len(json.dumps(metadata, ensure_ascii=False).encode()) > 8 << 20
    info = telecine.probe(export(tmp_path / f"clip.{extension}", metadata))
    assert bool(info.metadata == metadata)  # of which no difference is to be shown
    assert info.index_in_front
    assert info.frame_count == 3


def test_each_image_of_a_folder_says_it(tmp_path: Path) -> None:
    folder = export(tmp_path / "images", METADATA, format="png")
    assert len(list(folder.iterdir())) == 3
    for path in folder.iterdir():
        assert same(telecine.probe(path).metadata, METADATA)


def test_frames_are_those_of_a_file_that_says_nothing(tmp_path: Path) -> None:
    for extension in VIDEOS + IMAGES:
        silent = telecine.export_video(greys(5), tmp_path / f"silent.{extension}", fps=16)
        told = export(tmp_path / f"told.{extension}", METADATA, 5)
        assert np.array_equal(list(telecine.read_frames(told)), list(telecine.read_frames(silent)))


def test_an_empty_dict_comes_back_and_tuples_as_lists(tmp_path: Path) -> None:
    assert telecine.probe(export(tmp_path / "clip.mp4", {})).metadata == {}
    assert telecine.probe(export(tmp_path / "clip.mp4", {"size": (48, 64)})).metadata == {"size": [48, 64]}


def test_what_is_recovered_says_it_too(tmp_path: Path) -> None:
    for extension in ("mp4", "mkv", "gif"):
        path = tmp_path / f"clip.{extension}"
        with pytest.raises(ZeroDivisionError):
            telecine.export_video(failing_at(3, greys(5), ZeroDivisionError()), path, metadata=METADATA)
        telecine.recover(path)
        assert same(telecine.probe(path).metadata, METADATA)


# ---- refused ---------------------------------------------------------------------------------------------------------

endless: dict[str, Any] = {}

endless["self"] = endless

NUMBERS = {
    "NumPy's": [np.float32(1.5), np.int64(3), np.bool_(True), np.uint8(7), np.longdouble(0.5), np.str_("x")],
    "without axes": [np.array(1.5), torch.tensor(3), np.array(True), torch.tensor(7), np.array(0.5), np.array("x")],
}


@pytest.mark.parametrize("numbers", NUMBERS)
def test_what_holds_one_number_is_a_number(numbers: str, tmp_path: Path) -> None:
    given: Any = NUMBERS[numbers]
    video = telecine.export_video(greys(2), tmp_path / "clip.mp4", metadata={"a": given, "b": {"c": given[1]}})
    assert same(telecine.probe(video).metadata, {"a": [1.5, 3, True, 7, 0.5, "x"], "b": {"c": 3}})
    assert video.notes == ()


@pytest.mark.parametrize("nan", [math.nan, math.inf, -math.inf, np.float32("nan"), np.array(math.inf)])
def test_what_is_no_number_is_null_and_noted(nan: Any, tmp_path: Path) -> None:
    graph = {"3": {"class_type": "LoadImage", "is_changed": [nan]}}
    video = telecine.export_video(greys(2), tmp_path / "clip.mp4", metadata={"prompt": graph, "more": [1, nan]})
    read = {"prompt": {"3": {"class_type": "LoadImage", "is_changed": [None]}}, "more": [1, None]}
    assert same(telecine.probe(video).metadata, read)
    place = "metadata['prompt']['3']['is_changed'][0]"
    assert video.notes == (f"{place} is {float(nan)}, which JSON has no number for: it is null, and 1 more such",)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"a": [1, {"b": object()}]}, r"metadata\['a'\]\[1\]\['b'\] is a object, which is no JSON value"),
        ({"a": {5: "x"}}, r"metadata\['a'\] has the key 5: JSON's keys are text"),
        ({None: 1}, "metadata has the key None"),
        ({"a": {1, 2}}, r"metadata\['a'\] is a set, which is no JSON value: give text, numbers"),
        ({"a": b"x"}, r"metadata\['a'\] is a bytes"),
        ({"a": np.complex64(1)}, r"metadata\['a'\] is a numpy.complex64"),
        ({"a": np.datetime64("2026-11-21")}, r"metadata\['a'\] is a numpy.datetime64"),
        ({"a": np.zeros(1)}, r"metadata\['a'\] is a numpy.ndarray"),
        ({"a": torch.zeros(1)}, r"metadata\['a'\] is a torch.Tensor"),
        ({"a": Path("x")}, r"metadata\['a'\] is a pathlib"),
        ("a panda", "metadata='a panda' is no dict"),
        ([("a", 1)], "is no dict"),
        (endless, "nested too deeply, or in itself"),
        ({"a": "\ud83d\udc3c"}, "pair of surrogates"),
        ({"a": "x" * (16 << 20)}, "16,777,2.. bytes of JSON: at most 15,728,640"),
        ({"a": 10**5000}, "can't be JSON: .*4300"),
    ],
)
def test_what_is_no_json_is_refused_before_the_first_frame(metadata: Any, said: str, tmp_path: Path) -> None:
    asked = Asked(greys(3))
    with pytest.raises(OptionError, match=said) as error:
        telecine.export_video(asked, tmp_path / "clip.mp4", metadata=metadata)
    assert "\n" not in str(error.value)
    assert asked.count == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["tiff", "jpeg", "exr"])
def test_what_can_not_hold_it_says_so(format: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"metadata does not go into {format} images"):
        export(tmp_path / "images", {"seed": 1}, format=format)


# ---- read by others --------------------------------------------------------------------------------------------------


def tags(path: Path) -> dict[str, str]:
    with av.open(path) as container:
        return {name.lower(): text for name, text in container.metadata.items()}


@pytest.mark.parametrize("extension", VIDEOS)
def test_ffmpeg_reads_each_name(extension: str, tmp_path: Path) -> None:
    found = tags(export(tmp_path / f"clip.{extension}", METADATA))
    expected = {"title": "A title", "date": "2026-11-21", "seed": str(2**64 + 1), "steps": "5", "generated": "true"}
    if extension in ("mp4", "mov"):
        expected |= {"encoder": "mine"}  # Matroska must name its muxer there
    assert found.items() >= expected.items()
    assert found["prompt"] == METADATA["prompt"]
    assert json.loads(found["comment"])["telecine"]["steps"] == 5


def test_players_find_the_fields_where_itunes_has_them(tmp_path: Path) -> None:
    data = export(tmp_path / "clip.mp4", {**METADATA, "comment": "seen in players"}).read_bytes()
    first, *_ = (payload for kind, payload in boxes(box(data, "moov", "udta")) if kind == "meta")
    assert box(first[4:], "hdlr")[8:16] == b"mdirappl"
    fields = {kind: box(item, "data")[8:].decode() for kind, item in boxes(box(first[4:], "ilst"))}
    expected = {"\xa9nam": "A title", "\xa9day": "2026-11-21", "\xa9too": "mine", "\xa9cmt": "seen in players"}
    assert fields.items() >= expected.items()
    assert json.loads(fields["desc"])["telecine"]["comment"] == "seen in players"


def test_players_find_the_fields_where_quicktime_has_them(tmp_path: Path) -> None:
    data = export(tmp_path / "clip.mov", METADATA).read_bytes()
    fields = dict(boxes(box(data, "moov", "udta")))
    assert fields["\xa9nam"][4:] == b"A title"
    assert fields["\xa9swr"][4:] == b"mine"


@pytest.mark.parametrize("extension", VIDEOS)
@pytest.mark.parametrize("comment", [None, "my own"])
def test_a_plain_copy_keeps_it(extension: str, comment: str | None, tmp_path: Path) -> None:
    told = METADATA if comment is None else {**METADATA, "comment": comment}
    # Of reordered frames PyAV finds no decoding times in Matroska.
    path = export(tmp_path / f"clip.{extension}", told, encoder_options={} if extension == "webm" else {"bf": 0})
    targets = {"webm", "mkv"} if extension == "webm" else {"mp4", "mov", "mkv"}
    # With a comment of one's own the exact copy is in the description, which FFmpeg does not write into a MOV.
    for to in sorted(targets - {"mov"} if comment else targets):
        copy = copied(path, tmp_path / f"copy.{to}")
        assert same(telecine.probe(copy).metadata, told)
        assert tags(copy).get("comment", comment) == (comment or exact_text(told))


@pytest.mark.parametrize("extension", ["mp4", "mov"])
def test_a_copy_is_in_an_xmp_box_beside_the_index(extension: str, tmp_path: Path) -> None:
    path = export(tmp_path / f"clip.{extension}", METADATA)
    (packet,) = (payload[16:] for kind, payload in boxes(path.read_bytes()) if kind == "uuid" and payload[:16] == XMP)
    root = ElementTree.fromstring(packet)
    declared = root.findtext(".//{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType")
    assert declared == GENERATED
    # As chat apps do: what is in `moov/udta` is blanked.
    with open(path, "r+b") as file:
        (index,) = (each for each in top_level_boxes(file) if each.kind == b"moov")
        (user_data,) = (each for each in boxes_in(file, index) if each.kind == b"udta")
        file.seek(user_data.contents)
        file.write(bytes(user_data.end - user_data.contents))
    assert same(telecine.probe(path).metadata, METADATA)


@pytest.mark.parametrize("generated", [None, False, 1, "true"])
def test_only_what_is_declared_generated_says_so(generated: Any, tmp_path: Path) -> None:
    path = export(tmp_path / "clip.mp4", {"prompt": "a panda", "generated": generated})
    assert GENERATED.encode() not in path.read_bytes()


@pytest.mark.parametrize("extension", IMAGES)
def test_a_copy_is_in_the_xmp_of_an_image(extension: str, tmp_path: Path) -> None:
    path = export(tmp_path / f"clip.{extension}", METADATA)
    assert path.read_bytes().count(GENERATED.encode()) == 1
    if extension in ("webp", "avif"):  # of which Pillow reads it
        with Image.open(path) as image:
            assert GENERATED.encode() in image.info["xmp"]


# ---- ComfyUI ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["mp4", "mov", "webm", "webp", "png"])
@pytest.mark.parametrize("as_text", [False, True])
def test_comfyui_loads_the_graphs(extension: str, as_text: bool, tmp_path: Path) -> None:
    given: dict[str, Any] = {"prompt": GRAPH, "workflow": WORKFLOW}
    told = {name: json.dumps(graph) for name, graph in given.items()} if as_text else given
    apng: dict[str, Any] = {"format": "apng"} if extension == "png" else {}
    path = export(tmp_path / f"clip.{extension}", {"title": "first", "notes": "x" * (3 << 20), **told}, **apng)
    assert graphs_of(path) == given
    assert same(telecine.probe(path).metadata, {"title": "first", "notes": "x" * (3 << 20), **told})


def test_comfyui_loads_the_graphs_of_an_avif(tmp_path: Path) -> None:
    with Image.open(export(tmp_path / "clip.avif", {"prompt": GRAPH, "workflow": WORKFLOW})) as image:
        assert graphs_of_exif(image.info["exif"]) == {"prompt": GRAPH, "workflow": WORKFLOW}


@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_a_prompt_that_is_text_is_no_graph_to_comfyui(extension: str, tmp_path: Path) -> None:
    path = export(tmp_path / f"clip.{extension}", {"prompt": "a {red|blue} panda", "workflow": WORKFLOW})
    assert graphs_of(path) == {"workflow": WORKFLOW}


def written_by_others(path: Path, **told: str) -> Path:
    """As ComfyUI's SaveVideo and SaveWEBM, and VideoHelperSuite's ffmpeg, write: tags of any name."""
    options = {"movflags": "use_metadata_tags"} if path.suffix == ".mp4" else {}
    with av.open(path, "w", container_options=options) as container:
        container.metadata.update(told)
        stream: Any = container.add_stream("libx264" if path.suffix == ".mp4" else "libvpx-vp9", rate=16)
        stream.width, stream.height = 64, 48
        for picture in greys(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_graphs_are_read_from_what_comfyui_wrote(extension: str, tmp_path: Path) -> None:
    path = written_by_others(
        tmp_path / f"clip.{extension}", prompt=json.dumps(GRAPH), workflow=json.dumps(WORKFLOW), title="5"
    )
    found = dict(telecine.probe(path).metadata)
    assert found.pop("encoder", "Lavf").startswith("Lavf")  # type: ignore[union-attr]
    assert found == {"prompt": GRAPH, "workflow": WORKFLOW, "title": "5"}


def test_graphs_are_read_from_an_older_videohelpersuite(tmp_path: Path) -> None:
    comment = json.dumps({"prompt": json.dumps(GRAPH), "workflow": WORKFLOW})
    found = telecine.probe(written_by_others(tmp_path / "clip.mp4", comment=comment)).metadata
    assert (found["prompt"], found["workflow"], found["comment"]) == (GRAPH, WORKFLOW, comment)


def test_graphs_that_comfyui_adds_to_our_file_are_the_newer(tmp_path: Path) -> None:
    path, saved = export(tmp_path / "clip.mp4", {"prompt": "a panda", "seed": 5}), tmp_path / "saved.mp4"
    with av.open(path) as source, av.open(saved, "w", container_options={"movflags": "use_metadata_tags"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        target.metadata.update({**source.metadata, "prompt": json.dumps(GRAPH)})
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert telecine.probe(saved).metadata == {"prompt": GRAPH, "seed": 5}


@pytest.mark.parametrize(
    "comment", ['{"telecine":{', '{"telecine":{}', '{"telecine":5}', '{"telecine":{"a":NaN', "{" * 9999, "[]", "{}"]
)
def test_a_comment_that_only_looks_like_ours_is_text(comment: str, tmp_path: Path) -> None:
    found = telecine.probe(written_by_others(tmp_path / "clip.mp4", comment=comment)).metadata
    assert found["comment"] == comment


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command_writes_and_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "clip.npy", waves())
    (tmp_path / "more.json").write_text(json.dumps({"seed": 5, "prompt": "older", "controls": "\x1b[31m\x9b\n"}))
    path = tmp_path / "clip.mp4"
    command = ["export", str(tmp_path / "clip.npy"), "-o", str(path), "-q", "--metadata", "prompt=a=b"]
    assert run([*command, "--metadata", "long=" + "x" * 5000, "--metadata-json", str(tmp_path / "more.json")]) == 0
    assert telecine.probe(path).metadata == {
        "seed": 5,
        "prompt": "a=b",
        "controls": "\x1b[31m\x9b\n",
        "long": "x" * 5000,
    }
    capsys.readouterr()
    assert run(["probe", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "a=b" in shown
    assert r'"\u001b[31m\u009b\n"' in shown
    assert "(5,000 characters: --json shows all)" in " ".join(shown.split())
    assert not any(sign in shown for sign in "\x1b\x9b")
    assert run(["probe", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"]["long"] == "x" * 5000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metadata", "prompt"], "has no '=': write NAME=TEXT"),
        (["--metadata-json", "absent.json"], "can't be read as JSON"),
        (["--metadata-json", "list.json"], "is no JSON object"),
    ],
)
def test_the_command_refuses_what_is_no_metadata(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("clip.npy", waves())
    Path("list.json").write_text("[]")
    assert run(["export", "clip.npy", "-o", "clip.mp4", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not Path("clip.mp4").exists()


# ---- signed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", ["mp4", "mov", "gif", "webp", "apng"])
def test_a_signed_file_says_it_and_the_signature_holds_until_it_is_stripped(extension: str, tmp_path: Path) -> None:
    me = identity()
    said = telecine.Provenance(certificate=me.chain, private_key=me.pem())
    path = export(tmp_path / f"clip.{extension}", METADATA, provenance=said)
    assert same(telecine.probe(path).metadata, METADATA)
    assert telecine.read_provenance(path).state == "valid but untrusted"
    telecine.strip(path)
    assert telecine.read_provenance(path).state == "no manifest"


def test_an_avif_that_would_be_signed_can_not_say_it(tmp_path: Path) -> None:
    me, asked = identity(), Asked(greys(3))
    said = telecine.Provenance(certificate=me.chain, private_key=me.pem())
    with pytest.raises(OptionError, match="metadata= and provenance= don't go together in avif"):
        telecine.export_video(asked, tmp_path / "clip.avif", metadata=METADATA, provenance=said)
    assert asked.count == 0
