"""Formulas of Office documents as one line of text: fractions, roots, powers and sums keep their structure."""

from __future__ import annotations

from phidex.ingest.office.package import Element, local_name

_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def formula_text(element: Element) -> str:
    """An `m:oMath` element as text, in the manner of LaTeX without its backslashes: "(a+b)/(2c)", "x^(2)", "sqrt(y)"."""
    match local_name(element):
        case "t":
            return element.text or ""
        case "f":
            return f"{_group(element, 'num')}/{_group(element, 'den')}"
        case "sSup":
            return f"{_inner(element, 'e')}^{_group(element, 'sup')}"
        case "sSub":
            return f"{_inner(element, 'e')}_{_group(element, 'sub')}"
        case "sSubSup":
            return f"{_inner(element, 'e')}_{_group(element, 'sub')}^{_group(element, 'sup')}"
        case "rad":
            degree = _inner(element, "deg")
            return f"root({degree}, {_inner(element, 'e')})" if degree else f"sqrt({_inner(element, 'e')})"
        case "nary":
            char = element.find(f"{_M}naryPr/{_M}chr")
            sign = char.get(f"{_M}val", "∫") if char is not None else "∫"
            low, high = _inner(element, "sub"), _inner(element, "sup")
            return sign + (f"_({low})" if low else "") + (f"^({high})" if high else "") + f" {_inner(element, 'e')}"
        case "d":
            return f"({', '.join(formula_text(child) for child in element.iterchildren(f'{_M}e'))})"
        case "mr":
            return ", ".join(formula_text(child) for child in element.iterchildren(f"{_M}e")) + "; "
        case _:
            return "".join(formula_text(child) for child in element)


def _inner(element: Element, name: str) -> str:
    child = element.find(f"{_M}{name}")
    return "".join(formula_text(part) for part in child).strip() if child is not None else ""


def _group(element: Element, name: str) -> str:
    """The part in parentheses, unless it is one sign or number."""
    text = _inner(element, name)
    return text if text.isalnum() else f"({text})"
