"""Reads the project's code for state at the top of modules that functions write to.

What cannot be seen by reading is not found: an object that is passed on under another name, or
changed by somebody else's package.
"""

import ast
from collections.abc import Iterator
from typing import Final

from failover.audit.index import Class, Index, make_index
from failover.audit.parts import Part
from failover.audit.scope import Scope
from failover.audit.sources import Source, own_sources

_MUTATORS: Final = frozenset(
    {"append", "appendleft", "extend", "extendleft", "insert", "remove", "pop", "popleft"}
    | {"popitem", "clear", "sort", "reverse", "rotate", "add", "discard", "update", "setdefault"}
    | {"subtract", "put", "put_nowait", "get_nowait", "move_to_end", "__setitem__", "__delitem__"}
    | {"difference_update", "intersection_update", "symmetric_difference_update"}
)
_MUTATES_FIRST: Final = frozenset(
    {"heappush", "heappop", "heapify", "heapreplace", "heappushpop"}
    | {"insort", "insort_left", "insort_right", "shuffle"}
)
_CACHES: Final = frozenset({"functools.cache", "functools.lru_cache"})
_LOCAL: Final = {
    "django.core.cache.backends.locmem.LocMemCache": "a cache in the memory of each process",
    "django.core.cache.backends.filebased.FileBasedCache": "a cache in files of one machine",
    "django.core.files.storage.FileSystemStorage": "a storage on the disk of one machine",
    "django.core.files.storage.filesystem.FileSystemStorage": "a storage on one machine's disk",
    "django.core.files.storage.InMemoryStorage": "a storage in the memory of each process",
    "django.core.files.storage.memory.InMemoryStorage": "a storage in each process's memory",
}
"""What code makes past the settings."""
_AT_IMPORT: Final = frozenset({"__init_subclass__", "__set_name__", "__prepare__"})

_HINT: Final = (
    "Keep it where every instance sees it: the database, a shared cache, the session. If it is"
    " filled at start only, or may differ between processes, accept it in the baseline with the"
    " reason."
)
_CACHE_HINT: Final = (
    "Fine for what never changes while a process lives (a client, a compiled pattern): accept it"
    " in the baseline with the reason. For data use the shared cache, which can be invalidated."
)


def code() -> Iterator[Part]:
    """One part for each name that is written to."""
    yield from scan(own_sources())


def scan(sources: list[Source]) -> list[Part]:
    """The same for these modules. Those that Python cannot read are found, too."""
    readable, parts = [], []
    for source in sources:
        try:
            source.scope  # noqa: B018 (parses)
        except (SyntaxError, ValueError) as error:
            problem = f"cannot be read: {error}"
            parts.append(Part("anyport.W025", source.name, problem, "Exclude or repair it."))
        else:
            readable.append(source)
    index = make_index(readable)
    sites: dict[tuple[str, str], list[str]] = {}
    for source in readable:
        for number, dotted, line in _Module(index, source).writes():
            sites.setdefault((number, dotted), []).append(f"{source.path.name}:{line}")
    parts += [_part(index, *found, places) for found, places in sites.items()]
    parts += [*_objects(index), *_made(index)]
    return sorted(parts, key=lambda part: (part.id, part.where))


def _part(index: Index, number: str, dotted: str, places: list[str]) -> Part:
    where = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
    if number == "anyport.W023":
        problem = f"keeps what it returned for as long as this process lives ({where})."
        return Part(number, dotted, problem, _CACHE_HINT)
    if number == "anyport.E026":
        return Part(number, dotted, f"makes a cache or storage of its own ({where}).", _HINT)
    what = {
        "anyport.E020": f"is a {index.containers.get(dotted, 'module-level object')}",
        "anyport.E021": "is a name of its module",
        "anyport.E022": "belongs to a class, and so to every object of it,",
    }[number]
    problem = f"{what} that functions change ({where}): each process has its own."
    return Part(number, dotted, problem, _HINT)


def _made(index: Index) -> Iterator[Part]:
    """At the top of a module; what functions make is found with what they write."""
    for dotted, made_by in index.objects.items():
        if made_by in _LOCAL:
            yield Part("anyport.E026", dotted, f"is {_LOCAL[made_by]}, made by the code.", _HINT)


def _objects(index: Index) -> Iterator[Part]:
    """Objects at the top of a module whose own methods write to them."""
    for dotted, made_by in index.objects.items():
        if writers := index.writers(made_by):
            methods = ", ".join(sorted(writers)[:3]) + (", …" if len(writers) > 3 else "")
            problem = f"is one {made_by} for the whole process, and its methods change it"
            yield Part("anyport.W024", dotted, f"{problem} ({methods}).", _HINT)


class _Module:
    """Finds what the functions of one module write to. Yields id, dotted name, line."""

    def __init__(self, index: Index, source: Source) -> None:
        self.index = index
        self.name = source.name
        self.top = source.scope

    def writes(self) -> Iterator[tuple[str, str, int]]:
        for scope in self.top.inner:
            yield from self._scope(scope, self.name, frozenset(), None)

    def _scope(
        self, scope: Scope, around: str, local: frozenset[str], owner: str | None
    ) -> Iterator[tuple[str, str, int]]:
        """`local`: names of the functions around it. `owner`: the class it stands in."""
        dotted = f"{around}.{scope.name}"
        if scope.is_class:
            owner = f"{self.name}.{scope.name}"
        elif scope.name in _AT_IMPORT:
            return
        else:
            local = (local | scope.own_names) - scope.declared
            yield from self._cached(scope, dotted)
            yield from _Function(self.index, self.name, scope, local, owner).writes(dotted)
        for inner in scope.inner:
            yield from self._scope(inner, dotted, local, owner)

    def _cached(self, scope: Scope, dotted: str) -> Iterator[tuple[str, str, int]]:
        if isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in scope.node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if self.index.resolve(called, self.name) in _CACHES:
                    yield "anyport.W023", dotted, scope.node.lineno


class _Function:
    def __init__(
        self, index: Index, module: str, scope: Scope, local: frozenset[str], owner: str | None
    ) -> None:
        self.index, self.module, self.scope, self.local = index, module, scope, local
        self.owner = owner
        first = scope.first_argument
        self.itself = first if owner and first in ("self", "cls") else None

    def writes(self, itself: str) -> Iterator[tuple[str, str, int]]:
        for node in self.scope.nodes:
            line = getattr(node, "lineno", 0)
            for number, dotted in self._written(node):
                yield number, dotted, line
            if isinstance(node, ast.Call) and self._resolve(node.func) in _LOCAL:
                yield "anyport.E026", itself, line

    def _written(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name in self.scope.declared:
                yield "anyport.E021", f"{self.module}.{name}"
            case ast.Subscript(ctx=ast.Store() | ast.Del()):
                yield from self._container(node)
            case ast.AugAssign(target=ast.Attribute() as target):
                yield from self._container(target)
            case ast.Call(func=ast.Attribute(value=changed, attr=method)) if method in _MUTATORS:
                yield from self._container(changed)
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                yield from self._attribute(node)
        if isinstance(node, ast.Call) and node.args and _last(node.func) in _MUTATES_FIRST:
            yield from self._container(node.args[0])

    def _container(self, node: ast.expr) -> Iterator[tuple[str, str]]:
        dotted = self._resolve(node)
        owner, _, attribute = (dotted or "").rpartition(".")
        if dotted in self.index.containers:
            yield "anyport.E020", str(dotted)
        elif attribute in self._class(owner).containers and attribute not in self._class(owner).own:
            yield "anyport.E022", str(dotted)

    def _attribute(self, node: ast.Attribute) -> Iterator[tuple[str, str]]:
        """`module.name = …`, `Class.name = …`, `object.name = …`."""
        owner = self._resolve(node.value)
        if owner in self.index.modules:
            yield "anyport.E021", f"{owner}.{node.attr}"
        elif owner in self.index.classes and not self._is_self(node.value):
            yield "anyport.E022", f"{owner}.{node.attr}"
        elif owner in self.index.objects:
            yield "anyport.E020", owner

    def _resolve(self, node: ast.expr) -> str | None:
        """Like the index, but `self` and `cls` stand for the class around."""
        while isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Attribute):
            owner = self._resolve(node.value)
            return owner and f"{owner}.{node.attr}"
        if isinstance(node, ast.Name) and node.id == self.itself:
            return self.owner
        return self.index.resolve(node, self.module, self.local)

    def _is_self(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == "self" == self.itself

    def _class(self, dotted: str) -> Class:
        return self.index.classes.get(dotted) or Class()


def _last(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
