"""What the theme cannot say: a little CSS, and the small pieces of HTML."""

from __future__ import annotations

from html import escape

from phidex.generation.answer import Answer
from phidex.ui.place import NumberedLine

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 132 32" width="132" height="32">
<path d="M4 4h13l6 6v18H4z" fill="#fff" stroke="#b45309" stroke-width="2" stroke-linejoin="round"/>
<path d="M17 4v6h6" fill="none" stroke="#b45309" stroke-width="2" stroke-linejoin="round"/>
<path d="M8 14.5h11" stroke="#d8cfbd" stroke-width="2"/><path d="M7.500 19h12" stroke="#f0b429" stroke-width="4.500"/>
<path d="M8 24h7" stroke="#d8cfbd" stroke-width="2"/>
<text x="33" y="23.500" font-family="Source Sans Pro, Helvetica, Arial, DejaVu Sans, sans-serif"
 font-size="22" font-weight="700" fill="#1f2328">Phidex</text></svg>"""

CSS = """
<style>
.stMainBlockContainer { padding: 2.2rem 3rem 4rem; max-width: 1500px; }
[data-testid="stSidebarUserContent"] { padding-top: 0; }
.st-key-page img { border: 1px solid #e4e0d6; border-radius: .4rem; box-shadow: 0 2px 14px rgba(60, 50, 20, .10); }
.st-key-sources { gap: .35rem; }
.phidex-quote { border-left: 3px solid #f0b429; padding: .1rem 0 .1rem .8rem; color: #4b4637; font-size: .95rem;
  line-height: 1.5; max-height: 9rem; overflow-y: auto; overflow-wrap: anywhere; }
.phidex-bar { display: flex; height: 8px; border-radius: 4px; overflow: hidden; background: #ece8de; }
.phidex-key { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin-top: .45rem; font-size: .8rem; color: #6d6757; }
.phidex-key i { display: inline-block; width: .6rem; height: .6rem; border-radius: 2px; margin-right: .35rem; }
.phidex-lines { font: .82rem/1.55 ui-monospace, "DejaVu Sans Mono", monospace; border: 1px solid #e4e0d6; border-radius: .5rem;
  overflow-x: auto; padding: .5rem 0; background: #fdfcfa; }
.phidex-lines div { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0 .8rem 0 4rem; text-indent: -3.2rem; }
.phidex-lines div.cited { background: #fff4cc; }
.phidex-lines b { display: inline-block; width: 3.2rem; text-indent: 0; color: #a39b86; font-weight: 400; }
.phidex-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 600; font-size: .9rem; }
.phidex-title { font-size: 1.05rem; }
.phidex-small { font-size: .8rem; color: #6d6757; }
.phidex-welcome { text-align: center; padding: 11vh 0 1rem; }
.phidex-welcome h2 { font-weight: 650; }
.phidex-welcome p { color: #6d6757; max-width: 34rem; margin: 0 auto .6rem; }
</style>
"""


def ledger_bar(answer: Answer) -> str:
    """Where the token budget went, as a bar with its key."""
    ledger = answer.ledger
    parts = (
        ("passages", ledger.context_tokens, "#e0a21b"),
        ("question and instructions", ledger.prompt_tokens, "#8a6d3b"),
        ("kept for the answer", ledger.reserve_tokens, "#b9c7a8"),
        ("free", ledger.free_tokens, "#ece8de"),
    )
    whole = max(1, ledger.budget_tokens)
    bar = "".join(f'<span style="width:{100 * n / whole:.2f}%;background:{colour}"></span>' for _, n, colour in parts)
    key = "".join(f'<span><i style="background:{colour}"></i>{name} {n:,}</span>' for name, n, colour in parts)
    return f'<div class="phidex-bar">{bar}</div><div class="phidex-key">{key}</div>'


def quote_block(quote: str) -> str:
    """The quote beside a coloured line."""
    return f'<div class="phidex-quote" dir="auto">{escape(quote)}</div>'


def line_block(lines: list[NumberedLine]) -> str:
    """Numbered lines, the cited ones marked."""
    rows = "".join(
        f"<div{' class=cited' if line.is_cited else ''}><b>{line.number}</b>{escape(line.text) or ' '}</div>" for line in lines
    )
    return f'<div class="phidex-lines">{rows}</div>'


def source_row(name: str, details: str) -> str:
    """A source: its name, cut where it is too long, and what is known of it."""
    title = escape(name, quote=True)
    return f'<div class="phidex-name" title="{title}">{title}</div><div class="phidex-small">{escape(details)}</div>'


def welcome(title: str, *paragraphs: str) -> str:
    """What stands where there is nothing yet."""
    return f'<div class="phidex-welcome"><h2>{escape(title)}</h2>{"".join(f"<p>{escape(p)}</p>" for p in paragraphs)}</div>'
