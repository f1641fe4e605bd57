"""Compares responses of the server with the types that the client declares."""

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict


def assert_fits(value, declared, place="answer"):
    """Insist that a value is of the declared type, with the very keys of a TypedDict, all the way down."""
    origin, inner = get_origin(declared), get_args(declared)
    if declared is Any:
        return
    if is_typeddict(declared):
        hints = get_type_hints(declared)
        keys = value.keys()
        is_whole = declared.__required_keys__ <= keys <= hints.keys()
        assert is_whole, f"{place}: {sorted(value)} came for {sorted(hints)}"
        for key in keys:
            assert_fits(value[key], hints[key], f"{place}.{key}")
    elif origin in (Union, UnionType):
        assert any(fits(value, one) for one in inner), f"{place}: {value!r} is none of {inner}"
    elif origin is Literal:
        assert value in inner, f"{place}: {value!r} is none of {inner}"
    elif origin is list:
        assert isinstance(value, list), f"{place}: {value!r}"
        for at, item in enumerate(value):
            assert_fits(item, inner[0], f"{place}[{at}]")
    elif declared is float:
        assert type(value) in (int, float), f"{place}: {value!r} is no number"
    else:
        assert type(value) is (origin or declared), f"{place}: {value!r} is no {declared}"


def fits(value, declared):
    """Tell what `assert_fits` insists on."""
    try:
        assert_fits(value, declared)
    except (AssertionError, AttributeError):
        return False
    return True
