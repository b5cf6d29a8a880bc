"""Places in which code keeps an object that is made once: a module, a partial, a function."""

from __future__ import annotations

from collections.abc import Callable

from tests.generator.writer import Line, Writer


def hold(writer: Writer, text: str, decoy: str = "None", module: bool = False) -> str:
    """An expression for an object that is made once and kept in some place; some places only take modules of torch."""
    return writer.pick(PLACES | MODULE_PLACES if module else PLACES)(writer, text, decoy)


Place = Callable[[Writer, str, str], str]


def _nowhere(_: Writer, text: str, __: str) -> str:
    return text


def _local(w: Writer, text: str, _: str) -> str:
    return w.bind(text, w.choose("act", "layer", "tool"))


def _global(w: Writer, text: str, decoy: str) -> str:
    if not w.is_free(text, at_import=True):
        return _local(w, text, decoy)
    return w.constant(w.fresh("SHARED"), text)


def _own_attribute(w: Writer, text: str, decoy: str) -> str:
    if w.init is None or len(w.scopes) > 2 or not w.is_free(text, at_import=True):
        return _local(w, text, decoy)
    name = w.fresh("tool")
    w.init.append(Line.of(f"self.{name} = {text}", w.site))
    return f"self.{name}"


def _entry(w: Writer, text: str, decoy: str) -> str:
    return w.bind(w.choose(f'{{"plain": {decoy}, "main": {text}}}', f"dict(main={text}, plain={decoy})"), "tools") + (
        '["main"]'
    )


def _item(w: Writer, text: str, decoy: str) -> str:
    content, index = w.choose((f"[{text}, {decoy}]", 0), (f"({decoy}, {text})", 1))
    return f"{w.bind(content, 'tools')}[{index}]"


def _class_attribute(w: Writer, text: str, decoy: str) -> str:
    if not w.is_free(text, at_import=True):
        return _local(w, text, decoy)
    cls = w.fresh("Config")
    with w.scope(f"class {cls}:"):
        w.emit(f"tool = {text}")
    return f"{cls}.tool"  # of the class, not of an instance: functions stay functions


def _factory(w: Writer, text: str, _: str) -> str:
    name = w.fresh("make_tool")
    with w.scope(f"def {name}():"):
        w.emit(f"return {text}")
    return f"{w.bind(f'{name}()', 'tool')}"


def _chosen(w: Writer, text: str, decoy: str) -> str:
    return w.bind(f"{text} if {w.constant('ENABLED', 'True')} else {decoy}", "tool")


def _unpacked_tool(w: Writer, text: str, decoy: str) -> str:
    name, other = w.own(w.fresh("tool")), w.own(w.fresh("spare"))
    w.emit(f"{name}, {other} = {text}, {decoy}")
    return name


def _passed(w: Writer, text: str, _: str) -> str:
    """Handed to a function that hands it back."""
    name, parameter = w.fresh("configured"), w.fresh("tool")
    with w.scope(f"def {name}({parameter}):", parameter):
        w.emit(f"return {parameter}")
    return f"{name}({text})"


def _module_dict(w: Writer, text: str, _: str) -> str:
    made = f'{w.nn("ModuleDict")}({{"spare": {w.nn("Identity")}(), "main": {text}}})'
    return f'{w.bind(made, "tools")}["main"]'


def _module_list(w: Writer, text: str, _: str) -> str:
    made = f"{w.nn('ModuleList')}([{w.nn('Identity')}(), {text}])"
    return f"{w.bind(made, 'tools')}[1]"


def _and_or(w: Writer, text: str, decoy: str) -> str:
    return w.bind(f"{w.constant('ENABLED', 'True')} and {text} or {decoy}", "tool")


PLACES: dict[str, Place] = {
    "made where it is used": _nowhere,
    "kept in a variable": _local,
    "kept in the module": _global,
    "kept in self": _own_attribute,
    "kept in a dict": _entry,
    "kept in a list": _item,
    "kept in a class": _class_attribute,
    "made by a function": _factory,
    "chosen by a constant": _chosen,
    "kept by unpacking": _unpacked_tool,
    "handed through": _passed,
}
MODULE_PLACES: dict[str, Place] = {
    "kept in a ModuleDict": _module_dict,
    "kept in a ModuleList": _module_list,
    "chosen by and and or": _and_or,
}
