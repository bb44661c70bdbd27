"""Which services, entity sets and methods of Epicor the product's source calls, found without running it.

Everything that reaches Epicor goes through a ``Gateway``'s ``get``, ``call`` or ``stream``, whose first two arguments
are service and name. They are followed back to the texts they come from: constants of this or another module, local
names, either side of a conditional, records of entity sets, and parameters, through every call of the function that
has them. What cannot be followed is an error, so that no call can hide. ``Gateway.refusal`` is left out: the connection
test asks it about the table's own lines.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

#: Names of ``Gateway``'s methods that send something, and how many of their arguments come before the parameters.
SENDING = {"get", "call", "stream"}
#: A caller's word on whether a method changes something; a call that has no such word only reads.
WRITES = "writes"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Called:
    """One thing that is called. ``writes`` is what the caller says of it."""

    service: str
    name: str
    writes: bool


class Unknown(AssertionError):
    """A call whose service or name cannot be told from the source."""


@dataclass(eq=False)
class Module:
    """One source file: its tree, its assignments at the top, and where its imported names come from."""

    name: str
    tree: ast.Module
    values: dict[str, ast.expr] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Place:
    """Where an expression stands: its module, and the functions around it from the outside in."""

    module: Module
    functions: tuple[Function, ...]


@dataclass(frozen=True)
class Term:
    """An expression with the place that gives its names a meaning."""

    node: ast.expr
    place: Place


@dataclass(frozen=True)
class Call:
    """A call and where it stands."""

    node: ast.Call
    place: Place


class Source:
    """The source files of some packages, read once."""

    def __init__(self, root: Path, files: list[Path]) -> None:
        self._modules = {module.name: module for module in (_module(root, path) for path in files)}
        self._calls: dict[str, list[Call]] = {}
        for module in self._modules.values():
            for call in _calls(Place(module, ()), module.tree):
                self._calls.setdefault(_last(call.node.func), []).append(call)

    def calls(self) -> set[Called]:
        """Return everything that is called through a gateway, entity sets too where a call takes one as given."""
        found: set[Called] = set()
        roots = [call for name in sorted(SENDING) for call in self._calls.get(name, ())]
        roots = [call for call in roots if _last(getattr(call.node.func, "value", None)) == "_gateway"]
        for call in roots:
            found |= self._pairs(call)
        return found

    def entity_sets(self) -> set[Called]:
        """Return every ``EntitySet`` that is made anywhere."""
        found = set()
        for call in self._calls.get("EntitySet", ()):
            service, name = (self._texts(Term(node, call.place)) for node in call.node.args[:2])
            found |= {Called(*pair, writes=False) for pair in product(service, name)}
        return found

    def _pairs(self, root: Call) -> set[Called]:
        flag = next((word.value for word in root.node.keywords if word.arg == WRITES), ast.Constant(value=False))
        terms = tuple(Term(node, root.place) for node in (*root.node.args[:2], flag))
        found = set()
        for service, name, writes in self._bound(terms):
            if isinstance(service.node, ast.Attribute) and self._is_any_entity(service):
                found |= self.entity_sets()
                continue
            told = {_flag(node.node) for node in self._plain(writes)}
            found |= {Called(*both, writes=True in told) for both in product(self._texts(service), self._texts(name))}
        return found

    def _bound(self, terms: tuple[Term, ...], depth: int = 0) -> Iterator[tuple[Term, ...]]:
        """Yield the terms with every parameter replaced by what callers hand in, together, caller by caller."""
        owners = {owner: term.place.module for term in terms if (owner := _owner(term)) is not None}
        if not owners:
            yield terms
            return
        if len(owners) > 1 or depth > 10:
            raise Unknown(f"too many turns: {[ast.unparse(term.node) for term in terms]}")
        ((function, module),) = owners.items()
        callers = [call for call in self._calls.get(function.name, ()) if _means(call, function, module)]
        if not callers:
            raise Unknown(f"{module.name}: nobody calls {function.name}")
        for caller in callers:
            bound = tuple(_handed(term, function, caller) if _owner(term) is function else term for term in terms)
            yield from self._bound(bound, depth + 1)

    def _texts(self, term: Term) -> set[str]:
        """Return every text an expression without parameters may be."""
        found = set()
        for plain in self._plain(term):
            if not (isinstance(plain.node, ast.Constant) and isinstance(plain.node.value, str)):
                raise Unknown(f"{plain.place.module.name}: cannot tell what {ast.unparse(plain.node)} is")
            found.add(plain.node.value)
        return found

    def _plain(self, term: Term) -> list[Term]:
        """Follow names, conditionals and entity sets' ``service`` and ``name`` to what they were set to."""
        node = term.node
        if isinstance(node, ast.IfExp):
            return [*self._plain(Term(node.body, term.place)), *self._plain(Term(node.orelse, term.place))]
        if isinstance(node, ast.Name):
            return [found for meant in self._meant(node, term.place) for found in self._plain(meant)]
        if isinstance(node, ast.Attribute) and node.attr in ("service", "name"):
            place = 0 if node.attr == "service" else 1
            made = [found for found in self._plain(Term(node.value, term.place)) if isinstance(found.node, ast.Call)]
            return [
                text
                for one in made
                if isinstance(one.node, ast.Call)
                for text in self._plain(Term(one.node.args[place], one.place))
            ]
        return [term]

    def _meant(self, name: ast.Name, place: Place) -> list[Term]:
        for depth in range(len(place.functions), 0, -1):
            local = _assigned(place.functions[depth - 1], name.id)
            if local:
                return [Term(node, Place(place.module, place.functions[:depth])) for node in local]
        if name.id in place.module.values:
            return [Term(place.module.values[name.id], Place(place.module, ()))]
        module, original = place.module.imported.get(name.id, ("", ""))
        if module in self._modules:
            return self._meant(ast.Name(id=original), Place(self._modules[module], ()))
        raise Unknown(f"{place.module.name}: cannot tell what {name.id} is")

    @staticmethod
    def _is_any_entity(term: Term) -> bool:
        """Tell whether a term is ``entity.service`` of an entity set that was handed in."""
        node = term.node
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            return False
        named = node.value.id
        arguments = [argument for function in term.place.functions for argument in _arguments(function)]
        return any(
            argument.arg == named
            and argument.annotation is not None
            and ast.unparse(argument.annotation) == "EntitySet"
            for argument in arguments
        )


def _module(root: Path, path: Path) -> Module:
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    module = Module(name, ast.parse(path.read_text()))
    for node in module.tree.body:
        if isinstance(node, ast.Assign):
            module.values |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            module.values[node.target.id] = node.value
        elif isinstance(node, ast.ImportFrom) and node.module:
            module.imported |= {one.asname or one.name: (node.module, one.name) for one in node.names}
    return module


def _calls(place: Place, node: ast.AST) -> Iterator[Call]:
    for child in ast.iter_child_nodes(node):
        inner = place
        if isinstance(child, Function):
            inner = Place(place.module, (*place.functions, child))
        if isinstance(child, ast.Call):
            yield Call(child, place)
        yield from _calls(inner, child)


def _last(node: ast.expr | None) -> str:
    """The last name of a dotted expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _arguments(function: Function) -> list[ast.arg]:
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def _owner(term: Term) -> Function | None:
    """The function around a term whose parameter it is; None if it is no bare parameter."""
    if not isinstance(term.node, ast.Name):
        return None
    for function in reversed(term.place.functions):
        if _assigned(function, term.node.id):
            return None
        if term.node.id in {argument.arg for argument in _arguments(function)}:
            return function
    return None


def _means(call: Call, function: Function, module: Module) -> bool:
    """Tell whether a call of a function's name is one of that function. A method is known by its name alone."""
    if _arguments(function)[:1] and _arguments(function)[0].arg == "self":
        return isinstance(call.node.func, ast.Attribute)
    if isinstance(call.node.func, ast.Attribute):
        package, name = call.place.module.imported.get(_last(call.node.func.value), ("", ""))
        return f"{package}.{name}" == module.name
    return call.place.module is module or call.place.module.imported.get(function.name, ("",))[0] == module.name


def _handed(term: Term, function: Function, caller: Call) -> Term:
    """What a caller hands in for a parameter."""
    assert isinstance(term.node, ast.Name)
    for word in caller.node.keywords:
        if word.arg == term.node.id:
            return Term(word.value, caller.place)
    names = [argument.arg for argument in _arguments(function)]
    if names[:1] == ["self"]:
        names = names[1:]
    place = names.index(term.node.id)
    if place >= len(caller.node.args) or any(isinstance(node, ast.Starred) for node in caller.node.args):
        raise Unknown(f"{caller.place.module.name}: {ast.unparse(caller.node)} does not show its {term.node.id}")
    return Term(caller.node.args[place], caller.place)


def _assigned(function: Function, name: str) -> list[ast.expr]:
    """Every expression that a local name is set to, nested functions left out."""
    found: list[ast.expr] = []
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        if isinstance(node, Function | ast.Lambda):
            continue
        if isinstance(node, ast.Assign):
            found += [node.value for target in node.targets if isinstance(target, ast.Name) and target.id == name]
        todo += ast.iter_child_nodes(node)
    return found


def _flag(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return node.value
    raise Unknown(f"cannot tell whether {ast.unparse(node)} writes")
