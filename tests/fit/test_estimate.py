"""What fits, and the largest that does: rules that hold for all models and machines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.fit.estimate import Room, Start
from runtime.fit.memory_use import cache_bytes, compute_bytes
from runtime.fit.model_shape import Layer, ModelShape
from runtime.fit.settings import CACHE_TYPES, Settings

LAYERS = st.builds(
    Layer,
    weights=st.integers(0, 1 << 30),
    key=st.integers(0, 64).map(lambda n: n * 64),
    value=st.integers(0, 64).map(lambda n: n * 64),
    index=st.sampled_from([0, 128]),
    windowed=st.booleans(),
    state=st.integers(0, 1 << 20),
)
SHAPES = st.builds(
    ModelShape,
    layers=st.lists(LAYERS, max_size=12).map(tuple),
    window=st.sampled_from([0, 512, 4096]),
    input_weights=st.integers(0, 1 << 30),
    output_weights=st.integers(0, 1 << 30),
    copied_output=st.integers(0, 1 << 30),
    vocabulary=st.integers(1, 300_000),
    embedding=st.integers(1, 16_384),
    feed_forward=st.integers(0, 65_536),
    heads=st.integers(0, 128),
    context_length=st.none(),
)
SETTINGS = st.builds(
    Settings,
    context=st.integers(1, 1 << 24),
    sequences=st.integers(1, 8),
    unified=st.booleans(),
    batch=st.integers(1, 4096),
    micro_batch=st.integers(0, 4096),
    outputs=st.none() | st.integers(1, 8),
    type_k=st.sampled_from(sorted(CACHE_TYPES)),
    type_v=st.sampled_from(sorted(CACHE_TYPES)),
    full_windows=st.booleans(),
    flash_attention=st.booleans(),
    cache_on_gpu=st.booleans(),
)
ROOMS = st.builds(
    Room,
    ram=st.none() | st.integers(0, 1 << 42),
    gpu=st.just(0) | st.integers(0, 1 << 38),
)
STARTS = st.builds(
    Start,
    shape=SHAPES,
    settings=SETTINGS,
    others=st.integers(0, 1 << 30),
    gpu_layers=st.none() | st.integers(0, 20),
)


def with_context(start: Start, context: int) -> Start:
    return replace(start, settings=replace(start.settings, context=context))


@given(STARTS, ROOMS)
def test_the_largest_context_fits_and_a_larger_one_does_not(start: Start, room: Room) -> None:
    largest = start.largest_context(room)
    asked = start.settings.context
    if start.load(room).fits(room):
        assert largest == asked
        return
    if largest is None:
        assert not with_context(start, min(256, asked)).load(room).fits(room)
        return
    assert 0 < largest < asked
    assert with_context(start, largest).load(room).fits(room)
    assert not with_context(start, min(largest + 256, asked)).load(room).fits(room)


@given(STARTS, ROOMS)
def test_the_largest_number_of_layers_fits_and_one_more_does_not(start: Start, room: Room) -> None:
    count = start.layers_that_fit(room)
    assert 0 <= count <= start.layers
    assert replace(start, gpu_layers=count).load(room).on_gpu <= room.gpu
    if count < start.layers:
        assert replace(start, gpu_layers=count + 1).load(room).on_gpu > room.gpu
    proposed = start.largest_gpu_layers(room)
    if proposed is not None and start.gpu_layers is not None:
        assert proposed <= start.gpu_layers
        assert replace(start, gpu_layers=proposed).load(room).fits(room)


@given(STARTS, ROOMS)
def test_nothing_is_lost_between_ram_and_gpu(start: Start, room: Room) -> None:
    load = start.load(room)
    assert 0 <= load.on_gpu <= load.total
    assert load.total == load.weights + load.cache + load.compute
    assert load.weights >= start.shape.weights + start.others
    if not room.gpu and start.gpu_layers is None:
        assert not load.on_gpu


@given(SHAPES, SETTINGS, st.integers(0, 1 << 20))
def test_more_tokens_never_take_less(shape: ModelShape, settings: Settings, more: int) -> None:
    longer = replace(settings, context=settings.context + more)
    assert cache_bytes(shape, longer) >= cache_bytes(shape, settings)
    assert compute_bytes(shape, longer) >= compute_bytes(shape, settings)


def test_where_nothing_tells_everything_fits() -> None:
    layer = Layer(weights=1 << 40, key=64, value=64, index=0, windowed=False, state=0)
    shape = ModelShape((layer,), 0, 0, 0, 0, 1, 1, 1, 1, None)
    assert Start(shape, Settings(1 << 40)).load(Room(None)).fits(Room(None))


@pytest.mark.parametrize(("context", "cells"), [(1, 256), (256, 256), (257, 512), (1000, 1024)])
def test_contexts_are_rounded_up(context: int, cells: int) -> None:
    assert Settings(context).cells == cells
    assert Settings(context, sequences=4, unified=True).cells == cells
