"""`RecordVideo`: the wrapper that Gymnasium has under this name, which writes each frame as it is rendered."""

import gc
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, SupportsFloat, Unpack

from ..errors import MissingDependencyError, OptionError, TelecineError
from ..files.urls import url_in
from ..formats.choose import extension_of, output_of
from ..frames.options import Option, complete, part, with_options
from ..output.options import WriterOptions
from ..writer import VideoWriter

try:
    from gymnasium import Env, Wrapper, logger
    from gymnasium.utils import RecordConstructorArgs
except ImportError as error:
    raise MissingDependencyError("telecine.integrations.gymnasium needs pip install gymnasium") from error

if TYPE_CHECKING:
    from ..support.rate import FrameRate

_FPS = 30  # where the environment has no `render_fps`, as in Gymnasium's wrapper


class RecordOptions(WriterOptions, total=False):
    """What `RecordVideo` takes: a `VideoWriter`'s options, with a frame rate that the environment may tell."""

    fps: Annotated[  # type: ignore[misc]
        "FrameRate | None",
        Option(None, """Frames per second, as for `export_video`. Without, the environment's `render_fps`, or 30."""),
    ]


@with_options(RecordOptions)
class RecordVideo(Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Records episodes of an environment, under the names and at the times that Gymnasium's `RecordVideo` has.

    A frame is encoded when it is rendered, and then forgotten. A recording is a file once its episode ends, whole or
    not at all; `close()` ends one too. What a killed process leaves beside it, `telecine recover` makes a file of.

    Args:
        env: An environment whose `render_mode` gives arrays: "rgb_array" or "rgb_array_list".
        video_folder: Where the files go: a folder, which is made, or a URL.
        episode_trigger: Tells of an episode's number whether its recording starts. Without both, those of 0, 1, 8, 27
            and so on up to 1000, and then each thousandth.
        step_trigger: Tells it of a step's number, counted over all episodes.
        video_length: A recording ends with the first frame after so many; 0 is with the episode.
        name_prefix: Files are "<name_prefix>-episode-0.mp4" or "<name_prefix>-step-0.mp4".
        disable_logger: Whether no bar shows the frames of a recording.
        gc_trigger: Tells of an episode's number whether garbage is collected after its recording; None is never.
        **options: Those below, which are tried at once.

    Raises:
        OptionError: an argument.
        PublishError: the folder can't be written.

    >>> import os, tempfile
    >>> import gymnasium, numpy as np
    >>> class Blinking(gymnasium.Env):
    ...     metadata, render_mode = {"render_modes": ["rgb_array"], "render_fps": 8}, "rgb_array"
    ...     def reset(self, seed=None, options=None): return 0, {}
    ...     def step(self, action): return 0, 0.0, False, False, {}
    ...     def render(self): return np.zeros((48, 64, 3), np.uint8)
    >>> folder = tempfile.mkdtemp()
    >>> env = RecordVideo(Blinking(), folder)
    >>> _ = env.reset(), env.step(0), env.close()
    >>> os.listdir(folder)
    ['rl-video-episode-0.mp4']
    """

    def __init__(
        self,
        env: Env[Any, Any],
        video_folder: str,
        episode_trigger: Callable[[int], bool] | None = None,
        step_trigger: Callable[[int], bool] | None = None,
        video_length: int = 0,
        name_prefix: str = "rl-video",
        *,
        disable_logger: bool = True,
        gc_trigger: Callable[[int], bool] | None = lambda episode: True,
        **options: Unpack[RecordOptions],
    ) -> None:
        RecordConstructorArgs.__init__(
            self,
            _disable_deepcopy=True,  # of functions and of what listens
            video_folder=video_folder,
            episode_trigger=episode_trigger,
            step_trigger=step_trigger,
            video_length=video_length,
            name_prefix=name_prefix,
            disable_logger=disable_logger,
            gc_trigger=gc_trigger,
            **options,
        )
        Wrapper.__init__(self, env)
        if env.render_mode in (None, "human", "ansi"):
            raise OptionError(f"render_mode={env.render_mode!r} gives no pictures: make it with 'rgb_array'")
        self._starts_at_step = step_trigger or _never
        self._starts_at_episode = episode_trigger or (_never if step_trigger else _by_cubes)
        self._collects, self._length = gc_trigger or _never, video_length or float("inf")
        self._folder = url_in(video_folder) or os.path.abspath(video_folder)
        self._prefix = name_prefix
        self._writer: VideoWriter | None = None  # of the recording that goes on
        self._earlier: list[Any] = []  # what was rendered in between, which `render` is still to give
        self.episode_id = self.step_id = -1
        given = complete(RecordOptions, options, "RecordVideo")
        given["fps"] = (self.metadata.get("render_fps") or _FPS) if given["fps"] is None else given["fps"]
        given["progress"] = given["progress"] or not disable_logger
        self._options = part(WriterOptions, given)
        self._try()

    @property
    def recording(self) -> bool:
        """Whether frames are recorded."""
        return self._writer is not None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment, and end and start recordings. Raises as `VideoWriter`."""
        given = super().reset(seed=seed, options=options)
        self.episode_id += 1
        self._earlier.clear()
        if self.recording and self._length == float("inf"):
            self.stop_recording()
        if self._starts_at_episode(self.episode_id):
            self.start_recording(f"{self._prefix}-episode-{self.episode_id}")
        self._record()
        return given

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step the environment, and record what it shows then. Raises as `VideoWriter`."""
        given = super().step(action)
        self.step_id += 1
        if self._starts_at_step(self.step_id):
            self.start_recording(f"{self._prefix}-step-{self.step_id}")
        self._record()
        return given

    def render(self) -> Any:
        """Render the environment: of "rgb_array_list" all frames since the last call or reset."""
        frames = super().render()
        if isinstance(frames, list):
            for frame in frames if self.recording else ():
                self._write(frame)
            frames, self._earlier = self._earlier + frames, []
        return frames

    def close(self) -> None:
        """Close the environment, and end the recording. Raises as `VideoWriter.close`."""
        super().close()
        if self.recording:
            self.stop_recording()

    def start_recording(self, video_name: str) -> None:
        """Start a recording under a name, and end the one before. Raises as `VideoWriter`."""
        if self.recording:
            self.stop_recording()
        self._writer = VideoWriter(self._path_of(video_name), **self._options)

    def stop_recording(self) -> None:
        """End the recording. Raises as `VideoWriter.close`, and TelecineError where there is none."""
        if self._writer is None:
            raise TelecineError("there is no recording: start_recording(name) begins one")
        writer, self._writer = self._writer, None
        if writer.frame_count:
            writer.close()
        else:
            writer.abort()
            logger.warn("a recording of no frames was dropped")
        if self._collects(self.episode_id):
            gc.collect()

    def _record(self) -> None:
        if self._writer is None:
            return
        frame = self.env.render()
        if isinstance(frame, list):
            if not frame:
                logger.warn("the environment has rendered no frame since env.render() was called: none is recorded")
                return
            self._earlier += frame
            frame = frame[-1]
        self._write(frame)
        if self._writer.frame_count > self._length:
            self.stop_recording()

    def _write(self, frame: Any) -> None:
        assert self._writer is not None
        try:
            self._writer.write(frame)
        except BaseException as error:
            writer, self._writer = self._writer, None
            writer.__exit__(type(error), error, error.__traceback__)  # which keeps what it has
            raise

    def _path_of(self, name: str) -> str:
        if name != os.path.basename(name):
            raise OptionError(f"{name!r} is no name of a file in {self._folder!r}: leave out what separates folders")
        extension = extension_of(output_of("clip.mp4", self._options["format"]))
        return f"{self._folder}/{name}{extension}"

    def _try(self) -> None:
        """Open a writer and drop it, so that what is wrong is an error now, and not at episode 1000."""
        unheard: WriterOptions = {"live": False, "also_to": None, "fragment": None, "latency": "normal"}
        options: WriterOptions = {**self._options, **unheard, "overwrite": True}
        VideoWriter(self._path_of(self._prefix), **options).abort()
        if not url_in(self._folder):
            os.makedirs(self._folder, exist_ok=True)


def _never(number: int) -> bool:
    return False


def _by_cubes(episode: int) -> bool:
    """Tell of episodes 0, 1, 8, 27 and so on, and from 1000 on of each thousandth, as Gymnasium's own wrapper does."""
    return round(episode ** (1 / 3)) ** 3 == episode if episode < 1000 else episode % 1000 == 0
