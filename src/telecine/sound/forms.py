"""The forms in which pipelines, data sets and libraries hand out sound: samples with their rate, or a file."""

from __future__ import annotations

import io
import numbers
from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeAlias, TypeGuard, runtime_checkable

from ..errors import OptionError
from ..files.files import Place, is_place
from ..frames.recognise import ArrayLike, DLPackLike
from ..metadata.tags import of_one
from ..support.rate import is_whole

_LOWEST_RATE, _HIGHEST_RATE = 1_000, 655_350  # the latter is FLAC's (RFC 9639 9.1.2)

# ComfyUI's nodes have a "waveform" with a "sample_rate"; decoded rows of `datasets` an "array", and pipelines of
# transformers an "audio", with a "sampling_rate". Rows that are not decoded have a file's "bytes", its "path" or both.
_SAMPLES, _RATES, _FILES = ("waveform", "array", "audio"), ("sample_rate", "sampling_rate"), ("bytes", "path")
_KEYS_TAKEN = (
    f"one of {', '.join(map(repr, _SAMPLES))} with {' or '.join(map(repr, _RATES))}, "
    f"or {' or '.join(map(repr, _FILES))} of a file"
)
_MOST_NAMES = 8  # of keys in an error


@runtime_checkable
class SoundSamples(Protocol):
    """Samples that know their rate, as torchcodec's `AudioSamples`."""

    data: ArrayLike | DLPackLike
    sample_rate: int


@runtime_checkable
class SoundDecoder(Protocol):
    """A file that is open, as torchcodec's `AudioDecoder`, which rows of `datasets` have: it is decoded at once."""

    def get_all_samples(self) -> SoundSamples:
        """Decode the file."""


# A dict of a user is seldom typed, and a `TypedDict` takes none whose values are typed more narrowly, as ComfyUI's is.
SoundDict: TypeAlias = Mapping[str, object]
RatedArray: TypeAlias = "tuple[ArrayLike | DLPackLike, int] | tuple[int, ArrayLike | DLPackLike]"
Audio: TypeAlias = "ArrayLike | DLPackLike | Place | SoundDict | RatedArray | SoundSamples | SoundDecoder"


class RatedSound(NamedTuple):
    """Samples or a file, and the rate that came with it."""

    given: object
    rate: int | None = None


def sound_in(audio: Audio) -> RatedSound:
    """Give the samples or the file that sound of any form has, and its rate where it tells one.

    >>> sound_in({"array": "samples", "sampling_rate": 24_000, "path": "talk.wav"})
    RatedSound(given='samples', rate=24000)

    Raises:
        OptionError: a dict has other keys, a tuple is no array with its rate, or a list has several sounds.
    """
    if is_place(audio):
        return RatedSound(audio)
    if isinstance(audio, Mapping):
        return _in_dict(audio)
    if isinstance(audio, tuple):
        return _in_tuple(audio)
    if isinstance(audio, SoundDecoder):
        audio = audio.get_all_samples()
    if isinstance(audio, SoundSamples):
        return RatedSound(audio.data, parse_rate(audio.sample_rate, "the sample_rate of the sound"))
    if isinstance(audio, list) and audio and not _is_number(audio[0]):
        raise OptionError(f"audio is a list of {len(audio)}: give one sound, such as audio[0]")
    return RatedSound(audio)


def _in_dict(audio: SoundDict) -> RatedSound:
    values = {name: value for name, value in audio.items() if value is not None}
    samples, rates, files = ([name for name in names if name in values] for names in (_SAMPLES, _RATES, _FILES))
    rate = parse_rate(values[rates[0]], f"audio[{rates[0]!r}]") if rates else None
    if len(samples) == len(rates) == 1:
        return RatedSound(values[samples[0]], rate)
    if samples or not files or len(rates) > 1:
        names = ", ".join(map(repr, list(audio)[:_MOST_NAMES])) or "no key"
        more = f" and {len(audio) - _MOST_NAMES} more" if len(audio) > _MOST_NAMES else ""
        raise OptionError(f"audio is a dict with {names}{more}: it is to have {_KEYS_TAKEN}")
    return RatedSound(_file(files[0], values[files[0]]), rate)


def _file(name: str, given: object) -> object:
    if name == "bytes" and isinstance(given, (bytes, bytearray, memoryview)):
        return io.BytesIO(given)
    if name == "path" and is_place(given):
        return given
    raise OptionError(f"audio[{name!r}] is of type {type(given).__name__}: 'bytes' are bytes, a 'path' is text")


def _in_tuple(audio: tuple[object, ...]) -> RatedSound:
    """Take gradio's (rate, array) as well as (array, rate) of soundfile and torchaudio: one of the two is a number."""
    are_rates = [_is_number(each) for each in audio]
    if len(audio) != 2 or sum(are_rates) != 1:
        kinds = ", ".join(type(each).__name__ for each in audio[:_MOST_NAMES])
        raise OptionError(f"audio is a tuple ({kinds}): it is to be (samples, rate) or (rate, samples)")
    at = are_rates.index(True)
    return RatedSound(audio[1 - at], parse_rate(audio[at], f"audio[{at}]"))


def _is_number(given: object) -> TypeGuard[numbers.Real]:
    """Tell whether this is one number, also of NumPy's or in a tensor without axes."""
    return isinstance(of_one(given), numbers.Real)


def parse_rate(given: object, what: str) -> int:
    """Give a rate in samples a second.

    Raises:
        OptionError: it is none.
    """
    rate = of_one(given)
    whole = int(rate) if is_whole(rate) else 0
    if not _LOWEST_RATE <= whole <= _HIGHEST_RATE:
        raise OptionError(f"{what}={given!r} is not in samples a second: use an int, such as 48_000")
    return whole
