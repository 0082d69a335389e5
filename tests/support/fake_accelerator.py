"""An accelerator whose memory is the host's: what leaves it is noted, and its copies run as late as a device's may."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from telecine.planes import tensors

DEVICE = torch.device("privateuseone", 0)  # torch's name for a device that it does not know
aten = torch.ops.aten


class OnDevice(torch.Tensor):
    """A tensor that says that it is on the accelerator; only `Accelerator` can do anything with it.

    To torch itself it is one without values: for a device that torch does not know it has no guard.
    """

    held: torch.Tensor
    device = DEVICE
    is_meta = False

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnDevice:
        tensor: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device("meta"),
            requires_grad=held.requires_grad,
        )
        tensor.held = held.detach()
        return tensor

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        raise AssertionError(f"{func} after the accelerator was taken away")


@dataclass(frozen=True)
class Crossed:
    """A copy from the device to the host."""

    dtype: torch.dtype
    size_bytes: int
    blocking: bool


@dataclass
class Stream:
    """Work that runs once it is waited for. `seen` is how much of the accelerator's work it has waited for."""

    accelerator: Accelerator
    queue: list[Callable[[], object]] = field(default_factory=list)
    seen: int = 0

    def wait_stream(self, other: Stream) -> None:
        assert other is self.accelerator.stream
        self.seen = self.accelerator.work


class Event:
    """A place in a stream's work."""

    def record(self, stream: Stream) -> None:
        self.stream, self.copies = stream, stream.accelerator.launched

    def synchronize(self) -> None:
        accelerator = self.stream.accelerator
        while accelerator.landed < self.copies:
            self.stream.queue.pop(0)()
            accelerator.landed += 1


class Accelerator(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The device, while it is entered. With `late`, copies that don't block run when their event is waited for."""

    def __init__(self, late: bool = True, streams: bool = True) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.late = late
        self.crossed: list[Crossed] = []
        self.pinned: list[int] = []  # the bytes of each buffer
        self.launched = self.landed = self.work = 0
        self.stream = Stream(self)  # where everything but copies runs, at once
        self._current = self.stream
        functions = {"Stream": self._new_stream, "current_stream": self._stream_of, "stream": self._selected}
        self.module: Any = SimpleNamespace(Event=Event, **functions) if streams else SimpleNamespace()

    def _new_stream(self, device: torch.device) -> Stream:
        assert device == DEVICE
        return Stream(self)

    def _stream_of(self, device: torch.device) -> Stream:
        assert device == DEVICE
        return self._current

    @contextlib.contextmanager
    def _selected(self, stream: Stream) -> Iterator[None]:
        before, self._current = self._current, stream
        yield
        self._current = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        leaves = tree_flatten((args, kwargs))[0]
        there = any(isinstance(leaf, OnDevice) for leaf in leaves)
        if func is aten.copy_.default and there and not isinstance(args[0], OnDevice):
            self._fetch(args[0], args[1], args[2] if len(args) > 2 else False)
            return args[0]
        assert func is not aten._local_scalar_dense.default, "a value was looked at"
        to = kwargs.get("device")
        if func is aten._to_copy.default and there and to is not None and to.type == "cpu":
            self.crossed.append(Crossed(args[0].dtype, args[0].numel() * args[0].element_size(), True))
            return func(args[0].held, *args[1:], **kwargs)
        if kwargs.pop("pin_memory", False):
            self.pinned.append(args[0][0] * args[0][1])
        if to == DEVICE:
            kwargs["device"], there = torch.device("cpu"), True
        result = func(*tree_map(_held, args), **tree_map(_held, kwargs))
        if not there:
            return result
        assert self._current is self.stream, "only copies run beside"
        self.work += 1
        return args[0] if func._schema.is_mutable else tree_map(_on_device, result)

    def _fetch(self, to: torch.Tensor, tensor: OnDevice, non_blocking: bool) -> None:
        self.crossed.append(Crossed(tensor.dtype, tensor.numel() * tensor.element_size(), not non_blocking))
        if not non_blocking:
            to.copy_(tensor.held)
            return
        stream, held = self._current, tensor.held
        assert stream is not self.stream, "a copy in the way of the work"
        assert stream.seen == self.work, "a copy that does not wait for what makes its planes"
        self.launched += 1
        if self.late:
            stream.queue.append(lambda: to.copy_(held))
        else:
            to.copy_(held)
            stream.queue.append(lambda: None)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnDevice) else value


def _on_device(value: Any) -> Any:
    return OnDevice(value) if isinstance(value, torch.Tensor) else value


@contextlib.contextmanager
def entered(accelerator: Accelerator) -> Iterator[Accelerator]:
    """Have torch know the accelerator."""
    tensors._copying_stream.cache_clear()  # which is of the one before
    with pytest.MonkeyPatch.context() as patch, accelerator:
        patch.setattr(torch, DEVICE.type, accelerator.module, raising=False)
        patch.setitem(sys.modules, f"torch.{DEVICE.type}", accelerator.module)
        yield accelerator
