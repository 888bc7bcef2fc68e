"""Which names of a function are its own, so that the others are the module's."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

type Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass
class Scope:
    """A module, class or function: what is evaluated as part of it, and the scopes in it."""

    node: ast.Module | ast.ClassDef | Function
    nodes: list[ast.AST] = field(default_factory=list)
    inner: "list[Scope]" = field(default_factory=list)

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "")

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    @property
    def first_argument(self) -> str | None:
        """`self`, of a method; None for whatever takes no arguments."""
        if isinstance(self.node, ast.Module | ast.ClassDef) or not self.node.args.args:
            return None
        return self.node.args.args[0].arg

    @cached_property
    def declared(self) -> frozenset[str]:
        """What it declares `global`."""
        names = (node.names for node in self.nodes if isinstance(node, ast.Global))
        return frozenset(name for some in names for name in some)

    @cached_property
    def own_names(self) -> frozenset[str]:
        """Arguments and whatever the function binds, unless it says `global` or `nonlocal`.

        What it imports is no name of its own: it is another module's.
        """
        if isinstance(self.node, ast.Module | ast.ClassDef):
            return frozenset()
        names = {argument.arg for argument in _arguments(self.node.args)}
        names.update(scope.name for scope in self.inner)
        others: set[str] = set()
        for node in self.nodes:
            match node:
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                    names.add(name)
                case ast.Global(names=declared) | ast.Nonlocal(names=declared):
                    others.update(declared)
                case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                    names.add(name)
                case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                    names.add(name)
        return frozenset(names - others)


def scope_of(node: ast.Module | ast.ClassDef | Function) -> Scope:
    """One pass over everything below the node."""
    scope = Scope(node)
    waiting: list[ast.AST] = list(node.body) if isinstance(node.body, list) else [node.body]
    while waiting:
        found = waiting.pop()
        if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            scope.inner.append(scope_of(found))
            waiting.extend(_evaluated_outside(found))
        else:
            scope.nodes.append(found)
            waiting.extend(ast.iter_child_nodes(found))
    return scope


def _evaluated_outside(node: ast.ClassDef | Function) -> Iterator[ast.AST]:
    """Decorators and defaults belong to the scope around."""
    if not isinstance(node, ast.Lambda):
        yield from node.decorator_list
    if not isinstance(node, ast.ClassDef):
        yield from node.args.defaults
        yield from (default for default in node.args.kw_defaults if default)


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from arguments.posonlyargs
    yield from arguments.args
    yield from arguments.kwonlyargs
    for rest in (arguments.vararg, arguments.kwarg):
        if rest:
            yield rest
