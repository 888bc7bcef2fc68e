"""What stands at the top of the project's modules: containers, objects, classes, imports."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from failover.audit.scope import Scope
from failover.audit.sources import Source

_DISPLAYS: Final[dict[type[ast.expr], str]] = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.SetComp: "set",
}
_CONTAINERS: Final = frozenset(
    {"list", "dict", "set", "bytearray", "array", "deque", "Counter", "defaultdict", "OrderedDict"}
    | {"ChainMap", "UserDict", "UserList", "WeakKeyDictionary", "WeakValueDictionary", "WeakSet"}
    | {"Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"}
    | {"Cache", "FIFOCache", "LFUCache", "LRUCache", "RRCache", "TTLCache", "TLRUCache"}
)
"""Of the standard library and of cachetools."""
_AT_BIRTH: Final = frozenset({"__init__", "__new__", "__post_init__", "__set_name__"})
"""Methods that write to an object before anybody else has it."""


@dataclass
class Class:
    containers: dict[str, str] = field(default_factory=dict)
    """Attributes of the class that hold one, by name; what kind it is."""
    own: set[str] = field(default_factory=set)
    """Attributes that objects get for themselves."""
    writers: set[str] = field(default_factory=set)
    """Methods that write to attributes later than at birth."""
    bases: list[str] = field(default_factory=list)


@dataclass
class Index:
    """By dotted name, of all modules."""

    modules: dict[str, dict[str, str]] = field(default_factory=dict)
    """Names that a module imports, and what they are."""
    containers: dict[str, str] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    """Anything that was called into being, and the dotted name of what was called."""
    classes: dict[str, Class] = field(default_factory=dict)

    def resolve(self, node: ast.expr, module: str, local: Iterable[str] = ()) -> str | None:
        """The dotted name that an expression stands for, past subscripts; None for others."""
        while isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value, module, local)
            return owner and f"{owner}.{node.attr}"
        if not isinstance(node, ast.Name) or node.id in local:
            return None
        return self.modules[module].get(node.id, f"{module}.{node.id}")

    def writers(self, name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        """Methods of a class, and of those that it is made of, which write to its objects."""
        found = self.classes.get(name)
        if found is None or name in seen:
            return set()
        return found.writers.union(*(self.writers(base, seen | {name}) for base in found.bases))


def make_index(sources: Iterable[Source]) -> Index:
    index = Index()
    scopes = [(source, list(_all_scopes(source.scope))) for source in sources]
    for source, all_of_it in scopes:
        index.modules[source.name] = dict(_imports(source, all_of_it))
    for source, all_of_it in scopes:
        _note_bindings(index, source.name, source.scope)
        for scope in all_of_it:
            if scope.is_class:
                index.classes[f"{source.name}.{scope.name}"] = _class(index, source.name, scope)
    return index


def _all_scopes(scope: Scope) -> Iterator[Scope]:
    yield scope
    for inner in scope.inner:
        yield from _all_scopes(inner)


def _imports(source: Source, scopes: Iterable[Scope]) -> Iterator[tuple[str, str]]:
    for node in (node for scope in scopes for node in scope.nodes):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(source, node)
            for alias in node.names:
                yield alias.asname or alias.name, f"{origin}.{alias.name}"


def _origin(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.name.split(".")
    above = node.level - source.is_package
    package = package[: len(package) - above] if above else package
    return ".".join([*package, *([node.module] if node.module else [])])


def _note_bindings(index: Index, module: str, top: Scope) -> None:
    for name, value in _bindings(top):
        dotted = f"{module}.{name}"
        if kind := _container(value):
            index.containers[dotted] = kind
        elif isinstance(value, ast.Call):
            index.objects[dotted] = index.resolve(value.func, module) or ""


def _bindings(scope: Scope) -> Iterator[tuple[str, ast.expr]]:
    """Names and what they are made, inside `if`, `try` and `with`, too."""
    for node in scope.nodes:
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((name.id, value) for name in targets if isinstance(name, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _container(value: ast.expr) -> str | None:
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else None
        name = value.func.id if isinstance(value.func, ast.Name) else name
        return name if name in _CONTAINERS else None
    return _DISPLAYS.get(type(value))


def _class(index: Index, module: str, scope: Scope) -> Class:
    bases = scope.node.bases if isinstance(scope.node, ast.ClassDef) else []
    found = Class(bases=[index.resolve(base, module) or "" for base in bases])
    for name, value in _bindings(scope):
        if kind := _container(value):
            found.containers[name] = kind
    for method in scope.inner:
        written = set(_written(method))
        found.own |= written
        if written and method.name not in _AT_BIRTH:
            found.writers.add(method.name)
    return found


def _written(method: Scope) -> Iterator[str]:
    """Attributes that a method sets on its object."""
    for node in method.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store()):
                if name == method.first_argument:
                    yield attribute
