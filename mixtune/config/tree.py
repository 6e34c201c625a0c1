"""A YAML file as plain values, with the line of every key and item."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import JsonValue as Json

from mixtune.config.problems import Place, Problem, dotted
from mixtune.errors import ConfigError

WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
INTEGER = re.compile(r"[-+]?\d+(_\d+)*")
DECIMAL = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Tree:
    """What a file says. lines holds the line (from 1) of each key and list item by its place."""

    file: Path
    value: dict[str, Json]
    lines: dict[Place, int]
    problems: list[Problem]


@dataclass(slots=True)
class _Reading:
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    open_nodes: list[int] = field(default_factory=list)


def read_tree(file: Path) -> Tree:
    """Read a YAML file whose top level is a mapping. Scalars follow YAML 1.2: `no` is text and `1e-3` a number.

    Duplicate keys and keys that are not text come back as problems.

    Raises:
        ConfigError: the file cannot be read, or is not YAML.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}); give the path of a study file") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        raise ConfigError(f"{file}:{line}: not UTF-8 text (byte 0x{byte:02x}); save the file as UTF-8") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        raise ConfigError(f"{where}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: not YAML: {' '.join(str(error).split())}") from error
    reading = _Reading()
    value = _value(node, (), reading) if node is not None else {}
    if not isinstance(value, dict):
        raise ConfigError(f"{file}:1: a study file is a mapping of keys such as `name:` and `sources:`, got {value!r}")
    return Tree(file, value, reading.lines, reading.problems)


def _value(node: yaml.Node, place: Place, reading: _Reading) -> Json:
    if id(node) in reading.open_nodes:
        reading.problems.append(Problem(place, f"{dotted(place)} refers to itself; write the value out"))
        return None
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    reading.open_nodes.append(id(node))
    value: Json = []
    if isinstance(node, yaml.MappingNode):
        value = _mapping(node, place, reading)
    elif isinstance(node, yaml.SequenceNode):
        value = _list(node, place, reading)
    reading.open_nodes.pop()
    return value


def _list(node: yaml.SequenceNode, place: Place, reading: _Reading) -> list[Json]:
    items: list[Json] = []
    for index, item in enumerate(node.value):
        reading.lines[(*place, index)] = item.start_mark.line + 1
        items.append(_value(item, (*place, index), reading))
    return items


def _mapping(node: yaml.MappingNode, place: Place, reading: _Reading) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            shown = getattr(key_node, "value", "")
            reading.problems.append(
                Problem(place, f"key {shown!r} of {dotted(place) or 'the file'} is not text; quote it", line)
            )
            continue
        here = (*place, key)
        if key in found:
            text = f"{dotted(here)} is given twice, first on line {reading.lines[here]}; keep one of them"
            reading.problems.append(Problem(here, text, line))
            continue
        reading.lines[here] = line
        found[key] = _value(value_node, here, reading)
    return found


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    text: str = node.value
    if node.style is not None:
        return text
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if INTEGER.fullmatch(text):
        return int(text)
    if DECIMAL.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
